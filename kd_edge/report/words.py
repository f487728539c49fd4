"""Figures as people read them; an unknown figure is 'not measured', never 0."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kd_edge.report.tree import FlashSection, Gate, Learnt, Part
from kd_edge.runtimes.registry import RUNTIMES
from kd_edge.runtimes.results import PLAIN_C, TITLES, Side
from kd_edge.tasks.figures import Figure, Interval

NOT_MEASURED = "not measured"
DASH = "–"  # where a figure has no meaning


def runtime_name(runtime: str) -> str:
    """The runtime's own name for itself; unknown names stay as they are."""
    return RUNTIMES[runtime].title if runtime in RUNTIMES else TITLES.get(runtime, runtime)


def side(of: Side) -> str:
    """'Keras', 'int8 on LiteRT', 'int8 as plain C'."""
    if of.format == of.runtime:
        return runtime_name(of.runtime)
    return f"{of.format} {'as' if of.runtime == PLAIN_C else 'on'} {runtime_name(of.runtime)}"


def percent(fraction: float) -> str:
    """0.631 -> '63.1 %'; 0.9996 -> '99.96 %', since only 1 may read as 100 %."""
    shown = f"{100 * fraction:.1f}"
    if shown == "100.0" and fraction < 1:
        shown = f"{100 * fraction:.2f}" if fraction < 0.99995 else "> 99.99"
    return f"{shown} %"


def share(fraction: float | None) -> str:
    """As `percent`, or the word for nothing."""
    return NOT_MEASURED if fraction is None else percent(fraction)


def seconds(number: float | None) -> str:
    """0.8249 -> '0.82 s', or the word for nothing."""
    return NOT_MEASURED if number is None else f"{number:.2f} s"


def interval(bounds: Interval) -> str:
    """'43.1–79.5', in percent without the sign, to stand behind a percentage."""
    return f"{100 * bounds.low:.1f}–{100 * bounds.high:.1f}"


def accuracy(figure: Figure | None) -> str:
    """'63.1 % [43.1–79.5]', or the word for nothing."""
    if figure is None:
        return NOT_MEASURED
    return f"{percent(figure.value)} [{interval(figure.interval)}]"


def singular(examples: str) -> str:
    """'windows' -> 'window'."""
    return examples.removesuffix("s")


def flash_how(of: FlashSection) -> str:
    """'arm-none-eabi-gcc 12.2.1 -Os for cortex-m4, sections of the object file, before linking'."""
    return f"{of.compiler} for {of.core}, sections of the object file, before linking"


def gate(of: Gate) -> str:
    """What a gate is about: 'loss, int8 on LiteRT against Keras'."""
    if of.against is None:
        return f"size of {of.tested.format}"
    what = {"KD_GATE_ACCURACY": "loss", "KD_GATE_PARITY": "same class"}[of.code]
    joined = "as" if of.unit == "%" else "against"
    return f"{what}, {side(of.tested)} {joined} {side(of.against)}"


def measured(of: Gate) -> str:
    """'0.43 points [-0.31 to 1.16]', '98.8 % [96.6 to 99.8]', '25,856 B'."""
    if of.unit == "B":
        return n_bytes(round(of.value))
    shown = f"{of.value:.2f} points" if of.unit == "points" else percent(of.value / 100)
    return f"{shown} {bounds(of)}"


def lost(of: Gate) -> str:
    """'int8 on LiteRT loses 0.43 points [-0.31 to 1.16] against Keras', or what it gains."""
    verb = "loses"
    if of.value < 0:
        verb, interval = "gains", replace(of.interval, low=-of.interval.high, high=-of.interval.low)
        of = replace(of, value=-of.value, interval=interval)
    return f"{side(of.tested)} {verb} {measured(of)} against {side(of.against)}"


def bounds(of: Gate) -> str:
    """'[96.6 to 99.8]', in the gate's unit."""
    digits = 2 if of.unit == "points" else 1
    return f"[{of.interval.low:.{digits}f} to {of.interval.high:.{digits}f}]"


def learnt(of: Learnt) -> str:
    """'student learnt from large-1 and large-2 (mean-logits), without small, …'."""
    if of.origin is not None:
        return f"{of.model} came as {of.origin}; what it was trained on is not known here"
    if not of.teachers:
        return f"{of.model} learnt from the labels alone"
    joined = f" ({of.ensemble})" if of.ensemble else ""
    without = ""
    if of.left_out:
        without = f", without {listed(of.left_out)}, which made the others decide worse"
    return f"{of.model} learnt from {listed(of.teachers)}{joined}{without}"


def listed(names: Sequence[str]) -> str:
    """'a', 'a and b', 'a, b and c'."""
    return " and ".join([*([", ".join(names[:-1])] if names[1:] else []), *names[-1:]])


def limit(of: Gate) -> str:
    """'at most 1 points', 'at least 99 %', or the word for nothing."""
    if of.limit is None:
        return "none"
    return f"{'at least' if of.unit == '%' else 'at most'} {of.limit:,g} {of.unit}"


def count(number: int | None) -> str:
    """45440 -> '45,440'."""
    return NOT_MEASURED if number is None else f"{number:,}"


def n_bytes(number: int | None) -> str:
    """45440 -> '45,440 B'."""
    return NOT_MEASURED if number is None else f"{number:,} B"


def kilobytes(number: int | None) -> str:
    """45440 -> '45.4 kB', where 1 kB is 1000 bytes."""
    return NOT_MEASURED if number is None else f"{number / 1000:.1f} kB"


def microseconds(number: float | None) -> str:
    """Three digits that matter: '24.9 µs', '612 µs', '1,234 µs'."""
    return NOT_MEASURED if number is None else f"{number_us(number)} µs"


def number_us(number: float | None) -> str:
    """`microseconds` without the unit."""
    if number is None:
        return NOT_MEASURED
    digits = 2 if number < 10 else 1 if number < 100 else 0
    return f"{number:,.{digits}f}"


def steps(number: int | None) -> str:
    """Largest difference in quantisation steps: 'no difference', '1 step', '4 steps'."""
    if number is None:
        return "float outputs"
    if number == 0:
        return "no difference"
    return f"{number} step{'s' if number != 1 else ''} of the output"


def plural(number: int, noun: str, many: str | None = None) -> str:
    """1, 'class', 'classes' -> '1 class'."""
    return f"{number:,} {noun if number == 1 else many or noun + 's'}"


def answered(counts: dict[str, int]) -> str:
    """Which share of windows each model of a composition answered."""
    total = sum(counts.values())
    return ", ".join(f"{model} {percent(n / total)}" for model, n in counts.items())


def beside(part: Part | None) -> str:
    """What stands beside a part's name: '', 'leaky: same subjects …' or 'the same subject …'."""
    if part is None or part.leak is None:
        return ""
    return f"leaky: {part.leak}" if part.leaky else part.leak


def shorten(text: str, length: int) -> str:
    """`text`, or its start and '…' where it is longer than `length` characters."""
    return text if len(text) <= length else text[: length - 1] + "…"
