"""How much flash the exported sources take, compiled and measured with the Arm compiler."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from pathlib import Path

from firmware_export.aot.cores import M4, find_core
from firmware_export.boards.compiling import CompilerError, can_measure, measure_objects
from kd_edge.base.errors import KdEdgeError

# What a row of the table holds; TFLite Micro itself and kd_run.cc are not in it.
PARTS: dict[str, str] = {
    "model array": "kd_model*.c",
    "settings and labels": "kd_settings.c",
    "front-end constants": "kd_front_end.c",
    "front-end code": "kd_signal*.c",
    "front end of a stream": "kd_front_end_stream.c",
    "logarithm": "kd_log.c",
    "running normaliser": "kd_running*.c",
    "roll of the band": "kd_roll.c",
    "rule of several models": "kd_rule.c",
    "decision rule": "kd_decision*.c",
    "quantise code": "kd_quantize.c",
    "golden vectors": "kd_golden.c",
}


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
    if not can_measure(facts):
        return ()
    files = {path.name: path.read_text(encoding="utf-8") for path in Path(folder).glob("*.[ch]")}
    there = {name: fnmatch.filter(files, pattern) for name, pattern in PARTS.items()}
    sources = {source for of_part in there.values() for source in of_part}
    try:
        measured = measure_objects(files, facts, ("-std=c11", "-Os"), sources=sources)
    except CompilerError as error:
        raise KdEdgeError(
            "KD_MISSING_TOOL",
            f"{facts.compiler} failed",
            where=error.where,
            hint="Debian's gcc-arm-none-eabi 12.2 with libnewlib-arm-none-eabi is known to work",
        ) from error
    return tuple(
        FlashBytes(name, measured.of(*of_part).flash_bytes, measured.how, facts.cpu)
        for name, of_part in there.items()
        if of_part
    )
