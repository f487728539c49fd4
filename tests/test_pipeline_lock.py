"""The lock of an output folder: one build at a time, and none is kept out by a dead one."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys

import pytest
from waiting import ended, program

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.sources import PACKAGES, ROOT
from kd_edge.pipeline.lock import LOCK_FILE, locked

HOLD = """
import sys
from pathlib import Path
from kd_edge.pipeline.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the folder until it is killed."""
    command = [sys.executable, "-c", HOLD, tmp_path]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with program(command, "a process that holds a folder", **pipes) as process:
        assert process.stdout.readline() == "held\n"
        yield process


def hold(folder):
    with locked(folder):
        pass


def test_a_second_build_is_told_who_holds_the_folder(tmp_path, holder):
    with pytest.raises(KdEdgeError) as caught:
        hold(tmp_path)
    assert caught.value.code == "KD_OUTPUT"
    assert f"process {holder.pid}" in caught.value.message


def test_the_lock_of_a_killed_process_is_taken_over(tmp_path, holder):
    holder.send_signal(signal.SIGKILL)
    ended(holder, "the end of a killed holder")
    assert (tmp_path / LOCK_FILE).exists()
    hold(tmp_path)


def test_a_folder_is_made_and_goes_where_nothing_was_written(tmp_path):
    with locked(tmp_path / "a" / "out"):
        assert (tmp_path / "a" / "out" / LOCK_FILE).read_text() == f"{os.getpid()}\n"
    assert not (tmp_path / "a" / "out").exists()
    with locked(tmp_path / "a" / "out"):
        (tmp_path / "a" / "out" / "recipe.toml").write_text("")
    assert os.listdir(tmp_path / "a" / "out") == ["recipe.toml"]


def test_an_error_within_gives_the_folder_back(tmp_path):
    with pytest.raises(ZeroDivisionError), locked(tmp_path):
        raise ZeroDivisionError
    hold(tmp_path)


@pytest.mark.parametrize(
    "kind", ["link", "dangling", "hard link", "pipe", "text", "numbers", "folder"]
)
def test_a_lock_file_that_is_not_ours_is_neither_written_nor_deleted(tmp_path, kind):
    precious, out = tmp_path / "precious", tmp_path / "out"
    precious.write_text("precious")
    out.mkdir()
    lock = out / LOCK_FILE
    {
        "link": lambda: lock.symlink_to(precious),
        "dangling": lambda: lock.symlink_to(tmp_path / "new"),
        "hard link": lambda: lock.hardlink_to(precious),
        "pipe": lambda: os.mkfifo(lock),
        "text": lambda: lock.write_text("my notes"),
        "numbers": lambda: lock.write_text("12\n13\n"),
        "folder": lock.mkdir,
    }[kind]()
    with pytest.raises(KdEdgeError) as caught:
        hold(out)
    assert (caught.value.code, caught.value.where) == ("KD_OUTPUT", str(lock))
    assert precious.read_text() == "precious"
    assert os.path.lexists(lock)
    assert sorted(os.listdir(tmp_path)) == ["out", "precious"]


WITHOUT = """
import os, sys
from pathlib import Path
import filelock  # on Windows it has a lock of its own
for name in ("fcntl", "termios", "resource", "pwd", "grp", "pty", "tty"):
    sys.modules[name] = None
for name in ("O_NOFOLLOW", "O_NONBLOCK", "fork", "pread", "mkfifo"):
    delattr(os, name)
import kd_edge.cli.build
from kd_edge.base.errors import KdEdgeError
from kd_edge.pipeline.lock import locked
for _ in range(2):
    with locked(Path("out")):
        Path("out/x").write_text("x")
os.symlink("precious", "out/.lock")
try:
    with locked(Path("out")):
        print("followed")
except KdEdgeError as error:
    print(error.code)
"""


def test_a_lock_needs_nothing_that_windows_lacks(tmp_path):
    """Oracle: the same promises without POSIX's modules and flags. Windows itself is not run."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == "KD_OUTPUT\n"
    assert sorted(os.listdir(tmp_path / "out")) == [".lock", "x"]
    assert not (tmp_path / "out" / "precious").exists()


def test_only_the_child_that_forks_imports_what_windows_lacks():
    """Oracle: every import of the source. The child runs TFLite Micro, which Windows lacks too.

    Whoever else imports such a module goes on without it.
    """
    lacking = re.compile(r"^\s*(?:import|from) (fcntl|termios|resource|pwd|grp|pty|tty)\b", re.M)
    guarded = re.compile(r"except \(?ImportError\b")
    texts = {
        path.stem: path.read_text(encoding="utf-8")
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
    }
    found = {name for name, text in texts.items() if lacking.search(text)}
    assert {name for name in found if not guarded.search(texts[name])} == {"arena_child"}
