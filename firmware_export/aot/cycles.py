"""Instructions as measured on emulated cores, and the cycles that they may take: an estimate.

Cycles rest on what Arm's technical reference manuals say of each core's issue, loads and branches,
applied to the mix of instructions that the kernels execute:

- Cortex-M3, DDI 0337, and Cortex-M4, DDI 0439, "Instruction set summary" and "Load/store timings":
  one instruction at a time; a load takes two cycles, less one where another load or store stands
  before it; a taken branch refills the pipeline in one to three more cycles. On the M3 MLA takes
  two cycles and a multiplication to 64 bits three to seven, on the M4 one.
- Cortex-M7, DDI 0489: in-order issue of up to two instructions a cycle, branches predicted; the
  manual has no table of timings.
- Cortex-M33, 100230: as the M4, but pairs of some 16-bit instructions issue together; no table.
- Cortex-M55, 101051: the same, and a vector instruction occupies its 64-bit data path for two
  cycles, over which one of another kind may overlap.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from firmware_export.aot.cores import Core
from firmware_export.aot.figures import LayerFigure
from firmware_export.aot.rates import MIXES, RATES


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


@dataclass(frozen=True)
class _Timing:
    """Cycles an instruction.

    Attributes:
        like: core whose measured rates and mix of instructions stand for this one's.
        low, high: cycles an instruction, of that mix.
        basis: the manual and what was taken from it.
    """

    like: str
    low: Callable[[Mapping[str, float]], float]
    high: Callable[[Mapping[str, float]], float]
    basis: str


def _single_issue(mix: Mapping[str, float]) -> float:
    return 1 + mix["taken"]


def _single_issue_stalled(mix: Mapping[str, float]) -> float:
    return 1 + mix["load"] + 3 * mix["taken"]


_TIMINGS: Mapping[str, _Timing] = {
    "m3": _Timing(
        "m3",
        lambda mix: _single_issue(mix) + mix["mla"] + 2 * mix["long"],
        lambda mix: _single_issue_stalled(mix) + mix["mla"] + 6 * mix["long"],
        "Arm DDI 0337: one instruction a cycle; loads 1 to 2, taken branches 2 to 4, MLA 2, "
        "64-bit products 3 to 7 cycles",
    ),
    "m4": _Timing(
        "m4",
        _single_issue,
        _single_issue_stalled,
        "Arm DDI 0439: one instruction a cycle; loads 1 to 2, taken branches 2 to 4 cycles",
    ),
    "m7": _Timing(
        "m4",
        lambda mix: 0.5,
        lambda mix: 1.0,
        "Arm DDI 0489: up to two instructions a cycle, branches predicted, caches hit; the manual "
        "has no timings",
    ),
    "m33": _Timing(
        "m4",
        lambda mix: 1 - mix["narrow"] / 2,
        _single_issue_stalled,
        "Arm 100230: as Cortex-M4, but pairs of 16-bit instructions may issue together; the manual "
        "has no timings",
    ),
    "m55": _Timing(
        "m55",
        lambda mix: 1 - mix["narrow"] / 2,
        lambda mix: _single_issue_stalled(mix) + mix["vector"],
        "Arm 101051: pairs of 16-bit instructions may issue together, a vector instruction takes "
        "two cycles less what overlaps; the manual has no timings",
    ),
}


def estimate_cycles(layers: Sequence[LayerFigure], core: Core) -> CycleEstimate | None:
    """What a window may take; None for a core of whose kernels nothing was measured."""
    timing = _TIMINGS.get(core.name)
    if timing is None:
        return None
    counted, missing = 0.0, []
    for layer in layers:
        rate = RATES[timing.like].get(layer.kernel)
        if rate is None:
            missing.append(layer.kernel)
            continue
        work = (layer.macs, 0 if layer.macs else layer.elements, layer.results, layer.times)
        counted += sum(each * n for each, n in zip(rate, work, strict=True))
    mix = MIXES[timing.like]
    return CycleEstimate(
        core=core.name,
        instructions=None if missing else round(counted),
        low_cycles=None if missing else round(counted * timing.low(mix)),
        high_cycles=None if missing else round(counted * timing.high(mix)),
        basis=timing.basis,
        not_counted=tuple(dict.fromkeys(missing)),
    )
