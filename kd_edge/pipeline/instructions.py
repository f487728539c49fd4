"""What a model takes on a core, before any board has run it."""

from __future__ import annotations

from pathlib import Path

from firmware_export.aot.compiler import CompileSettings, compile_model
from firmware_export.aot.cores import CORES
from firmware_export.aot.cycles import estimate_cycles
from kd_edge.base.errors import KdEdgeError


def estimated_instructions(file: Path, core: str) -> int | None:
    """Instructions a window as plain C on a core, from measured rates of its kernels.

    Args:
        file: an int8 `.tflite`. core: a key of `CORES`.

    Returns:
        None if the engine refuses the model, or a kernel's rate is not measured.
    """
    try:
        compiled = compile_model(file, CompileSettings(core=CORES.find(core).name))
    except KdEdgeError as error:
        if error.code != "KD_UNSUPPORTED_OP":
            raise
        return None
    estimate = estimate_cycles(compiled.layers, compiled.core)
    return None if estimate is None else estimate.instructions
