"""Projects whose link is Bluetooth, as far as they can be checked without a radio.

Oracles: compilers, with declarations of the vendors' stacks that we wrote by hand; the vendors' own
tools for manifests; the host's end of the link.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from board_tools import lint_of_component, read_by_platformio
from firmware_samples import run
from programs import need
from project_samples import project, sample_model, write_sample

from firmware_export.aot.cores import checked_cores
from firmware_export.boards import BOARDS, find_board
from firmware_export.boards.compile_check import compile_check
from firmware_export.boards.kinds import RADIOS
from firmware_export.project import check_link
from kd_edge.base.errors import KdEdgeError
from kd_edge.cli import run as kd_edge
from kd_edge.link.bluetooth import FROM_BOARD, SERVICE, TO_BOARD

HERE = Path(__file__).resolve().parent
ABLE = {"nano33ble": "platformio", "esp32s3": "esp-idf"}


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return sample_model(tmp_path_factory.mktemp("model"))


def flags_of(folder: Path) -> list[str]:
    """What the project's own build file defines."""
    texts = [path.read_text() for path in folder.rglob("*") if path.name in BUILD_FILES]
    return [f"-D{name}" for name in re.findall(r"\b(KD_\w+=\w+)", "".join(texts))]


# ESP-IDF compiles C as gnu17.
OF_IDF = ("-std=gnu17", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror")
BUILD_FILES = ("platformio.ini", "CMakeLists.txt")


def test_the_boards_with_a_radio_are_those_that_have_glue():
    assert {n for n, b in BOARDS.items() if b.project and b.project.bluetooth} == set(ABLE)
    for board, kind in ABLE.items():
        radio = RADIOS[BOARDS[board].project.bluetooth]
        assert radio.project == kind
        check_link(find_board(board), kind, "ble")


def test_the_service_is_the_hosts(model):
    files = project(model, "esp32s3", link="ble").files
    header = next(text for path, text in files.items() if path.endswith("/kd_ble.h"))
    for name, uuid in (("SERVICE", SERVICE), ("TO_BOARD", TO_BOARD), ("FROM_BOARD", FROM_BOARD)):
        assert f'#define KD_BLE_{name} "{uuid}"' in header
    glue = next(text for path, text in files.items() if path.endswith("/kd_board_nimble.c"))
    (row,) = re.findall(r"BLE_UUID128_INIT\((.*?)\)", glue, re.DOTALL)
    for n, uuid in enumerate((SERVICE, TO_BOARD, FROM_BOARD), start=1):
        last_first = [n if byte == " n" else int(byte, 16) for byte in row.split(",")]
        assert bytes(reversed(last_first)).hex() == uuid.replace("-", "")
        assert f"UUID(0x{n:02x})" in glue


@pytest.mark.gcc_arm
def test_the_glue_for_arduinoble_is_sound_cpp_against_a_stand_in(model, tmp_path):
    need("arm-none-eabi-g++", "arm-none-eabi-gcc")
    folder = write_sample(tmp_path / "fw", model, "nano33ble", link="ble")
    for name in ("Arduino", "ArduinoBLE"):
        text = (HERE / f"{name.lower()}_stand_in.h").read_text(encoding="utf-8")
        (tmp_path / f"{name}.h").write_text(text)
    library = folder / "lib/kd_firmware/src"
    includes = [f"-I{tmp_path}", f"-I{folder / 'src'}", f"-I{library}"]
    flags = ["-std=gnu++11", "-Wall", "-Wextra", "-Wshadow", "-Werror", "-O2", "-fno-exceptions"]
    core = BOARDS["nano33ble"].core_facts.flags
    for name in ("main.cpp", "kd_board_arduino.cpp", "kd_board_ble.cpp"):
        source, out = folder / "src" / name, tmp_path / f"{name}.o"
        run("arm-none-eabi-g++", *core, *flags, *flags_of(folder), *includes, "-c", source,
            "-o", out)  # fmt: skip
        assert "Serial" not in source.read_text()
    own = [library / name for name in ("kd_ble.c", "kd_board_ring.c")]
    assert len(compile_check(own, core="m4", include_dirs=[library]).files) == 2


@pytest.mark.parametrize("link", ["serial", "ble"])
def test_the_glue_for_esp_idf_is_sound_c_against_a_stand_in(model, tmp_path, link):
    need("gcc", "clang")
    folder = write_sample(tmp_path / "fw", model, "esp32s3", link=link)
    component = folder / "components/kd_firmware"
    glue = [*sorted(component.glob("kd_board_*.c")), folder / "main/main.c"]
    assert ("kd_board_nimble.c" in {path.name for path in glue}) == (link == "ble")
    stand_in = (HERE / "esp_idf_stand_in.h").read_text(encoding="utf-8")
    for source in glue:
        text = source.read_text()
        assert ("uart" in text) == (link == "serial" and source.name == "kd_board_esp.c")
        for header in re.findall(r'#include ["<]([\w./]+)[">]', text):
            if not header.startswith(("kd_", "string.h")):
                (tmp_path / header).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / header).write_text(stand_in)
        for compiler in ("gcc", "clang"):
            run(compiler, *OF_IDF, *flags_of(folder), f"-I{tmp_path}", f"-I{component}",
                f"-I{component / 'src'}", "-fsyntax-only", source)  # fmt: skip


@pytest.mark.cross_compilers
def test_what_cuts_frames_into_pieces_compiles_for_every_core_of_a_board(model, tmp_path):
    folder = write_sample(tmp_path, model, "esp32s3", link="ble")
    library = folder / "components/kd_firmware/src"
    own = [library / name for name in ("kd_ble.c", "kd_board_ring.c")]
    for core in sorted(set(checked_cores()) & {board.core for board in BOARDS.values()}):
        assert len(compile_check(own, core=core, include_dirs=[library]).files) == 2, core


def test_platformio_accepts_its_files(model, tmp_path):
    """Oracle: PlatformIO's own linter and its schema of library.json."""
    folder = write_sample(tmp_path / "fw", model, "nano33ble", link="ble")
    ((lint, library),) = read_by_platformio([folder], tmp_path)
    assert lint == {"errors": [], "warnings": []}
    assert library == "kd_firmware"
    assert "    arduino-libraries/ArduinoBLE@" in (folder / "platformio.ini").read_text()


def test_espressifs_tool_accepts_the_component(model, tmp_path):
    """Oracle: `compote manifest lint` of idf-component-manager."""
    folder = write_sample(tmp_path / "fw", model, "esp32s3", link="ble")
    component = folder / "components" / "kd_firmware"
    done = lint_of_component(component, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    cmake = (component / "CMakeLists.txt").read_text()
    assert "REQUIRES bt nvs_flash esp_timer" in cmake
    assert {"kd_board_nimble.c", "src/kd_ble.c", "src/kd_board_ring.c"} <= set(cmake.split())
    defaults = (folder / "sdkconfig.defaults").read_text()
    assert "CONFIG_BT_NIMBLE_PINNED_TO_CORE_0=y" in defaults


@pytest.mark.parametrize("board", ABLE)
def test_the_readme_says_that_no_board_has_run_it(board, model):
    text = project(model, board, link="ble").files["README.md"]
    assert "**Never run by us on this board.**" in text
    assert "It has never met a radio." in text
    assert 'kd-edge live --ble "kd-edge band"' in text
    assert "--port /dev/" not in text
    assert "radio" not in project(model, board).files["README.md"]


@pytest.mark.parametrize(
    ("board", "kind", "says"),
    [
        ("qemu-an386", "make", "qemu-an386 has no Bluetooth"),
        ("pico", "platformio", "pico has no Bluetooth"),
        ("nano33ble", "zephyr", "a zephyr project has no Bluetooth"),
        ("esp32s3", "cmake", "a cmake project has no Bluetooth"),
    ],
)
def test_a_project_without_a_radio_is_refused_in_words(board, kind, says):
    with pytest.raises(KdEdgeError, match=says) as refused:
        check_link(find_board(board), kind, "ble")
    assert refused.value.code == "KD_USAGE"
    assert refused.value.where == "--link ble"
    assert refused.value.hint


def test_the_command_writes_a_project_over_bluetooth(tmp_path, capsys):
    import json

    from bundle_samples import sample_bundle

    bundle = sample_bundle(tmp_path / "bundle")
    command = ["firmware", str(bundle), "--link", "ble", "--out", str(tmp_path / "fw"), "--json"]
    assert kd_edge([*command, "--board", "nano33ble"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["link"] == "ble"
    assert "src/kd_board_ble.cpp" in told["files"]
    assert json.loads((tmp_path / "fw" / "manifest.json").read_text())["link"] == "ble"
    assert kd_edge([*command, "--board", "pico"]) == 2
    assert "no Bluetooth" in json.loads(capsys.readouterr().out)["error"]["message"]
