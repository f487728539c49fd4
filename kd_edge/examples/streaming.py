"""The front end of a stream in which filters run on, as a board computes it, bit for bit.

Each sample is filtered once. Steps are what the front end makes of a stream at the model's rate:
step m is due with sample m * down / up, rounded down. Behind samples that the board lost, filters
start from rest at the next one; steps keep their numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from kd_edge.base.front_end import (
    Counts,
    FrontEndConstants,
    StreamConstants,
    layout_samples,
    lsb_of,
    raw_samples,
)
from kd_edge.examples.raw import Wearer, to_counts, worn_inputs
from kd_edge.examples.single import Passing, usable_channels

# Steps that are kept beyond a window: seconds of them even at 2 kHz.
_SLACK = 8192


def step_end(stream: StreamConstants, step: int) -> int:
    """The number after the sample that a step is due with."""
    return step * stream.down // stream.up + 1


def last_step(stream: StreamConstants, end: int) -> int:
    """The step of `step_end`."""
    return -(-(end - 1) * stream.up // stream.down)


class StreamSteps:
    """One stream, from its samples to steps.

    Args:
        stream: lsb known.
        kept: steps that a window takes.
        fixed: as `Passing` takes it.
    """

    def __init__(self, stream: StreamConstants, kept: int, *, fixed: bool = False):
        self._stream, self._kept, self._fixed = stream, kept, fixed
        self.resume(0)

    def resume(self, number: int) -> None:
        """Filters start from rest at the sample of this number."""
        up, down = self._stream.up, self._stream.down
        self._next = number  # sample
        self._first = -(-number * up // down)  # step, of those in _steps
        due = self._first * down - number * up
        lsb = lsb_of(self._stream)
        self._passing: Passing | None = Passing(self._stream, lsb, due, fixed=self._fixed)
        self._steps = np.zeros((0, len(self._stream.features)), self._passing.dtype)

    def take(self, first: int, counts: np.ndarray, *, sure: bool = True) -> None:
        """Take samples, oldest first.

        Args:
            first: number of the first. Where it is not the next one, the board has lost those
                between and its filters have started anew.
            counts: (samples, channels) int16.
            sure: False if it may be that not the board has lost them but the line: nothing is known
                of its filters then, until it loses samples once more.
        """
        if first != self._next:
            self.resume(first)
            if not sure:
                self._passing = None
        self._next = first + len(counts)
        if self._passing is None:
            return
        self._steps = np.concatenate([self._steps, self._passing.advance(counts)])
        surplus = len(self._steps) - self._kept - _SLACK
        if surplus > _SLACK:
            self._steps, self._first = self._steps[surplus:], self._first + surplus

    def window(self, end: int, n: int) -> np.ndarray | None:
        """(n, features) of `Passing.dtype`, the n steps up to the one due with sample `end` - 1.

        None where they are not known, or no more.
        """
        at = last_step(self._stream, end) + 1 - self._first
        if self._passing is None or at < n or at > len(self._steps):
            return None
        return self._steps[at - n : at]


class Streamed:
    """All streams of a front end.

    Args:
        constants: which run on, of causal streams.
        wearer: whom windows teach.
    """

    def __init__(self, constants: FrontEndConstants, wearer: Wearer):
        self._constants, self._wearer = constants, wearer
        self.begin()

    def begin(self) -> None:
        """A stream begins with its sample 0."""
        longest = {name: layout_samples(i) for i in self._constants.inputs for name in i.streams}
        self._streams = {
            s.name: StreamSteps(s, longest[s.name], fixed=self._constants.fixed)
            for s in self._constants.streams
        }

    def take(self, name: str, first: int, counts: np.ndarray, *, sure: bool = True) -> None:
        """Samples of one stream, (samples, channels) int16 counts, as `StreamSteps.take`."""
        self._streams[name].take(first, counts, sure=sure)

    def window(self, ends: Sequence[int], counts: Counts) -> dict[str, np.ndarray] | None:
        """The inputs of a window, (samples, channels) float32 each, as `worn_inputs` gives them.

        Args:
            ends: of each stream, in order, the number of the sample after the window's last.
            counts: stream -> (samples, channels) int16 of the window, as a raw one has them.

        Returns:
            None where the board's filters are not known.
        """
        end_of = dict(zip(self._streams, ends, strict=True))
        steps = {
            (name, n): self._streams[name].window(end_of[name], n)
            for layout in self._constants.inputs
            for name, n in [(name, layout_samples(layout)) for name in layout.streams]
        }
        if any(values is None for values in steps.values()):
            return None
        return worn_inputs(
            self._constants,
            self._wearer,
            lambda name, n: (steps[name, n], usable_channels(counts[name])),
        )


class StreamedRecording:
    """A recording as a board would see it that streams it from its first sample on.

    Args:
        samples: stream -> (n_samples, n_channels) in the stream's unit, at its source rate.
        constants: which run on.
        wearer: whom windows teach.
    """

    def __init__(
        self, samples: Mapping[str, np.ndarray], constants: FrontEndConstants, wearer: Wearer
    ):
        streams = {stream.name: stream for stream in constants.streams}
        self._constants, self._wearer = constants, wearer
        self._samples = raw_samples(constants)
        self._counts = {n: to_counts(samples[n], lsb_of(streams[n])) for n in streams}
        self._steps = {
            n: Passing(s, lsb_of(s), fixed=constants.fixed).advance(self._counts[n])
            for n, s in streams.items()
        }

    def window(self, start_s: float) -> dict[str, np.ndarray] | None:
        """The inputs of the window that training cuts at `start_s`; None behind the last one.

        Returns:
            input name -> (samples, channels) float32, as `worn_inputs` gives them.
        """
        streams = {stream.name: stream for stream in self._constants.streams}
        firsts = {name: round(start_s * stream.rate_hz) for name, stream in streams.items()}
        longest = {name: layout_samples(i) for i in self._constants.inputs for name in i.streams}
        if any(firsts[name] + n > len(self._steps[name]) for name, n in longest.items()):
            return None

        def of(name: str, n: int) -> tuple[np.ndarray, np.ndarray]:
            first = firsts[name]
            end = step_end(streams[name], first + n - 1)
            raw = self._counts[name][max(0, end - self._samples[name]) : end]
            return self._steps[name][first : first + n], usable_channels(raw)

        return worn_inputs(self._constants, self._wearer, of)
