"""Instructions as measured on emulated cores, and the cycles that they may take: an estimate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from firmware_export.aot.cores import Core
from firmware_export.aot.figures import LayerFigure


@dataclass(frozen=True)
class CycleEstimate:
    """What one window may take on a core.

    Attributes:
        core: its name.
        instructions: from rates that were measured with -O2; None where a kernel has none.
        low_cycles, high_cycles: between which the core's manual puts them.
        basis: of the cycles.
        not_counted: kernels without a measured rate.
    """

    core: str
    instructions: int | None
    low_cycles: int | None
    high_cycles: int | None
    basis: str
    not_counted: tuple[str, ...]


def estimated_instructions(layer: LayerFigure, core: Core) -> int | None:
    """What a layer takes in a window by its kernel's rates; None where these were not measured."""
    counted = _counted(layer, core)
    return None if counted is None else round(counted)


def _counted(layer: LayerFigure, core: Core) -> float | None:
    rate = core.timing.rates.get(layer.kernel) if core.timing else None
    if rate is None:
        return None
    work = (layer.macs, 0 if layer.macs else layer.elements, layer.results, layer.times)
    return sum(each * n for each, n in zip(rate, work, strict=True))


def estimate_cycles(layers: Sequence[LayerFigure], core: Core) -> CycleEstimate | None:
    """What a window may take; None for a core of whose kernels nothing was measured."""
    timing = core.timing
    if timing is None:
        return None
    found = {id(layer): _counted(layer, core) for layer in layers}
    missing = [layer.kernel for layer in layers if found[id(layer)] is None]
    counted = sum(count for count in found.values() if count is not None)
    return CycleEstimate(
        core=core.name,
        instructions=None if missing else round(counted),
        low_cycles=None if missing else round(counted * timing.low(timing.mix)),
        high_cycles=None if missing else round(counted * timing.high(timing.mix)),
        basis=timing.basis,
        not_counted=tuple(dict.fromkeys(missing)),
    )
