"""What each kind of project is made of: the firmware's sources, and what its builder needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from firmware_export.aot.cores import checked_cores
from firmware_export.aot.export import SECTION_FLAGS
from firmware_export.boards import BOARDS
from firmware_export.boards.board import Board, Timer
from firmware_export.boards.kinds import INSTRUCTION_SHIFT, MICROS, PROJECTS, RADIOS, compiler_of
from firmware_export.boards.toolchain import (
    COMMON,
    board_files,
    board_sources,
)
from firmware_export.engines import ENGINES, TFLITE_MICRO
from firmware_export.firmware import RUNTIME, Firmware
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.registry import Registry
from kd_edge.base.templates import templates

TEMPLATES = Path(__file__).parent / "templates"
EXAMPLES = RUNTIME / "examples"

_SENSOR, _KEEP = "kd_sensor.c", "kd_keep.c"
# Where to begin -> the user's own file.
_OWN = {"kd_sensor_stub.c": _SENSOR, "kd_keep_stub.c": _KEEP}
# `--link`: a wire, or Bluetooth Low Energy.
SERIAL, BLE = "serial", "ble"
LINKS = (SERIAL, BLE)
_NIMBLE = ("kd_board_nimble.c", "kd_board_nimble.h")
_RING = ("kd_board_ring.c", "kd_board_ring.h")
_MICROSECONDS = Timer(kind=MICROS.name, hz=1_000_000)


@dataclass(frozen=True)
class ProjectFacts:
    """What a project says of itself.

    Attributes:
        title: of the model, for people.
        synthetic: the model was trained on generated recordings.
        generator: name and version of what writes.
        engine: a key of `ENGINES`.
        sensors: 'replay', 'stub', or 'none' for a board that takes int8 windows only.
        link: how the host reaches the board: one of `LINKS`, or 'none' for a phone.
    """

    title: str
    model_sha256: str
    synthetic: bool
    generator: str
    engine: str
    sensors: str
    link: str = SERIAL


@dataclass(frozen=True)
class Layout:
    """Files of a project: path below its folder -> text; `yours` are the user's to edit."""

    files: dict[str, str]
    yours: tuple[str, ...] = ()


def as_seen_by(board: Board, kind: str) -> Board:
    """The board as a kind of project drives it: its clock counts what that kind's glue counts."""
    if PROJECTS[kind].on_a_desk:
        return replace(board, emulated=False, run=False, emulator=None)
    if PROJECTS[kind].microseconds:
        return replace(board, timer=_MICROSECONDS, uart=None, emulator=None)
    return board


def _make(firmware: Firmware, board: Board, facts: ProjectFacts) -> Layout:
    """Makefile and CMakeLists.txt for an emulated board or this machine."""
    files, yours = _sources(firmware, "src", "src", keep_main=True)
    layer = {path.name: path.read_text(encoding="utf-8") for path in board_sources(board)}
    layer |= {path.name: path.read_text(encoding="utf-8") for path in COMMON.glob("*.h")}
    layer |= board_files(board)
    files |= {f"board/{name}": text for name, text in layer.items()}
    names = ["Makefile", "README.md"]
    if facts.engine == TFLITE_MICRO.name:
        # Its build is the Makefile's alone; on the bare metal its library calls the C library.
        names += ["board/kd_board_newlib.c"] if board.emulator else []
    else:
        names += ["CMakeLists.txt", *(["toolchain.cmake"] if board.emulator else [])]
    render = _renderer("make", files | dict.fromkeys(names, ""), firmware, board, facts)
    return Layout(files | {n: render(n.rpartition("/")[2]) for n in names}, yours)


def _platformio(firmware: Firmware, board: Board, facts: ProjectFacts) -> Layout:
    """platformio.ini, the main loop on Arduino's calls, all else as a library of the project."""
    files, yours = _sources(firmware, "lib/kd_firmware/src", "src")
    files |= _radio(facts, "lib/kd_firmware/src")
    render = _renderer("platformio", files, firmware, board, facts)
    glue = ("main.cpp", "kd_board_arduino.cpp", "kd_board_arduino.h")
    glue += ("kd_board_ble.cpp", "kd_board_ble.h") if facts.link == BLE else ()
    files |= {f"src/{name}": render(name) for name in glue}
    files["lib/kd_firmware/library.json"] = render("library.json")
    return Layout(files | {name: render(name) for name in ("platformio.ini", "README.md")}, yours)


def _platformio_bare(firmware: Firmware, board: Board, facts: ProjectFacts) -> Layout:
    """The board's own layer, the one that is emulated, instead of a framework's.

    Raises:
        KdEdgeError KD_USAGE: for TFLite Micro, whose library needs a framework's C++.
    """
    if facts.engine == TFLITE_MICRO.name:
        raise KdEdgeError(
            "KD_USAGE",
            f"a project without a framework has no C++ library, which {facts.engine} needs",
            where=f"--engine {facts.engine}, --project platformio-bare",
            hint="leave --engine out: plain C needs no library",
        )
    emulated = BOARDS[board.name]
    library = "lib/kd_firmware/src"
    files, yours = _sources(firmware, library, "src")
    layer = {path.name: path.read_text(encoding="utf-8") for path in board_sources(emulated)}
    layer |= {path.name: path.read_text(encoding="utf-8") for path in COMMON.glob("*.h")}
    layer |= board_files(emulated)
    script = layer.pop("kd_board.ld")
    files |= {f"{library}/{name}": text for name, text in layer.items()}
    files |= {"kd_board.ld": script, "src/main.c": firmware.files["main.c"]}
    render = _renderer("platformio-bare", files, firmware, board, facts)
    files["lib/kd_firmware/library.json"] = render("library.json")
    names = ("platformio.ini", "link_flags.py", "README.md")
    return Layout(files | {name: render(name) for name in names}, yours)


def _esp_idf(firmware: Firmware, board: Board, facts: ProjectFacts) -> Layout:
    """One component, and a project around it."""
    component = "components/kd_firmware"
    files, yours = _sources(firmware, f"{component}/src", "main")
    files |= _radio(facts, f"{component}/src")
    render = _renderer("esp-idf", files, firmware, board, facts, below=component)
    glue = ("kd_board_esp.c", "kd_board_esp.h", "idf_component.yml")
    for name in (*glue, *(_NIMBLE if facts.link == BLE else ())):
        files[f"{component}/{name}"] = render(name)
    files[f"{component}/CMakeLists.txt"] = render("component_CMakeLists.txt")
    main = ["main.c", *(path.removeprefix("main/") for path in yours)]
    files["main/main.c"] = render("main.c")
    files["main/CMakeLists.txt"] = render("main_CMakeLists.txt", main_sources=main)
    names = ("CMakeLists.txt", "sdkconfig.defaults", "README.md")
    return Layout(files | {name: render(name) for name in names}, yours)


def _zephyr(firmware: Firmware, board: Board, facts: ProjectFacts) -> Layout:
    """A module, and a sample application that adds it."""
    files, yours = _sources(firmware, "src", "app/src")
    render = _renderer("zephyr", files, firmware, board, facts)
    files["app/src/main.c"] = firmware.files["main.c"]
    main = ["src/main.c", *(path.removeprefix("app/") for path in yours)]
    for name in ("module.yml", "Kconfig", "kd_board_zephyr.c"):
        files[f"zephyr/{name}"] = render(name)
    files["zephyr/CMakeLists.txt"] = render("module_CMakeLists.txt")
    files["app/CMakeLists.txt"] = render("app_CMakeLists.txt", main_sources=main)
    files |= {f"app/{name}": render(name) for name in ("prj.conf", "sample.yaml")}
    return Layout(files | {"README.md": render("README.md")}, yours)


def _cmake(firmware: Firmware, board: Board, facts: ProjectFacts) -> Layout:
    """A library for a project of any kind, which brings the board's layer itself."""
    files, yours = _sources(firmware, "src", "port")
    render = _renderer("cmake", files, firmware, board, facts)
    return Layout(files | {name: render(name) for name in ("CMakeLists.txt", "README.md")}, yours)


# `--project` -> what it is made of.
LAYOUTS: Registry[Callable[[Firmware, Board, ProjectFacts], Layout]] = Registry(
    "layout of a project",
    {
        "make": _make,
        "platformio": _platformio,
        "platformio-bare": _platformio_bare,
        "esp-idf": _esp_idf,
        "zephyr": _zephyr,
        "cmake": _cmake,
    },
    home=__name__,
    plural="layouts",
)


def _sources(
    firmware: Firmware, folder: str, own: str, *, keep_main: bool = False
) -> tuple[dict[str, str], tuple[str, ...]]:
    """The firmware's files in a folder, the user's in their own, and the paths of the latter."""
    files, yours = {}, []
    for name, text in firmware.files.items():
        if name == "main.c" and not keep_main:
            continue
        if name in _OWN:
            yours.append(f"{own}/{_OWN[name]}")
            files[yours[-1]] = text
        else:
            files[f"{folder}/{name}"] = text
    # Linker scripts and start-up are the other board's; the contract is every board's.
    if not keep_main:
        files[f"{folder}/kd_board.h"] = (COMMON / "kd_board.h").read_text(encoding="utf-8")
    if "kd_sensor.h" in firmware.files:
        for path in sorted(EXAMPLES.rglob("*.[ch]")):
            relative = path.relative_to(EXAMPLES).as_posix()
            files[f"examples/{relative}"] = path.read_text(encoding="utf-8")
    return files, tuple(yours)


def _libraries(board: Board, facts: ProjectFacts) -> list[str]:
    """What PlatformIO has to download beside the platform."""
    of_engine = facts.engine == TFLITE_MICRO.name and board.project and board.project.tflm
    of_radio = facts.link == BLE and RADIOS[board.project.bluetooth].library
    return [library for library in (of_engine, of_radio) if library]


def _radio(facts: ProjectFacts, folder: str) -> dict[str, str]:
    """What a project over Bluetooth has beside its stack's own glue."""
    if facts.link != BLE:
        return {}
    paths = [*(RUNTIME / "ble").iterdir(), *(COMMON / name for name in _RING)]
    return {f"{folder}/{path.name}": path.read_text(encoding="utf-8") for path in paths}


def _renderer(
    kind: str,
    files: dict[str, str],
    firmware: Firmware,
    board: Board,
    facts: ProjectFacts,
    *,
    below: str = "",
) -> Callable[..., str]:
    """A function that fills one template of a kind.

    Args:
        files: the sources, path -> text.
        below: folder that the paths of sources are written relative to.
    """
    built = [path for path in files if path.startswith(f"{below}/" if below else "")]
    built = [path.removeprefix(f"{below}/") for path in built if not path.startswith("examples/")]
    compiler = compiler_of(board)
    shared = {
        "board": board,
        "facts": facts,
        "sources": sorted(path for path in built if path.endswith(".c")),
        "cpp_sources": sorted(path for path in built if path.endswith(".cc")),
        "sensor_file": _file_of(files, _SENSOR, "kd_sensor_replay.c"),
        "keep_file": _file_of(files, _KEEP),
        "has_head": "kd_head.c" in firmware.files,
        "has_normaliser": "kd_normaliser.c" in firmware.files,
        "examples": sorted(path for path in files if path.startswith("examples/")),
        "streams": firmware.front_end.streams if "kd_sensor.h" in firmware.files else (),
        "no_streams": "the bundle's front end cannot run on a board, or was left out.",
        "definitions": [f"{name}={value}" for name, value in firmware.defines.items()],
        "defines": [f"-D{name}={value}" for name, value in firmware.defines.items()],
        "receive_bytes": firmware.defines["KD_BOARD_RECEIVE_BYTES"],
        "core_flags": board.core_facts.flags,
        "section_flags": SECTION_FLAGS,
        "link_flags": BOARDS[board.name].kind.link,
        "cross": compiler.removesuffix("gcc"),
        "emulator": board.core_facts.toolchain.emulator if board.emulator else "",
        "image": "firmware.elf" if board.emulator else "firmware",
        "version": facts.generator.split()[-1],
        "stack_bytes": board.stack_bytes,
        "instruction_shift": INSTRUCTION_SHIFT,
        "cycles": board.timer is None,
        "wrap_words": f"{2**32 / (board.timer.hz if board.timer else board.clock_hz):.0f} s",
        "engine_words": ENGINES[facts.engine].title,
        "ble": facts.link == BLE,
        "libraries": _libraries(board, facts),
        "radio": RADIOS.get(board.project.bluetooth) if board.project else None,
        "unproved": PROJECTS[kind].unproved,
        "core_proof": _core_proof(board),
    }
    environment = templates(TEMPLATES / kind, TEMPLATES / "common", escape=False, shared=shared)
    environment.globals["f"] = environment.get_template("_facts.j2").make_module()

    def render(name: str, **values: object) -> str:
        return environment.get_template(f"{name}.j2").render(**values)

    return render


def _core_proof(board: Board) -> str:
    """What is known of the C for a board's core, without the board."""
    core = board.core_facts
    same = [name for name, other in BOARDS.items() if other.run and other.core == core.name]
    ours = "The C of engine, link and front end"
    if same:
        return (
            f"{ours} has been run, bit for bit, on an emulated board\n"
            f"with the same core ({core.title}): `{same[0]}`."
        )
    emulated = len({other.core for other in BOARDS.values() if other.emulator})
    if core.name in checked_cores():
        return (
            f"{ours} compiles for its core ({core.title}) without\n"
            f"a warning, and has been run, bit for bit, on {emulated} emulated cores."
        )
    return (
        f"We had no compiler for its core ({core.title}). {ours}\n"
        f"compiles for {len(checked_cores())} others without a warning, and has been run, bit for "
        f"bit, on {emulated} emulated ones."
    )


def _file_of(files: dict[str, str], *names: str) -> str:
    """The path of the first file with one of these names; empty where there is none."""
    return next((path for path in files if path.rpartition("/")[2] in names), "")
