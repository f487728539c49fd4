"""Sentences about a compilation that terminal and page share."""

from __future__ import annotations

from firmware_export.aot.cycles import CycleEstimate
from firmware_export.aot.effects import PassEffect
from kd_edge.report import words
from kd_edge.report.compile_report import BoardFit, CompileReport

CYCLES_ARE_ESTIMATES = (
    "Instructions are estimated from rates that were measured on QEMU's emulated cores; they are "
    "not cycles. Cycles are instructions times what the core's manual says of loads, branches and "
    "dual issue; wait states of flash, caches, bus contention and interrupts are left out, and may "
    "double them. Measure on the board before you rely on them."
)

WHAT_A_BOUND_IS = (
    "A bound is counted from the core's instructions: weights and values are loaded and widened "
    "once for each tile that registers hold, products take the widest instruction that multiplies "
    "and adds, and each result is scaled and stored. Addresses, loops and calls are left out: no "
    "kernel reaches it. A layer at twice its bound or more is worth a look. A dash: no bound."
)
COSTS_ARE_ESTIMATES = "Estimated instructions, beside what the core needs at least"


def summary(report: CompileReport) -> str:
    """One sentence: what the C is for and what it takes."""
    flash = (
        f"{words.n_bytes(report.flash_bytes)} of flash before linking"
        if report.flash_bytes is not None
        else f"{words.n_bytes(report.constant_bytes)} of constants in flash beside code"
    )
    ram = words.n_bytes(report.memory.arena_bytes)
    return (
        f"{report.model.name} for {report.core_title}: {ram} of RAM, {flash}, "
        f"{words.count(report.macs)} multiply-accumulates a {report.unit}."
    )


def short_place(place: str) -> str:
    """'operator 3 (CONV_2D)' as '3 CONV_2D'; the LSTM by its common name."""
    for long in ("operator ", "(", ")", "UNIDIRECTIONAL_SEQUENCE_"):
        place = place.replace(long, "")
    return place


def pass_did(effect: PassEffect) -> str:
    """What a pass changed, in words."""
    gone = effect.operators_before - effect.operators_after
    less = [f"{words.plural(gone, 'operator')} less"] if gone > 0 else []
    return "; ".join([*less, *([effect.did] if effect.did else [])]) or "found nothing to do"


def board_verdict(fit: BoardFit) -> str:
    """'yes', 'no' or what is not known."""
    if fit.fits is None:
        return "RAM yes, flash unknown"
    return "yes" if fit.fits else "no"


def cycle_range(estimate: CycleEstimate) -> str:
    """'120,000–180,000'."""
    if estimate.low_cycles is None:
        return words.NOT_MEASURED
    return f"{words.count(estimate.low_cycles)}–{words.count(estimate.high_cycles)}"
