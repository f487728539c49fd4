"""Firmware projects: they build by themselves, and their own tools accept their manifests."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest
from emulated import HOLDING
from link_harness import PATIENT
from programs import need
from project_checks import FORMS
from project_samples import N_GOLDEN, project, sample_model, write_sample
from waiting import ended, program

from firmware_export.boards import BOARDS, find_board
from firmware_export.project import as_seen_by, project_kind, write_project
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.files import sha256_file
from kd_edge.base.flatbuffer import read_tflite
from kd_edge.link.device import Device

# As in a fresh container: nothing of this one's environment, and only the system's programs.
FRESH = {"PATH": "/usr/bin:/bin"}


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return sample_model(tmp_path_factory.mktemp("model"))


def contents(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def commands(readme: Path) -> list[str]:
    """The commands that a README says to give, block by block."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", readme.read_text(), re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


@contextlib.contextmanager
def running(command: str, folder: Path) -> Iterator[str]:
    """A board that a command of the README boots, in a fresh environment; yields its port's URL."""
    # QEMU takes a free port by itself, and says which: none that another test could take before it.
    whole = f"{command} PORT=0" if "qemu" in (folder / "Makefile").read_text() else command
    with program(
        ["/bin/sh", "-c", whole],
        f"the board that `{command}` boots",
        cwd=folder,
        env=FRESH,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        for line in process.stdout:
            if found := re.search(r"waiting for connection on: \S+:(\d+),", line):
                yield f"socket://127.0.0.1:{found[1]}"
                return
            if found := re.match(r"serial port: (\S+)", line):
                yield found[1]
                return
        raise AssertionError(f"{command} ended with {ended(process, command)}")


def fresh(command: str, folder: Path) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=folder,
        env=FRESH,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr, done.stderr


def check_board(url: str, board: str, model: Path, *, engine: str = "aot") -> None:
    """It says HELLO as itself and gives TFLite Micro's answers."""
    with Device.open(url, model_sha256=read_tflite(model).sha256, patience=PATIENT) as device:
        assert (device.hello.board, device.hello.engine) == (board, engine)
        test = device.selftest()
        assert (len(test.vectors), test.failures) == (N_GOLDEN, ())


@pytest.mark.qemu
def test_what_make_run_boots_counts_the_same_instructions_in_every_run(model, tmp_path):
    """Oracle: QEMU's own count, of which a clock of wall time knows nothing.

    The middle of several counts, for an interrupt of the port would be counted in one of them.
    """
    need("make", "arm-none-eabi-gcc", "qemu-system-arm")
    folder = write_sample(tmp_path / "fw", model, "qemu-an386")
    fresh("make", folder)
    counts = []
    for _ in range(2):
        with running("make run", folder) as url, Device.open(url, patience=PATIENT) as device:
            assert device.hello.ticks_kind == "instructions"
            counts.append(median(sum(layer.ticks for layer in device.profile()) for _ in range(5)))
    assert counts[0] == pytest.approx(counts[1], rel=1e-3)


@pytest.mark.parametrize("board", HOLDING)
def test_a_project_builds_and_answers_by_the_commands_of_its_readme(board, model, tmp_path):
    """Oracle: TFLite Micro's golden vectors. Environment: empty but for the system's programs."""
    need("make", "cc")
    folder = write_sample(tmp_path / "fw", model, board, sensors="replay")
    build, boot, *_ = commands(folder / "README.md")
    assert (build, boot) == ("make", "make run")
    fresh(build, folder)
    with running(boot, folder) as url:
        check_board(url, board, model)


@pytest.mark.slow
@pytest.mark.qemu
def test_tflite_micro_answers_in_the_project_of_its_engine(model, tmp_path):
    """Oracle: TFLite Micro's golden vectors. KD_EDGE_TFLM_TREE: as create_tflm_tree.py makes it."""
    tree = os.environ.get("KD_EDGE_TFLM_TREE")
    if tree is None:
        pytest.skip("KD_EDGE_TFLM_TREE names no source tree of TFLite Micro")
    need("make", "arm-none-eabi-g++")
    folder = write_sample(tmp_path / "fw", model, "qemu-an386", engine="tflm")
    build, boot = (command.replace("TREE", tree) for command in commands(folder / "README.md"))
    fresh(build, folder)
    with running(boot, folder) as url:
        check_board(url, "qemu-an386", model, engine="tflm")


@pytest.mark.parametrize("board", ["host", pytest.param("qemu-an386", marks=pytest.mark.qemu)])
def test_cmake_builds_the_same(board, model, tmp_path):
    """Oracle: TFLite Micro's golden vectors, on the image that CMake has built."""
    need("make", "cmake", "cc")
    folder = write_sample(tmp_path / "fw", model, board)
    _, boot, *cmake = commands(folder / "README.md")
    assert cmake == ["cmake -B build-cmake", "cmake --build build-cmake"]
    for command in cmake:
        fresh(command, folder)
    image = "firmware.elf" if BOARDS[board].emulator else "firmware"
    (folder / "build").mkdir()
    shutil.copy(folder / "build-cmake" / image, folder / "build" / image)
    # `make run` boots this one, whatever is newer.
    with running(f"{boot} --old-file=build/{image}", folder) as url:
        check_board(url, board, model)


def test_the_plain_library_answers_behind_a_board_layer_of_the_users(model, tmp_path):
    """The user's layer is here the one for this machine. Oracle: TFLite Micro's golden vectors."""
    need("cmake", "cc")
    board = as_seen_by(find_board("host"), "cmake")
    library = write_sample(tmp_path / "app" / "kd", model, "host", kind="cmake")
    layer = project(model, "host").files
    for name in ("kd_board_host.c", "kd_board_config.h"):
        (tmp_path / "app" / name).write_text(layer[f"board/{name}"])
    (tmp_path / "app" / "main.c").write_text(layer["src/main.c"])
    (tmp_path / "app" / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.13)\nproject(app C)\nadd_subdirectory(kd)\n"
        "add_executable(app main.c kd_board_host.c kd/port/kd_sensor.c)\n"
        "target_link_libraries(app PRIVATE kd_firmware)\n"
    )
    assert board.timer.hz == 1_000_000
    assert (library / "README.md").is_file()
    fresh("cmake -B build && cmake --build build", tmp_path / "app")
    (tmp_path / "app" / "Makefile").write_text("run:\n\t./build/app\n")
    with running("make run", tmp_path / "app") as url:
        check_board(url, "host", model)


@pytest.mark.parametrize(("board", "kind"), FORMS)
def test_the_same_arguments_give_the_same_bytes(board, kind, model, tmp_path):
    one = write_sample(tmp_path / "one", model, board, kind=kind)
    two = write_sample(tmp_path / "two", model, board, kind=kind)
    assert contents(one) == contents(two)
    assert contents(write_sample(one, model, board, kind=kind)) == contents(two)


def test_the_manifest_names_every_file_with_its_digest(model, tmp_path):
    folder = write_sample(tmp_path, model, "nano33ble")
    manifest = json.loads((folder / "manifest.json").read_text())
    named = {entry["path"]: entry["sha256"] for entry in manifest["files"]}
    assert named.keys() == contents(folder).keys() - {"manifest.json"} != set()
    assert all(sha256_file(folder / path) == digest for path, digest in named.items())
    assert (manifest["board"], manifest["kind"]) == ("nano33ble", "platformio")
    assert [e["path"] for e in manifest["files"] if e["yours"]] == ["src/kd_sensor.c"]


def test_what_an_earlier_export_left_goes_and_what_is_not_ours_stays(model, tmp_path):
    folder = write_sample(tmp_path, model, "nano33ble")
    (folder / ".pio").mkdir()
    (folder / ".pio" / "mine").write_text("mine")
    (folder / "src" / "notes.txt").write_text("mine")
    written = write_project(folder, project(model, "nano33ble", kind="zephyr"))
    assert "platformio.ini" in written.removed
    assert not (folder / "lib").exists()
    assert (folder / "zephyr" / "module.yml").is_file()
    assert (folder / ".pio" / "mine").read_text() == "mine"
    assert (folder / "src" / "notes.txt").read_text() == "mine"


def test_the_users_sensors_outlive_another_export(model, tmp_path):
    folder = write_sample(tmp_path, model, "nano33ble")
    (folder / "src" / "kd_sensor.c").write_text("/* mine */\n")
    for _ in range(2):
        written = write_project(folder, project(model, "nano33ble"))
        assert written.kept == ("src/kd_sensor.c",)
        assert (folder / "src" / "kd_sensor.c").read_text() == "/* mine */\n"


def test_a_generated_file_that_was_edited_is_not_overwritten(model, tmp_path):
    folder = write_sample(tmp_path, model, "host")
    (folder / "Makefile").write_text("mine\n")
    before = contents(folder)
    with pytest.raises(KdEdgeError, match="Makefile has been edited") as caught:
        write_sample(folder, model, "host")
    assert caught.value.code == "KD_OUTPUT"
    assert contents(folder) == before


OURS = '{"content": "firmware project", "files": '


@pytest.mark.parametrize(
    "put",
    [
        {"mine.txt": "mine"},
        {"manifest.json": "{}"},
        {"manifest.json": OURS + '[{"path": "../x", "sha256": ""}]}'},
        {"manifest.json": OURS + "3}"},
        {"manifest.json": OURS + "[]}", "Makefile": "mine"},
    ],
)
def test_foreign_folders_are_left_alone(put, model, tmp_path):
    (tmp_path / "x").write_text("outside")
    folder = tmp_path / "folder"
    folder.mkdir()
    for name, text in put.items():
        (folder / name).write_text(text)
    before = contents(tmp_path)
    with pytest.raises(KdEdgeError) as caught:
        write_sample(folder, model, "host")
    assert caught.value.code == "KD_OUTPUT"
    assert contents(tmp_path) == before


def test_a_file_in_the_folders_place_is_named(model, tmp_path):
    (tmp_path / "fw").write_text("mine")
    with pytest.raises(KdEdgeError, match="fw is a file"):
        write_sample(tmp_path / "fw", model, "host")


def test_each_board_has_its_own_kinds_of_project():
    assert project_kind(find_board("qemu-an386")) == "make"
    assert project_kind(find_board("esp32s3")) == "esp-idf"
    assert project_kind(find_board("pico"), "zephyr") == "zephyr"
    with pytest.raises(KdEdgeError, match="host has no platformio project"):
        project_kind(find_board("host"), "platformio")
    with pytest.raises(KdEdgeError, match=r"project 'zefyr' \(did you mean 'zephyr'\?\)"):
        project_kind(find_board("pico"), "zefyr")


@pytest.mark.parametrize(("board", "kind"), FORMS)
def test_readmes_own_up_to_what_has_been_run(board, kind, model):
    text = project(model, board, kind=kind).files["README.md"]
    assert ("**Run:**" in text) == BOARDS[board].run
    assert ("**Never run by us on this board.**" in text) != BOARDS[board].run
    assert "SYNTHETIC" in text.upper()


def test_a_real_boards_clock_is_what_its_glue_counts(model):
    """Oracle: HELLO's ticks, as the glue's source says them."""
    for board, kind, counts in (
        ("teensy41", "platformio", "KD_DWT_CYCCNT"),
        ("pico", "platformio", "micros()"),
        ("teensy41", "zephyr", "k_cycle_get_32"),
        ("esp32s3", "esp-idf", "esp_timer_get_time"),
    ):
        files = project(model, board, kind=kind).files
        glue = next(t for p, t in files.items() if p.rpartition("/")[2].startswith("kd_board_"))
        assert counts in glue
        seen = as_seen_by(find_board(board), kind)
        assert (seen.timer is None) == (counts == "KD_DWT_CYCCNT")


def test_projects_are_made_without_tensorflow():
    code = "import sys, firmware_export.project; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
