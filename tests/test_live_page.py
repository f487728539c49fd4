"""The page in a real browser while a real image streams. Oracle: what the browser shows."""

from __future__ import annotations

import re
import threading
from dataclasses import replace

import pytest
from chromium import find_chromium, open_page
from link_harness import PATIENT
from live_samples import CLASSES, FACTS, facts_for, figures_after, samples_of, seen, streaming_board
from waiting import joined

from kd_edge.base.decision import NOBODY, ONE, Decision
from kd_edge.link.device import Device
from kd_edge.live.feed import Feed
from kd_edge.live.figures import HostAnswer
from kd_edge.live.loop import Limits, LiveLoop, Summary
from kd_edge.live.server import PageServer, live_page

# Colours that are on a canvas, transparent aside: how many pixels have any.
PAINTED = """(id) => {
  const canvas = document.querySelector(id), paper = canvas.getContext("2d");
  const data = paper.getImageData(0, 0, canvas.width, canvas.height).data;
  const colours = new Map();
  for (let i = 0; i < data.length; i += 4)
    if (data[i + 3] > 200) {
      const name = [data[i], data[i + 1], data[i + 2]].join();
      colours.set(name, (colours.get(name) || 0) + 1);
    }
  return [...colours.entries()].filter(([, n]) => n > 20).map(([name]) => name);
}"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    find_chromium()
    with open_page(tmp_path_factory.mktemp("browser")) as page:
        page.look(1180, 1000)
        yield page


@pytest.fixture
def page(browser):
    browser.complaints.clear()
    yield browser
    browser.open("about:blank")


@pytest.fixture
def served():
    feed = Feed(FACTS)
    server = PageServer(feed, live_page(FACTS))
    yield feed, server.url
    server.close()


class Streaming:
    """A session in a thread of its own."""

    def __init__(self, session: LiveLoop):
        self._stop = threading.Event()
        self._session = session
        self._thread = threading.Thread(target=self._run)
        self.summary = None

    def _run(self):
        self.summary = self._session.run(Limits(windows=10_000, seconds=None))

    def samples(self, samples):
        if self._stop.is_set():
            raise KeyboardInterrupt  # what Ctrl-C does in the main thread

    def window(self, seen, figures):
        """Nothing to do."""

    def end(self, summary):
        """Nothing to do."""

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        joined(self._thread, "the end of the session")


@pytest.mark.parametrize("board", ["host", pytest.param("qemu-an386", marks=pytest.mark.qemu)])
def test_signals_prediction_agreement_and_losses_are_shown_while_a_board_streams(
    board, page, tmp_path
):
    with (
        streaming_board(tmp_path, board) as (url, host),
        Device.open(url, patience=PATIENT) as device,
    ):
        facts = facts_for(device, host)
        feed = Feed(facts)
        server = PageServer(feed, live_page(facts))
        views = [feed]
        session = LiveLoop(device, facts, host=host, views=views)
        with Streaming(session) as streaming:
            views.append(streaming)
            page.open(server.url)
            page.wait_for("document.querySelectorAll('#history tr').length >= 8")
            page.wait_for("document.getElementById('status').textContent === 'live'")
            assert page.text("class") in CLASSES
            assert page.text("agreement") == "100.0 %"
            more = page.text("agreement-more")
            assert re.match(r"same class in (\d+) of \1 windows", more), more
            assert page.text("loss") == "0"
            assert "0 samples lost" in page.text("loss-more")
            assert re.search(r"[\d.]+ (µs|ms)", page.text("latency"))
            assert page.run("document.querySelectorAll('#sensors canvas').length") == 2
            for position in (1, 2):
                place = f"#sensors figure:nth-of-type({position}) canvas"
                assert len(page.run(f"({PAINTED})({place!r})")) >= 3
            assert page.run(f"({PAINTED})('#strip')")
            before = page.run("document.querySelector('#history td').textContent")
            page.wait_for(f"document.querySelector('#history td').textContent !== {before!r}")
        server.close()
        assert streaming.summary.error is None
        assert streaming.summary.figures.lost_frames == 0
    page.wait_for("document.getElementById('status').textContent === 'ended'")
    assert page.text("ended") == "The live run has ended with Ctrl-C."
    assert page.complaints == []


def test_what_the_host_says_otherwise_and_what_was_lost_is_shown(page, served):
    feed, url = served
    for first in (0, 55, 220):
        feed.samples(samples_of(0, first, 55))
    windows = [
        seen(0, host=HostAnswer(0, True, 0)),
        seen(1, best=2, host=HostAnswer(1, False, 9)),
        seen(4, best=2, not_compared="samples of the window were lost"),
        seen(5, best=3, host=HostAnswer(2, False, 4)),
    ]
    for number in range(4):
        feed.window(windows[number], figures_after(windows[: number + 1]))
    page.open(url)
    page.wait_for("document.querySelectorAll('#history tr').length === 4")
    assert page.text("class") == "tree"
    assert page.text("host") == "✗ the host says <b>house</b>"
    assert page.text("agreement") == "33.3 %"
    assert page.text("loss") == "2"
    assert "2 windows missing, 1 frame damaged" in page.text("loss-more")
    rows = page.run("[...document.querySelectorAll('#history tr')].map((row) => row.innerText)")
    assert "samples of the window were lost" in rows[1]
    assert "<b>house</b>" in rows[2]
    assert page.run("document.querySelectorAll('#history b, h1 i').length") == 0
    assert page.complaints == []


def test_what_is_said_begins_and_is_rejected_is_shown(page):
    facts = replace(FACTS, decides=True)
    feed = Feed(facts)
    server = PageServer(feed, live_page(facts))
    onset = Decision(said=3, leading=3, confidence=3 * ONE // 4, onset=True, rejected=False)
    unknown = Decision(NOBODY, leading=1, confidence=ONE // 4, onset=False, rejected=True)
    windows = [
        seen(0, decision=onset, host_decision=onset),
        seen(1, decision=unknown, host_decision=onset),
    ]
    feed.window(windows[0], figures_after(windows[:1]))
    page.open(server.url)
    page.wait_for("document.querySelectorAll('#history tr').length === 1")
    assert page.text("class") == "tree"
    assert page.text("decision") == "begins now; tree leads with 75.0 %"
    feed.window(windows[1], figures_after(windows))
    page.wait_for("document.querySelectorAll('#history tr').length === 2")
    assert page.text("class") == "unknown"
    assert "this window is rejected" in page.text("decision")
    assert "the host decides otherwise" in page.text("decision")
    assert page.text("onsets") == "1"
    assert page.text("onsets-more") == "1 window rejected; as the host decides in 1 of 2"
    rows = page.run("[...document.querySelectorAll('#history tr')].map((row) => row.innerText)")
    assert "unknown, rejected" in rows[0]
    assert "tree, begins" in rows[1]
    assert page.complaints == []
    server.close()


def test_a_page_that_has_lost_the_connection_comes_back_with_everything(page, served):
    feed, url = served
    feed.window(seen(0), figures_after([seen(0)]))
    page.open(url)
    page.wait_for("document.querySelectorAll('#history tr').length === 1")
    page.call("Network.emulateNetworkConditions", offline=True, latency=0,
              downloadThroughput=-1, uploadThroughput=-1)  # fmt: skip
    for watcher in list(feed._watchers):  # what a dropped connection does at this end
        watcher.leave()
    page.wait_for("document.getElementById('status').textContent.startsWith('connecting')")
    feed.window(seen(1, best=4), figures_after([seen(0), seen(1)]))
    page.call("Network.emulateNetworkConditions", offline=False, latency=0,
              downloadThroughput=-1, uploadThroughput=-1)  # fmt: skip
    page.wait_for("document.querySelectorAll('#history tr').length === 2")
    assert page.text("class") == CLASSES[4]


def test_paused_it_stands_still_and_goes_on_with_what_is_newest(page, served):
    feed, url = served
    feed.window(seen(0), figures_after([seen(0)]))
    page.open(url)
    page.wait_for("document.querySelectorAll('#history tr').length === 1")
    page.run("document.getElementById('pause').click()")
    assert page.run("document.getElementById('pause').getAttribute('aria-pressed')") == "true"
    feed.window(seen(1, best=1), figures_after([seen(0), seen(1)]))
    page.wait_for("document.getElementById('status').textContent === 'paused'")
    page.frames(3)
    assert page.text("class") == CLASSES[0]
    page.run("document.getElementById('pause').click()")
    page.wait_for(f"document.getElementById('class').textContent === {CLASSES[1]!r}")


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [360, 1180])
def test_it_fits_the_window_in_both_looks(page, served, dark, width):
    feed, url = served
    feed.samples(samples_of(0, 0, 2000))
    feed.samples(samples_of(1, 0, 300))
    feed.window(seen(0), figures_after([seen(0)]))
    page.look(width, 900, dark=dark)
    page.open(url)
    page.wait_for("document.querySelectorAll('#history tr').length === 1")
    assert page.run("document.documentElement.scrollWidth <= window.innerWidth")
    background = page.run("getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(20, 24, 28)" if dark else "rgb(255, 255, 255)")
    unnamed = page.run(
        "[...document.querySelectorAll('canvas, button, [role=region]')]"
        ".filter((e) => !(e.getAttribute('aria-label') || e.textContent.trim())).length"
    )
    assert unnamed == 0
    page.look(1180, 1000)
    assert page.complaints == []


def test_several_pages_may_watch(page, served, tmp_path):
    feed, url = served
    feed.window(seen(0), figures_after([seen(0)]))
    with open_page(tmp_path) as other:
        for each in (page, other):
            each.open(url)
            each.wait_for("document.querySelectorAll('#history tr').length === 1")
        feed.window(seen(1, best=2), figures_after([seen(0), seen(1)]))
        for each in (page, other):
            each.wait_for(f"document.getElementById('class').textContent === {CLASSES[2]!r}")
        feed.end(
            Summary("ended after 2 windows, as asked", None, figures_after([seen(0), seen(1)]))
        )
        for each in (page, other):
            each.wait_for("document.getElementById('status').textContent === 'ended'")
