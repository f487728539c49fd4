"""`eval`, `selftest`, `profile` on a bundle. Oracle: the bundle's golden vectors and manifest."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from programs import need
from waiting import program

from kd_edge.base.errors import ExitStatus
from kd_edge.cli import run
from kd_edge.pipeline.boards.bundle_image import load_board_bundle
from kd_edge.pipeline.boards.work import Done
from kd_edge.report.json import from_json

HOST = ["--board", "host"]


@pytest.fixture(autouse=True)
def _compiler():
    need("gcc")  # the host board is built with it


def test_every_int8_answer_of_the_host_board_is_tflite_micros(bundle, tmp_path, capsys):
    out = tmp_path / "report"
    status = run(["eval", str(bundle), *HOST, "--limit", "12", "--repeat", "2", "--out", str(out)])
    assert status == ExitStatus.OK
    assert "12 of 12 bit for bit as TFLite Micro" in " ".join(capsys.readouterr().out.split())
    report = from_json((out / "report.json").read_text(encoding="utf-8"))
    (section,) = report.boards
    assert (section.n_asked, section.n_answered, section.unsteady) == (12, 12, 0)
    assert section.inference.n == 24
    assert section.inference.smallest > 0
    assert section.golden_passed == section.golden_count == 4
    assert {a.runtime for a in section.agreement} == {"tflm", "litert"}
    assert section.memory.arena_bytes > 0
    assert section.memory.stack_used is None  # a process cannot tell
    assert [link.overruns for link in section.links] == [0]
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "Board: host (host, emulated), engine aot" in page
    assert "Inference on the board" in page


def test_raw_windows_are_filtered_on_the_board(bundle, tmp_path, capsys):
    arguments = ["eval", str(bundle), *HOST, "--windows", "raw", "--json", "--out", str(tmp_path)]
    assert run(arguments) == ExitStatus.OK
    section = json.loads(capsys.readouterr().out)["boards"][0]
    assert section["windows"] == "raw"
    assert section["n_answered"] == 4
    assert section["front_end"]["smallest"] > 0
    oracle = next(a for a in section["agreement"] if a["runtime"] == "tflm")
    # One int8 step at the model's input may move a score by a step or two.
    assert oracle["largest_step"] <= 2


def test_a_bundle_without_raw_windows_says_so(bundle, tmp_path, capsys):
    copy = shutil.copytree(bundle, tmp_path / "copy")
    manifest = json.loads((copy / "bundle.json").read_text())
    del manifest["files"]["raw.npz"]
    (copy / "raw.npz").unlink()
    (copy / "bundle.json").write_text(json.dumps(manifest))
    status = run(["eval", str(copy), *HOST, "--windows", "raw"])
    assert status == ExitStatus.BAD_DATA
    error = capsys.readouterr().err
    assert "KD_COUNTS" in error
    assert "the bundle has no raw windows" in error


def test_two_boards_share_an_evaluation(bundle, tmp_path, capsys):
    arguments = ["eval", str(bundle), *HOST, *HOST, "--json", "--out", str(tmp_path)]
    assert run(arguments) == ExitStatus.OK
    section = json.loads(capsys.readouterr().out)["boards"][0]
    assert len(section["links"]) == 2
    assert sum(link["answered"] for link in section["links"]) == section["n_asked"]


@pytest.mark.qemu
def test_boards_of_different_kinds_share_the_work_and_mix_no_figures(bundle, tmp_path, capsys):
    boards = ["--board", "qemu-an386", *HOST]
    arguments = ["eval", str(bundle), *boards, "--repeat", "3", "--json", "--out", str(tmp_path)]
    assert run(arguments) == ExitStatus.OK
    section = json.loads(capsys.readouterr().out)["boards"][0]
    first, second = (link["answered"] for link in section["links"])
    assert first + second == 3 * section["n_asked"]
    assert section["inference"]["unit"] == "instructions"
    assert section["inference"]["n"] == first
    assert "Times and memory are those of qemu-an386" in section["notes"][0]


@pytest.mark.qemu
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_the_emulator_and_keeps_what_was_answered(bundle, tmp_path, how):
    """Oracle: the processes of this machine."""
    command = [sys.executable, "-m", "kd_edge", "eval", str(bundle), "--board", "qemu-an386"]
    with program(
        [*command, "--repeat", "500", "--json", "--out", str(tmp_path / "report")],
        f"the report of an evaluation that {how.name} ends",
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        # It says how far it is, a line now and then.
        for line in process.stderr:
            if "windows answered" in line:
                break
        assert emulators(tmp_path)
        process.send_signal(how)
        printed, _ = process.communicate()
    assert process.returncode == ExitStatus.INTERRUPTED
    section = json.loads(printed)["boards"][0]
    assert section["ended"] == "interrupted"
    assert section["n_answered"] > 0
    assert (tmp_path / "report" / "report.html").is_file()
    assert not emulators(tmp_path)


def emulators(folder: Path) -> list[str]:
    """Command lines of the running QEMUs whose images stand in the folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (process / "cmdline").read_text(errors="replace")
            if words.startswith(shutil.which("qemu-system-arm")) and str(folder) in words:
                found.append(words)
    return found


def test_the_self_test_passes_on_the_board(bundle, capsys):
    assert run(["selftest", str(bundle), *HOST, "--json"]) == ExitStatus.OK
    (board,) = json.loads(capsys.readouterr().out)["boards"]
    assert [vector["differing"] for vector in board["vectors"]] == [0] * 4
    assert board["model_sha256"] == load_board_bundle(bundle).model_sha256


def test_the_profile_names_every_layer(bundle, capsys):
    assert run(["profile", str(bundle), *HOST, "--json"]) == ExitStatus.OK
    (board,) = json.loads(capsys.readouterr().out)["boards"]
    assert any("CONV_2D" in layer["name"] for layer in board["layers"])
    assert run(["profile", str(bundle), *HOST]) == ExitStatus.OK
    assert "all layers" in capsys.readouterr().out


@pytest.mark.qemu
def test_the_profile_of_a_board_that_counts_instructions_tells_what_they_must_be(bundle, capsys):
    need("qemu-system-arm", "arm-none-eabi-gcc")
    emulated = ["profile", str(bundle), "--board", "qemu-an386"]
    assert run([*emulated, "--json"]) == ExitStatus.OK
    (board,) = json.loads(capsys.readouterr().out)["boards"]
    assert board["unit"] == "instructions"
    for layer in board["layers"]:
        assert layer["instructions"] == layer["ticks"]
        if layer["bound"] is not None:
            assert layer["ticks"] > sum(layer["bound"].values()) > 0
    assert any(layer["bound"] for layer in board["layers"])
    assert run(emulated) == ExitStatus.OK
    shown = capsys.readouterr().out
    assert "The slowest first" in shown
    assert "would help" in shown


@pytest.mark.parametrize("command", ["eval", "selftest", "profile"])
@pytest.mark.parametrize(
    ("arguments", "status", "code"),
    [
        ([], ExitStatus.USAGE, "KD_USAGE"),
        (["--board", "qemu-an387"], ExitStatus.USAGE, "KD_UNKNOWN_NAME"),
        (["--board", "teensy41"], ExitStatus.USAGE, "KD_USAGE"),
        (["--port", "/dev/no-such-port"], ExitStatus.BOARD, "KD_PORT_ABSENT"),
        (["--port", "socket://127.0.0.1:1"], ExitStatus.BOARD, "KD_PORT_ABSENT"),
        (["--port", "/dev/null", "--reset", "twice"], ExitStatus.USAGE, "KD_UNKNOWN_NAME"),
    ],
)
def test_an_unreachable_board_is_named(bundle, command, arguments, status, code, capsys):
    assert run([command, str(bundle), *arguments]) == status
    assert code in capsys.readouterr().err


def test_a_board_without_a_bundle_is_refused(capsys):
    assert run(["selftest", *HOST]) == ExitStatus.USAGE
    assert "name the bundle's folder" in capsys.readouterr().err


def test_what_is_no_bundle_is_refused(tmp_path, capsys):
    assert run(["eval", str(tmp_path), *HOST]) == ExitStatus.BAD_DATA
    assert "KD_NO_FILE" in capsys.readouterr().err


@pytest.mark.parametrize("seconds", ["nan", "inf"])
def test_a_timeout_that_is_no_finite_number_is_refused(bundle, seconds, capsys):
    assert run(["eval", str(bundle), *HOST, "--timeout", seconds]) == ExitStatus.USAGE
    assert "not a finite number" in capsys.readouterr().err


def test_an_evaluation_without_an_answer_leaves_the_last_report(bundle, tmp_path, monkeypatch):
    (tmp_path / "report.json").write_text("earlier")

    nothing = Done(answered=[0])
    monkeypatch.setattr("kd_edge.pipeline.boards.evaluate.share_out", lambda *_, **__: nothing)
    status = run(["eval", str(bundle), *HOST, "--out", str(tmp_path)])
    assert status == ExitStatus.INTERRUPTED
    assert (tmp_path / "report.json").read_text() == "earlier"
