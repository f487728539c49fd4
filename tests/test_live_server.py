"""The page's server over real HTTP. Oracle: RFC 9110 and the HTML standard's event streams."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from urllib.parse import urlsplit

import pytest
from live_samples import CLASSES, FACTS, figures_after, samples_of, seen
from waiting import BOUND_S, joined

from kd_edge.base.errors import KdEdgeError
from kd_edge.live import server
from kd_edge.live.feed import Feed
from kd_edge.live.loop import Summary
from kd_edge.live.server import PageServer, live_page


@pytest.fixture
def served():
    feed = Feed(FACTS)
    server = PageServer(feed, live_page(FACTS))
    yield feed, server
    server.close()


class Events:
    """A reader of Server-Sent Events."""

    def __init__(self, url: str):
        self._connection, path = connection(url)
        self._connection.request("GET", path + "events")
        self._answer = self._connection.getresponse()
        assert self._answer.status == 200
        assert self._answer.headers["Content-Type"].startswith("text/event-stream")

    def next(self):
        """The next event's name and content; None at the stream's end."""
        name = None
        while line := self._answer.readline():
            key, _, value = line.decode().rstrip("\n").partition(": ")
            if key == "event":
                name = value
            elif key == "data":
                return name, json.loads(value)
        return None

    def close(self):
        self._answer.close()
        self._connection.close()


def connection(url: str):
    parts = urlsplit(url)
    return http.client.HTTPConnection(parts.hostname, parts.port, timeout=BOUND_S), parts.path


def get(url: str, path: str | None = None, **headers):
    link, own = connection(url)
    link.request("GET", own if path is None else path, headers=headers)
    answer = link.getresponse()
    body = answer.read().decode()
    link.close()
    return answer, body


def summary(windows=()):
    return Summary("ended with Ctrl-C", None, figures_after(list(windows)))


def test_an_event_is_sent_before_the_one_before_it_is_confirmed(served, monkeypatch):
    """Oracle: the option of the socket that writes events (RFC 896 is off)."""
    options, send = [], server._Handler._send_events

    def asked(handler):
        options.append(handler.connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        send(handler)

    monkeypatch.setattr(server._Handler, "_send_events", asked)
    events = Events(served[1].url)
    assert events.next()[0] == "start"
    events.close()
    assert options[0] != 0


def test_the_page_is_one_file_that_asks_nobody_else(served):
    answer, body = get(served[1].url)
    assert answer.status == 200
    assert "http://" not in body
    assert "https://" not in body
    assert "src=" not in body.replace("location.search", "")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["Cache-Control"] == "no-store"


def test_names_from_outside_are_text_in_the_page(served):
    _, body = get(served[1].url)
    assert "a &lt;i&gt;title&lt;/i&gt;" in body
    assert "<i>title" not in body


def test_it_listens_on_this_machine_only(served):
    """Oracle: the kernel. A socket of every address would take a call to 127.0.0.2 as well."""
    server = served[1]
    listening = server._server.socket
    assert listening.family == socket.AF_INET
    assert listening.getsockname() == ("127.0.0.1", urlsplit(server.url).port)
    assert get(server.url)[0].status == 200
    with pytest.raises(OSError, match=r"refused|assign|unreachable|timed out"):
        socket.create_connection(("127.0.0.2", urlsplit(server.url).port), timeout=5).close()


def test_without_the_secret_there_is_nothing(served):
    url = served[1].url
    secret = urlsplit(url).path.strip("/")
    assert len(secret) >= 20
    for path in ("/", "/events", f"/{secret}", f"/{secret[:-1]}/", "/favicon.ico"):
        answer, body = get(url, path)
        assert (answer.status, body) == (404, "")


def test_another_sites_name_for_this_machine_reads_nothing(served):
    """Against DNS rebinding: the browser sends the other site's name as Host."""
    url = served[1].url
    port = urlsplit(url).port
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1", f"127.0.0.1:{port + 1}"):
        answer, body = get(url, Host=host)
        assert (answer.status, body) == (421, "")
    assert get(url, Host=f"localhost:{port}")[0].status == 200


def test_other_methods_are_refused(served):
    link, path = connection(served[1].url)
    link.request("POST", path, body=b"x")
    assert link.getresponse().status == 501
    link.close()


def test_whoever_comes_is_told_what_was_and_then_what_happens(served):
    feed, server = served
    feed.samples(samples_of(0, 0, 111))
    windows = [seen(0)]
    feed.window(windows[0], figures_after(windows))
    early = Events(server.url)
    name, start = early.next()
    assert (name, start["classes"], start["board"]) == ("start", list(CLASSES), "test board")
    name, points = early.next()
    stretches = points["0"]
    assert (name, [row[0] for row in stretches]) == ("samples", list(range(10)))
    low = samples_of(0, 0, 111).values[:11].min(axis=0).tolist()
    high = samples_of(0, 0, 111).values[:11].max(axis=0).tolist()
    assert stretches[0] == [0, *low, *high]
    assert early.next()[1]["windows"][0]["name"] == CLASSES[0]
    windows.append(seen(1, best=3))
    feed.samples(samples_of(0, 111, 33))
    feed.window(windows[1], figures_after(windows))
    late = Events(server.url)
    told = [late.next() for _ in range(3)]
    assert [row[0] for row in told[1][1]["0"]] == list(range(13))
    assert len(told[2][1]["windows"]) == 2
    assert [row[0] for row in early.next()[1]["0"]] == [10, 11, 12]
    name, window = early.next()
    assert (name, window["window"]["name"], window["figures"]["windows"]) == (
        "window",
        CLASSES[3],
        2,
    )
    feed.end(summary(windows))
    for watcher in (early, late):
        assert watcher.next()[0] == "end"
        assert watcher.next() is None
        watcher.close()


def test_whoever_comes_after_the_end_is_told_that_too(served):
    feed, server = served
    feed.end(summary())
    watcher = Events(server.url)
    assert [watcher.next()[0] for _ in range(4)] == ["start", "samples", "history", "end"]
    assert watcher.next() is None
    watcher.close()


def test_no_sample_is_told_twice_or_never_to_whoever_comes_in_the_middle(served):
    """Oracle: stretch numbers are consecutive in each watcher's picture."""
    feed, server = served
    go_on = threading.Event()

    def stream():
        for first in range(0, 40_000, 50):
            feed.samples(samples_of(0, first, 50))
            if first == 2000:
                go_on.set()
        feed.end(summary())

    feeder = threading.Thread(target=stream)
    feeder.start()
    assert go_on.wait(BOUND_S), "the feeder has not come to its two thousandth sample"
    watchers = [Events(server.url) for _ in range(3)]
    for watcher in watchers:
        numbers = []
        while event := watcher.next():
            if event[0] == "samples":
                numbers += [row[0] for row in event[1].get("0", [])]
        assert numbers == list(range(numbers[0], 40_000 // 11))
        watcher.close()
    joined(feeder, "the end of the samples")


def test_a_watcher_that_does_not_read_is_let_go_and_holds_nobody_up():
    feed = Feed(FACTS)
    slow = feed.subscribe()
    for number in range(3000):
        feed.window(seen(number), figures_after([]))
    read = 0
    while slow.get(0.01) is not None:
        read += 1
    assert 1000 <= read < 1100
    feed.wait_until_read(0.0)


def test_a_port_that_is_taken_is_named(served):
    port = urlsplit(served[1].url).port
    with pytest.raises(KdEdgeError, match=str(port)) as refused:
        PageServer(served[0], live_page(FACTS), port=port)
    assert refused.value.code == "KD_PORT_BUSY"
