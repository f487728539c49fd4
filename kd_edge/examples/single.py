"""A stream's front end as a board computes it, in float32 or in integers: its answers exactly.

IEEE 754 arithmetic gives one result for one order of operations, so that a board and this module
agree bit for bit. NumPy rounds after each operation on every machine, and kd_signal.c forbids its
compiler to fuse any. `kd_edge.base.fixed_running` has the integers.
"""

from __future__ import annotations

import numpy as np

from kd_edge.base.fixed import fixed_stream
from kd_edge.base.fixed_running import (
    FixedCascadeRun,
    fixed_normalised,
    fixed_of,
    fixed_resampled,
    fixed_samples,
    fixed_worn,
    real_of,
)
from kd_edge.base.front_end import Biquads, StreamConstants, dc_gain
from kd_edge.base.logarithm import log_float32
from kd_edge.base.running import RunningState, moved, normalised


class Passing:
    """A stream on its way through filters, resampler and the training part's normaliser, from rest.

    What comes out does not depend on how samples are dealt out to calls.

    Args:
        stream: lsb: units a count.
        due: `stream.up` times the place of the first output, from the first sample.
        fixed: compute in integers.

    Attributes:
        dtype: of what comes out: float32, or float64 that holds integers times a power of two.
    """

    def __init__(self, stream: StreamConstants, lsb: float, due: int = 0, *, fixed: bool = False):
        self._stream, self._due = stream, due
        self._in = _Fixed(stream) if fixed else _Single(stream, lsb)
        self.dtype = self._in.dtype
        self._past: np.ndarray | None = None

    def advance(self, counts: np.ndarray) -> np.ndarray:
        """What comes out for more samples, oldest first.

        Args:
            counts: (samples, channels) int16; float32 if they were turned.

        Returns:
            (outputs, features) of `dtype`.
        """
        x = self._in.samples(counts)
        x = np.concatenate([own.advance(x) for own in self._in.filters], axis=1)
        if self._stream.rectify:
            x = self._in.envelope.advance(np.abs(x))
        return self._in.normalised(self._resampled(x) if self._stream.fir else x)

    def _resampled(self, x: np.ndarray) -> np.ndarray:
        if not len(x):
            return x
        past = (len(self._stream.fir) - 1) // self._stream.up
        if self._past is None:
            self._past = np.repeat(x[:1], past, axis=0)
        up, down = self._stream.up, self._stream.down
        due = np.arange(self._due, len(x) * up, down)
        self._due += len(due) * down - len(x) * up
        values = np.concatenate([self._past, x])
        self._past = values[len(values) - past :]
        return self._in.resampled(values, self._stream, past, due)


class _Single:
    """Float32."""

    dtype = np.float32

    def __init__(self, stream: StreamConstants, lsb: float):
        self._stream, self._lsb = stream, np.float32(lsb)
        self.filters = tuple(map(_Cascade, stream.filters))
        self.envelope = _Cascade(stream.envelope_sos)

    def samples(self, counts: np.ndarray) -> np.ndarray:
        return counts.astype(np.float32)

    def resampled(self, *values) -> np.ndarray:
        return _resample(*values)

    def normalised(self, y: np.ndarray) -> np.ndarray:
        stream, x = self._stream, y * self._lsb
        if stream.log_floor:
            x = log_float32(np.where(x > 0, x, np.float32(0)) + np.float32(stream.log_floor))
        return (x - np.float32(stream.mean)) * np.float32(stream.scale)


class _Fixed:
    """Integers."""

    dtype = np.float64

    def __init__(self, stream: StreamConstants):
        self._fixed = fixed_stream(stream)
        self.filters = (FixedCascadeRun(self._fixed.filter),)
        self.envelope = FixedCascadeRun(self._fixed.envelope)

    def samples(self, counts: np.ndarray) -> np.ndarray:
        return fixed_samples(counts)

    def resampled(self, *values) -> np.ndarray:
        return fixed_resampled(*values)

    def normalised(self, y: np.ndarray) -> np.ndarray:
        return real_of(fixed_normalised(y, self._fixed), self._fixed)


def single_stream(
    counts: np.ndarray, stream: StreamConstants, lsb: float, n_out: int, *, fixed: bool = False
) -> np.ndarray:
    """Filter, rectify, filter, resample and normalise one window from rest, by the training part.

    Args:
        counts: (samples, channels) int16; float32 if they were turned.
        lsb: units a count.
        n_out: samples wanted; the window has those that they need.
        fixed: compute in integers.

    Returns:
        (n_out, features) of `Passing.dtype`.
    """
    return Passing(stream, lsb, fixed=fixed).advance(counts)[:n_out]


def for_wearer(
    z: np.ndarray,
    usable: np.ndarray,
    stream: StreamConstants,
    state: RunningState,
) -> tuple[np.ndarray, RunningState]:
    """A window of `single_stream`, normalised for its wearer, and the state after it.

    Args:
        z: (samples, features) float32.
        usable: (features,) bool; the others' state stays as it is.
        state: before it.
    """
    state = moved(z, state, stream.running, usable)
    return normalised(z, state, stream.running), state


def fixed_for_wearer(
    z: np.ndarray,
    usable: np.ndarray,
    stream: StreamConstants,
    state: RunningState,
) -> tuple[np.ndarray, RunningState]:
    """`for_wearer` in integers; z: (samples, features) float64 that hold them exactly."""
    fixed = fixed_stream(stream)
    worn, state = fixed_worn(fixed_of(z, fixed), usable, stream, state)
    return real_of(worn, fixed), state


def usable_channels(counts: np.ndarray) -> np.ndarray:
    """(channels,) bool: whether a window tells something of its wearer, neither clipped nor flat.

    Args:
        counts: (samples, channels) int16.
    """
    limits = np.iinfo(np.int16)
    clipped = ((counts == limits.min) | (counts == limits.max)).any(axis=0)
    return ~(clipped | (counts == counts[0]).all(axis=0))


class _Cascade:
    """Biquads on the difference to the first sample, from zero states, and that sample's level.

    All biquads work at once: in turn t, biquad s is at sample t - s, which the one before it gave
    in the turn before.
    """

    def __init__(self, sections: Biquads):
        self._sections = sections
        self._first: np.ndarray | None = None

    def advance(self, x: np.ndarray) -> np.ndarray:
        """Args: x: (samples, channels) float32, behind those before."""
        n_sections = len(self._sections)
        if not n_sections or not len(x):
            return x
        if self._first is None:
            self._first = x[0].copy()
            self._s0 = np.zeros((n_sections, x.shape[1]), np.float32)
            self._s1 = self._s0.copy()
        b0, b1, b2, _, a1, a2 = np.float32(self._sections).T[:, :, None]
        y, out = np.empty_like(self._s0), np.empty_like(x)
        into = y.copy()
        arrays = (b0, b1, b2, a1, a2, into, y, self._s0, self._s1)
        padded = np.concatenate([x - self._first, np.empty((n_sections - 1, x.shape[1]), x.dtype)])
        for turn, sample in enumerate(padded):
            into[1:] = y[:-1]
            into[0] = sample
            if n_sections - 1 <= turn < len(x):
                _turn(*arrays)
            else:  # some biquads are not yet, or no longer, at one of these samples
                at = slice(max(0, turn - len(x) + 1), min(turn + 1, n_sections))
                _turn(*(array[at] for array in arrays))
            if turn >= n_sections - 1:
                out[turn - n_sections + 1] = y[-1]
        return out + np.float32(dc_gain(self._sections)) * self._first


def _turn(b0, b1, b2, a1, a2, into, y, s0, s1) -> None:
    """One sample through each biquad: y, s0 and s1 change in place; (biquads, channels) each."""
    y[...] = b0 * into + s0
    s0[...] = b1 * into - a1 * y + s1
    s1[...] = b2 * into - a2 * y


def _resample(
    values: np.ndarray, stream: StreamConstants, past: int, due: np.ndarray
) -> np.ndarray:
    """Outputs from inputs up to `due` / up, behind `past` values before them.

    Args:
        values: (past + samples, channels) float32. due: (outputs,) int.
    """
    up, n_taps = stream.up, len(stream.fir)
    half = np.float32(stream.fir[: n_taps // 2 + 1])
    taps = np.concatenate([half, half[-2::-1]])
    out = np.empty((len(due), values.shape[1]), np.float32)
    for phase in range(up):
        which = np.flatnonzero(due % up == phase)
        newest = past + due[which] // up
        row = taps[phase::up]
        if (n_taps - 1 - phase) % up == phase:
            out[which] = _folded(row, values, newest)
            continue
        rising = (n_taps // 2 - phase) // up + 1
        total = np.zeros((len(which), values.shape[1]), np.float32)
        total = _dot(row[:rising], values, newest, total)
        out[which] = _dot(row[rising:], values, newest - rising, total)
    return out


def _dot(taps: np.ndarray, x: np.ndarray, newest: np.ndarray, total: np.ndarray) -> np.ndarray:
    """total + taps[j] * x[newest - j] for all j, in the order of kd_signal.c's dot()."""
    other = np.zeros_like(total)
    fours = len(taps) // 4 * 4
    for j, tap in enumerate(taps):
        product = tap * x[newest - j]
        if j < fours and j % 2:
            other = other + product
        else:
            total = total + product
    return total + other


def _folded(taps: np.ndarray, x: np.ndarray, newest: np.ndarray) -> np.ndarray:
    """The sum of taps[j] * x[newest - j], in the order of kd_signal.c's fold_two().

    Args:
        taps: the same from either end.
    """
    n_pairs, oldest = len(taps) // 2, newest - (len(taps) - 1)
    even = np.zeros((len(newest), x.shape[1]), np.float32)
    odd = even.copy()
    for j in range(n_pairs):
        product = taps[j] * (x[newest - j] + x[oldest + j])
        if j < n_pairs // 4 * 4 and j % 2:
            odd = odd + product
        else:
            even = even + product
    if len(taps) % 2:
        even = even + taps[n_pairs] * x[newest - n_pairs]
    return even + odd
