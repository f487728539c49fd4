"""Samples that no sensor gives: numbers so large, or all so small, that the file must be damaged.

The bounds are far beyond every sensor, so that real data never meets them, and far below what
32-bit arithmetic can square and add up.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.signals.recording import Stream, usual_unit

# Largest size of a sample, by unit. Sensors: 16 g, 4000 deg/s, amplifiers of a few volts.
LARGEST = {
    "V": 1e3,
    "mV": 1e6,
    "µV": 1e9,
    "g": 1e4,
    "mg": 1e7,
    "m/s²": 1e5,
    "deg/s": 1e6,
    "rad/s": 1e5,
}
LARGEST_IN_ANY_UNIT = 1e10  # counts of 32 bits fit
# A channel that moves at all has a larger sample than this: less is bytes read as wrong numbers.
SMALLEST = 1e-30


def largest_in(unit: str) -> float:
    """The largest size that a sample in `unit` may have."""
    return LARGEST.get(usual_unit(unit), LARGEST_IN_ANY_UNIT)


def check_samples(streams: Sequence[Stream], where: str, first_row: int | None = None) -> None:
    """Refuse samples that no sensor gives; samples that are not finite are left to `checks`.

    Args:
        where: the file.
        first_row: of the numbers in the file, from 1; None for files without rows.

    Raises:
        KdEdgeError KD_BAD_SAMPLES: with channel, and row or sample.
    """
    for stream in streams:
        place = absurd_sample(stream)
        if place is not None:
            raise _absurd(stream, place, where, first_row)


def absurd_sample(stream: Stream) -> tuple[int, int] | None:
    """(sample, channel) of the first absurd sample, None for a stream without one."""
    sizes = np.abs(stream.samples)
    finite = np.isfinite(sizes)
    tops = np.max(sizes, axis=0, initial=0.0, where=finite)
    wrong = finite & (sizes > largest_in(stream.unit))
    wrong |= (sizes > 0) & ((tops > 0) & (tops < SMALLEST))[None, :]
    if not wrong.any():
        return None
    sample, channel = np.argwhere(wrong)[0]
    return int(sample), int(channel)


def _absurd(
    stream: Stream, place: tuple[int, int], where: str, first_row: int | None
) -> KdEdgeError:
    sample, channel = place
    value = float(stream.samples[place])
    bound = largest_in(stream.unit)
    unit = f" {stream.unit}" if stream.unit else ""
    at = f"sample {sample + 1}" if first_row is None else f"row {first_row + sample}"
    rule = (
        f"samples are at most {bound:g}{unit}"
        if abs(value) > bound
        else f"the channel holds nothing larger than {SMALLEST:g} and is not all zero"
    )
    return KdEdgeError(
        "KD_BAD_SAMPLES",
        f"{stream.channels[channel]} is {value:.6g}{unit}, which no sensor gives: {rule}",
        where=f"{where}, {at}, channel {stream.channels[channel]}",
        hint="the file is damaged or its unit is wrong: export it again, or correct the unit",
    )
