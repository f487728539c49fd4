"""Signals for the eye: the least and the largest value of each short stretch."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

# Stretches a second: a screen shows no more, and no peak is lost.
POINTS_PER_S = 100


@dataclass(frozen=True)
class Stretch:
    """The extremes of a sensor's samples from `number` * size on; numbers without one are gaps.

    Attributes:
        low, high: samples, one a channel.
    """

    number: int
    low: tuple[float, ...]
    high: tuple[float, ...]


class Trace:
    """One sensor's last seconds.

    Args:
        rate_hz: samples a second.
        channels: values a sample.
        seconds: kept.

    Attributes:
        size: samples a stretch.
        kept: oldest first.
    """

    def __init__(self, rate_hz: float, channels: int, *, seconds: float):
        self.size = max(1, round(rate_hz / POINTS_PER_S))
        self.kept: deque[Stretch] = deque(maxlen=max(1, round(seconds * rate_hz / self.size)))
        self._next = 0  # number of the sample that is awaited
        self._open = np.zeros((0, channels), dtype=np.int16)  # samples of an unfinished stretch

    def add(self, first: int, values: np.ndarray) -> tuple[Stretch, ...]:
        """Takes samples; returns the stretches that they complete.

        Args:
            first: number of the first sample; what lies between the last one and it is missing.
            values: (samples, channels), counts or floats.
        """
        done = []
        if first // self.size > self._next // self.size:
            done += self._close(len(self._open))  # the gap ends it before it is full
        self._open = np.concatenate((self._open, values))
        self._next = first + len(values)
        while len(self._open) and self._begin() // self.size < self._next // self.size:
            done += self._close(self._to_border())
        self.kept.extend(done)
        return tuple(done)

    def _begin(self) -> int:
        return self._next - len(self._open)

    def _to_border(self) -> int:
        return self.size - self._begin() % self.size

    def _close(self, n: int) -> list[Stretch]:
        """The first n open samples as a stretch, if there are any."""
        if not n:
            return []
        number = self._begin() // self.size
        taken, self._open = self._open[:n], self._open[n:]
        return [
            Stretch(number, tuple(taken.min(axis=0).tolist()), tuple(taken.max(axis=0).tolist()))
        ]
