"""A stream's windows while it comes: bit for bit those that `cut_windows` cuts from its recording.

Filters are float64 and run through the stream from its first sample, as through a recording. Behind
samples that were lost they start from rest at the next one; a window that needs lost samples is
left out, and its number with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from scipy import signal

from kd_edge.base.front_end import (
    MOST_DIFFERENCES,
    Biquads,
    FrontEndConstants,
    StreamConstants,
    layout_samples,
    raw_samples,
)
from kd_edge.base.roll import turned_back
from kd_edge.examples.normalising import standardised
from kd_edge.examples.raw import Wearer, worn_inputs
from kd_edge.examples.streaming import step_end
from kd_edge.frontend import apply_stream, with_differences

# Values that are kept beyond a window, so that they are moved seldom.
_SLACK = 4096


class Through:
    """One stream's front end from sample to sample: what `apply_stream` makes of all of them.

    What comes out does not depend on how samples are dealt out to calls.

    Args:
        stream: causal.
        due: `stream.up` times the place of the first output, from the first sample.
    """

    def __init__(self, stream: StreamConstants, due: int = 0):
        self._stream = stream
        self._filter = _Sections(stream.sos, stream.sos_zi)
        self._envelope = _Sections(stream.envelope_sos, stream.envelope_zi)
        # The past is the first sample, held, so long that the first output is a whole step.
        self._held = -(-max(len(stream.fir) - 1, 0) // stream.up)
        while (self._held * stream.up + due) % stream.down:
            self._held += 1
        self._base = 0  # of the values that are kept, behind the held ones; a multiple of `down`
        self._values: np.ndarray | None = None
        self._before: np.ndarray | None = None  # the last filtered samples, for differences
        self._next = (self._held * stream.up + due) // stream.down  # output

    def advance(self, samples: np.ndarray) -> np.ndarray:
        """What comes out for more samples, oldest first.

        Args:
            samples: (samples, channels), in the stream's unit.

        Returns:
            (outputs, features) float32.
        """
        x = self._filter.advance(np.asarray(samples, np.float64))
        if self._stream.rectify:
            x = self._envelope.advance(np.abs(self._differing(x)))
        return (self._resampled(x) if self._stream.fir else x).astype(np.float32)

    def _differing(self, x: np.ndarray) -> np.ndarray:
        before = x[:1] if self._before is None else self._before
        if len(x):
            self._before = np.concatenate([before, x])[-MOST_DIFFERENCES:]
        return with_differences(x, before, self._stream)

    def _resampled(self, x: np.ndarray) -> np.ndarray:
        if not len(x):
            return x
        up, down, taps = self._stream.up, self._stream.down, np.array(self._stream.fir)
        if self._values is None:
            self._values = np.repeat(x[:1], self._held, axis=0)
        self._values = np.concatenate([self._values, x])
        end = -(-(self._base + len(self._values)) * up // down)
        before = self._base * up // down
        out = signal.upfirdn(taps, self._values, up, down, axis=0)
        out = out[self._next - before : end - before]
        self._next = max(end, self._next)
        needed = (self._next * down - len(taps)) // up // down * down
        if needed > self._base:
            self._values, self._base = self._values[needed - self._base :], needed
        return out


class _Sections:
    """Biquads as SciPy runs them, which start as if the first sample had stood there for ever."""

    def __init__(self, sos: Biquads, zi: Biquads):
        self._sos, self._zi = np.array(sos), np.array(zi)
        self._state: np.ndarray | None = None

    def advance(self, x: np.ndarray) -> np.ndarray:
        if not len(self._sos) or not len(x):
            return x
        if self._state is None:
            self._state = self._zi[:, :, None] * x[0][None, None, :]
        y, self._state = signal.sosfilt(self._sos, x, axis=0, zi=self._state)
        return y


class _Kept:
    """One stream's last values, numbered: steps of its front end, or if `anew`, its samples."""

    def __init__(self, stream: StreamConstants, n: int, needed: int, *, anew: bool):
        self._stream, self._n, self._anew = stream, n, anew
        self.needed = needed if anew else n
        self._rate_hz = stream.source_rate_hz if anew else stream.rate_hz
        self._resume(0)

    @property
    def first_s(self) -> float:
        """When the first value that is kept was taken."""
        return self.first / self._rate_hz

    @property
    def end(self) -> int:
        return self.first + len(self._values)

    def take(self, first: int, samples: np.ndarray) -> None:
        if first != self._next:
            self._resume(first)
        self._next = first + len(samples)
        made = samples if self._anew else self._through.advance(samples)
        self._values = np.concatenate([self._values, made])

    def forget(self, before: int) -> None:
        """Let values go that no window needs any more."""
        surplus = min(before - self.first, len(self._values))
        if surplus > _SLACK:
            self._values, self.first = self._values[surplus:], self.first + surplus

    def place(self, start_s: float) -> int:
        """The number of the first value of the window that starts then."""
        return round(start_s * self._rate_hz)

    def values(self, start_s: float) -> np.ndarray:
        """(n, features) float32 of the front end."""
        at = self.place(start_s) - self.first
        cut = self._values[at : at + self.needed]
        return apply_stream(cut, self._stream)[: self._n] if self._anew else cut

    def sample_end(self, start_s: float) -> int:
        """The number after the last sample that the window needs."""
        end = self.place(start_s) + self.needed
        return end if self._anew else step_end(self._stream, end - 1)

    def _resume(self, number: int) -> None:
        """Filters start from rest at the sample of this number."""
        up, down = self._stream.up, self._stream.down
        self._next = number
        self.first = number if self._anew else -(-number * up // down)
        self._values = np.zeros((0, len(self._stream.features)), np.float32)
        if not self._anew:
            self._through = Through(self._stream, self.first * down - number * up)


@dataclass(frozen=True, eq=False)
class CutWindow:
    """A window of a stream.

    Attributes:
        number: from 0; numbers that are missing are windows whose samples were lost.
        start_s: from the stream's first sample on.
        ends: of each stream the number after the last sample that the window needs.
        inputs: input name -> its layout's shape, float32, normalised for the wearer.
    """

    number: int
    start_s: float
    ends: tuple[int, ...]
    inputs: dict[str, np.ndarray]


class CutStream:
    """The windows of a stream, each as soon as its last sample has come.

    Args:
        constants: the front end's; causal.
        wearer: whom windows teach.
        start_s: of the first window. hop_s: seconds between the starts of two, > 0.
        anew: each window is filtered from rest, as a recording of its own; else filters run on
            through the stream.
    """

    def __init__(
        self,
        constants: FrontEndConstants,
        wearer: Wearer,
        *,
        start_s: float,
        hop_s: float,
        anew: bool,
    ):
        self._constants, self._wearer = constants, wearer
        self._start_s, self._hop_s = start_s, hop_s
        self._number = 0
        needed = raw_samples(constants)
        longest: dict[str, int] = {}
        for layout in constants.inputs:
            for name in layout.streams:
                longest[name] = max(longest.get(name, 0), layout_samples(layout))
        self._kept = {
            s.name: _Kept(s, longest[s.name], needed[s.name], anew=anew) for s in constants.streams
        }

    def take(self, name: str, first: int, samples: np.ndarray) -> Iterator[CutWindow]:
        """Take samples of one stream; gives the windows that they complete.

        Args:
            first: number of the first. Samples between the last one and it were lost.
            samples: (samples, channels) in the stream's unit.
        """
        self._kept[name].take(first, samples)
        while (start_s := self._due()) is not None:
            number, self._number = self._number, self._number + 1
            yield CutWindow(
                number,
                start_s,
                tuple(kept.sample_end(start_s) for kept in self._kept.values()),
                self._inputs({n: kept.values(start_s) for n, kept in self._kept.items()}),
            )
        for kept in self._kept.values():
            kept.forget(kept.place(self._begin(self._number)))

    def _begin(self, number: int) -> float:
        return self._start_s + number * self._hop_s

    def _due(self) -> float | None:
        """Start of the next window, if all of it has come; windows with a gap are passed over."""
        earliest_s = max(kept.first_s for kept in self._kept.values())
        behind = int((earliest_s - self._start_s) / self._hop_s) - 1
        self._number = max(self._number, behind)
        while any(kept.place(self._begin(self._number)) < kept.first for kept in self._all):
            self._number += 1
        start_s = self._begin(self._number)
        whole = all(kept.place(start_s) + kept.needed <= kept.end for kept in self._all)
        return start_s if whole else None

    @property
    def _all(self) -> tuple[_Kept, ...]:
        return tuple(self._kept.values())

    def _inputs(self, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        streams = {stream.name: stream for stream in self._constants.streams}
        values = self._turned(values)

        def of(name: str, n: int) -> tuple[np.ndarray, np.ndarray]:
            z = standardised(values[name][:n], streams[name])
            return z, np.ones(len(streams[name].channels), bool)

        return worn_inputs(self._constants, self._wearer, of)

    def _turned(self, values: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """With the roll of the band taken back, as `rolled_back` does it."""
        roll = self._constants.roll
        if roll is None:
            return values
        first = next(i for i in self._constants.inputs if roll.gravity in i.streams)
        across = values[roll.gravity][: layout_samples(first), list(roll.axes_of(roll.gravity))]
        usable = not (across == across[:1]).all(axis=0).any()
        turn = self._wearer.turned(across, usable=usable)
        widths = {stream.name: len(stream.channels) for stream in self._constants.streams}
        return {
            name: turned_back(own, name, roll, turn, channels=widths[name])
            for name, own in values.items()
        }
