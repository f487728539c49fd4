"""Instructions as measured on emulated cores, and the cycles that they may take: an estimate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from firmware_export.aot.cores import Core
from firmware_export.aot.figures import LayerFigure


@dataclass(frozen=True)
class InstructionRate:
    """Instructions of a kernel, fitted to counts on QEMU's emulated cores (gcc 12.2, -O2)."""

    per_mac: float
    per_element: float
    per_run: float


@dataclass(frozen=True)
class CoreTiming:
    """Cycles an instruction of these kernels may take on a core.

    Attributes:
        low, high: cycles an instruction, all instructions of a window together.
        basis: why, with the manual.
    """

    low: float
    high: float
    basis: str


@dataclass(frozen=True)
class CycleEstimate:
    """What one window may take on a core.

    Attributes:
        core: its name.
        instructions: estimated from the rates.
        low_cycles, high_cycles: between which the core's manual puts them; None where it says
            nothing that helps.
        basis: of the cycles.
        not_counted: kernels without a measured rate, which the estimate leaves out.
    """

    core: str
    instructions: int
    low_cycles: int | None
    high_cycles: int | None
    basis: str
    not_counted: tuple[str, ...]


# (kernel, variant) -> rate; filled from benchmarks/fit_instructions.py.
RATES: dict[tuple[str, str], InstructionRate] = {}

TIMINGS: dict[str, CoreTiming] = {}


def estimate_cycles(layers: Sequence[LayerFigure], core: Core) -> CycleEstimate | None:
    """What a window may take; None for a core on which no rates were measured."""
    timing = TIMINGS.get(core.name)
    if timing is None:
        return None
    counted, missing = 0.0, []
    for layer in layers:
        rate = RATES.get((layer.kernel, layer.variant))
        if rate is None:
            missing.append(layer.kernel)
            continue
        counted += rate.per_mac * layer.macs + rate.per_element * layer.elements
        counted += rate.per_run * layer.times
    instructions = round(counted)
    return CycleEstimate(
        core=core.name,
        instructions=instructions,
        low_cycles=round(instructions * timing.low),
        high_cycles=round(instructions * timing.high),
        basis=timing.basis,
        not_counted=tuple(dict.fromkeys(missing)),
    )
