"""How much flash the exported sources take, compiled and measured with the Arm compiler."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from firmware_export.aot.cores import ARM, M4, Core, find_core
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.processes import run_program

COMPILER = ARM.compiler
SIZE = "arm-none-eabi-size"

# What a row of the table holds; TFLite Micro itself and kd_run.cc are not in it.
PARTS: dict[str, str] = {
    "model array": "kd_model*.c",
    "settings and labels": "kd_settings.c",
    "front-end constants": "kd_front_end.c",
    "front-end code": "kd_signal.c",
    "rule of several models": "kd_rule.c",
    "quantise code": "kd_quantize.c",
    "golden vectors": "kd_golden.c",
}

# Sections that stand in flash; .data does too, as its first values.
_FLASH_PREFIXES = (".text", ".rodata", ".data")


@dataclass(frozen=True)
class FlashBytes:
    """Flash of one part of what was exported.

    Attributes:
        name: of the part.
        bytes: of its object file's flash sections, before linking.
        compiler: with its version and the options that decide the size.
        core: that it compiles for.
    """

    name: str
    bytes: int
    compiler: str
    core: str


def measure_flash(folder: Path, *, core: str = M4.name) -> tuple[FlashBytes, ...]:
    """Compile the exported C files for a core and add up their flash sections.

    Args:
        folder: that `export_tflm` wrote.
        core: a key of `CORES` with that compiler.

    Returns:
        One entry a part that the folder holds; () where the compiler is not installed.

    Raises:
        KdEdgeError KD_UNKNOWN_NAME: no such core. KD_MISSING_TOOL: the compiler cannot compile.
    """
    facts = find_core(core)
    if not shutil.which(COMPILER) or not shutil.which(SIZE):
        return ()
    compiler = f"{COMPILER} {_run(COMPILER, '-dumpfullversion').strip()} -Os"
    with tempfile.TemporaryDirectory() as scratch:
        return tuple(
            FlashBytes(
                name,
                sum(_flash(path, facts, Path(scratch)) for path in sources),
                compiler,
                facts.cpu,
            )
            for name, pattern in PARTS.items()
            if (sources := sorted(Path(folder).glob(pattern)))
        )


def _flash(source: Path, core: Core, scratch: Path) -> int:
    """Bytes of one source's sections that stand in flash."""
    target = scratch / f"{source.stem}.o"
    _run(COMPILER, "-std=c11", "-Os", *core.flags, "-c", str(source.resolve()), "-o", str(target))
    total = 0
    for line in _run(SIZE, "-A", str(target)).splitlines():
        cells = line.split()
        if len(cells) == 3 and cells[0].startswith(_FLASH_PREFIXES):
            total += int(cells[1])
    return total


def _run(*command: str) -> str:
    done = run_program(command)
    if done.returncode:
        raise KdEdgeError(
            "KD_MISSING_TOOL",
            f"{command[0]} failed",
            where=done.stderr.strip().splitlines()[0] if done.stderr.strip() else None,
            hint="Debian's gcc-arm-none-eabi 12.2 with libnewlib-arm-none-eabi is known to work",
        )
    return done.stdout
