"""A stream's front end in float32, in kd_signal.c's order of operations: a board's answers exactly.

IEEE 754 arithmetic gives one result for one order of operations, so that a board and this module
agree bit for bit. NumPy rounds after each operation on every machine, and kd_signal.c forbids its
compiler to fuse any.
"""

from __future__ import annotations

import numpy as np

from kd_edge.base.front_end import Biquads, StreamConstants, dc_gain
from kd_edge.base.logarithm import log_float32
from kd_edge.base.running import RunningState, moved, normalised


def single_stream(
    counts: np.ndarray, stream: StreamConstants, lsb: float, n_out: int
) -> np.ndarray:
    """Filter, rectify, filter, resample and normalise one window from rest, by the training part.

    Args:
        counts: (samples, channels) int16; float32 if they were turned.
        lsb: units a count.
        n_out: samples wanted; the window has those that they need.

    Returns:
        (n_out, channels) float32.
    """
    x = counts.astype(np.float32)
    first = x[0]
    if stream.sos:
        x = _cascade(x, stream.sos, first)
        first = _gain(stream.sos) * first
    if stream.rectify:
        x = _cascade(np.abs(x), stream.envelope_sos, np.abs(first))
    x = _resample(x, stream, n_out) if stream.fir else x[:n_out]
    x = x * np.float32(lsb)
    if stream.log_floor:
        x = log_float32(np.where(x > 0, x, np.float32(0)) + np.float32(stream.log_floor))
    return (x - np.float32(stream.mean)) * np.float32(stream.scale)


def for_wearer(
    z: np.ndarray,
    usable: np.ndarray,
    stream: StreamConstants,
    state: RunningState,
) -> tuple[np.ndarray, RunningState]:
    """A window of `single_stream`, normalised for its wearer, and the state after it.

    Args:
        z: (samples, channels) float32.
        usable: (channels,) bool; the others' state stays as it is.
        state: before it.
    """
    state = moved(z, state, stream.running, usable)
    return normalised(z, state, stream.running), state


def usable_channels(counts: np.ndarray) -> np.ndarray:
    """(channels,) bool: whether a window tells something of its wearer, neither clipped nor flat.

    Args:
        counts: (samples, channels) int16.
    """
    limits = np.iinfo(np.int16)
    clipped = ((counts == limits.min) | (counts == limits.max)).any(axis=0)
    return ~(clipped | (counts == counts[0]).all(axis=0))


def _gain(sections: Biquads) -> np.float32:
    return np.float32(dc_gain(sections))


def _cascade(x: np.ndarray, sections: Biquads, first: np.ndarray) -> np.ndarray:
    """Biquads on the difference to the first sample, from zero states, and that sample's level.

    All biquads work at once: in turn t, biquad s is at sample t - s, which the one before it gave
    in the turn before.
    """
    b0, b1, b2, _, a1, a2 = np.float32(sections).T[:, :, None]
    n_sections = len(sections)
    padded = np.concatenate([x - first, np.zeros((n_sections - 1, x.shape[1]), np.float32)])
    s0 = np.zeros((n_sections, x.shape[1]), np.float32)
    s1, y = s0.copy(), s0.copy()
    out = np.empty_like(padded)
    into = s0.copy()
    for turn, sample in enumerate(padded):
        into[1:] = y[:-1]
        into[0] = sample
        y = b0 * into + s0
        s0 = b1 * into - a1 * y + s1
        s1 = b2 * into - a2 * y
        out[turn] = y[-1]
    return out[n_sections - 1 :] + _gain(sections) * first


def _resample(x: np.ndarray, stream: StreamConstants, n_out: int) -> np.ndarray:
    """Output m from inputs up to m * down / up; before the first input, the first."""
    up, n_taps = stream.up, len(stream.fir)
    half = np.float32(stream.fir[: n_taps // 2 + 1])
    taps = np.concatenate([half, half[-2::-1]])
    past = (n_taps - 1) // up
    padded = np.concatenate([np.repeat(x[:1], past, axis=0), x])
    due = np.arange(n_out) * stream.down
    out = np.empty((n_out, x.shape[1]), np.float32)
    for phase in range(up):
        which = np.flatnonzero(due % up == phase)
        newest = past + due[which] // up
        rising = (n_taps // 2 - phase) // up + 1
        row = taps[phase::up]
        total = np.zeros((len(which), x.shape[1]), np.float32)
        total = _dot(row[:rising], padded, newest, total)
        out[which] = _dot(row[rising:], padded, newest - rising, total)
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
