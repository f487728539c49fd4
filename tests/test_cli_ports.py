"""`eval` and `live` on a port behind which a board answers. Oracle: the process that answers."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from programs import need
from waiting import ended, program

from firmware_export.boards import find_board
from firmware_export.boards.emulator import start
from firmware_export.sensors import StreamSettings
from kd_edge.base.errors import ExitStatus
from kd_edge.cli import run
from kd_edge.pipeline.boards.bundle_image import bundle_image, load_board_bundle


@pytest.fixture(scope="module")
def port(bundle, tmp_path_factory):
    """A pseudo-terminal at whose other end the bundle's firmware runs, and can stream."""
    need("gcc")  # the host board is built with it
    board = find_board("host")
    loaded = load_board_bundle(bundle)
    stream = {"stream": StreamSettings(hop_s=0.5), "replay": loaded.raw[:1]}
    image = bundle_image(loaded, board, tmp_path_factory.mktemp("image"), **stream)
    with start(board, image.elf) as emulator:
        yield emulator.url


def test_an_emulated_board_is_called_so_at_a_port_too(bundle, port, tmp_path, capsys):
    arguments = ["eval", str(bundle), "--port", port, "--limit", "2", "--json"]
    assert run([*arguments, "--out", str(tmp_path)]) == ExitStatus.OK
    (section,) = json.loads(capsys.readouterr().out)["boards"]
    assert section["emulated"]


def test_a_report_that_has_no_place_is_refused_before_a_board_is_asked(bundle, tmp_path, capsys):
    """Oracle: the port, which is absent and would be named."""
    taken = tmp_path / "taken"
    taken.write_text("mine")
    for out in (taken, taken / "below"):
        arguments = ["eval", str(bundle), "--port", "/dev/no-such-port", "--out", str(out)]
        assert run(arguments) == ExitStatus.BAD_DATA
        assert "KD_OUTPUT" in capsys.readouterr().err
    assert taken.read_text() == "mine"


@pytest.mark.parametrize("view", ["--plain", "--json"])
def test_a_reader_of_live_that_goes_ends_it_well(port, view):
    command = [sys.executable, "-m", "kd_edge", "live", "--port", port, view, "--windows", "5"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with program(command, "the end of `live` without a reader", **pipes) as process:
        assert process.stdout.readline()
        process.stdout.close()
        complaints = process.stderr.read()
        ended(process, "the end of `live` without a reader")
    assert process.returncode == ExitStatus.OK, complaints
    assert b"Traceback" not in complaints
