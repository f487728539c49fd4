"""A front end's numbers as integers, for cores without a floating-point unit.

A sample enters with 14 bits behind the point. Each biquad is in direct form I, its coefficients
have 29 bits behind the point, and a power of two in them keeps what comes out within 31 bits for
any input (the sum of the impulse response's magnitudes bounds it) and as large as that allows. What
rounding takes from a biquad's result is added to its next one. `fixed_running.py` runs these
numbers as firmware_export/runtime/front_end/fixed does, bit for bit: integers leave nothing to the
order of operations.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.front_end import Biquads, StreamConstants, dc_gain, lsb_of

SAMPLE_BITS = 14  # behind a sample's point
COEFFICIENT_BITS = 29
TAP_BITS = 30
SCALE_BITS = 30
LOG_BITS = 26
# Squares of a wearer's values are summed without this many of their last bits.
SQUARE_SHIFT = 10
# Longer windows could overflow their sum of squares.
_MOST_STEPS = 2**20
_RESPONSE_SAMPLES = 2**16
_LARGEST_SAMPLE = 2.0**15 * 2**SAMPLE_BITS
_LARGEST = 2.0**30
_MARGIN = 1 - 2.0**-8  # for what rounding adds to a filter's bound
# Powers of two between these have a float32, squared as well.
_FARTHEST, _MOST_Z_BITS = 1e15, 60
_LEAST_DEVIATION = 2.0**-20
# A floor of a logarithm this small would be off by more than 0.4 %.
_LEAST_FLOOR = 128


@dataclass(frozen=True)
class FixedCascade:
    """Biquads one after the other.

    Attributes:
        biquads: (b0, b1, b2, a1, a2) each, with `COEFFICIENT_BITS` behind the point.
        gain: of all together for a constant, alike.
        bits: that the result has behind its point beyond those of the input; may be negative.
        bound: the largest magnitude of the result for inputs up to 1.
    """

    biquads: tuple[tuple[int, ...], ...]
    gain: int
    bits: int
    bound: float


@dataclass(frozen=True)
class FixedStream:
    """Every number of one modality's front end, as integers.

    Attributes:
        filter, envelope: cascades before and after rectification.
        taps: the first half of the resampler's and the middle, `TAP_BITS` behind the point.
        log_floor: per channel, in units of the envelope's last bit; empty: no logarithm.
        scale, offset: per channel, z = (y * scale >> SCALE_BITS) - offset, rounded.
        bits: that z has behind its point.
        root_bits: those of 1 / deviation, of a running normaliser; 0 without one.
    """

    filter: FixedCascade
    envelope: FixedCascade
    taps: tuple[int, ...]
    log_floor: tuple[int, ...]
    scale: tuple[int, ...]
    offset: tuple[int, ...]
    bits: int
    root_bits: int


@dataclass(frozen=True)
class Narrowing:
    """From z to int8: ((z * multiplier >> 32) + half) >> shift, plus the zero point."""

    multiplier: int
    shift: int
    zero_point: int


@functools.lru_cache(maxsize=64)
def fixed_stream(stream: StreamConstants) -> FixedStream:
    """The integers of a stream.

    Raises:
        KdEdgeError KD_COUNTS: its units a count are unknown.
        KdEdgeError KD_PRECISION: 32 bits are too short for it.
    """
    first = _cascade(stream, stream.sos, 2 * _LARGEST_SAMPLE)
    bound = first.bound * _LARGEST_SAMPLE * 2.0**first.bits
    second = _cascade(stream, stream.envelope_sos, bound)
    bound *= second.bound * 2.0**second.bits
    taps = tuple(round(tap * 2**TAP_BITS) for tap in stream.fir[: len(stream.fir) // 2 + 1])
    bound *= _longest_phase(stream)
    if bound >= 2.0**31 * _MARGIN:
        raise _too_short(stream, "resampling overflows")
    if stream.running and stream.running.floor < _LEAST_DEVIATION:
        raise _too_short(stream, "the floor of its running normaliser is too small")
    bits = SAMPLE_BITS + first.bits + second.bits
    floors, slopes, starts, largest = _lines(stream, bits, bound)
    z_bits = _z_bits(stream, slopes, starts, largest)
    return FixedStream(
        filter=first,
        envelope=second,
        taps=taps,
        log_floor=floors,
        scale=tuple(round(slope * 2.0 ** (z_bits + SCALE_BITS)) for slope in slopes),
        offset=tuple(round(start * 2.0**z_bits) for start in starts),
        bits=z_bits,
        root_bits=30 - math.ceil(-math.log2(stream.running.floor)) if stream.running else 0,
    )


def narrowing(stream: StreamConstants, scale: float, zero_point: int) -> Narrowing:
    """From a stream's z to an int8 input.

    Args:
        scale, zero_point: the input's.

    Raises:
        KdEdgeError KD_PRECISION: a step of int8 is smaller than z's last bits.
    """
    ratio = 2.0 ** -fixed_stream(stream).bits / float(np.float32(scale))
    shift = math.floor(31 - math.log2(ratio)) - 32
    if shift < 1:
        raise _too_short(stream, "a step of int8 is smaller than its last bits")
    shift = min(shift, 30)
    return Narrowing(min(round(ratio * 2.0 ** (32 + shift)), 2**31 - 1), shift, zero_point)


def check_steps(stream: StreamConstants, steps: int) -> None:
    """Raises KdEdgeError KD_PRECISION: a window is too long for a wearer's sums."""
    if stream.running and steps > _MOST_STEPS:
        raise _too_short(stream, f"a running normaliser takes windows of up to {_MOST_STEPS}")


def _cascade(stream: StreamConstants, sections: Biquads, largest: float) -> FixedCascade:
    """Args: largest: magnitude of what goes in."""
    biquads: list[tuple[int, ...]] = []
    bits, bound = 0, 1.0
    for count in range(1, len(sections) + 1):
        b, a = np.array(sections[count - 1][:3]), sections[count - 1][4:]
        response = _response(sections[:count])
        bound = _bound(stream, response)
        room = math.floor(math.log2(_LARGEST * _MARGIN / (bound * largest)))
        own = 2 - math.ceil(math.log2(np.abs(b).max() * (1 + 1e-6)))
        grown = min(room - bits, own)
        bits += grown
        biquads.append(_biquad(b * 2.0**grown, a))
    gain = dc_gain(sections) * 2.0 ** (bits + COEFFICIENT_BITS)
    cascade = FixedCascade(tuple(biquads), round(gain), bits, bound)
    # The rounded coefficients are another filter, which has to keep the same bound.
    if biquads and _bound(stream, _response(_as_sections(cascade))) > bound * 2.0**bits * (
        1 + 2.0**-10
    ):
        raise _too_short(stream, "a filter is too sharp")
    return cascade


def _biquad(b: np.ndarray, a: Sequence[float]) -> tuple[int, ...]:
    """Rounded; the middle one of b makes good what rounding changes for a constant."""
    a1, a2 = (round(value * 2.0**COEFFICIENT_BITS) for value in a)
    b0, b1, b2 = (round(float(value) * 2.0**COEFFICIENT_BITS) for value in b)
    gain = float(b.sum()) / (1 + a[0] + a[1])
    total = round(gain * ((1 << COEFFICIENT_BITS) + a1 + a2))
    return b0, b1 + total - (b0 + b1 + b2), b2, a1, a2


def _as_sections(cascade: FixedCascade) -> Biquads:
    one = 2.0**-COEFFICIENT_BITS
    return tuple(
        (b0 * one, b1 * one, b2 * one, 1.0, a1 * one, a2 * one)
        for b0, b1, b2, a1, a2 in cascade.biquads
    )


def _response(sections: Biquads) -> np.ndarray:
    from scipy import signal

    impulse = np.zeros(_RESPONSE_SAMPLES)
    impulse[0] = 1.0
    return np.abs(signal.sosfilt(np.array(sections), impulse))


def _bound(stream: StreamConstants, response: np.ndarray) -> float:
    total = float(response.sum())
    if not math.isfinite(total) or response[-_RESPONSE_SAMPLES // 4 :].sum() > 2.0**-12 * total:
        raise _too_short(stream, "a filter rings on too long")
    return total


def _longest_phase(stream: StreamConstants) -> float:
    """By how much resampling may enlarge a value."""
    phases = [sum(abs(tap) for tap in stream.fir[p :: stream.up]) for p in range(stream.up)]
    return max(phases) if stream.fir else 1.0


def _lines(
    stream: StreamConstants, bits: int, bound: float
) -> tuple[tuple[int, ...], list[float], list[float], float]:
    """Floors; z = slope * value - start, one a channel; the largest value, a logarithm or not."""
    lsb = lsb_of(stream)
    if not stream.log_floor:
        slopes = [lsb * scale * 2.0**-bits for scale in stream.scale]
        starts = [mean * scale for mean, scale in zip(stream.mean, stream.scale, strict=True)]
        return (), slopes, starts, bound
    floors = tuple(round(floor / lsb * 2.0**bits) for floor in stream.log_floor)
    if not _LEAST_FLOOR <= min(floors) <= max(floors) <= _LARGEST:
        raise _too_short(stream, "the floor of its logarithm is out of range")
    unit = math.log(lsb) - bits * math.log(2)  # of the last bit
    slopes = [scale * 2.0**-LOG_BITS for scale in stream.scale]
    starts = [(m - unit) * scale for m, scale in zip(stream.mean, stream.scale, strict=True)]
    return floors, slopes, starts, 32 * math.log(2) * 2**LOG_BITS


def _z_bits(
    stream: StreamConstants, slopes: list[float], starts: list[float], largest: float
) -> int:
    """As many as z may have: z stays below 2^30, and a scale, too."""
    ends = [largest * abs(s) + abs(start) for s, start in zip(slopes, starts, strict=True)]
    room = _LARGEST * (stream.running.floor if stream.running else 1.0) * _MARGIN
    steepest = max(abs(slope) for slope in slopes)
    if not (0 < max(ends) < _FARTHEST and steepest > 0):
        raise _too_short(stream, "its normaliser is out of range")
    return min(math.floor(min(math.log2(room / max(ends)), -math.log2(steepest))), _MOST_Z_BITS)


def _too_short(stream: StreamConstants, why: str) -> KdEdgeError:
    return KdEdgeError(
        "KD_PRECISION",
        f"32-bit integers are too short for the front end of '{stream.name}': {why}",
        where=f"front_end.{stream.name}, sampled at {stream.source_rate_hz:g} Hz",
        hint="leave windows.arithmetic = 'fixed' out of the recipe",
    )
