"""The running normaliser: a wearer's own mean and deviation in place of the training part's.

Each channel comes in the training part's units, z = (x - mean) * scale. The state is what is
known of the wearer since the board was put on: the mean of z, the mean of z², and how many windows
are behind them. It begins at 0, 1 and none, which is the training part. A window moves it first and
is then normalised by it, so that the present window counts.

All is float32 in one order of operations: bit for bit what kd_running.c computes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_HALF, _THREE_HALVES = np.float32(0.5), np.float32(1.5)


@dataclass(frozen=True)
class RunningConstants:
    """How a running normaliser learns.

    Attributes:
        weight_windows: windows that the training part's statistics count for.
        memory_windows: windows of a wearer that count in full; older ones fade.
        floor: the least deviation, as a part of the training part's.
    """

    weight_windows: int
    memory_windows: int
    floor: float


@dataclass(frozen=True, eq=False)
class RunningState:
    """What is known of a wearer.

    Attributes:
        mean, square: (channels,) float32, of z and of z²; (..., channels) of many wearers.
        windows: int64 of the same shape, at most `memory_windows`; a window that clips or is flat
            is not counted.
    """

    mean: np.ndarray
    square: np.ndarray
    windows: np.ndarray


def first_state(*shape: int) -> RunningState:
    """Of a board that was just put on; `shape` ends in the number of channels."""
    return RunningState(
        np.zeros(shape, np.float32), np.ones(shape, np.float32), np.zeros(shape, np.int64)
    )


# As the link carries a channel.
_PACKED = np.dtype([("mean", "<f4"), ("square", "<f4"), ("windows", "<u4")])


def pack_state(state: RunningState) -> bytes:
    """A state as the link carries it, channel after channel."""
    packed = np.zeros(len(state.mean), _PACKED)
    for name in _PACKED.names:
        packed[name] = getattr(state, name)
    return packed.tobytes()


def unpack_state(content: bytes) -> RunningState:
    """What `pack_state` packed. Raises ValueError where it ends within a channel."""
    packed = np.frombuffer(content, _PACKED)
    return RunningState(
        packed["mean"].astype(np.float32),
        packed["square"].astype(np.float32),
        packed["windows"].astype(np.int64),
    )


def is_possible(state: RunningState) -> bool:
    """Whether a state that comes from outside is one that windows can lead to.

    Means are below 1e15, and no mean square is below the mean's square, but for rounding.
    """
    mean, square = np.float64(state.mean), np.float64(state.square)
    with np.errstate(invalid="ignore", over="ignore"):
        fits = (np.abs(mean) < 1e15) & (square >= 0.999 * mean * mean) & (square < 1e30)
    return bool(fits.all() and (state.windows >= 0).all())


def moved(
    z: np.ndarray, state: RunningState, constants: RunningConstants, usable: np.ndarray
) -> RunningState:
    """The state after a window.

        n' = min(n + 1, memory)
        m' = m + (a - m) / (weight + n')
        s' = s + (b - s) / (weight + n')

    with a the window's mean of z and b of z².

    Args:
        z: (samples, channels) float32.
        usable: (channels,) bool; the others keep their state.
    """
    return advanced(*means_of(z), state, constants, usable)


def means_of(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means of z and of z² over a window, each summed sample after sample.

    Args:
        z: (..., samples, channels) float32.

    Returns:
        Twice (..., channels) float32.
    """
    count = np.float32(z.shape[-2])
    mean = np.add.accumulate(z, axis=-2)[..., -1, :] / count
    return mean, np.add.accumulate(z * z, axis=-2)[..., -1, :] / count


def advanced(
    mean: np.ndarray,
    square: np.ndarray,
    state: RunningState,
    constants: RunningConstants,
    usable: np.ndarray,
) -> RunningState:
    """The state after a window of these means; also many states, each after a window of its own.

    Args:
        mean, square: (..., channels) float32, of `means_of`.
        usable: (..., channels) bool; the others keep their state.
    """
    windows = np.minimum(state.windows + 1, constants.memory_windows)
    total = (windows + constants.weight_windows).astype(np.float32)
    return RunningState(
        np.where(usable, state.mean + (mean - state.mean) / total, state.mean),
        np.where(usable, state.square + (square - state.square) / total, state.square),
        np.where(usable, windows, state.windows),
    )


def normalised(z: np.ndarray, state: RunningState, constants: RunningConstants) -> np.ndarray:
    """(z - m) / max(√(s - m²), floor).

    Args:
        z: (..., samples, channels) float32. state: of arrays (..., channels).

    Returns:
        The same shape, float32.
    """
    floor = np.float32(constants.floor)
    least = floor * floor
    variance = state.square - state.mean * state.mean
    variance = np.where(variance > least, variance, least)
    return (z - state.mean[..., None, :]) * inverse_root(variance)[..., None, :]


def inverse_root(x: np.ndarray) -> np.ndarray:
    """1 / √x by four of Newton's steps from an estimate in integers, y' = y (3/2 - x/2 y²).

    Args:
        x: any shape, float32, finite and above 0.

    Returns:
        The same shape, float32, within 2 units in the last place.
    """
    bits = np.ascontiguousarray(x, dtype=np.float32).view(np.uint32)
    y = (np.uint32(0x5F375A86) - (bits >> np.uint32(1))).view(np.float32)
    half = x * _HALF
    for _ in range(4):
        y = y * (_THREE_HALVES - half * y * y)
    return y
