"""What holds for every test: bounds, one environment, whole files to a worker."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from scheduling import LONG, OF_THE_BUNDLE, ByFile
from waiting import BOUND_S, ended, joined, program, wait_until

HERE = Path(__file__).resolve().parent
# These start processes themselves, and end them whatever happens.
MAY_START = {"waiting.py", "link_harness.py", "chromium.py"}
SLEEP = [sys.executable, "-c", "import time; time.sleep(3600)"]


def test_a_program_that_hangs_is_killed_and_what_was_waited_for_is_said():
    with (
        pytest.raises(AssertionError, match=r"waited 0\.1 s in vain for its first word") as caught,
        program(SLEEP, "its first word", bound_s=0.1, stdout=subprocess.PIPE) as process,
    ):
        assert process.stdout.readline() == b"first word"
    assert "time.sleep" in str(caught.value)
    assert process.returncode < 0


def test_a_program_that_outlives_its_block_is_ended_with_what_it_started():
    """Oracle: the pipe that both hold is closed at its other end."""
    reading, writing = os.pipe()
    with program(["sh", "-c", "sleep 3600 & sleep 3600"], "nothing", stdout=writing):
        os.close(writing)
    assert os.read(reading, 1) == b""
    os.close(reading)


def test_a_process_a_thread_and_a_condition_are_waited_for_so_long_and_named():
    with program(SLEEP, "nothing") as process:
        with pytest.raises(AssertionError, match=r"waited 0\.01 s in vain for a process"):
            ended(process, "a process", bound_s=0.01)
        assert process.returncode < 0
    go_on = threading.Event()
    thread = threading.Thread(target=go_on.wait, args=(BOUND_S,))
    thread.start()
    with pytest.raises(AssertionError, match="for a thread"):
        joined(thread, "a thread", bound_s=0.01)
    go_on.set()
    joined(thread, "a thread")
    with pytest.raises(AssertionError, match="for rain"):
        wait_until(lambda: False, "rain", bound_s=0.01)
    assert wait_until(lambda: "rain", "rain") == "rain"


CHILD = """
import json, os, signal
names = ("SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM")
shown = {name: int(signal.getsignal(getattr(signal, name)) == signal.SIG_IGN) for name in names}
mask = os.umask(0)
print(json.dumps({"ignored": shown, "umask": mask, "environment": dict(os.environ)}))
"""
PARENT = """
import os, signal, subprocess, sys
sys.path.insert(0, sys.argv[1])
from neutral import make_neutral
make_neutral(sys.argv[2])
os.kill(os.getpid(), signal.SIGHUP)  # nohup's promise is kept
subprocess.run([sys.executable, "-c", sys.argv[3]], check=True)
"""


def test_tests_under_nohup_and_in_a_strange_shell_start_their_programs_alike(tmp_path):
    """Oracle: what a grandchild says of itself, below a shell that ignores signals."""
    strange = {
        "http_proxy": "http://127.0.0.1:9", "LC_ALL": "tr_TR.UTF-8", "COLUMNS": "20",
        "FORCE_COLOR": "1", "KERAS_BACKEND": "torch", "CFLAGS": "-Wrong", "HOME": "/nowhere",
        "PYTHONOPTIMIZE": "2", "TZ": "Pacific/Apia",
    }  # fmt: skip
    shell = 'umask 077; trap "" HUP INT QUIT TERM; exec "$0" "$@"'
    done = subprocess.run(
        ["sh", "-c", shell, sys.executable, "-c", PARENT, HERE, tmp_path, CHILD],
        env=os.environ | strange, capture_output=True, text=True, check=True, timeout=BOUND_S,
    )  # fmt: skip
    said = json.loads(done.stdout)
    assert set(said["ignored"].values()) == {0}
    assert said["umask"] == 0o022
    kept = {name: value for name, value in said["environment"].items() if name in strange}
    assert kept == {"LC_ALL": "C.UTF-8", "HOME": str(tmp_path), "TZ": "UTC"}


def test_no_wait_is_without_a_bound():
    """Oracle: the tests' source. `program`, `ended`, `joined` and `wait_until` have a bound."""
    paths = [path for path in HERE.glob("*.py") if path.name not in MAY_START]
    assert len(paths) > 100
    found = [f"{p.name}:{line}" for p in paths for line in endless_waits(p.read_text("utf-8"))]
    assert found == []
    assert endless_waits("a.wait()\nb.join()\nsubprocess.Popen([])\na.wait(3)") == [1, 2, 3]


def endless_waits(source: str) -> list[int]:
    """Lines that wait for a process or a thread for ever, or start a process that nothing ends."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and (
            node.func.attr == "Popen"
            or (node.func.attr in ("wait", "join") and not node.args and not node.keywords)
        )
    ]


def test_a_worker_takes_whole_files_and_all_files_of_the_bundle():
    unit = ByFile._split_scope
    assert unit(None, "tests/test_a.py::test_b[x::y]") == unit(None, "tests/test_a.py::test_c")
    assert unit(None, "tests/test_a.py::test_b") != unit(None, "tests/test_d.py::test_b")
    assert {unit(None, f"tests/{name}.py::test_b") for name in OF_THE_BUNDLE} == {"bundle"}
    assert all((HERE / f"{name}.py").is_file() for name in LONG)
