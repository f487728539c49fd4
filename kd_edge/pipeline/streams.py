"""A part's recordings joined to streams, and the score of what a decision rule says of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from kd_edge.base.decision import NOBODY, DecisionRule, Memory, decide
from kd_edge.examples import Examples, Windowing, in_order
from kd_edge.signals.recording import RecordingInfo
from kd_edge.tasks.events import Event, EventScore, Onset, match_events, score_events


@dataclass(frozen=True, eq=False)
class Joined:
    """Recordings of one person and day, one behind the other.

    Attributes:
        windows: (n,) indices into the part's windows, in order.
        ends_s: (n,) s, when each is complete.
        events: gestures of the stream, in order. seconds: that it lasts.
    """

    windows: np.ndarray
    ends_s: np.ndarray
    events: tuple[Event, ...]
    seconds: float


def join_recordings(
    windows: Examples, recordings: Sequence[RecordingInfo], timing: Windowing, rest: int
) -> tuple[Joined, ...]:
    """A part's recordings as streams, a person's and day's each.

    Before each gesture stands a recording of rest, if that person and day have one; they take
    turns. No window lies over the border of two recordings.

    Args:
        windows: of the part, with several windows a recording.
        recordings: that `windows.groups.recording` indexes.
        rest: the class of rest; `NOBODY`: there is none.
    """
    return tuple(_join(windows, order, timing, rest) for order in in_order(windows, recordings))


def _join(windows: Examples, order: np.ndarray, timing: Windowing, rest: int) -> Joined:
    owners = windows.groups.recording[order]
    played = [order[owners == owner] for owner in dict.fromkeys(owners.tolist())]
    taken, ends, events, now_s = [], [], [], 0.0
    for own in _with_rest(played, windows.truth, rest):
        starts_s = timing.start_s + np.arange(len(own)) * timing.hop_s
        lasts_s = float(starts_s[-1] + timing.length_s)
        taken.append(own)
        ends.append(now_s + starts_s + timing.length_s)
        label = int(windows.truth[own[0]])
        if label != rest:
            events.append(Event(now_s, now_s + lasts_s, label))
        now_s += lasts_s
    return Joined(np.concatenate(taken), np.concatenate(ends), tuple(events), now_s)


def _with_rest(
    recordings: Sequence[np.ndarray], truth: np.ndarray, rest: int
) -> Iterator[np.ndarray]:
    still = [own for own in recordings if truth[own[0]] == rest]
    if not still:
        yield from recordings
        return
    pauses = itertools.cycle(still)
    for own in recordings:
        if truth[own[0]] != rest:
            yield next(pauses)
            yield own


def score_streams(
    streams: Sequence[Joined], scores: np.ndarray, rule: DecisionRule, *, tolerance_s: float
) -> EventScore:
    """What a rule says of streams, against their events.

    Args:
        scores: (n, classes) int8 of the part's windows.
    """
    matched = []
    for stream in streams:
        memory, onsets = Memory(rule), []
        for at_s, row in zip(stream.ends_s, scores[stream.windows], strict=True):
            memory, decision = decide(rule, memory, row)
            if decision.onset:
                onsets.append(Onset(float(at_s), decision.said))
        matched.append(match_events(stream.events, onsets, tolerance_s=tolerance_s))
    return score_events(matched, sum(stream.seconds for stream in streams))


def has_rest(windows: Examples, rest: int) -> bool:
    """Whether a part holds rest."""
    return rest != NOBODY and bool((windows.truth == rest).any())
