"""The roll of a band around the limb: what gravity says of it, and how it is taken back.

A band is put on turned, by another angle each time. Its accelerometer tells: over many windows,
gravity's mean direction across the limb is the wearer's, and its angle in the sensor's axes is the
band's. Vectors are turned back by that angle, so that gravity lies on the first axis across the
limb; the channels of a ring of electrodes move on by the nearest whole number of places.

What is known of a wearer is a `RunningState` of two: gravity along both axes. A window moves it
first and is then turned by it. All is float32 in one order of operations: bit for bit what
kd_roll.c computes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from kd_edge.base.running import RunningConstants, RunningState, inverse_root, moved

# Squared, in a sensor's units or counts: below it there is no direction across the limb.
_LEAST_SQUARE = np.float32(1e-6)


@dataclass(frozen=True)
class RollConstants:
    """How a front end takes back the roll.

    Attributes:
        gravity: stream of the accelerometer.
        vectors: (stream, place of the first axis across the limb, place of the second), of each
            stream that holds a vector.
        rings: (stream, sense) of each stream whose channels lie around the limb: 1 if they are
            numbered from the first axis towards the second, -1 if they are numbered against that.
        memory_windows: windows of a wearer that count in full; older ones fade.
    """

    gravity: str
    vectors: tuple[tuple[str, int, int], ...]
    rings: tuple[tuple[str, int], ...]
    memory_windows: int

    def axes_of(self, stream: str) -> tuple[int, int] | None:
        """Places of the two axes across the limb; None of a stream that holds no vector."""
        return next(((a, b) for name, a, b in self.vectors if name == stream), None)

    def sense_of(self, stream: str) -> int | None:
        """Of a ring; None of a stream that is none."""
        return next((sense for name, sense in self.rings if name == stream), None)


@dataclass(frozen=True)
class Turn:
    """The band's angle.

    Attributes:
        cosine, sine: float32; (windows,) of them for an angle each.
    """

    cosine: np.float32 | np.ndarray
    sine: np.float32 | np.ndarray


def roll_moved(
    gravity: np.ndarray, state: RunningState, constants: RollConstants, *, usable: bool
) -> RunningState:
    """The state after a window.

    Args:
        gravity: (samples, 2) float32, the accelerometer along both axes across the limb.
        usable: False if either clips or is flat; the state stays as it is.
    """
    return moved(gravity, state, counts_of(constants), np.full(2, usable))


def counts_of(constants: RollConstants) -> RunningConstants:
    """How gravity's mean over windows learns: none of them is the training part's."""
    return RunningConstants(0, constants.memory_windows, 1.0)


def turn_of(state: RunningState) -> Turn:
    """The angle of gravity's mean; none where it has no direction across the limb."""
    first, second = state.mean[..., 0], state.mean[..., 1]
    square = first * first + second * second
    known = square > _LEAST_SQUARE
    inverse = inverse_root(np.where(known, square, np.float32(1))).reshape(np.shape(square))
    return Turn(
        np.where(known, first * inverse, np.float32(1))[()],
        np.where(known, second * inverse, np.float32(0))[()],
    )


def turned_back(
    x: np.ndarray, stream: str, constants: RollConstants, turn: Turn, *, channels: int
) -> np.ndarray:
    """A stream's samples as a band without roll would have given them.

    Args:
        x: (..., samples, features) float32: the channels, and as many again for each difference.
        turn: of (...).

    Returns:
        The same shape, float32: a' = cos a + sin b, b' = cos b - sin a along the axes across the
        limb; of a ring, channel j from j + sense * places. Each difference turns by itself.
    """
    blocks = [
        _turned_channels(x[..., first : first + channels], stream, constants, turn)
        for first in range(0, x.shape[-1], channels)
    ]
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks, axis=-1)


def _turned_channels(
    x: np.ndarray, stream: str, constants: RollConstants, turn: Turn
) -> np.ndarray:
    axes, sense = constants.axes_of(stream), constants.sense_of(stream)
    if axes is not None:
        cosine, sine = turn.cosine[..., None], turn.sine[..., None]
        first, second = x[..., axes[0]], x[..., axes[1]]
        x = x.copy()
        x[..., axes[0]], x[..., axes[1]] = (
            cosine * first + sine * second,
            cosine * second + -sine * first,
        )
    if sense is not None:
        places = ring_places(x.shape[-1], sense, turn)
        x = np.take_along_axis(x, places[..., None, :], axis=-1)
    return x


def usable_after(
    usable: np.ndarray, stream: str, constants: RollConstants, turn: Turn
) -> np.ndarray:
    """(channels,) bool of `turned_back` channels, of those before: a turned axis needs both."""
    axes, sense = constants.axes_of(stream), constants.sense_of(stream)
    if axes is not None:
        usable = usable.copy()
        usable[list(axes)] = usable[list(axes)].all()
    return usable if sense is None else usable[ring_places(len(usable), sense, turn)]


def ring_places(size: int, sense: int, turn: Turn) -> np.ndarray:
    """(..., size) int places that a ring's channels are taken from, as near to the turn as can be.

    Args:
        turn: of (...).
    """
    directions = np.float32(ring_directions(size))
    near = turn.cosine[..., None] * directions[:, 0] + turn.sine[..., None] * directions[:, 1]
    return (np.arange(size) + sense * near.argmax(axis=-1)[..., None]) % size


def ring_directions(size: int) -> list[tuple[float, float]]:
    """Cosine and sine of each place's angle in a ring."""
    angles = [2 * math.pi * place / size for place in range(size)]
    return [(math.cos(angle), math.sin(angle)) for angle in angles]
