"""Images: compile and link C sources with a board's layer."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from firmware_export.aot.cores import ARM, toolchains
from firmware_export.aot.export import SECTION_FLAGS
from firmware_export.boards.board import Board
from firmware_export.boards.kinds import TIMERS, UARTS, compiler_of
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.processes import run_program
from kd_edge.base.templates import templates

COMMON = Path(__file__).parent / "common"
STACK_BYTES = 16 * 1024

_XCODE = "xcode-select --install"

# Tool -> how to get it on Debian and Ubuntu, and on macOS. Compilers stand in cores' toolchains.
PACKAGES: dict[str, tuple[str, str]] = {
    "arm-none-eabi-g++": (f"{ARM.debian} libstdc++-arm-none-eabi-newlib", ARM.macos),
    "arm-none-eabi-size": (ARM.debian, ARM.macos),
    "cc": ("apt install gcc", _XCODE),
    "clang": ("apt install clang", _XCODE),
    "size": ("apt install binutils", _XCODE),
    "qemu-system-arm": ("apt install qemu-system-arm", "brew install qemu"),
    "pio": ("pip install platformio", "pip install platformio"),
    "idf.py": ("ESP-IDF's install.sh", "ESP-IDF's install.sh"),
    "west": ("pip install west", "pip install west"),
    "esptool": ("pip install esptool", "pip install esptool"),
    "pyocd": ("pip install pyocd", "pip install pyocd"),
    "picotool": ("github.com/raspberrypi/picotool, releases", "brew install picotool"),
    "teensy_loader_cli": ("apt install teensy-loader-cli", "brew install teensy_loader_cli"),
}


@dataclass(frozen=True)
class Image:
    """A linked image.

    Attributes:
        elf: its file.
        flash_bytes: code, constants and first values of variables.
        ram_bytes: variables and stack.
        sections: name -> bytes, as linked.
    """

    elf: Path
    flash_bytes: int
    ram_bytes: int
    sections: Mapping[str, int]


def tools_of(board: Board) -> tuple[str, ...]:
    """The programs that building, and for emulated boards running, needs on this machine."""
    return board.kind.tools(board)


def how_to_get(tool: str) -> str:
    """Where a compiler or emulator comes from, in words."""
    compilers = {each.compiler: (each.debian, each.macos) for each in toolchains()}
    debian, brew = {**compilers, **PACKAGES}[tool]
    if debian == brew:
        return debian
    return f"Debian and Ubuntu: {debian}; macOS: {brew}"


def find_tool(name: str) -> str:
    """Path of a compiler or emulator.

    Raises:
        KdEdgeError KD_MISSING_TOOL: it is not installed; the hint names the package.
    """
    path = shutil.which(name)
    if path is None:
        raise KdEdgeError(
            "KD_MISSING_TOOL",
            f"{name} is not installed",
            hint=how_to_get(name),
        )
    return os.path.abspath(path)


def board_sources(board: Board) -> tuple[Path, ...]:
    """The C files of an emulated board's layer; their headers stand beside them."""
    drivers = (UARTS[board.uart.kind].source, TIMERS[board.timer.kind].source)
    return tuple(COMMON / name for name in (*board.kind.startup(board), *filter(None, drivers)))


def board_files(board: Board, *, stack_bytes: int = STACK_BYTES) -> dict[str, str]:
    """What is generated for a board: file name -> text of its configuration and linker script.

    A process has no linker script.
    """
    environment = templates(COMMON, escape=False)
    return {
        name: environment.get_template(f"{name}.j2").render(board=board, stack_bytes=stack_bytes)
        for name in board.kind.generated
    }


def build_image(
    board: Board,
    sources: Mapping[str, str] | Sequence[Path],
    *,
    out: Path,
    include_dirs: Sequence[Path] = (),
    defines: Mapping[str, str | int] | None = None,
    optimize: str = "-O2",
    extra_flags: Sequence[str] = (),
    stack_bytes: int = STACK_BYTES,
) -> Image:
    """Compile and link an image whose main() is in the sources.

    Args:
        board: an emulated one, QEMU's or `host`.
        sources: C files, or file name -> text (headers too), which is written to `out`.
        out: a folder, made if needed; gets image.elf, image.map and what is generated.
        include_dirs: searched after `out`.
        defines: macro -> value, for all sources.
        optimize: one option of gcc.
        extra_flags: more options of gcc, last.
        stack_bytes: set aside at the top of the RAM.

    Raises:
        KdEdgeError KD_USAGE: the board is a real one. KD_MISSING_TOOL: the compiler is not
            installed. KD_COMPILE: it refuses the sources. KD_BOARD_FULL: the image does not
            fit the board's memories.
    """
    _check_emulated(board)
    out = out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    files = board_files(board, stack_bytes=stack_bytes)
    if isinstance(sources, Mapping):
        files |= sources
        sources = [out / name for name in sources if name.endswith(".c")]
    for name, text in files.items():
        (out / name).write_text(text, encoding="utf-8", newline="\n")
    elf = out / "image.elf"
    command = [find_tool(compiler_of(board)), "-std=c99", optimize, "-g", *board.core_facts.flags]
    command += [*SECTION_FLAGS, "-fno-common"]
    command += [f"-I{Path(folder).resolve()}" for folder in (out, COMMON, *include_dirs)]
    command += [f"-D{name}={value}" for name, value in (defines or {}).items()]
    command += [*extra_flags, *(str(Path(p).resolve()) for p in (*sources, *board_sources(board)))]
    command += ["-Wl,--gc-sections", f"-Wl,-Map={out / 'image.map'}", "-o", str(elf)]
    command += [*board.kind.link, *(f"-T{out / name}" for name in files if name.endswith(".ld"))]
    done = run_program(command, folder=out)
    if done.returncode:
        raise _refused(board, done.stderr)
    return _image(board, elf)


def _check_emulated(board: Board) -> None:
    if not board.kind.runs_here:
        raise KdEdgeError(
            "KD_USAGE",
            f"no image can be built here for {board.name}, which is no emulated board",
            hint=f"its own tools build it: {board.project.kind}",
        )


def _refused(board: Board, errors: str) -> KdEdgeError:
    lines = errors.strip().splitlines()
    full = [line for line in lines if "overflowed" in line]
    if full:
        return KdEdgeError(
            "KD_BOARD_FULL",
            f"the image does not fit {board.name}",
            where=full[0].split("ld: ")[-1],
            hint=f"it has {board.image_bytes} bytes of flash and {board.ram.bytes} of RAM",
        )
    telling = [line for line in lines if "error" in line or "undefined" in line] or lines
    return KdEdgeError(
        "KD_COMPILE",
        f"{compiler_of(board)} refuses the sources",
        where="\n         ".join(telling[:8]),
        hint="this is a defect of the sources or of the options",
    )


def _image(board: Board, elf: Path) -> Image:
    size = find_tool(compiler_of(board).removesuffix("gcc").removesuffix("cc") + "size")
    listing = run_program([size, "-A", elf.name], folder=elf.parent)
    listing.check_returncode()
    sections, flash, ram = {}, 0, 0
    for line in listing.stdout.splitlines():
        cells = line.split()
        # Debugging information and comments have no address of their own.
        if len(cells) != 3 or not cells[0].startswith(_LOADED):
            continue
        n_bytes = sections[cells[0]] = int(cells[1])
        flash += n_bytes if cells[0] not in (".bss", ".stack") else 0
        ram += n_bytes if cells[0] in (".data", ".bss", ".stack") else 0
    return Image(elf, flash, ram, sections)


_LOADED = (".vectors", ".text", ".rodata", ".ARM.exidx", ".data", ".bss", ".stack")
