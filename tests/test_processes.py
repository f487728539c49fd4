"""Children: nothing of the user's folder runs in them, and every program's folder is stated."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tflite_samples import write_conv_model
from waiting import BOUND_S, program

from kd_edge.base.processes import python_command, python_environment, run_program
from kd_edge.convert.routes import ROUTES, as_json
from kd_edge.measure.arena import measure_arena

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted([*ROOT.glob("kd_edge/**/*.py"), *ROOT.glob("firmware_export/**/*.py")])
# What a child imports, of the standard library, of packages and of kd-edge.
TRAPS = ("json", "signal", "runpy", "numpy", "keras", "tflite_micro", "kd_edge", "sitecustomize")


@pytest.fixture
def trapped(tmp_path, monkeypatch):
    """A working folder whose modules say that they ran; also where PYTHONPATH points."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    for name in TRAPS:
        (folder / f"{name}.py").write_text(f"open({str(tmp_path / name)!r}, 'w').close()\n")
    monkeypatch.chdir(folder)
    for name in ("PYTHONPATH", "PYTHONSTARTUP", "PYTHONHOME"):
        monkeypatch.setenv(name, str(folder))
    yield folder
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == []


def test_measuring_an_arena_runs_nothing_of_the_working_folder(trapped, tmp_path_factory):
    model = write_conv_model(tmp_path_factory.mktemp("model") / "m.tflite", quantised=True)
    assert measure_arena(model).used_bytes > 0


def test_the_converters_child_runs_nothing_of_the_working_folder(trapped, tmp_path_factory):
    """Oracle: its own error, of a model that is not there."""
    job = tmp_path_factory.mktemp("job") / "job.json"
    content = {
        "keras": "none.keras", "route": as_json(ROUTES.find("float32")), "calibration": None,
        "error": str(job.with_name("error")),
    }  # fmt: skip
    job.write_text(json.dumps(content))
    with program(
        python_command("kd_edge.convert.child"), "a converter's answer", env=python_environment(),
        cwd=trapped, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as child:  # fmt: skip
        child.stdin.write(f"{job}\n")
        child.stdin.flush()
        assert child.stdout.readline() == "refused\n"
    assert json.loads(job.with_name("error").read_text())["code"] == "KD_BAD_FORMAT"


def test_a_child_finds_kd_edge_where_its_parent_did(trapped):
    done = run_program(python_command("kd_edge", "--version"), environment=python_environment())
    assert done.stdout.startswith("kd-edge, version"), done.stderr


def test_a_child_from_a_checkout_that_is_the_working_folder_finds_kd_edge(monkeypatch, tmp_path):
    """Oracle: an environment without the editable install's finder."""
    code = (
        "import sys; sys.path[:] = ['', *(p for p in sys.path if p)]; sys.meta_path[:] = "
        "[f for f in sys.meta_path if 'editable' not in f.__class__.__module__ + repr(f)]\n"
        "from kd_edge.base.processes import _places; print(_places()[-1])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=BOUND_S,
    )
    assert Path(done.stdout.strip()) == ROOT


def test_a_child_has_a_fixed_hash_seed_and_none_of_the_users_settings(monkeypatch):
    monkeypatch.setenv("PYTHONINSPECT", "1")
    environment = python_environment(EXTRA="1")
    assert {k: v for k, v in environment.items() if k.startswith("PYTHON")} == {
        "PYTHONHASHSEED": "0"
    }
    assert environment["EXTRA"] == "1"


def test_a_program_works_in_an_empty_folder_that_goes_afterwards(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.txt").write_text("")
    done = run_program([sys.executable, "-c", "import os; print(os.getcwd(), os.listdir())"])
    folder, names = done.stdout.split(maxsplit=1)
    assert names.strip() == "[]"
    assert folder != str(tmp_path)
    assert not os.path.exists(folder)


def _starts(path: Path):
    """Calls that start a program, with their keywords."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            if isinstance(owner, ast.Name) and owner.id == "subprocess":
                yield node.lineno, {keyword.arg for keyword in node.keywords}


def test_every_program_is_started_in_a_folder_that_is_named():
    """Oracle: the sources. A compiler or emulator never works in the user's folder by chance."""
    found = [(path, *start) for path in SOURCES for start in _starts(path)]
    assert len(found) >= 4
    assert not [(path.name, line) for path, line, keywords in found if "cwd" not in keywords]


def test_python_is_started_by_one_helper_alone():
    """Oracle: the sources."""
    named = [p.name for p in SOURCES if "sys.executable" in p.read_text(encoding="utf-8")]
    assert named == ["processes.py"]
    words = ("import multiprocessing", "ProcessPoolExecutor", "os.system(", "os.popen(", "os.spawn")
    assert not [p.name for p in SOURCES if any(w in p.read_text(encoding="utf-8") for w in words)]
