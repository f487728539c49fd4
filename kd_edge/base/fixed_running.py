"""A front end in integers: exactly what firmware_export/runtime/front_end/fixed computes."""

from __future__ import annotations

import functools
import math

import numpy as np

from kd_edge.base.fixed import (
    COEFFICIENT_BITS,
    LOG_BITS,
    SAMPLE_BITS,
    SCALE_BITS,
    SQUARE_SHIFT,
    TAP_BITS,
    FixedCascade,
    FixedStream,
    Narrowing,
    fixed_stream,
)
from kd_edge.base.front_end import StreamConstants
from kd_edge.base.running import RunningState, advanced, inverse_root

_LOG_STEPS_BITS = 6  # of the logarithm's table
_LOG_PART_BITS = 11  # between two of its values


class FixedCascadeRun:
    """Biquads on the difference to the first sample, from rest, and that sample's level.

    All biquads work at once: in turn t, biquad s is at sample t - s.
    """

    def __init__(self, cascade: FixedCascade):
        self._cascade = cascade
        self._first: np.ndarray | None = None

    def advance(self, x: np.ndarray) -> np.ndarray:
        """Args: x: (samples, channels) int64, behind those before."""
        n_sections = len(self._cascade.biquads)
        if not n_sections or not len(x):
            return x
        if self._first is None:
            self._first = x[0].copy()
            # x1, x2, y1, y2 and the rest of each biquad.
            self._memory = np.zeros((5, n_sections, x.shape[1]), np.int64)
        rows = np.array(self._cascade.biquads, np.int64).T[:, :, None]
        y, out = np.zeros_like(self._memory[0]), np.empty_like(x)
        into = np.zeros_like(y)
        tail = np.zeros((n_sections - 1, x.shape[1]), np.int64)
        for turn, sample in enumerate(np.concatenate([x - self._first, tail])):
            into[1:] = y[:-1]
            into[0] = sample
            at = slice(max(0, turn - len(x) + 1), min(turn + 1, n_sections))
            _turn(rows[:, at], into[at], y[at], self._memory[:, at])
            if turn >= n_sections - 1:
                out[turn - n_sections + 1] = y[-1]
        return out + _rounded(self._first * self._cascade.gain, COEFFICIENT_BITS)


def _turn(rows: np.ndarray, into: np.ndarray, y: np.ndarray, memory: np.ndarray) -> None:
    """One sample through each biquad: y and memory change in place."""
    b0, b1, b2, a1, a2 = rows
    x1, x2, y1, y2, rest = memory
    total = b0 * into + b1 * x1 + b2 * x2 - a1 * y1 - a2 * y2 + rest
    y[...] = total >> COEFFICIENT_BITS
    rest[...] = total & ((1 << COEFFICIENT_BITS) - 1)
    x2[...], x1[...] = x1, into
    y2[...], y1[...] = y1, y


def fixed_samples(counts: np.ndarray) -> np.ndarray:
    """(samples, channels) int16 counts, as int64 with `SAMPLE_BITS` behind the point."""
    return counts.astype(np.int64) << SAMPLE_BITS


def fixed_resampled(
    values: np.ndarray, stream: StreamConstants, past: int, due: np.ndarray
) -> np.ndarray:
    """Outputs from inputs up to `due` / up, behind `past` values before them.

    Args:
        values: (past + samples, channels) int64. due: (outputs,) int.
    """
    half = np.array(fixed_stream(stream).taps, np.int64)
    taps = np.concatenate([half, half[-2::-1]])
    out = np.empty((len(due), values.shape[1]), np.int64)
    for phase in range(stream.up):
        which = np.flatnonzero(due % stream.up == phase)
        newest = past + due[which] // stream.up
        row = taps[phase :: stream.up]
        total = np.zeros((len(which), values.shape[1]), np.int64)
        for j, tap in enumerate(row):
            total += tap * values[newest - j]
        out[which] = _rounded(total, TAP_BITS)
    return out


def fixed_normalised(y: np.ndarray, fixed: FixedStream) -> np.ndarray:
    """Logarithm and training's normaliser: z as int64 with `fixed.bits` behind the point.

    Args:
        y: (steps, channels) int64.
    """
    if fixed.log_floor:
        y = log_fixed(np.maximum(y, 0) + np.array(fixed.log_floor, np.int64))
    scaled = _rounded(y * np.array(fixed.scale, np.int64), SCALE_BITS)
    return scaled - np.array(fixed.offset, np.int64)


def real_of(z: np.ndarray, fixed: FixedStream) -> np.ndarray:
    """(steps, channels) real values of z, float64, which hold it exactly."""
    return np.ldexp(z.astype(np.float64), -fixed.bits)


def fixed_of(real: np.ndarray, fixed: FixedStream) -> np.ndarray:
    """(steps, channels) z, int64, of its real values."""
    return np.ldexp(real, fixed.bits).astype(np.int64)


@functools.cache
def log_table() -> tuple[int, ...]:
    """ln(1 + i / 64) with `LOG_BITS` behind the point, i from 0 to 64."""
    count = 1 << _LOG_STEPS_BITS
    return tuple(round(math.log1p(i / count) * 2**LOG_BITS) for i in range(count + 1))


def log_fixed(u: np.ndarray) -> np.ndarray:
    """ln u by a table of 64 steps and straight lines between them, as fixed/kd_log.c has it.

    Args:
        u: any shape, int64 from 1 to 2^32 - 1.

    Returns:
        The same shape, int64 with `LOG_BITS` behind the point, within 5e-5.
    """
    exponent = np.frexp(u.astype(np.float64))[1].astype(np.int64) - 1
    mantissa = u << (31 - exponent)
    place = (mantissa >> (31 - _LOG_STEPS_BITS)) & ((1 << _LOG_STEPS_BITS) - 1)
    part = (mantissa >> (31 - _LOG_STEPS_BITS - _LOG_PART_BITS)) & ((1 << _LOG_PART_BITS) - 1)
    table = np.array(log_table(), np.int64)
    between = (table[place + 1] - table[place]) * part >> _LOG_PART_BITS
    return exponent * round(math.log(2) * 2**LOG_BITS) + table[place] + between


def fixed_means(z: np.ndarray, fixed: FixedStream) -> tuple[np.ndarray, np.ndarray]:
    """Means of z and of z² over a window, summed as integers.

    Args:
        z: (steps, channels) int64.

    Returns:
        Twice (channels,) float32.
    """
    count = np.float32(len(z))
    short = z >> SQUARE_SHIFT
    total = np.float32(z.sum(axis=0)) * np.float32(2.0**-fixed.bits)
    squares = np.float32((short * short).sum(axis=0)) * np.float32(
        2.0 ** (-2 * (fixed.bits - SQUARE_SHIFT))
    )
    return total / count, squares / count


def fixed_worn(
    z: np.ndarray, usable: np.ndarray, stream: StreamConstants, state: RunningState
) -> tuple[np.ndarray, RunningState]:
    """A window normalised for its wearer, and the state after it.

    Args:
        z: (steps, channels) int64. usable: (channels,) bool. state: before it.
    """
    fixed, constants = fixed_stream(stream), stream.running
    state = advanced(*fixed_means(z, fixed), state, constants, usable)
    floor = np.float32(constants.floor)
    variance = state.square - state.mean * state.mean
    root = inverse_root(np.where(variance > floor * floor, variance, floor * floor))
    limit = np.float32(2**30)
    mean = np.clip(state.mean * np.float32(2.0**fixed.bits), -limit, limit).astype(np.int64)
    scale = (root * np.float32(2.0**fixed.root_bits)).astype(np.int64)
    out = _rounded((z - mean) * scale, fixed.root_bits)
    return np.clip(out, -(2**31), 2**31 - 1), state


def narrowed(z: np.ndarray, to: Narrowing) -> np.ndarray:
    """(steps, channels) int8 of z, int64."""
    steps = ((z * to.multiplier >> 32) + (1 << (to.shift - 1))) >> to.shift
    return np.clip(steps + to.zero_point, -128, 127).astype(np.int8)


def _rounded(total: np.ndarray, bits: int) -> np.ndarray:
    return (total + (1 << (bits - 1))) >> bits
