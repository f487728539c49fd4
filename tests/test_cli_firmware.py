"""`kd-edge firmware` on a bundle, and `kd-edge flash` with tools that behave like the vendors'."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from project_samples import sample_model, write_sample

from kd_edge.base.errors import ExitStatus
from kd_edge.cli import run

# What the tools themselves write, as seen of esptool 5.6, PlatformIO 6.2, pyocd, picotool and
# teensy_loader_cli 2.2 without a board, and as their sources have it.
NO_PORT = (
    "esptool v5.6.0\nSerial port /dev/ttyUSB7:\n\nA fatal error occurred: Could not open "
    "/dev/ttyUSB7, the port is busy or doesn't exist.\n([Errno 2] could not open port "
    "/dev/ttyUSB7: [Errno 2] No such file or directory: '/dev/ttyUSB7')\n"
)
SILENT = "A fatal error occurred: Failed to connect to ESP32-S3: No serial data received.\n"
DENIED = "[Errno 13] could not open port /dev/ttyACM0: [Errno 13] Permission denied\n"
BUSY = "could not open port /dev/ttyACM0: [Errno 16] Device or resource busy: '/dev/ttyACM0'\n"
NO_UPLOAD_PORT = (
    "Error: Please specify `upload_port` for environment or use global `--upload-port` option.\n"
)
NO_BOOTSEL = "No accessible RP-series devices in BOOTSEL mode were found.\n"
COMPILE = "src/main.cpp:7:1: error: 'x' does not name a type\n*** [main.o] Error 1\n"


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return sample_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def tool(tmp_path, monkeypatch):
    """Puts a program on PATH that says and ends as told, and notes how it was called.

    A stand-in, the only one of this project: no vendor's tool can succeed without its board.
    """
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def make(name: str, *, says: str = "", status: int = 0) -> Path:
        (folder / "says").write_text(says)
        called = folder / "called"
        program = folder / name
        program.write_text(
            f'#!/bin/sh\npwd >"{called}"\necho "$@" >>"{called}"\ncat "{folder / "says"}" >&2\n'
            f"exit {status}\n"
        )
        program.chmod(0o755)
        return called

    return make


def test_a_project_plays_the_bundles_windows_on_an_emulated_board(bundle, tmp_path, capsys):
    """Oracle: the files that were written."""
    out = tmp_path / "fw"
    arguments = ["firmware", str(bundle), "--board", "qemu-an386", "--out", str(out), "--json"]
    assert run(arguments) == ExitStatus.OK
    told = json.loads(capsys.readouterr().out)
    assert (told["board"], told["kind"], told["sensors"]) == ("qemu-an386", "make", "replay")
    assert "src/main.c" in told["files"]
    assert [path for path in told["files"] if not (out / path).is_file()] == []
    assert (out / "src" / "kd_sensor_replay.c").is_file()
    manifest = json.loads((bundle / "bundle.json").read_text())
    assert told["model_sha256"] in manifest["files"].values()


def test_a_real_board_gets_a_stub_and_a_word_on_what_was_not_run(bundle, tmp_path, capsys):
    out = tmp_path / "fw"
    assert run(["firmware", str(bundle), "--board", "teensy41", "--out", str(out)]) == ExitStatus.OK
    said = capsys.readouterr().out
    assert "platformio project for Teensy 4.1" in said
    assert "we have never run this project on its board" in said
    assert (out / "src" / "kd_sensor.c").is_file()


@pytest.mark.parametrize(
    ("more", "code"),
    [
        (["--board", "qemu-an38"], "KD_UNKNOWN_NAME"),
        (["--board", "host", "--project", "zephyr"], "KD_USAGE"),
        (["--board", "host", "--hop", "1e-6"], "KD_USAGE"),
        (["--board", "host", "--keep-columns"], "KD_USAGE"),
        (["--board", "host", "--hop", "1e9"], "KD_USAGE"),
        (["--board", "host", "--hop", "inf"], "KD_USAGE"),
        (["--board", "host", "--hop", "nan"], "KD_USAGE"),
        (["--board", "host", "--engine", "tflm", "--personal"], "KD_USAGE"),
    ],
)
def test_impossible_projects_are_refused(bundle, more, code, tmp_path, capsys):
    out = tmp_path / "fw"
    assert run(["firmware", str(bundle), *more, "--out", str(out)]) == ExitStatus.USAGE
    assert code in capsys.readouterr().err
    assert not out.exists()


def test_a_bundle_is_flashed_through_a_project_of_its_own(bundle, tool, capsys):
    called = tool("pio", says="[SUCCESS] Took 9.99 seconds\n")
    assert run(["flash", str(bundle), "--board", "pico"]) == ExitStatus.OK
    folder, arguments = called.read_text().splitlines()
    assert arguments == "run --target upload"
    assert not Path(folder).exists()
    assert run(["flash", str(bundle)]) == ExitStatus.USAGE
    assert "name one" in capsys.readouterr().err


def test_flash_runs_the_boards_tool_in_the_project_and_shows_what_it_says(
    model, tool, tmp_path, capfd
):
    folder = write_sample(tmp_path / "fw", model, "nano33ble")
    called = tool("pio", says="Forcing reset using 1200bps\n[SUCCESS]\n")
    assert run(["flash", str(folder), "--port", "/dev/ttyACM3"]) == ExitStatus.OK
    assert called.read_text().splitlines() == [
        str(folder),
        "run --target upload --upload-port /dev/ttyACM3",
    ]
    said = capfd.readouterr()
    assert "[SUCCESS]" in said.err
    assert "has been flashed" in said.out


def test_a_dry_run_prints_the_command_and_calls_nothing(model, tool, tmp_path, capsys):
    folder = write_sample(tmp_path / "fw", model, "esp32s3")
    called = tool("idf.py")
    arguments = ["flash", str(folder), "--port", "P 1", "--dry-run"]
    assert run(arguments) == ExitStatus.OK
    assert capsys.readouterr().out == f"in {folder}: idf.py -p 'P 1' flash\n"
    assert run([*arguments, "--json"]) == ExitStatus.OK
    told = json.loads(capsys.readouterr().out)
    assert (told["command"], told["flashed"]) == (["idf.py", "-p", "P 1", "flash"], False)
    assert not called.exists()


@pytest.mark.parametrize(
    ("board", "says", "code", "words"),
    [
        ("esp32s3", NO_PORT, "KD_PORT_ABSENT", "hold BOOT"),
        ("esp32s3", SILENT, "KD_BOARD_TIMEOUT", "hold BOOT"),
        ("nano33ble", NO_UPLOAD_PORT, "KD_PORT_ABSENT", "press the reset button twice"),
        ("pico", NO_BOOTSEL, "KD_PORT_ABSENT", "hold BOOTSEL"),
        ("nucleo_l4r5zi", DENIED, "KD_PORT_DENIED", "dialout"),
        ("nano33ble", BUSY, "KD_PORT_BUSY", "close the serial monitor"),
        ("teensy41", COMPILE, "KD_BOARD_FLASH", "its own output above says why"),
        ("teensy41", "", "KD_BOARD_FLASH", "press the button"),
    ],
)
def test_a_tools_failure_says_what_to_do(board, says, code, words, model, tool, tmp_path, capfd):
    folder = write_sample(tmp_path / "fw", model, board)
    tool("idf.py" if board == "esp32s3" else "pio", says=says, status=2)
    assert run(["flash", str(folder)]) == ExitStatus.BOARD
    said = capfd.readouterr().err
    assert says in said
    assert f"error {code}" in said
    assert words in said


def test_a_missing_tool_is_named_with_how_to_get_it(model, tmp_path, monkeypatch, capsys):
    folder = write_sample(tmp_path / "fw", model, "esp32s3")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run(["flash", str(folder)]) == ExitStatus.MISSING_TOOL
    said = capsys.readouterr().err
    assert "idf.py is not installed" in said
    assert "install.sh" in said


@pytest.mark.parametrize(
    ("board", "name", "image", "arguments"),
    [
        (
            "nano33ble",
            "pyocd",
            ".pio/build/nano33ble/firmware.elf",
            "flash --no-wait --target nrf52840 {image}",
        ),
        ("pico", "picotool", ".pio/build/pico/firmware.uf2", "load -f -x {image}"),
        (
            "teensy41",
            "teensy_loader_cli",
            ".pio/build/teensy41/firmware.hex",
            "--mcu=TEENSY41 -s -w -v {image}",
        ),
        ("esp32s3", "esptool", "build/flash_args", "--chip esp32s3 write_flash @flash_args"),
    ],
)
def test_other_tools_write_the_image_that_was_built(
    board, name, image, arguments, model, tool, tmp_path, capsys
):
    folder = write_sample(tmp_path / "fw", model, board)
    called = tool(name)
    assert run(["flash", str(folder), "--tool", name]) == ExitStatus.BAD_DATA
    assert "build it first" in capsys.readouterr().err
    (folder / image).parent.mkdir(parents=True)
    (folder / image).write_bytes(b"")
    assert run(["flash", str(folder), "--tool", name]) == ExitStatus.OK
    assert called.read_text().splitlines()[1] == arguments.format(image=folder / image)


@pytest.mark.parametrize(
    ("board", "kind", "more", "status", "words"),
    [
        ("host", None, [], ExitStatus.USAGE, "nothing to flash"),
        ("pico", "cmake", [], ExitStatus.USAGE, "has no image"),
        ("pico", None, ["--board", "teensy41"], ExitStatus.USAGE, "is for pico, not teensy41"),
        ("pico", None, ["--tool", "pioo"], ExitStatus.USAGE, "one of platformio, picotool"),
        (
            "pico",
            None,
            ["--tool", "picotool", "--port", "COM3"],
            ExitStatus.USAGE,
            "takes no port",
        ),
        ("pico", "zephyr", [], ExitStatus.BAD_DATA, "west build -b rpi_pico app"),
    ],
)
def test_what_cannot_be_flashed_is_said(board, kind, more, status, words, model, tmp_path, capsys):
    folder = write_sample(tmp_path / "fw", model, board, kind=kind)
    assert run(["flash", str(folder), *more]) == status
    assert words in capsys.readouterr().err


def test_a_folder_that_is_no_project_is_refused(tmp_path, capsys):
    assert run(["flash", str(tmp_path)]) == ExitStatus.BAD_DATA
    assert "holds no firmware project" in capsys.readouterr().err
