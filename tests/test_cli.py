"""The command line: help, exit statuses, and errors without tracebacks."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys

import numpy as np
import pytest
from build_samples import RECIPE

from kd_edge.base.errors import KINDS, ExitStatus, KdEdgeError
from kd_edge.cli import run
from kd_edge.pipeline.boards.asked import EvalSettings
from kd_edge.pipeline.store import user_store


def test_every_command_has_help_with_examples(capsys):
    for command in (
        ["build"],
        ["search"],
        ["bench"],
        ["compile"],
        ["data", "inspect"],
        ["data", "simulate"],
        ["doctor"],
    ):
        assert run([*command, "--help"]) == ExitStatus.OK
        assert "Examples:" in capsys.readouterr().out


def test_an_unknown_option_is_bad_usage(capsys):
    assert run(["bench", "--nonsense"]) == ExitStatus.USAGE
    assert "nonsense" in capsys.readouterr().err


def test_a_user_mistake_is_told_without_a_traceback(capsys, tmp_path):
    status = run(["build", str(tmp_path / "none.toml")])
    err = capsys.readouterr().err
    assert status == ExitStatus.BAD_DATA
    assert err.startswith("error KD_NO_FILE")
    assert "hint:" in err
    assert "Traceback" not in err


def test_an_error_is_json_where_json_is_asked_for(capsys, tmp_path):
    status = run(["bench", str(tmp_path), "--json"])
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["code"] == "KD_NO_FILE"
    assert error["exit_status"] == status == ExitStatus.BAD_DATA


def test_every_kind_of_error_is_json_where_json_is_asked_for(capsys, monkeypatch):
    def broken():
        raise ZeroDivisionError("defect")

    monkeypatch.setattr(platform, "python_version", broken)
    for arguments, code, status in (
        (["bench", "--json"], "KD_USAGE", ExitStatus.USAGE),
        (["bench", "--json", "--nonsense"], "KD_USAGE", ExitStatus.USAGE),
        (["doctor", "--json"], "KD_INTERNAL", ExitStatus.INTERNAL),
    ):
        assert run(arguments) == status
        shown = capsys.readouterr()
        error = json.loads(shown.out)["error"]
        assert (error["code"], error["exit_status"]) == (code, status)
        assert not shown.err


@pytest.fixture
def recording(tmp_path):
    """A plain recording with so many channels that its table does not fit a pipe's buffer."""
    names = [f"emg_{i:05d}" for i in range(3000)]
    rows = [",".join(names)] + [",".join("1" if i % 2 else "2" for _ in names) for i in range(3)]
    path = tmp_path / "many.csv"
    path.write_text("# rate_hz = 100\n" + "\n".join(rows) + "\n")
    return path


@pytest.mark.parametrize("form", ["--json", "--debug"])
def test_a_reader_that_goes_early_is_no_error(recording, form):
    """Oracle: a pipe whose reading end is closed before anything is written."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "kd_edge", "data", "inspect", str(recording), form],
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (ExitStatus.OK, b"")


def test_work_goes_on_where_nobody_reads_its_progress(tmp_path):
    """Oracle: the files that are there in the end, with a closed pipe for standard error."""
    reading, writing = os.pipe()
    os.close(reading)
    numbers = ["--signs", "1", "--subjects", "1", "--repetitions", "1", "--sessions", "1"]
    done = subprocess.run(
        [sys.executable, "-m", "kd_edge", "data", "simulate", str(tmp_path / "signs"), *numbers],
        stdout=subprocess.PIPE,
        stderr=writing,
        check=False,
    )
    os.close(writing)
    assert done.returncode == ExitStatus.OK
    assert (tmp_path / "signs" / "labels.csv").exists()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_output_that_cannot_be_written_is_an_error_of_the_output(recording, form):
    """Oracle: Linux's /dev/full, which refuses every byte for want of space."""
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "kd_edge", "data", "inspect", str(recording), *form],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == ExitStatus.BAD_DATA
    assert done.stderr.startswith(b"error KD_OUTPUT: cannot write: No space left")


def test_an_empty_path_is_not_the_working_folder(capsys):
    for arguments in (["data", "inspect", ""], ["bench", ""], ["build", "x.toml", "--data", ""]):
        assert run(arguments) == ExitStatus.USAGE
        assert "the path is empty" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("place", "code"), [("picture.txt", "KD_USAGE"), ("none/picture.png", "KD_OUTPUT")]
)
def test_a_picture_that_cannot_be_written_is_told_before_anything_is_read(
    tmp_path, capsys, place, code
):
    status = run(["data", "inspect", str(tmp_path / "none.csv"), "--plot", str(tmp_path / place)])
    assert status != ExitStatus.OK
    assert capsys.readouterr().err.startswith(f"error {code}")
    assert os.listdir(tmp_path) == []


def test_a_page_that_cannot_be_written_is_told_before_anything_is_measured(tmp_path, capsys):
    run(["bench", str(tmp_path), "--html", str(tmp_path / "none" / "page.html")])
    shown = capsys.readouterr().err
    assert shown.startswith("error KD_OUTPUT")
    assert "--html" in shown
    assert "--out" not in shown


def test_a_baseline_that_is_no_report_is_named(tmp_path, capsys):
    (tmp_path / "old.json").write_bytes(b"\xff\xfe")
    status = run(["bench", str(tmp_path), "--baseline", str(tmp_path / "old.json")])
    assert status == ExitStatus.BAD_DATA
    assert "old.json" in capsys.readouterr().err


def test_a_baseline_larger_than_its_bound_is_not_read(tmp_path, capsys):
    """Oracle: docs/reliability.md: 64 MB; the file is one hole."""
    (tmp_path / "old.json").touch()
    os.truncate(tmp_path / "old.json", 64_000_001)
    status = run(["bench", str(tmp_path), "--baseline", str(tmp_path / "old.json")])
    assert status == ExitStatus.BAD_DATA
    assert "larger than 64,000,000 bytes" in capsys.readouterr().err


def test_the_typed_command_is_the_one_that_ran():
    """Oracle: the arguments, not those of the process that runs the tests."""
    import click

    from kd_edge.cli.options import typed_command

    with click.Context(click.Command("bench"), obj=["bench", "my bundle"]):
        assert typed_command() == "kd-edge bench 'my bundle'"


def test_simulated_signs_are_read_back_and_called_synthetic(tmp_path, capsys):
    """Oracle: the generator's own recordings; the exports keep samples to 1e-7."""
    from kd_edge.signals import read
    from kd_edge.signals.recording import same_unit
    from kd_edge.signals.simulate import SignSettings
    from kd_edge.signals.simulate import simulate as made_by

    numbers = {"signs": 2, "subjects": 2, "repetitions": 2, "sessions": 2, "sensors": 1}
    options = [text for name, n in numbers.items() for text in (f"--{name}", str(n))]
    out = tmp_path / "signs"
    assert run(["data", "simulate", str(out), *options, "--seed", "7", "--json"]) == ExitStatus.OK
    assert json.loads(capsys.readouterr().out)["synthetic"] is True
    found = read(out)
    expected = made_by(SignSettings(**{f"n_{k}": n for k, n in numbers.items()}, seed=7))
    assert len(found) == len(expected) == 8
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.synthetic
        assert "synthetic" in ours.source
        assert (ours.label, ours.subject, ours.session, ours.trial) == (
            theirs.label,
            theirs.subject,
            theirs.session,
            theirs.trial,
        )
        for left, right in zip(ours.streams, theirs.streams, strict=True):
            assert left.modality == right.modality
            assert same_unit(left.unit, right.unit)
            assert left.rate_hz == pytest.approx(right.rate_hz, rel=1e-6)
            np.testing.assert_allclose(left.samples, right.samples, atol=1e-6)
    assert run(["data", "simulate", str(out)]) == ExitStatus.BAD_DATA
    assert "KD_OUTPUT" in capsys.readouterr().err


def test_doctor_names_what_is_installed_and_how_to_get_the_rest(capsys):
    assert run(["doctor", "--json"]) == ExitStatus.OK
    checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)}
    assert checks["tflite-micro"]["found"]
    assert checks["tensorflow"]["get"] == "pip install 'kd-edge[build]'"


def test_doctor_names_the_cache_and_empties_it(tmp_path, monkeypatch, capsys):
    """Oracle: the folder; an entry of two blocks is 8192 bytes."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("KD_EDGE_CACHE_GB", "3")
    store = user_store()
    with store.at("0" * 64, "work") as slot:
        slot.keep("value", lambda folder: (folder / "0.npz").write_bytes(b"x"))
    assert run(["doctor", "--json"]) == ExitStatus.OK
    (cache,) = [c for c in json.loads(capsys.readouterr().out) if c["name"] == "cache"]
    assert str(tmp_path) in cache["found"]
    assert "of 3 GB" in cache["found"]
    assert run(["doctor", "--clear-cache"]) == ExitStatus.OK
    assert "8.2 kB deleted" in capsys.readouterr().err
    assert store.size() == 0
    monkeypatch.setenv("KD_EDGE_CACHE_GB", "three")
    assert run(["doctor"]) == ExitStatus.USAGE


@pytest.mark.parametrize(
    ("arguments", "called"),
    [
        (["build", "RECIPE"], "kd_edge.pipeline.build.build"),
        (["build", "RECIPE", "--seeds", "2"], "kd_edge.pipeline.seeds.build"),
        (["bench", "BUNDLE"], "kd_edge.pipeline.bench.bench"),
        (
            ["eval", "BUNDLE", "--board", "host"],
            "kd_edge.pipeline.boards.reporting.evaluate_bundle",
        ),
    ],
)
def test_no_cache_reaches_what_would_use_one(tmp_path, monkeypatch, arguments, called):
    """Oracle: what the work is called with."""
    asked = []

    def work(*given, cache=True, **rest):
        settings = [each for each in given if isinstance(each, EvalSettings)]
        asked.append(settings[0].cache if settings else cache)
        raise KdEdgeError("KD_NO_FILE", "enough")

    monkeypatch.setattr(called, work)
    (tmp_path / "recipe.toml").write_text(RECIPE)
    names = {"RECIPE": str(tmp_path / "recipe.toml"), "BUNDLE": str(tmp_path)}
    command = [names.get(argument, argument) for argument in arguments]
    for more in ([], ["--no-cache"]):
        assert run([*command, *more]) == ExitStatus.BAD_DATA
    assert asked == [True, False]


def test_doctor_prints_the_name_of_an_extra_whole(capsys, monkeypatch):
    """Oracle: square brackets are markup to the table's library, and once vanished."""
    from importlib import metadata

    def absent(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", absent)
    assert run(["doctor"]) == ExitStatus.MISSING_TOOL
    assert "kd-edge[build]" in capsys.readouterr().out.replace("\n", "")


def test_a_defect_of_our_own_says_so_and_hides_its_traceback(capsys, monkeypatch):
    def broken():
        raise ZeroDivisionError("defect")

    monkeypatch.setattr(platform, "python_version", broken)
    assert run(["doctor"]) == ExitStatus.INTERNAL
    err = capsys.readouterr().err
    assert "defect of kd-edge" in err
    assert "Traceback" not in err
    with pytest.raises(ZeroDivisionError):
        run(["doctor", "--debug"])


def test_ctrl_c_is_told_and_ends_with_130(capsys, monkeypatch):
    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setattr(platform, "python_version", interrupt)
    assert run(["doctor"]) == ExitStatus.INTERRUPTED
    assert capsys.readouterr().err.strip() == "interrupted"  # only a build goes on where it was


def test_every_code_is_used_in_the_source(pytestconfig):
    """A code that nothing raises is dead. Oracle: the source text."""
    root = pytestconfig.rootpath
    sources = [*root.glob("kd_edge/**/*.py"), *root.glob("firmware_export/**/*.py")]
    text = "".join(p.read_text(encoding="utf-8") for p in sources if p.name != "errors.py")
    unused = [code for code in KINDS if f'"{code}"' not in text]
    assert not unused
