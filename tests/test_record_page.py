"""The page of `record` in a real browser, beside its server and its pictures.

Oracle: what the browser shows, and the folder that the session wrote.
"""

from __future__ import annotations

import http.client
import json
import threading
from urllib.parse import urlsplit

import pytest
from chromium import find_chromium, open_page
from phone_samples import axe
from PIL import Image
from test_prompted import muscles, prompts
from waiting import BOUND_S, joined

from kd_edge.base.errors import KdEdgeError
from kd_edge.live.prompt_page import PromptPage, prompt_page
from kd_edge.live.prompted import UNDO, Asked, Progress, Screens, Session, Timing
from kd_edge.live.prompts import Prompt, ask_for, read_prompts
from kd_edge.live.server import PageServer
from kd_edge.live.sources.replay import Replay

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "house.png"
    Image.new("RGB", (1600, 900), (200, 30, 30)).save(path)
    return path


class Clock:
    """Time that goes on as far as the test allows."""

    def __init__(self):
        self.now_s = self._until_s = 0.0
        self._changed = threading.Condition()

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.now_s < self._until_s, BOUND_S)
            self.now_s += seconds

    def allow(self, seconds: float) -> None:
        with self._changed:
            self._until_s += seconds
            self._changed.notify()


def post(url: str, key: bytes, path: str = "keys", **headers) -> int:
    parts = urlsplit(url)
    link = http.client.HTTPConnection(parts.hostname, parts.port, timeout=BOUND_S)
    link.request("POST", parts.path + path, body=key, headers=headers)
    status = link.getresponse().status
    link.close()
    return status


def test_a_session_is_led_by_the_page(tmp_path, picture):
    """Prompt, countdown, picture and progress; undo and end by keys. axe-core finds no fault."""
    find_chromium()
    clock, page = Clock(), PromptPage(clock=lambda: clock.now_s)
    out = tmp_path / "out"
    asked = (Prompt("house", 1, picture), *prompts(HOSTILE, "tree"))
    source = Replay(muscles(), clock=clock, sleep=clock.sleep)
    what = Asked(out, "S1", "day 1", asked, Timing(ready_s=2.0, perform_s=1.0, rest_s=0.5))
    session = Session(source, what, Screens([page]), clock=clock)
    server = PageServer(page, prompt_page("Signs of <i>S1</i>"), press=page.press)
    done = []

    def lead() -> None:
        done.append(session.run())
        page.end(done[0].why)

    thread = threading.Thread(target=lead, daemon=True)
    with open_page(tmp_path / "browser") as browser:
        browser.look(390, 844)
        browser.open(server.url)
        thread.start()
        clock.allow(1.0)
        browser.wait_for("document.getElementById('label')?.textContent === 'house'")
        assert (browser.text("what"), browser.text("kept")) == ("Next", "0 of 3")
        browser.wait_for("document.getElementById('picture').naturalWidth === 800")
        assert browser.run("document.getElementById('picture').alt") == "Picture of house"
        browser.wait_for("parseFloat(document.getElementById('left').textContent) < 1.5")
        assert browser.run("document.documentElement.scrollWidth <= window.innerWidth")
        for dark in (False, True):
            browser.look(390, 844, dark=dark)
            assert faults_of_access(browser) == []
        clock.allow(3.0)
        browser.wait_for("document.getElementById('kept').textContent === '1 of 3'")
        browser.wait_for(f"document.getElementById('label').textContent === {HOSTILE!r}")
        assert browser.run("document.getElementById('picture').hidden")
        assert browser.run("document.images.length") == 1
        press(browser, page, "document.querySelector('[data-key=undo]').click()")
        clock.allow(0.2)
        browser.wait_for("document.getElementById('label').textContent === 'house'")
        assert "'house' is taken back" in browser.text("told")
        assert browser.text("kept") == "0 of 3"
        down = "document.dispatchEvent(new KeyboardEvent('keydown', {{key: '{}', bubbles: true}}))"
        press(browser, page, down.format("q"))
        clock.allow(0.2)
        browser.wait_for("!document.getElementById('ended').hidden")
        assert "ended by the user" in browser.text("ended")
        assert browser.complaints == []
    joined(thread, "the end of the session")
    server.close()
    assert done[0].progress == Progress(kept=0, wanted=3, unfit=0, undone=1)
    assert not list(out.glob("*.npz*"))


def press(browser, page, script) -> None:
    """Waits until the key has come."""
    taken, put = threading.Event(), page._pressed.put
    page._pressed.put = lambda key: (put(key), taken.set())
    browser.run(script + "; undefined")
    assert taken.wait(BOUND_S)
    del page._pressed.put


def faults_of_access(browser) -> list:
    if axe() is None:
        return []
    browser.run("delete window.found; undefined")
    browser.run(axe() + "; undefined")
    browser.run("axe.run().then((found) => { window.found = JSON.stringify(found.violations); })")
    browser.wait_for("window.found !== undefined")
    found = json.loads(browser.run("window.found"))
    return [(each["id"], [node["html"] for node in each["nodes"]]) for each in found]


def test_keys_are_taken_from_the_page_alone():
    page = PromptPage()
    server = PageServer(page, prompt_page("x"), press=page.press)
    try:
        assert post(server.url, b"undo") == 200
        assert page.key() == UNDO
        assert post(server.url, b"format c:") == 200
        assert post(server.url, b"u" * 17) == 413
        assert post(server.url, b"undo", Host="evil.example") == 421
        assert post(server.url, b"undo", "../keys") == 404
        assert post(server.url, b"undo", "events") == 404
        assert page.key() is None
        for _ in range(30):
            post(server.url, b"undo")
        assert sum(page.key() is not None for _ in range(30)) == 8
    finally:
        server.close()


def test_a_sign_may_have_a_picture_behind_a_comma_or_a_tab(tmp_path, picture):
    path = tmp_path / "signs.txt"
    path.write_text("house, house.png\nyes, please\ntree\thouse.png # old\n", encoding="utf-8")
    signs = read_prompts(path)
    assert signs == {"house": picture, "yes, please": None, "tree": picture}
    asked = ask_for(signs, 1, {}, seed=1)
    assert {p.label: p.picture for p in asked} == signs


def test_a_folder_of_pictures_names_the_signs(tmp_path, picture):
    (tmp_path / "notes.txt").write_text("not a picture")
    picture.rename(tmp_path / "घर.PNG")
    assert read_prompts(tmp_path) == {"घर": tmp_path / "घर.PNG"}


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        (None, "KD_NO_FILE", "line 1"), (b"not a picture", "KD_BAD_FORMAT", "cannot be read"),
        (b"\x89PNG\r\n\x1a\n", "KD_BAD_FORMAT", "house.png"),
    ],
)  # fmt: skip
def test_a_picture_that_cannot_be_shown_is_told_before_anything_is_asked(
    tmp_path, content, code, words
):
    (tmp_path / "signs.txt").write_text("house, house.png\n")
    if content is not None:
        (tmp_path / "house.png").write_bytes(content)
    with pytest.raises(KdEdgeError) as caught:
        read_prompts(tmp_path / "signs.txt")
    assert caught.value.code == code
    assert words in str(caught.value) + str(caught.value.where)


def test_a_picture_that_is_cut_short_is_refused(tmp_path, picture):
    picture.write_bytes(picture.read_bytes()[:200])
    with pytest.raises(KdEdgeError, match=r"house\.png"):
        read_prompts(tmp_path)
