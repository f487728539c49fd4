"""Flash and RAM of generated C, compiled and measured with the core's compiler."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from firmware_export.aot.cores import Core
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.processes import run_program


@dataclass(frozen=True)
class CodeSize:
    """Bytes of the object files, before linking.

    Attributes:
        flash_bytes: code, constants and first values of variables.
        ram_bytes: variables, the arena among them; no stack.
        how: compiler, its version and options.
    """

    flash_bytes: int
    ram_bytes: int
    how: str


def measure_code(files: Mapping[str, str], core: Core, *options: str) -> CodeSize | None:
    """Compile the sources for the core and add up their sections.

    Args:
        files: name -> text of sources and headers.
        options: of the compiler, e.g. '-Os'.

    Returns:
        None where the core has no cross-compiler or it is not installed.

    Raises:
        KdEdgeError KD_COMPILE: the compiler refuses the sources.
    """
    compiler = core.compiler
    size = compiler and f"{compiler.removesuffix('gcc')}size"
    if not compiler or not shutil.which(compiler) or not shutil.which(size):
        return None
    with tempfile.TemporaryDirectory() as scratch:
        for name, text in files.items():
            (Path(scratch) / name).write_text(text, encoding="utf-8")
        sources = sorted(name for name in files if name.endswith(".c"))
        flags = (*core.flags, *options, "-ffunction-sections", "-fdata-sections")
        _run(Path(scratch), compiler, "-std=c99", *flags, "-I.", "-c", *sources)
        objects = [f"{Path(name).stem}.o" for name in sources]
        lines = _run(Path(scratch), size, *objects).splitlines()[1:]
    cells = [[int(cell) for cell in line.split()[:3]] for line in lines]
    version = _run(None, compiler, "-dumpfullversion").strip()
    return CodeSize(
        flash_bytes=sum(text + data for text, data, _ in cells),
        ram_bytes=sum(data + bss for _, data, bss in cells),
        how=f"{compiler} {version} {' '.join(options)}, object files before linking",
    )


def _run(folder: Path | None, *command: str) -> str:
    done = run_program(command, folder=folder)
    if done.returncode:
        raise KdEdgeError(
            "KD_COMPILE",
            f"{command[0]} refuses the generated sources",
            where="\n         ".join(done.stderr.strip().splitlines()[:8]),
            hint="this is a defect of the sources; report it with the model's operators",
        )
    return done.stdout
