"""C sources through a compiler, and what they take: every caller compiles and measures here."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import which

from firmware_export.aot.cores import Core
from firmware_export.aot.export import SECTION_FLAGS
from firmware_export.boards.tools import find_tool
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.processes import run_program

HOST_COMPILER = "cc"

# Beginnings of the names of sections that are loaded: debugging information and comments are not.
# Those with an s (small) are RISC-V's.
_VARIABLES = (".data", ".sdata")
_ZEROS = (".bss", ".sbss", ".stack")
_LOADED = (".vectors", ".text", ".rodata", ".srodata", ".ARM.exidx", *_VARIABLES, *_ZEROS)
_SHOWN_LINES = 8  # of what a compiler says


class CompilerError(KdEdgeError):
    """A compiler refuses sources; `said` is what it said, line by line."""

    def __init__(self, what: str, compiler: str, said: Sequence[str], hint: str):
        telling = [line for line in said if "error" in line or "undefined" in line] or said
        super().__init__(
            "KD_COMPILE",
            f"{Path(compiler).name} refuses {what}",
            where="\n         ".join(telling[:_SHOWN_LINES]) or None,
            hint=hint,
        )
        self.said = tuple(said)


@dataclass(frozen=True)
class Section:
    """A part of an object file or image that a board loads.

    Attributes:
        file: name of the source, or of the image.
        name: as the linker has it, e.g. '.text.kd_run'.
    """

    file: str
    name: str
    n_bytes: int

    @property
    def in_flash(self) -> bool:
        """Code, constants, or first values of variables."""
        return not self.name.startswith(_ZEROS)

    @property
    def in_ram(self) -> bool:
        """Variables, or the stack."""
        return self.name.startswith((*_VARIABLES, *_ZEROS))


@dataclass(frozen=True)
class Measured:
    """Object files, before linking.

    Attributes:
        sections: in the order of the sources.
        how: compiler, version and what decides the size.
    """

    sections: tuple[Section, ...]
    how: str

    @property
    def flash_bytes(self) -> int:
        """Code, constants and first values of variables."""
        return flash_bytes(self.sections)

    @property
    def ram_bytes(self) -> int:
        """Variables, an arena among them; no stack."""
        return ram_bytes(self.sections)

    def of(self, *files: str) -> Measured:
        """What some of the sources take."""
        return Measured(tuple(s for s in self.sections if s.file in files), self.how)


def flash_bytes(sections: Iterable[Section]) -> int:
    """Bytes that stand in flash."""
    return sum(section.n_bytes for section in sections if section.in_flash)


def ram_bytes(sections: Iterable[Section]) -> int:
    """Bytes of variables, and of the stack where it is linked."""
    return sum(section.n_bytes for section in sections if section.in_ram)


def can_measure(core: Core) -> bool:
    """Whether the core has a cross-compiler whose sections can be read, and it is installed."""
    if core.toolchain is None or core.toolchain.gnu_prefix is None:
        return False
    return bool(which(core.compiler) and which(_size_tool(core.compiler)))


def measure_objects(
    files: Mapping[str, str],
    core: Core,
    options: Sequence[str],
    *,
    sources: Iterable[str] | None = None,
    what: str = "the generated sources",
) -> Measured:
    """Compile sources for a core, each to an object file, and read the sections.

    Args:
        files: name -> text of sources and headers.
        options: the language and how to optimise, e.g. ('-std=c99', '-Os'); the core's own
            are put before.
        sources: which of the files; every `.c` if None.
        what: is compiled, for an error.

    Raises:
        KdEdgeError KD_MISSING_TOOL: no compiler for the core is installed. KD_COMPILE: it refuses
            the sources.
    """
    compiler = find_tool(core.compiler or HOST_COMPILER)
    if sources is None:
        sources = (name for name in files if name.endswith(".c"))
    chosen = sorted(sources)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, text in files.items():
            (folder / file).write_text(text, encoding="utf-8")
        run_compiler([compiler, *core.flags, *options, "-I.", "-c", *chosen], folder, what=what)
        sections = [
            Section(source, each.name, each.n_bytes)
            for source in chosen
            for each in read_sections(compiler, folder / f"{Path(source).stem}.o")
        ]
        version = run_program([compiler, "-dumpfullversion"], folder=folder).stdout.strip()
    shown = [option for option in options if option.startswith("-O")]
    return Measured(tuple(sections), f"{Path(compiler).name} {version} {' '.join(shown)}")


def measure_code(files: Mapping[str, str], core: Core, *options: str) -> Measured | None:
    """What the sources of a model take, with unused functions apart; None without a compiler.

    Raises as `measure_objects`.
    """
    if not can_measure(core):
        return None
    measured = measure_objects(files, core, ("-std=c99", *options, *SECTION_FLAGS))
    return replace(measured, how=f"{measured.how}, object files before linking")


def run_compiler(
    command: Sequence[str],
    folder: Path,
    *,
    what: str,
    hint: str = "this is a defect of the sources or of the options",
) -> None:
    """Run a compiler or linker in a folder.

    Args:
        command: the compiler, then its options and files.
        what: is compiled, for the error.

    Raises:
        CompilerError KD_COMPILE: it refuses.
    """
    done = run_program(command, folder=folder)
    if done.returncode:
        raise CompilerError(what, command[0], done.stderr.strip().splitlines(), hint)


def read_sections(compiler: str, file: Path) -> tuple[Section, ...]:
    """The sections of an object file or image that a board loads, those of no bytes left out.

    Args:
        compiler: whose own tool reads it.
    """
    listing = run_program([find_tool(_size_tool(compiler)), "-A", file.name], folder=file.parent)
    listing.check_returncode()
    rows = [line.split() for line in listing.stdout.splitlines()]
    return tuple(
        Section(file.name, row[0], int(row[1]))
        for row in rows
        if len(row) == 3 and row[0].startswith(_LOADED) and row[1] != "0"
    )


def _size_tool(compiler: str) -> str:
    """`arm-none-eabi-gcc` -> `arm-none-eabi-size`; `cc` and `clang` -> `size`."""
    prefix = Path(compiler).name.removesuffix("clang").removesuffix("gcc").removesuffix("cc")
    return f"{prefix}size"
