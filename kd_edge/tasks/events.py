"""The score of events: onsets that were found, false alarms, and how long each took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Event:
    """Somebody makes a gesture, from `start_s` to `end_s` of a stream."""

    start_s: float
    end_s: float
    label: int


@dataclass(frozen=True)
class Onset:
    """A class begins to be said at `at_s` of a stream."""

    at_s: float
    label: int


@dataclass(frozen=True)
class EventScore:
    """What was said of a stream's events.

    Attributes:
        n_events: gestures that were made.
        found: of them, those whose class was said in time; each by one onset.
        n_onsets: times that a class began to be said.
        false_alarms: onsets that found no event: of another class, at another time, or again.
        minutes: of stream.
        median_delay_s, late_delay_s: from an event's start to its onset, of those found: the middle
            one, and the one that 9 of 10 do not exceed; None where none was found.
    """

    n_events: int
    found: int
    n_onsets: int
    false_alarms: int
    minutes: float
    median_delay_s: float | None
    late_delay_s: float | None

    @property
    def found_share(self) -> float | None:
        """Of the events, 0 to 1; None without events."""
        return self.found / self.n_events if self.n_events else None

    @property
    def alarms_a_minute(self) -> float:
        """False alarms in a minute of stream."""
        return self.false_alarms / self.minutes


@dataclass(frozen=True)
class Matched:
    """The onsets of one stream against its events.

    Attributes:
        delays_s: of each event, None where it was missed.
        false_alarms: onsets that found none.
    """

    delays_s: tuple[float | None, ...]
    false_alarms: int


def match_events(
    events: Sequence[Event], onsets: Sequence[Onset], *, tolerance_s: float
) -> Matched:
    """Give each event the first onset of its class that comes in time and is not taken.

    In time is from the event's start to `tolerance_s` after its end.

    Args:
        events, onsets: of one stream, in order.
    """
    delays: list[float | None] = [None] * len(events)
    alarms = 0
    for onset in onsets:
        own = next(
            (
                i
                for i, event in enumerate(events)
                if delays[i] is None
                and event.label == onset.label
                and event.start_s <= onset.at_s <= event.end_s + tolerance_s
            ),
            None,
        )
        if own is None:
            alarms += 1
        else:
            delays[own] = onset.at_s - events[own].start_s
    return Matched(tuple(delays), alarms)


def score_events(matched: Sequence[Matched], seconds: float) -> EventScore:
    """One score of several streams.

    Args:
        seconds: that they last together, > 0.
    """
    delays = [delay for stream in matched for delay in stream.delays_s]
    found = [delay for delay in delays if delay is not None]
    alarms = sum(stream.false_alarms for stream in matched)
    middle, late = np.percentile(found, (50, 90), method="inverted_cdf") if found else (None, None)
    return EventScore(
        n_events=len(delays),
        found=len(found),
        n_onsets=len(found) + alarms,
        false_alarms=alarms,
        minutes=seconds / 60,
        median_delay_s=None if middle is None else float(middle),
        late_delay_s=None if late is None else float(late),
    )
