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
    """The band's angle: cosine and sine, float32."""

    cosine: np.float32
    sine: np.float32


def roll_moved(
    gravity: np.ndarray, state: RunningState, constants: RollConstants, *, usable: bool
) -> RunningState:
    """The state after a window: the mean over windows, of which none is the training part's.

    Args:
        gravity: (samples, 2) float32, the accelerometer along both axes across the limb.
        usable: False if either clips or is flat; the state stays as it is.
    """
    counts = RunningConstants(0, constants.memory_windows, 1.0)
    return moved(gravity, state, counts, np.full(2, usable))


def turn_of(state: RunningState) -> Turn:
    """The angle of gravity's mean; none where it has no direction across the limb."""
    first, second = state.mean
    square = first * first + second * second
    if not square > _LEAST_SQUARE:
        return Turn(np.float32(1), np.float32(0))
    inverse = inverse_root(np.reshape(square, 1))[0]
    return Turn(first * inverse, second * inverse)


def turned_back(x: np.ndarray, stream: str, constants: RollConstants, turn: Turn) -> np.ndarray:
    """A stream's samples as a band without roll would have given them.

    Args:
        x: (samples, channels) float32.

    Returns:
        The same shape, float32: a' = cos a + sin b, b' = cos b - sin a along the axes across the
        limb; of a ring, channel j from j + sense * places.
    """
    axes, sense = constants.axes_of(stream), constants.sense_of(stream)
    if axes is not None:
        first, second = x[:, axes[0]], x[:, axes[1]]
        x = x.copy()
        x[:, axes[0]] = turn.cosine * first + turn.sine * second
        x[:, axes[1]] = turn.cosine * second + -turn.sine * first
    if sense is not None:
        x = x[:, ring_places(x.shape[1], sense, turn)]
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
    """(size,) int places that a ring's channels are taken from, as near to the turn as can be."""
    directions = np.float32(ring_directions(size))
    near = turn.cosine * directions[:, 0] + turn.sine * directions[:, 1]
    return (np.arange(size) + sense * int(np.argmax(near))) % size


def ring_directions(size: int) -> list[tuple[float, float]]:
    """Cosine and sine of each place's angle in a ring."""
    angles = [2 * math.pi * place / size for place in range(size)]
    return [(math.cos(angle), math.sin(angle)) for angle in angles]
