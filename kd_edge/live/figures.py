"""Counts of a live run: agreement with the host, losses, latency."""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from kd_edge.base.decision import NOBODY, ONE, Decision
from kd_edge.base.quantisation import dequantize
from kd_edge.link.stream import StreamWindow
from kd_edge.live.facts import Facts
from kd_edge.tasks.classification import CLASSIFICATION

# A board's clock and the host's drift apart; within so many seconds they do not by a millisecond.
_CLOCK_S = 30.0
_LATEST = 1000  # answers that latency figures are of
_LISTED = 20  # windows listed by number where board and host differ
# TFLite gives every int8 softmax this scale and zero point: its scores are shares already.
_SOFTMAX = (1 / 256, -128)


@dataclass(frozen=True)
class HostAnswer:
    """The host's class of a window, and how far the board's scores are from the host's."""

    best: int
    same_class: bool
    steps: int


@dataclass(frozen=True)
class SeenDecision:
    """What a window leads to.

    Attributes:
        said: the class that is said; None: none is. leading: the one that leads.
        confidence: the leading class's, 0 to 1.
        onset: `said` begins. rejected: the window was not sure enough to count.
        same: whether the host decides the same; None: it has not been asked.
    """

    said: str | None
    leading: str
    confidence: float
    onset: bool
    rejected: bool
    same: bool | None


@dataclass(frozen=True)
class Seen:
    """One window's answer, ready to be shown.

    Attributes:
        window: number since the stream began.
        at_s: where it ends, in seconds of the signals.
        best: index of the best class. scores: dequantised. shares: 0 to 1, sum 1.
        ticks, front_end_ticks: engine's and front end's, in `Facts.ticks_kind`.
        microseconds: both together by the board's clock.
        late_ms: how much later it came than the quickest answer of the last 30 s did.
        delay_ms: from its last sample to its answer; None where two clocks measured them.
        host: None where the host has not answered, for the reason `not_compared`.
        decision: None of a board that does not decide.
    """

    window: int
    at_s: float
    best: int
    name: str
    scores: tuple[float, ...]
    shares: tuple[float, ...]
    ticks: int
    front_end_ticks: int
    microseconds: int
    late_ms: float
    host: HostAnswer | None
    not_compared: str = ""
    decision: SeenDecision | None = None
    delay_ms: float | None = None

    def to_json(self) -> dict[str, Any]:
        rounded = {
            "at_s": round(self.at_s, 4),
            "scores": [round(score, 4) for score in self.scores],
            "shares": [round(share, 4) for share in self.shares],
            "late_ms": round(self.late_ms, 3),
            "delay_ms": None if self.delay_ms is None else round(self.delay_ms, 3),
        }
        return asdict(self) | rounded


@dataclass(frozen=True)
class Figures:
    """Counts so far.

    Attributes:
        seconds: since the stream began, by the host's clock.
        windows: answered by the board; missing_windows: numbers that it left out or that were lost.
        compared, same_class, same_scores: windows that the host answered too, and how.
        largest_steps: the largest difference of a score, in int8 steps; None: nothing compared.
        differing: numbers of the first windows whose scores differ.
        onsets, rejected: windows with which a class began to be said; that were not sure enough.
        decisions_compared, same_decision: windows that the host decided too, and alike.
        frames, lost_frames: of the stream; damaged_frames: on the whole link.
        samples, lost_samples: per sensor; lost in the sensor, on the board or on the way.
        median_us, p95_us: of the board's time for an answer, of the last 1000; None: none yet.
        late_ms: the largest of the last 1000; None: none yet.
        delay_ms: 95 % of the last 1000 answers came sooner after their last sample; None where two
            clocks measured them.
    """

    seconds: float
    windows: int
    missing_windows: int
    compared: int
    same_class: int
    same_scores: int
    largest_steps: int | None
    differing: tuple[int, ...]
    frames: int
    lost_frames: int
    damaged_frames: int
    samples: tuple[int, ...]
    lost_samples: tuple[int, ...]
    median_us: float | None
    p95_us: float | None
    late_ms: float | None
    onsets: int = 0
    rejected: int = 0
    decisions_compared: int = 0
    same_decision: int = 0
    delay_ms: float | None = None

    def to_json(self) -> dict[str, Any]:
        late = None if self.late_ms is None else round(self.late_ms, 3)
        delay = None if self.delay_ms is None else round(self.delay_ms, 3)
        rounded = {"seconds": round(self.seconds, 3), "late_ms": late, "delay_ms": delay}
        return asdict(self) | rounded


class Lateness:
    """How late an answer is: the board's stamp against the host's clock.

    The clocks' distance is unknown; the quickest answer of the last 30 s stands for no delay.
    """

    def __init__(self) -> None:
        self._distances: deque[tuple[float, float]] = deque()  # rising distances, oldest first

    def add(self, stamp_us: int, now_s: float) -> float:
        """Milliseconds behind the quickest.

        Args:
            stamp_us: by the board's clock. now_s: by the host's, never going back.
        """
        distance = now_s - stamp_us / 1e6
        while self._distances and self._distances[-1][1] >= distance:
            self._distances.pop()
        self._distances.append((now_s, distance))
        while self._distances[0][0] < now_s - _CLOCK_S:
            self._distances.popleft()
        return (distance - self._distances[0][1]) * 1e3


@dataclass
class Tally:
    """Counters while a live run lasts; `figures` gives them as they stand."""

    n_sensors: int
    windows: int = 0
    next_window: int = 0
    missing_windows: int = 0
    compared: int = 0
    same_class: int = 0
    same_scores: int = 0
    largest_steps: int | None = None
    differing: list[int] = field(default_factory=list)
    frames: int = 0
    samples: list[int] = field(default_factory=list)
    lost_samples: list[int] = field(default_factory=list)
    onsets: int = 0
    rejected: int = 0
    decisions_compared: int = 0
    same_decision: int = 0
    _us: deque[int] = field(default_factory=lambda: deque(maxlen=_LATEST))
    _late_ms: deque[float] = field(default_factory=lambda: deque(maxlen=_LATEST))
    _delay_ms: deque[float] = field(default_factory=lambda: deque(maxlen=_LATEST))

    def __post_init__(self) -> None:
        self.samples = [0] * self.n_sensors
        self.lost_samples = [0] * self.n_sensors

    def add_samples(self, stream: int, n: int, missing: int) -> None:
        self.frames += 1
        self.samples[stream] += n
        self.lost_samples[stream] += missing

    def add_window(self, seen: Seen) -> None:
        self.frames += 1
        self.windows += 1
        self.missing_windows += max(seen.window - self.next_window, 0)
        self.next_window = seen.window + 1
        self._us.append(seen.microseconds)
        self._late_ms.append(seen.late_ms)
        if seen.delay_ms is not None:
            self._delay_ms.append(seen.delay_ms)
        if seen.host is not None:
            self._add_host(seen.window, seen.host)
        if seen.decision is not None:
            self._add_decision(seen.decision)

    def _add_host(self, window: int, host: HostAnswer) -> None:
        self.compared += 1
        self.same_class += host.same_class
        self.same_scores += host.steps == 0
        self.largest_steps = max(self.largest_steps or 0, host.steps)
        if host.steps and len(self.differing) < _LISTED:
            self.differing.append(window)

    def _add_decision(self, decision: SeenDecision) -> None:
        self.onsets += decision.onset
        self.rejected += decision.rejected
        self.decisions_compared += decision.same is not None
        self.same_decision += decision.same is True

    def figures(self, *, seconds: float, lost_frames: int, damaged_frames: int) -> Figures:
        us = sorted(self._us)
        return Figures(
            seconds=seconds,
            windows=self.windows,
            missing_windows=self.missing_windows,
            compared=self.compared,
            same_class=self.same_class,
            same_scores=self.same_scores,
            largest_steps=self.largest_steps,
            differing=tuple(self.differing),
            frames=self.frames,
            lost_frames=lost_frames,
            damaged_frames=damaged_frames,
            samples=tuple(self.samples),
            lost_samples=tuple(self.lost_samples),
            median_us=statistics.median(us) if us else None,
            p95_us=_p95(self._us),
            late_ms=max(self._late_ms, default=None),
            onsets=self.onsets,
            rejected=self.rejected,
            decisions_compared=self.decisions_compared,
            same_decision=self.same_decision,
            delay_ms=_p95(self._delay_ms),
        )


def _p95(values: Sequence[float]) -> float | None:
    """The least value that 95 % do not exceed; None of none."""
    return sorted(values)[-(-95 * len(values) // 100) - 1] if values else None


def seen_window(
    window: StreamWindow,
    facts: Facts,
    *,
    ends: Sequence[int],
    late_ms: float,
    host_scores: np.ndarray | None,
    host_decision: Decision | None = None,
    not_compared: str = "",
    delay_ms: float | None = None,
) -> Seen:
    """A window's answer as it is shown.

    Args:
        ends: per sensor the number of the sample after the window's last.
        host_scores: (bytes,) int8, every output; None where the host has not answered.
        host_decision: None where the host has not decided.
        not_compared: why. delay_ms: as `Seen` has it.
    """
    n = len(facts.classes)
    raw = window.answer.scores[:n]
    best = _best(raw)
    scores = dequantize(raw, facts.scale, facts.zero_point)
    return Seen(
        window=window.answer.index,
        at_s=max(end / s.rate_hz for end, s in zip(ends, facts.sensors, strict=True)),
        best=best,
        name=facts.classes[best],
        scores=tuple(float(score) for score in scores),
        shares=tuple(float(share) for share in shares(scores, facts)),
        ticks=window.answer.ticks,
        front_end_ticks=window.answer.front_end_ticks,
        microseconds=window.answer.microseconds,
        late_ms=late_ms,
        host=None if host_scores is None else _compare(window.answer.scores, host_scores, n),
        not_compared=not_compared,
        decision=_decision(window.answer.decision, host_decision, facts.classes),
        delay_ms=delay_ms,
    )


def _decision(
    board: Decision | None, host: Decision | None, classes: Sequence[str]
) -> SeenDecision | None:
    if board is None:
        return None
    return SeenDecision(
        said=None if board.said == NOBODY else classes[board.said],
        leading=classes[board.leading],
        confidence=board.confidence / ONE,
        onset=board.onset,
        rejected=board.rejected,
        same=None if host is None else host == board,
    )


def _compare(board: np.ndarray, host: np.ndarray, n: int) -> HostAnswer:
    best = _best(host[:n])
    steps = int(np.abs(board.astype(np.int32) - host.astype(np.int32)).max())
    return HostAnswer(best, best == _best(board[:n]), steps)


def _best(scores: np.ndarray) -> int:
    """The class that (classes,) scores decide for."""
    return int(CLASSIFICATION.decide(scores))


def shares(scores: np.ndarray, facts: Facts) -> np.ndarray:
    """Scores, (classes,), as shares of 1: those of an int8 softmax as they are, others' softmax."""
    if (facts.scale, facts.zero_point) == _SOFTMAX:
        return scores / max(float(scores.sum()), facts.scale)
    powers = np.exp((scores - scores.max()) / facts.temperature, dtype=np.float64)
    return powers / powers.sum()
