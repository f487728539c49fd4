"""Whether C sources compile without a warning for every core."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from firmware_export.aot.cores import Core, all_variants, find_core
from firmware_export.boards.compiling import run_compiler
from firmware_export.boards.tools import find_tool

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Wshadow", "-Werror")

# What a core without a compiler of its own is checked with.
_HOST_COMPILERS = ("cc", "clang")


@dataclass(frozen=True)
class Compiled:
    """What compiled for a core: with which compilers, and which files it has no use for."""

    core: str
    compilers: tuple[str, ...]
    files: tuple[str, ...]
    left_out: tuple[str, ...]


def compile_check(
    sources: Sequence[Path],
    *,
    core: str,
    include_dirs: Sequence[Path] = (),
    defines: Mapping[str, str | int] | None = None,
    optimize: str = "-O2",
) -> Compiled:
    """Compile C99 sources for one core, with every warning an error.

    Files for other vectors (`_dsp.c`, `_neon.c`) are left out where the core has
    no such instructions.
    For `host` both gcc and clang must be content.

    Raises:
        KdEdgeError KD_MISSING_TOOL: a compiler is not installed. KD_COMPILE: it refuses a source;
            the first messages are in the error.
    """
    facts = find_core(core)
    files = [Path(source).resolve() for source in sources if _suits(source, facts)]
    compilers = (facts.compiler,) if facts.compiler else _HOST_COMPILERS
    options = [
        *STRICT,
        optimize,
        *facts.flags,
        *((f"-I{facts.libc}",) if facts.libc else ()),
        *(f"-I{Path(folder).resolve()}" for folder in include_dirs),
    ]
    options += [f"-D{name}={value}" for name, value in (defines or {}).items()]
    for compiler in compilers if files else ():
        _compile(find_tool(compiler), options, files, core)
    return Compiled(
        core,
        compilers,
        tuple(path.name for path in files),
        tuple(Path(source).name for source in sources if not _suits(source, facts)),
    )


def _suits(source: Path, core: Core) -> bool:
    """The core has the instructions that the file's name speaks of."""
    stem = Path(source).stem
    return not stem.endswith(tuple(all_variants() - set(core.variants)))


def _compile(compiler: str, options: list[str], files: list[Path], core: str) -> None:
    # Objects and not only syntax: some warnings come from the optimiser.
    with tempfile.TemporaryDirectory() as folder:
        for file in files:
            command = [compiler, *options, "-c", str(file), "-o", f"{folder}/object.o"]
            hint = f"by {compiler} with {' '.join(options)}"
            run_compiler(command, Path(folder), what=f"{file.name} for {core}", hint=hint)
