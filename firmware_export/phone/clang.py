"""A clang with a linker for any target: ziglang's, or the system's own with lld."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from firmware_export.boards.compiling import CompilerError
from firmware_export.library import zig_program
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.processes import run_program

_DEFECT = "this is a defect of the sources; report it with the model's operators"
# Target as clang names it -> as zig does, which wants an operating system or that there is none.
_OF_ZIG = {"wasm32": "wasm32-freestanding"}


@dataclass(frozen=True)
class Clang:
    """A compiler that links for other machines than this one.

    Attributes:
        name: for people. command: what starts it.
        of_zig: it names targets as zig does.
    """

    name: str
    command: tuple[str, ...]
    of_zig: bool

    def flags(self, flags: Sequence[str]) -> tuple[str, ...]:
        """Flags of a core, its target in this compiler's words."""
        prefix = "--target="
        if not self.of_zig:
            return tuple(flags)
        return tuple(
            f"{prefix}{_OF_ZIG.get(flag.removeprefix(prefix), flag.removeprefix(prefix))}"
            if flag.startswith(prefix)
            else flag
            for flag in flags
        )


def find_clang(linker: str) -> Clang:
    """A clang that links for other machines than this one.

    ziglang comes first: one wheel brings a new clang and its linker to every system, and what it
    makes of loops is several times as fast as what Debian 12's clang 14 does.

    Args:
        linker: program of lld that a system's own clang needs, such as 'wasm-ld'.

    Raises:
        KdEdgeError KD_MISSING_TOOL: neither is installed.
    """
    if zig := zig_program():
        return Clang("zig cc", (zig, "cc"), of_zig=True)
    if (clang := shutil.which("clang")) and shutil.which(linker):
        return Clang("clang", (clang,), of_zig=False)
    raise KdEdgeError(
        "KD_MISSING_TOOL",
        f"no compiler for phones and browsers: neither ziglang nor clang with {linker} is here",
        hint="pip install 'kd-edge[compiler]'; or, on Debian and Ubuntu, apt install clang lld; on "
        "macOS, brew install llvm lld",
    )


def link(
    clang: Clang, files: Mapping[str, str], options: Sequence[str], *, what: str, output: str
) -> bytes:
    """Compile and link sources into one file; its bytes.

    Args:
        files: name -> text of sources and headers; every `.c` is compiled.
        options: of compiler and linker, without the output.
        what: is made, for an error.
        output: name of the file, whose ending a linker may look at.

    Raises:
        KdEdgeError KD_COMPILE: the compiler refuses the sources.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, text in files.items():
            (folder / file).write_text(text, encoding="utf-8")
        sources = sorted(file for file in files if file.endswith(".c"))
        command = [*clang.command, *options, "-I.", *sources, "-o", output]
        done = run_program(command, folder=folder)
        if done.returncode:
            raise CompilerError(what, clang.name, done.stderr.strip().splitlines(), _DEFECT)
        return (folder / output).read_bytes()
