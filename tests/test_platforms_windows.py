"""What Windows does otherwise: keys, signals, drives, encodings of pipes.

No Windows was at hand. Names of the platform are patched where no other way leads there.
"""

from __future__ import annotations

import signal
import sys
import tempfile
from types import SimpleNamespace

import numpy as np
import pytest

from kd_edge import cli
from kd_edge.base.children import Child, DiedError
from kd_edge.cli import prompting
from kd_edge.live.prompted import PAUSE, QUIT, SKIP, UNDO
from kd_edge.live.sources import open_source

CHILD = """
from pathlib import Path
from kd_edge.base.children import serve

def do(job, say):
    say(job["word"])
    if job["word"] == "die":
        raise SystemExit(3)

if __name__ == "__main__":
    serve(do)
"""


@pytest.fixture
def child(tmp_path, monkeypatch):
    """A child below a folder that a Western code page has no name for, and whose pipes have one."""
    place = tmp_path / "Jiří 漢"
    place.mkdir()
    (tmp_path / "says_its_word.py").write_text(CHILD, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    made = Child("says_its_word", name="word", environment={"PYTHONIOENCODING": "latin-1"})
    yield made
    made.close()


def does(child, word: str) -> list[str]:
    said = []
    folder = child.folder / word
    folder.mkdir()
    child.do(folder, {"word": word}, tell=said.append)
    return said


def test_a_child_takes_jobs_from_a_folder_of_any_name(child):
    assert does(child, "žluť") == ["žluť"]
    with pytest.raises(DiedError, match="exit status 3"):
        does(child, "die")
    assert does(child, "again") == ["again"]


def test_a_closed_console_and_ctrl_break_end_as_ctrl_c_does(monkeypatch):
    """Another signal of this system stands for SIGBREAK."""
    other = signal.SIGUSR2
    monkeypatch.setattr(signal, "SIGBREAK", other, raising=False)
    ends = (other, signal.SIGTERM, signal.SIGHUP)
    before = {each: signal.signal(each, signal.SIG_DFL) for each in ends}
    try:
        cli._end_by_signals()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(other)
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def test_a_key_of_two_codes_is_no_key_of_ours(monkeypatch):
    """Oracle: the codes of msvcrt: Ctrl-Left is 0xE0 's', Ctrl-End 0xE0 'u', F10 0 'D'.

    The last one is a letter of its own, an 'à', with nothing behind it.
    """
    codes = [bytes([code]) for code in b"s\xe0s\xe0u\0Du q\xe0"]
    console = SimpleNamespace(kbhit=lambda: bool(codes), getch=lambda: codes.pop(0))
    monkeypatch.setitem(sys.modules, "msvcrt", console)
    screen = prompting.Lines(prompting._windows_key)
    pressed = [screen.key() for _ in range(9)]
    assert pressed == [SKIP, None, None, None, UNDO, PAUSE, QUIT, None, None]


@pytest.mark.parametrize("url", ["file:///C:/trial.npz", "file://C:/trial.npz"])
def test_a_files_url_may_have_a_drive(tmp_path, monkeypatch, url):
    """A folder called 'C:' stands for the drive."""
    (tmp_path / "C:").mkdir()
    np.savez(tmp_path / "C:" / "trial.npz", emg=np.ones((9, 2)), **{"emg.rate_hz": 100.0})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "platform", "win32")
    with open_source(url) as source:
        assert source.facts.streams[0].rate_hz == 100.0
