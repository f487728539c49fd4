"""Firmware projects: they build by themselves, and their own tools accept their manifests."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from firmware_samples import run
from programs import need
from project_samples import N_GOLDEN, project, sample_model, write_sample
from waiting import ended, program

from firmware_export.aot.cores import checked_cores
from firmware_export.boards import BOARDS, find_board
from firmware_export.boards.compile_check import compile_check
from firmware_export.project import as_seen_by, project_kind, write_project
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.files import sha256_file
from kd_edge.base.flatbuffer import read_tflite
from kd_edge.link.device import Device

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ROOT / ".venv-board-tools" / "bin"
EMULATED = [
    pytest.param(name, marks=pytest.mark.qemu if board.emulator else ())
    for name, board in BOARDS.items()
    if board.emulated
]
ARDUINO = [
    name for name, board in BOARDS.items() if board.project and board.project.kind == "platformio"
]
REAL = [name for name, board in BOARDS.items() if not board.emulated]
FORMS = [
    *((name, "make") for name in ("qemu-an386", "host")),
    *((name, "platformio") for name in ARDUINO),
    ("esp32s3", "esp-idf"),
    ("nano33ble", "zephyr"),
    ("esp32s3", "cmake"),
]
# As in a fresh container: nothing of this one's environment, and only the system's programs.
FRESH = {"PATH": "/usr/bin:/bin"}


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return sample_model(tmp_path_factory.mktemp("model"))


def contents(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def board_tool(name: str) -> str:
    """A tool of requirements/board-tools.txt; skips where it is not installed."""
    found = shutil.which(name, path=f"{TOOLS}{os.pathsep}{os.environ['PATH']}")
    if found is None:
        pytest.skip(f"{name} is not installed: `make test` sets it up in {TOOLS.parent.name}")
    return found


def commands(readme: Path) -> list[str]:
    """The commands that a README says to give, block by block."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", readme.read_text(), re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


@contextlib.contextmanager
def running(command: str, folder: Path) -> Iterator[str]:
    """A board that a command of the README boots, in a fresh environment; yields its port's URL."""
    port = free_port()
    whole = f"{command} PORT={port}" if "qemu" in (folder / "Makefile").read_text() else command
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
            if "waiting for connection" in line:
                yield f"socket://127.0.0.1:{port}"
                return
            if found := re.match(r"serial port: (\S+)", line):
                yield found[1]
                return
        raise AssertionError(f"{command} ended with {ended(process, command)}")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


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
    with Device.open(url, model_sha256=read_tflite(model).sha256) as device:
        assert (device.hello.board, device.hello.engine) == (board, engine)
        test = device.selftest()
        assert (len(test.vectors), test.failures) == (N_GOLDEN, ())


@pytest.mark.qemu
def test_what_make_run_boots_counts_the_same_instructions_in_every_run(model, tmp_path):
    """Oracle: QEMU's own count, of which a clock of wall time knows nothing."""
    need("make", "arm-none-eabi-gcc", "qemu-system-arm")
    folder = write_sample(tmp_path / "fw", model, "qemu-an386")
    fresh("make", folder)
    counts = []
    for _ in range(2):
        with running("make run", folder) as url, Device.open(url) as device:
            assert device.hello.ticks_kind == "instructions"
            counts.append(sum(layer.ticks for layer in device.profile()))
    assert counts[0] == pytest.approx(counts[1], rel=1e-3)


@pytest.mark.parametrize("board", EMULATED)
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


@pytest.mark.gcc_arm
@pytest.mark.parametrize("board", [b for b in REAL if BOARDS[b].core in checked_cores()])
def test_every_c_file_of_a_real_boards_project_compiles_for_its_core(board, model, tmp_path):
    need("arm-none-eabi-gcc")
    folder = write_sample(tmp_path, model, board)
    sources = sorted(folder.rglob("*.c"))
    library = folder / "lib" / "kd_firmware" / "src"
    defines = dict(re.findall(r"-D(\w+)=(\w+)", (folder / "platformio.ini").read_text()))
    compiled = compile_check(
        sources, core=BOARDS[board].core, include_dirs=[library], defines=defines
    )
    assert not compiled.left_out
    assert {"kd_firmware.c", "kd_model.c", "kd_sensor.c"} <= set(compiled.files)


@pytest.mark.gcc_arm
@pytest.mark.parametrize("board", ARDUINO)
def test_the_arduino_glue_is_sound_cpp_against_a_stand_in_for_arduinos_header(
    board, model, tmp_path
):
    """A stand-in, because no core can be had here: see arduino_stand_in.h."""
    need("arm-none-eabi-g++")
    folder = write_sample(tmp_path / "fw", model, board)
    (tmp_path / "Arduino.h").write_text(
        (Path(__file__).parent / "arduino_stand_in.h").read_text(encoding="utf-8")
    )
    includes = [f"-I{tmp_path}", f"-I{folder / 'src'}", f"-I{folder / 'lib/kd_firmware/src'}"]
    flags = ["-std=gnu++11", "-Wall", "-Wextra", "-Wshadow", "-Werror", "-O2", "-fno-exceptions"]
    for name in ("main.cpp", "kd_board_arduino.cpp"):
        out = tmp_path / f"{name}.o"
        source = folder / "src" / name
        core = BOARDS[board].core_facts.flags
        run("arm-none-eabi-g++", *core, *flags, *includes, "-c", source, "-o", out)


@pytest.mark.parametrize("engine", ["aot", "tflm"])
@pytest.mark.parametrize("board", ARDUINO)
def test_platformio_accepts_its_files(board, engine, model, tmp_path):
    """Oracle: PlatformIO's own linter and its schema of library.json."""
    pio = board_tool("pio")
    folder = write_sample(tmp_path / "fw", model, board, engine=engine)
    quiet = os.environ | {"HOME": str(tmp_path), "PLATFORMIO_SETTING_ENABLE_TELEMETRY": "no"}
    lint = subprocess.run(
        [pio, "project", "config", "--lint"],
        cwd=folder, env=quiet, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "free from linting errors" in lint.stdout
    code = (
        "import sys\n"
        "from platformio.package.manifest.parser import ManifestParserFactory as Parser\n"
        "from platformio.package.manifest.schema import ManifestSchema\n"
        "print(ManifestSchema().load_manifest(Parser.new_from_file(sys.argv[1]).as_dict()))\n"
    )
    checked = subprocess.run(
        [Path(pio).parent / "python", "-c", code, folder / "lib/kd_firmware/library.json"],
        env=quiet, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "'name': 'kd_firmware'" in checked.stdout
    declared = BOARDS[board].project.tflm
    assert (f"lib_deps = {declared}" in (folder / "platformio.ini").read_text()) == (
        engine == "tflm" and declared is not None
    )


@pytest.mark.parametrize("engine", ["aot", "tflm"])
def test_espressifs_tool_accepts_the_component(engine, model, tmp_path):
    """Oracle: `compote manifest lint` of idf-component-manager."""
    compote = board_tool("compote")
    folder = write_sample(tmp_path / "fw", model, "esp32s3", engine=engine)
    component = folder / "components" / "kd_firmware"
    done = subprocess.run(
        [compote, "-W", "manifest", "lint", "idf_component.yml"],
        cwd=component, env=os.environ | {"HOME": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    text = (component / "idf_component.yml").read_text()
    assert ("espressif/esp-tflite-micro:" in text) == (engine == "tflm")


def test_zephyrs_module_points_at_files_that_exist(model, tmp_path):
    """Oracle: the files, as Zephyr's module.yml is read: a folder for CMake, a file for Kconfig."""
    folder = write_sample(tmp_path, model, "nano33ble", kind="zephyr")
    keys = dict(re.findall(r"^\s+(\w+): (\S+)$", (folder / "zephyr/module.yml").read_text(), re.M))
    assert (folder / keys["cmake"] / "CMakeLists.txt").is_file()
    assert (folder / keys["kconfig"]).is_file()
    assert "CONFIG_KD_FIRMWARE=y" in (folder / "app" / "prj.conf").read_text()


@pytest.mark.parametrize("engine", ["aot", "tflm"])
def test_a_project_names_every_source_that_it_has(engine, model):
    """Oracle: the files themselves, and the build files' text."""
    for board, kind in FORMS:
        if kind == "platformio":  # finds its sources by itself
            continue
        files = project(model, board, kind=kind, engine=engine).files
        build = "".join(
            text for path, text in files.items() if re.search(r"CMakeLists|Makefile", path)
        )
        sources = {
            path.rpartition("/")[2]
            for path in files
            if path.endswith((".c", ".cc")) and not path.startswith(("port/", "examples/"))
        }
        assert "kd_firmware.c" in sources
        assert {name for name in sources if name not in build} == set(), (board, kind)


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
