"""Front end and windows that fit what was seen."""

from __future__ import annotations

import math
from dataclasses import dataclass

from kd_edge.base.errors import KdEdgeError
from kd_edge.frontend import StreamFrontEnd, design_stream
from kd_edge.pipeline.proposing.seen import Kind, Seen
from kd_edge.pipeline.proposing.text import Block, Line

# A movement of the arm lies below 20 Hz; more samples cost time on a board and tell nothing new.
_ENOUGH_HZ = 150.0
_MOST_DECIMATION = 64
_RAW_EMG_HZ = 400.0  # from here on its own band, 20 to 450 Hz, is in the samples
_LONG_S = 4.0
_UNEVEN = 2.0  # longest recording in times of the shortest
_WINDOW_S = 2.0


@dataclass(frozen=True)
class Signals:
    """What the front end and the windows shall be.

    Attributes:
        front_end: modality -> settings as a recipe has them, with why.
        inputs: model input -> modalities.
        length_s, hop_s: of the windows; hop_s None for one window a recording.
        samples: the most samples that an input has in a window.
    """

    front_end: dict[str, tuple[Line, ...]]
    inputs: dict[str, tuple[str, ...]]
    length_s: float
    hop_s: float | None
    samples: int

    def blocks(self, seen: Seen) -> list[Block]:
        """The tables [front_end.*] and [windows]."""
        tables = [
            Block(f"[front_end.{modality}]", lines, _what(seen.kind(modality)))
            for modality, lines in self.front_end.items()
        ]
        return [*tables, _windows(self, seen)]


def choose_signals(seen: Seen, *, several_wearers: bool) -> Signals:
    """Front end and windows for what was seen.

    Args:
        several_wearers: whether the product meets people or days that training did not.
    """
    imu = [kind for kind in seen.kinds if kind.modality != "emg"]
    common_hz = min((_rate_of_movement(kind) for kind in imu), default=None)
    rates = {kind.modality: _decimated(kind, common_hz) for kind in seen.kinds}
    front_end = {
        kind.modality: _steps(kind, rates[kind.modality], seen, several_wearers)
        for kind in seen.kinds
    }
    inputs = _inputs(seen, rates)
    length_s, hop_s = _lengths(seen)
    samples = max(round(length_s * rate) for rate in rates.values())
    return Signals(front_end, inputs, length_s, hop_s, samples)


def _rate_of_movement(kind: Kind) -> float:
    if kind.rate_hz <= _ENOUGH_HZ:
        return kind.rate_hz
    return kind.rate_hz / min(round(kind.rate_hz / 50), _MOST_DECIMATION)


def _decimated(kind: Kind, common_hz: float | None) -> float:
    """The common rate if a filter of a board's size leads there, else a rate of its own."""
    if common_hz is not None and (kind.modality != "emg" or kind.rate_hz >= common_hz):
        if kind.rate_hz == common_hz:
            return common_hz
        try:
            design_stream(
                kind.modality,
                StreamFrontEnd(rate_hz=common_hz),
                channels=kind.channels,
                source_rate_hz=kind.rate_hz,
            )
        except KdEdgeError:
            pass
        else:
            return common_hz
    if kind.modality != "emg":
        return _rate_of_movement(kind)
    if kind.rate_hz <= 100:
        return kind.rate_hz
    factor = round(kind.rate_hz / 50) if kind.rate_hz <= 250 else math.ceil(kind.rate_hz / 100)
    return kind.rate_hz / min(factor, _MOST_DECIMATION)


def _steps(kind: Kind, rate_hz: float, seen: Seen, several: bool) -> tuple[Line, ...]:
    lines = []
    if kind.chosen:
        lines.append(
            Line("channels", list(kind.channels), f"All recordings have these; {kind.why}.")
        )
    if kind.modality == "emg":
        lines += _emg(kind, rate_hz, seen)
    if rate_hz != kind.rate_hz:
        lines.append(
            Line(
                "rate_hz",
                float(f"{rate_hz:.9g}"),
                f"From {kind.rate_hz:.6g} Hz: movements lie far below, and fewer samples "
                "need less time and memory on the board.",
            )
        )
    if kind.lsb is not None:
        lines.append(Line("lsb", kind.lsb, _why_lsb(kind)))
    if several and kind.modality == "emg":
        lines += [
            Line("log", True, "Strengths differ between people and days by factors."),
            Line("adapt", True, "The normaliser follows the wearer: nobody is like the average."),
        ]
    elif several and kind.modality in ("acc", "gyr"):
        lines.append(Line("adapt", True, "A sensor sits differently each time it is put on."))
    return tuple(lines)


def _why_lsb(kind: Kind) -> str:
    needs = "boards that take 16-bit samples need the size of a count"
    if kind.states_lsb:
        return f"The recordings state it: {needs}."
    return (
        f"Every sample is a whole number of 16 bits, as a sensor's converter gives them: {needs}. "
        "Change it if your board counts otherwise."
    )


def _emg(kind: Kind, rate_hz: float, seen: Seen) -> list[Line]:
    lines = []
    if kind.rate_hz >= _RAW_EMG_HZ:
        high = min(450.0, math.floor(0.45 * kind.rate_hz))
        lines.append(
            Line(
                "band_pass_hz",
                [20.0, high],
                "The band of sEMG: below it cables move, above is noise.",
            )
        )
    if seen.mains_hz is not None:
        lines.append(
            Line(
                "notch_hz", [seen.mains_hz], f"The recordings hum at {seen.mains_hz:g} Hz (mains)."
            )
        )
    if kind.rate_hz > 100:
        cut = 8.0 if rate_hz >= 100 else 5.0
        lines.append(
            Line(
                "envelope_hz", cut, "How strong a muscle works tells signs apart, not its waveform."
            )
        )
    return lines


def _inputs(seen: Seen, rates: dict[str, float]) -> dict[str, tuple[str, ...]]:
    """One input for all modalities at one rate; else one for each rate."""
    groups: dict[float, list[str]] = {}
    for modality, rate in rates.items():
        groups.setdefault(float(f"{rate:.6g}"), []).append(modality)
    if len(groups) == 1:
        (modalities,) = groups.values()
        return {"all" if len(modalities) > 1 else modalities[0]: tuple(modalities)}
    return {"imu" if set(m) >= {"acc", "gyr"} else "-".join(m): tuple(m) for m in groups.values()}


def _lengths(seen: Seen) -> tuple[float, float | None]:
    if seen.longest_s <= _UNEVEN * seen.shortest_s and seen.longest_s < _LONG_S:
        return _round_down(seen.shortest_s), None
    length_s = _round_down(min(seen.shortest_s, _WINDOW_S))
    return length_s, _round_down(length_s / 2)


def _round_down(seconds: float) -> float:
    """To a tenth of a second, or where that is too coarse, to two digits."""
    digits = 1 if seconds >= 1 else 2 if seconds >= 0.1 else 4
    return max(math.floor(seconds * 10**digits + 1e-6) / 10**digits, 10.0**-digits)


def _what(kind: Kind) -> str:
    unit = f", {kind.unit}" if kind.unit else ""
    return f"{len(kind.channels)} channels of '{kind.modality}' at {kind.rate_hz:.6g} Hz{unit}."


def _windows(signals: Signals, seen: Seen) -> Block:
    shortest = (
        f"the shortest recording lasts {seen.shortest_s:.3g} s, the longest {seen.longest_s:.3g} s"
    )
    if signals.hop_s is None:
        lines = [Line("length_s", signals.length_s, f"One window holds a whole sign: {shortest}.")]
    else:
        lines = [
            Line("length_s", signals.length_s, f"Recordings are long or uneven: {shortest}."),
            Line(
                "hop_s", signals.hop_s, "Windows overlap by half, so that one holds each movement."
            ),
        ]
    joined = (
        "All rates agree: one input." if len(signals.inputs) == 1 else "An input for each rate."
    )
    value = {name: list(modalities) for name, modalities in signals.inputs.items()}
    return Block("[windows]", (*lines, Line("inputs", value, joined)))
