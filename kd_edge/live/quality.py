"""Whether what sensors give is fit to keep: hum, saturation, dropouts, electrodes that are off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# Of the samples of a stretch that may be lost; and of those that may stand at the end of the range.
MOST_LOST = 0.01
MOST_SATURATED = 0.005
# A sensor that says the same for so long has dropped out, seconds.
STILL_S = 0.1
# Of the power of sEMG above 15 Hz that may lie within 1 Hz of the mains or its harmonics.
MOST_HUM = 0.6
# An electrode that is off gives so many times what the others give, or so small a part of it.
OFF_FACTOR = 30.0
_LEAST_S = 0.5  # of samples, for a judgement
_LEAST_CHANNELS = 3  # to say that one is unlike the others
_MOVEMENT_HZ = 15.0  # what a cable's or a limb's movement gives lies below
_RUN = 3  # equal samples at the end of the range


@dataclass(frozen=True)
class Fault:
    """What is wrong with one channel or stream, and what to do."""

    kind: str
    channel: str
    what: str
    hint: str


@dataclass(frozen=True, eq=False)
class Stretch:
    """Some seconds of one stream.

    Attributes:
        modality, channels, rate_hz: as of `SourceStream`.
        samples: (samples, channels).
        missing: samples that were lost.
    """

    modality: str
    channels: tuple[str, ...]
    rate_hz: float
    samples: np.ndarray
    missing: int


def faults_of(stretches: Sequence[Stretch], *, mains_hz: float) -> tuple[Fault, ...]:
    """What is wrong with some seconds of all streams; () if they are fit to keep."""
    found: list[Fault] = []
    for stretch in stretches:
        found += _lost(stretch)
        if len(stretch.samples) >= _LEAST_S * stretch.rate_hz:
            found += _still(stretch)
            found += _saturated(stretch)
            if stretch.modality == "emg":
                found += _humming(stretch, mains_hz)
    found += _unlike_others([s for s in stretches if s.modality == "emg"])
    # One fault a channel, the first: an electrode that is off hums, too.
    return tuple({fault.channel: fault for fault in reversed(found)}.values())[::-1]


def _lost(stretch: Stretch) -> list[Fault]:
    total = len(stretch.samples) + stretch.missing
    name = stretch.channels[0]
    if not total or not len(stretch.samples):
        return [Fault("dropout", name, "no sample came", "look at the sensor's battery and range")]
    share = stretch.missing / total
    if share <= MOST_LOST:
        return []
    return [
        Fault(
            "dropout", name, f"{100 * share:.1f} % of the samples were lost",
            "bring the sensor nearer to its receiver, or charge it",
        )
    ]  # fmt: skip


def _still(stretch: Stretch) -> list[Fault]:
    longest = max(2, round(STILL_S * stretch.rate_hz))
    faults = []
    for name, x in zip(stretch.channels, stretch.samples.T, strict=True):
        run = _longest_run(np.diff(x) == 0) + 1
        if run == len(x):
            faults.append(
                Fault(
                    "off", name, "it says the same all the time", "is the sensor on, and attached?"
                )
            )
        elif run > longest and stretch.modality == "emg":
            faults.append(
                Fault(
                    "dropout", name, f"it stood still for {run / stretch.rate_hz:.2f} s",
                    "bring the sensor nearer to its receiver, or charge it",
                )
            )  # fmt: skip
    return faults


def _saturated(stretch: Stretch) -> list[Fault]:
    faults = []
    for name, x in zip(stretch.channels, stretch.samples.T, strict=True):
        ends = (x == x.max()) | (x == x.min())
        share = ends.mean()
        if share > MOST_SATURATED and _longest_run(ends) >= _RUN and x.max() > x.min():
            faults.append(
                Fault(
                    "saturation", name, f"{100 * share:.1f} % of it stands at the end of its range",
                    "lower the gain, press the electrode on, or move more gently",
                )
            )  # fmt: skip
    return faults


def _humming(stretch: Stretch, mains_hz: float) -> list[Fault]:
    frequencies, power = _spectrum(stretch.samples, stretch.rate_hz)
    wanted = frequencies > 15.0
    harmonics = np.round(frequencies / mains_hz) * mains_hz
    hum = wanted & (harmonics > 0) & (np.abs(frequencies - harmonics) <= 1.0)
    faults = []
    for name, own in zip(stretch.channels, power.T, strict=True):
        total = own[wanted].sum()
        share = own[hum].sum() / total if total > 0 else 0.0
        if share > MOST_HUM:
            faults.append(
                Fault(
                    "hum", name, f"{100 * share:.0f} % of its power is mains hum, {mains_hz:g} Hz",
                    "clean the skin, press the electrode on, move away from chargers and lamps",
                )
            )  # fmt: skip
    return faults


def _spectrum(samples: np.ndarray, rate_hz: float) -> tuple[np.ndarray, np.ndarray]:
    x = samples.astype(np.float64)
    x = (x - x.mean(axis=0)) * np.hanning(len(x))[:, None]
    return np.fft.rfftfreq(len(x), 1 / rate_hz), np.abs(np.fft.rfft(x, axis=0)) ** 2


def _unlike_others(stretches: Sequence[Stretch]) -> list[Fault]:
    """Electrodes that give far more or far less than the others."""
    sizes = {
        name: float(size)
        for stretch in stretches
        if len(stretch.samples) >= _LEAST_S * stretch.rate_hz
        for name, size in zip(
            stretch.channels, stretch.samples.astype(np.float64).std(axis=0), strict=True
        )
    }
    if len(sizes) < _LEAST_CHANNELS:
        return []
    middle = float(np.median(list(sizes.values())))
    faults = []
    for name, size in sizes.items():
        if middle > 0 and not middle / OFF_FACTOR <= size <= middle * OFF_FACTOR:
            times = size / middle
            faults.append(
                Fault(
                    "off", name, f"it gives {times:.3g} times what the others give",
                    "is the electrode on the skin, and its unit that of the others?",
                )
            )  # fmt: skip
    return faults


def _longest_run(true: np.ndarray) -> int:
    """The most that are true in a row."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], true.astype(np.int8), [0]])))
    return int((edges[1::2] - edges[::2]).max(initial=0))
