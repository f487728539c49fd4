"""The loop of a live run: from the board's stream to recorder, host and views."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Protocol

from kd_edge.base.errors import KdEdgeError
from kd_edge.link.messages import Prediction, Samples, Worn
from kd_edge.link.stream import WindowAssembler, fell_silent
from kd_edge.live.facts import Facts
from kd_edge.live.figures import Figures, Lateness, Seen, Tally, seen_window
from kd_edge.live.host import Host
from kd_edge.live.recorder import Recorder

_INTERRUPTED = "ended with Ctrl-C"
_LOST = "samples of the window were lost"
_OUT_OF_STEP = "a window before it was lost, and with it the state that it left"
_FILTERS_UNKNOWN = "samples before it were lost, and with them the state of the board's filters"


class Streamer(Protocol):
    """What streams and answers: a board's `Device`, or a `Student` on this machine.

    Attributes:
        hello: has `streams` and `decides`.
        statistics: has `dropped` and `stream_lost`, frames so far.
        why_ended: why a stream that has ended was to end; '' where it should have gone on.
    """

    hello: Any
    statistics: Any
    why_ended: str

    def stream(self, *, windows: int, keep_state: bool) -> Iterator[Samples | Prediction]:
        """As `Device.stream`."""

    def normaliser(self) -> Worn:
        """As `Device.normaliser`; asked only of one that a host stands beside."""


class View(Protocol):
    """Something that shows a live run while it lasts."""

    def samples(self, samples: Samples) -> None:
        """Samples of one sensor have come."""

    def window(self, seen: Seen, figures: Figures) -> None:
        """A window has been answered."""

    def end(self, summary: Summary) -> None:
        """The stream has ended."""


@dataclass(frozen=True)
class Limits:
    """When to end: after so many predictions, so many seconds; None: never."""

    windows: int | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Summary:
    """How a live run ended: `why`, or the error that ended it, and its figures."""

    why: str
    error: KdEdgeError | None
    figures: Figures

    def to_json(self) -> dict[str, Any]:
        error = None if self.error is None else self.error.to_json()
        return {"why": self.why, "error": error, "figures": self.figures.to_json()}


class LiveLoop:
    """One stream of one board, or of one source.

    Args:
        device: with an open link.
        facts: as `facts_of` gives them.
        host: answers every window too; None: nothing is compared.
        recorder: takes the samples down; None: nothing is recorded.
        views: told of everything, in this order.
        keep_state: the model's state runs on from window to window.
    """

    def __init__(
        self,
        device: Streamer,
        facts: Facts,
        *,
        host: Host | None = None,
        recorder: Recorder | None = None,
        views: Sequence[View] = (),
        keep_state: bool = False,
    ):
        self._device = device
        self._facts = facts
        self._host = host
        self._recorder = recorder
        self._views = views
        self._keep_state = keep_state
        # The host has seen every window that the board has, which matters where it remembers any.
        self._in_step = True
        self._remembers = keep_state or (host is not None and host.front_end.learns)
        # A board that decides remembers windows too, and the host's decision must have seen them.
        self._decides = device.hello.decides
        self._assembler = WindowAssembler(device.hello)
        self._tally = Tally(len(facts.sensors))
        self._lateness = Lateness()
        self._ends = [0] * len(facts.sensors)
        self._begun_s = time.monotonic()
        self._damaged_before = device.statistics.dropped

    def run(self, limits: Limits) -> Summary:
        """Shows and records what comes until a limit, Ctrl-C or an error ends it.

        Errors do not pass: they stand in the summary, for what came before them counts.
        """
        error = None
        try:
            why = self._follow(limits)
        except KeyboardInterrupt:
            why = _INTERRUPTED
        except KdEdgeError as ended:
            why, error = f"ended by {ended.code}", ended
        summary = Summary(why, error, self._figures())
        for view in self._views:
            view.end(summary)
        return summary

    def _follow(self, limits: Limits) -> str:
        """Follows the stream; returns why it ended."""
        if self._host is not None and self._host.front_end.learns:
            self._wear(self._host)
        if self._host is not None and self._decides:
            self._host.forget_windows()
        if self._host is not None and self._host.streamed is not None:
            self._host.streamed.begin()
        self._begun_s = time.monotonic()
        events = self._device.stream(windows=limits.windows or 0, keep_state=self._keep_state)
        # Closing the iterator stops the board.
        with closing(events):
            for event in events:
                self._take(event)
                if limits.seconds is not None and self._elapsed_s() >= limits.seconds:
                    return f"ended after {limits.seconds:g} s, as asked"
        if limits.windows is not None and self._tally.next_window >= limits.windows:
            return f"ended after {limits.windows} windows, as asked"
        if self._device.why_ended:
            return self._device.why_ended
        raise fell_silent(self._facts.board, where=f"{self._tally.windows} windows had come")

    def _wear(self, host: Host) -> None:
        """The host goes on from what the board knows of its wearer."""
        worn = self._device.normaliser()
        host.wearer.restore(worn.state)
        host.wearer.frozen = worn.frozen

    def _take(self, event: Samples | Prediction) -> None:
        # The window first: the recorder and the views may take their time.
        window = self._assembler.take(event)
        if isinstance(event, Samples):
            self._take_samples(event)
            return
        now_s = time.monotonic()
        late_ms = self._lateness.add(event.stamp_us + event.answer.microseconds, now_s)
        host_scores, why_not, host_decision = self._host_says(window, event)
        seen = seen_window(
            window,
            self._facts,
            ends=event.ends,
            late_ms=late_ms,
            host_scores=host_scores,
            host_decision=host_decision,
            not_compared=why_not,
            delay_ms=now_s * 1e3 - event.stamp_us / 1e3 if self._facts.here else None,
        )
        self._tally.add_window(seen)
        figures = self._figures()
        for view in self._views:
            view.window(seen, figures)

    def _take_samples(self, samples: Samples) -> None:
        missing = samples.first - self._ends[samples.stream]
        if missing < 0:
            raise KdEdgeError(
                "KD_BOARD_REFUSED",
                f"{self._facts.board} streams samples that it has streamed before",
                where=f"{self._facts.sensors[samples.stream].name}, sample {samples.first}",
                hint="a fault in its firmware",
            )
        self._ends[samples.stream] = samples.first + len(samples.values)
        self._tally.add_samples(samples.stream, len(samples.values), missing)
        if self._host is not None and self._host.streamed is not None:
            name = self._host.front_end.streams[samples.stream].name
            sure = not samples.after_loss
            self._host.streamed.take(name, samples.first, samples.values, sure=sure)
        if self._recorder is not None:
            self._recorder.take(samples)
        for view in self._views:
            view.samples(samples)

    def _host_says(self, window, event: Prediction):
        """The host's scores, or None and why there are none; its decision, or None."""
        if event.host is not None:
            return event.host.scores, "", event.host.decision
        scores, why_not = self._ask_host(window, event.ends)
        decides = scores is not None and self._decides and self._in_step
        return scores, why_not, self._host.decide(scores) if decides else None

    def _ask_host(self, window, ends):
        """The host's scores, or None and why there are none."""
        if self._host is None:
            return None, ""
        skipped = window.answer.index != self._tally.next_window
        if window.arrays is None or skipped:
            self._in_step = False
        if window.arrays is None:
            return None, _LOST
        if self._remembers and not self._in_step:
            return None, _OUT_OF_STEP
        carry = self._keep_state and self._tally.windows > 0
        scores = self._host.answer_streamed(window.arrays, ends, keep_state=carry)
        if scores is None:
            self._in_step = False
            return None, _FILTERS_UNKNOWN
        return scores, ""

    def _elapsed_s(self) -> float:
        return time.monotonic() - self._begun_s

    def _figures(self) -> Figures:
        counted = self._device.statistics
        return self._tally.figures(
            seconds=self._elapsed_s(),
            lost_frames=counted.stream_lost,
            damaged_frames=counted.dropped - self._damaged_before,
        )
