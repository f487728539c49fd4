"""Images: compile and link C sources with a board's layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from firmware_export.aot.export import SECTION_FLAGS
from firmware_export.boards.board import Board
from firmware_export.boards.compiling import (
    CompilerError,
    Section,
    flash_bytes,
    ram_bytes,
    read_sections,
    run_compiler,
)
from firmware_export.boards.kinds import TIMERS, UARTS, compiler_of
from firmware_export.boards.tools import find_tool
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.templates import templates

COMMON = Path(__file__).parent / "common"


@dataclass(frozen=True)
class FirmwareImage:
    """A linked image.

    Attributes:
        elf: its file.
        flash_bytes: code, constants and first values of variables.
        ram_bytes: variables and stack.
        sections: as linked.
    """

    elf: Path
    flash_bytes: int
    ram_bytes: int
    sections: tuple[Section, ...]


def tools_of(board: Board) -> tuple[str, ...]:
    """The programs that building, and for emulated boards running, needs on this machine."""
    return board.kind.tools(board)


def board_sources(board: Board) -> tuple[Path, ...]:
    """The C files of an emulated board's layer; their headers stand beside them."""
    drivers = (*UARTS[board.uart.kind].sources, *TIMERS[board.timer.kind].sources)
    return tuple(COMMON / name for name in (*board.kind.startup(board), *drivers))


def board_files(board: Board) -> dict[str, str]:
    """What is generated for a board: file name -> text of its configuration and linker script.

    A process has no linker script.
    """
    environment = templates(COMMON, escape=False)
    return {
        name: environment.get_template(f"{name}.j2").render(board=board)
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
) -> FirmwareImage:
    """Compile and link an image whose main() is in the sources.

    Args:
        board: an emulated one, QEMU's or `host`.
        sources: C files, or file name -> text (headers too), which is written to `out`.
        out: a folder, made if needed; gets image.elf, image.map and what is generated.
        include_dirs: searched after `out`.
        defines: macro -> value, for all sources.
        optimize: one option of gcc.
        extra_flags: more options of gcc, last.

    Raises:
        KdEdgeError KD_USAGE: the board is a real one. KD_MISSING_TOOL: the compiler is not
            installed. KD_COMPILE: it refuses the sources. KD_BOARD_FULL: the image does not
            fit the board's memories.
    """
    _check_emulated(board)
    out = out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    files = board_files(board)
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
    try:
        run_compiler(command, out, what="the sources")
    except CompilerError as error:
        raise _too_large(board, error) or error from None
    sections = read_sections(compiler_of(board), elf)
    return FirmwareImage(elf, flash_bytes(sections), ram_bytes(sections), sections)


def _check_emulated(board: Board) -> None:
    if not board.kind.runs_here:
        raise KdEdgeError(
            "KD_USAGE",
            f"no image can be built here for {board.name}, which is no emulated board",
            hint=f"its own tools build it: {board.project.kind}",
        )


def _too_large(board: Board, error: CompilerError) -> KdEdgeError | None:
    full = [line for line in error.said if "overflowed" in line]
    if not full:
        return None
    return KdEdgeError(
        "KD_BOARD_FULL",
        f"the image does not fit {board.name}",
        where=full[0].split("ld: ")[-1],
        hint=f"it has {board.image_bytes} bytes of flash and {board.ram.bytes} of RAM",
    )
