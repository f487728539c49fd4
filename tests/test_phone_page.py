"""The page in a real browser, from a file and without a network. Oracle: what the browser shows."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from bundle_samples import sample_bundle
from chromium import find_chromium, open_page
from phone_samples import axe, need_clang
from project_samples import sample_counts
from waiting import wait_until

from kd_edge.cli import run
from kd_edge.signals import read

HOSTILE = "<img src=x onerror=document.title='taken'><script>document.title='taken'</script>"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    find_chromium()
    with open_page(tmp_path_factory.mktemp("browser")) as page:
        page.look(390, 844)
        page.go_offline()
        yield page


@pytest.fixture
def page(browser):
    browser.complaints.clear()
    yield browser
    browser.open("about:blank")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A page, of a bundle whose names are hostile."""
    need_clang()
    folder = tmp_path_factory.mktemp("phone")
    bundle = sample_bundle(folder / "bundle", hostile=HOSTILE)
    assert run(["phone", str(bundle), "--out", str(folder / "out"), "--hop", "0.2"]) == 0
    return folder / "out" / "index.html"


def loaded(page, path, sign):
    """Opens a page; waits until an expression of its elements is true."""
    page.open(path.as_uri())
    page.wait_for("document.readyState === 'complete' && !!document.getElementById('status')")
    page.wait_for(sign)


def opened(page, path):
    loaded(page, path, "document.querySelectorAll('#history tr').length >= 2")


def test_the_page_opens_from_a_file_tests_itself_and_shows_signs(page, written):
    opened(page, written)
    assert page.text("test").startswith("✓ Self-test passed: 3 of 3 golden windows")
    assert page.text("status") == "live"
    assert page.text("sign") in {f"{letter}{HOSTILE}" for letter in "abcde"}
    assert re.fullmatch(r"[\d.]+ (µs|ms)", page.text("latency"))
    page.wait_for("document.querySelectorAll('#signals canvas').length === 2")
    assert page.run("document.querySelectorAll('#scores li').length") == 5
    page.run("document.getElementById('go').click()")
    page.wait_for("document.getElementById('status').textContent === 'stopped'")
    assert page.complaints == []


def test_hostile_names_are_text_and_nothing_else(page, written):
    opened(page, written)
    assert page.run("document.title").startswith("made up<img")
    assert page.run("document.querySelectorAll('img').length") == 0
    assert page.run("document.querySelectorAll('script').length") == 7
    assert page.complaints == []
    script = "const s = document.createElement('script'); s.textContent = 'window.taken = 1';"
    page.run(f"(() => {{ {script} document.body.append(s); }})()")
    assert page.run("window.taken === undefined")
    assert "Content Security Policy" in page.complaints[0]


@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_no_fault_of_accessibility(page, written, dark):
    if axe() is None:
        pytest.skip("axe-core is not installed: `make test` installs it where npm is")
    page.look(390, 844, dark=dark)
    opened(page, written)
    page.run(axe() + "; undefined")
    page.run("axe.run().then((found) => { window.found = JSON.stringify(found.violations); })")
    page.wait_for("window.found !== undefined")
    found = json.loads(page.run("window.found"))
    assert [(each["id"], [n["html"] for n in each["nodes"]]) for each in found] == []
    page.look(390, 844)


def test_a_golden_vector_that_fails_leaves_the_page_empty(page, written, tmp_path):
    text = written.read_text("utf-8")
    at = text.index('"outputs": "') + len('"outputs": "')
    other = "A" if text[at] != "A" else "B"
    (tmp_path / "broken.html").write_text(text[:at] + other + text[at + 1 :])
    failed = "document.getElementById('status').textContent === 'self-test failed'"
    loaded(page, tmp_path / "broken.html", failed)
    assert "1 of 3 golden windows get other scores" in page.text("failed")
    assert page.run("document.getElementById('app').hidden")
    assert page.text("sign") == "—"


def test_a_recording_is_saved_and_read_back(page, written, tmp_path):
    """Oracle: the reader, and the windows that the bundle plays."""
    opened(page, written)
    page.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    page.run("document.getElementById('label').value = 'नमस्ते'")
    page.run("document.getElementById('subject').value = 'S1'")
    page.run("document.getElementById('record').click()")
    assert page.run("document.getElementById('record').ariaPressed") == "true"
    page.wait_for("parseFloat(document.getElementById('recorded').textContent.slice(11)) > 1.2")
    page.run("document.getElementById('record').click()")
    page.run("document.getElementById('save').click()")
    name = page.run("document.getElementById('save').download")
    wait_until((tmp_path / name).exists, "the recording that the browser saves")
    (recording,) = read(tmp_path / name)
    assert (recording.label, recording.subject, recording.synthetic) == ("नमस्ते", "S1", True)
    emg, acc = recording.streams
    assert (emg.modality, emg.channels, emg.rate_hz, emg.unit) == (
        "emg",
        ("a", "b", "c"),
        200.0,
        "",
    )
    assert (acc.modality, acc.rate_hz, acc.lsb) == ("acc", 40.0, 2.0**-14)
    for stream in (emg, acc):
        played = np.concatenate([c[stream.modality] for c in sample_counts()])
        counts = np.rint(stream.samples / np.float32(stream.lsb)).astype(np.int16)
        assert len(counts) > 40
        again = np.concatenate([played] * (2 + len(counts) // len(played)))
        assert any((again[i:][: len(counts)] == counts).all() for i in range(len(played)))


def test_what_the_browser_lacks_is_said_in_words(page, written):
    source = "Page.addScriptToEvaluateOnNewDocument"
    script = """for (const name of ['bluetooth', 'serial', 'wakeLock', 'canShare'])
        Object.defineProperty(Navigator.prototype, name, { value: undefined });"""
    added = page.call(source, source=script)["identifier"]
    opened(page, written)
    said = page.text("absent")
    for part in ("no Web Bluetooth", "no Web Serial", "cannot keep the screen awake", "save them"):
        assert part in said
    page.run("document.getElementById('go').click()")
    page.run("document.getElementById('source').value = 'bluetooth'")
    page.run("document.getElementById('source').dispatchEvent(new Event('change'))")
    assert "Safari and Firefox do not" in page.text("lacks")
    assert page.run("document.getElementById('go').disabled")
    page.call("Page.removeScriptToEvaluateOnNewDocument", identifier=added)


def test_the_command_says_what_it_wrote_and_keeps_what_others_wrote(written, tmp_path, capsys):
    bundle = written.parents[1] / "bundle"
    assert run(["phone", str(bundle), "--out", str(tmp_path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [module["core"] for module in told["modules"]] == ["wasm-simd128", "wasm"]
    for module in told["modules"]:
        assert module["bytes"] == sum(module["sections"].values()) + 8
    assert told["bytes"] == (tmp_path / "index.html").stat().st_size
    (tmp_path / "index.html").write_text("somebody's own")
    assert run(["phone", str(bundle), "--out", str(tmp_path), "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "KD_OUTPUT"
    assert (tmp_path / "index.html").read_text() == "somebody's own"
