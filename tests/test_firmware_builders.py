"""Projects of real boards, as far as their builders' own tools can check them."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest
from board_tools import lint_of_component, read_by_platformio
from firmware_samples import run
from programs import need
from project_checks import ARDUINO, BARE, FORMS
from project_samples import project, sample_model, write_sample

from firmware_export.aot.cores import checked_cores
from firmware_export.boards import BOARDS
from firmware_export.boards.compile_check import compile_check

ROOT = Path(__file__).resolve().parents[1]


REAL = [name for name, board in BOARDS.items() if not board.emulated]


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return sample_model(tmp_path_factory.mktemp("model"))


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


@pytest.fixture(scope="module")
def accepted(model, tmp_path_factory):
    """(board, engine) -> its project's folder, PlatformIO's lint of it, and its library's name."""
    home = tmp_path_factory.mktemp("platformio")
    folders = {
        (board, engine): write_sample(home / f"{board}-{engine}", model, board, engine=engine)
        for board in ARDUINO
        for engine in ("aot", "tflm")
    }
    folders |= {
        (board, "aot"): write_sample(home / board, model, board, kind="platformio-bare")
        for board in BARE
    }
    read = read_by_platformio(list(folders.values()), home)
    found = zip(folders.values(), read, strict=True)
    return dict(zip(folders, found, strict=True))


@pytest.mark.parametrize(
    ("board", "engine"),
    [*itertools.product(ARDUINO, ("aot", "tflm")), *((board, "aot") for board in BARE)],
)
def test_platformio_accepts_its_files(board, engine, accepted):
    """Oracle: PlatformIO's own linter and its schema of library.json."""
    folder, (lint, library) = accepted[board, engine]
    assert lint == {"errors": [], "warnings": []}
    assert library == "kd_firmware"
    declared = BOARDS[board].project.tflm
    assert (f"lib_deps =\n    {declared}\n" in (folder / "platformio.ini").read_text()) == (
        engine == "tflm" and declared is not None
    )


@pytest.mark.parametrize("engine", ["aot", "tflm"])
def test_espressifs_tool_accepts_the_component(engine, model, tmp_path):
    """Oracle: `compote manifest lint` of idf-component-manager."""
    folder = write_sample(tmp_path / "fw", model, "esp32s3", engine=engine)
    component = folder / "components" / "kd_firmware"
    done = lint_of_component(component, tmp_path)
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
