"""Figures over people and seeds, from scores: nothing here trains or reads a file."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kd_edge.report.results_tree import Gain, Mean, Spread
from kd_edge.tasks.figures import Interval
from kd_edge.tasks.intervals import LEVEL, bootstrap, difference_interval, wilson
from kd_edge.tasks.record import largest

RECORDING = "recording"


@dataclass(frozen=True, eq=False)
class Right:
    """Which decisions one seed has right.

    Attributes:
        right: (n,) bool; or (n, ...) counts, if `value` is given.
        recording: (n,) int64 place.
        person, session: (n,) str.
        value: (m, ...) of `right` -> the figure of those, 0 to 1; None: the share that is right.
    """

    right: np.ndarray
    recording: np.ndarray
    person: np.ndarray
    session: np.ndarray
    value: Callable[[np.ndarray], float] | None = None

    @classmethod
    def join(cls, parts: Sequence[Right]) -> Right:
        """The decisions of all folds."""
        names = ("right", "recording", "person", "session")
        joined = (np.concatenate([getattr(part, name) for part in parts]) for name in names)
        return cls(*joined, parts[0].value)

    def by(self, groups: np.ndarray) -> dict[str, float]:
        """Percent of each group. Args: groups: (n,) str."""
        value = self.value or np.mean
        return {str(n): 100 * float(value(self.right[groups == n])) for n in np.unique(groups)}


def decided(shares: np.ndarray, truth: np.ndarray, recording: np.ndarray, *, votes: int | None):
    """Decisions over windows: which are right, and the window that each ends with.

    A vote is the class with the largest mean share over the windows that it is made of.

    Args:
        shares: (n, classes) probabilities of the windows, a recording's windows in their order.
        truth: (n,) classes. recording: (n,) which recording each window is of.
        votes: windows that a decision is made of, each window ending one, the first ones of a
            recording left out (a recording of fewer windows is one decision); None: all of a
            recording's.

    Returns:
        right (m,) bool, and last (m,) int64 index of the last window of each.
    """
    right, last = [], []
    for owner in np.unique(recording):
        own = np.flatnonzero(recording == owner)
        length = len(own) if votes is None else min(votes, len(own))
        sums = np.cumsum(shares[own].astype(np.float64), axis=0)
        sums[length:] -= sums[:-length].copy()
        ends = own[length - 1 :]
        right.append(largest(sums[length - 1 :]) == truth[ends])
        last.append(ends)
    return np.concatenate(right), np.concatenate(last)


def shares_of(logits: np.ndarray) -> np.ndarray:
    """(n, classes) probabilities of (n, classes) logits."""
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def mean_of(seeds: Sequence[Right]) -> Mean:
    """The figure of a model over its seeds."""
    people = _over_seeds([seed.by(seed.person) for seed in seeds])
    sessions = _over_seeds([seed.by(seed.session) for seed in seeds])
    of_seeds = [statistics.fmean(seed.by(seed.person).values()) for seed in seeds]
    return Mean(
        percent=statistics.fmean(of_seeds),
        seeds=tuple(of_seeds),
        deviation=statistics.stdev(of_seeds) if len(of_seeds) > 1 else None,
        interval=_interval(list(people.values()), seeds),
        people=people,
        sessions=sessions if len(sessions) > 1 else {},
        decisions=len(seeds[0].right),
    )


def gain_of(seeds: Sequence[Right], others: Sequence[Right]) -> Gain:
    """What a model has more than another, seed by seed and person by person.

    Args:
        seeds, others: the same decisions of the same seeds, in the same order.
    """
    pairs = list(zip(seeds, others, strict=True))
    of_seeds = [_differences(one, other) for one, other in pairs]
    points = [statistics.fmean(people.values()) for people in of_seeds]
    people = _over_seeds(of_seeds)
    if len(people) > 1:
        interval = _student(list(people.values()), -100.0, 100.0)
    elif seeds[0].value is not None:
        n = len(seeds)
        interval = _drawn((*seeds, *others), lambda of: np.mean(of[:n]) - np.mean(of[n:]))
    else:
        one, other = (Right.join(models) for models in (seeds, others))
        found = difference_interval(one.right, other.right, one.recording)
        interval = Interval(100 * found.low, 100 * found.high, found.level, found.method)
    return Gain(
        points=statistics.fmean(points),
        seeds=tuple(points),
        deviation=statistics.stdev(points) if len(points) > 1 else None,
        interval=interval,
        people=people,
    )


def spread_of(seeds: Sequence[Mapping[str, float]]) -> Spread | None:
    """A figure over people and seeds; None if nobody has it in some seed.

    Args:
        seeds: person -> figure, of each seed.
    """
    if not all(seeds):
        return None
    of_seeds, people = [statistics.fmean(seed.values()) for seed in seeds], _over_seeds(seeds)
    interval = None
    if len(people) > 1:
        interval = _student(list(people.values()), -math.inf, math.inf)
    return Spread(
        value=statistics.fmean(of_seeds),
        seeds=tuple(of_seeds),
        deviation=statistics.stdev(of_seeds) if len(of_seeds) > 1 else None,
        interval=interval,
        people=people,
    )


def accuracy_at(sureness: np.ndarray, right: np.ndarray, coverage: float) -> float:
    """How often the surest windows are right, 0 to 1.

    Of windows that are equally sure each counts alike, so that their order tells nothing.

    Args:
        sureness: (n,), more is surer; n > 0. right: (n,) bool.
        coverage: share of the windows, above 0; whole windows are taken, one or more.
    """
    n = max(1, round(coverage * len(right)))
    least = np.sort(sureness)[-n]
    surer, equal = sureness > least, sureness == least
    left = n - surer.sum()
    return float((right[surer].sum() + left * right[equal].mean()) / n)


def _differences(one: Right, other: Right) -> dict[str, float]:
    """Person -> percentage points."""
    left, right = one.by(one.person), other.by(other.person)
    return {name: left[name] - right[name] for name in left}


def _over_seeds(seeds: Sequence[dict[str, float]]) -> dict[str, float]:
    """Group -> mean over the seeds that have it."""
    names = sorted({name for seed in seeds for name in seed})
    return {name: statistics.fmean(s[name] for s in seeds if name in s) for name in names}


def _interval(people: Sequence[float], seeds: Sequence[Right]) -> Interval:
    """Over people; of one person over the recordings."""
    if len(people) > 1:
        return mean_interval(people)
    if seeds[0].value is not None:
        return _drawn(seeds, np.mean)
    all_seeds = Right.join(seeds)
    _, inverse = np.unique(all_seeds.recording, return_inverse=True)
    totals = np.bincount(inverse)
    share = np.bincount(inverse, weights=all_seeds.right) / totals
    if np.ptp(share) == 0:  # a bootstrap would have no width: false certainty
        low, high = wilson(float(share[0]), len(share))
        return Interval(100 * low, 100 * high, LEVEL, "Wilson")
    counts = np.stack([all_seeds.right, np.ones(len(inverse))], axis=1)
    (found,) = bootstrap(counts, inverse, lambda sums: sums[:1] / sums[1:])
    return Interval(100 * found.low, 100 * found.high, found.level, found.method)


def _drawn(models: Sequence[Right], figure: Callable[[np.ndarray], float]) -> Interval:
    """Interval of what is made of counted models, by drawing recordings, of all the same.

    Args:
        figure: (models,) values, 0 to 1, -> one figure.
    """
    recordings = np.unique(np.concatenate([model.recording for model in models]))
    counts = np.zeros((len(recordings), len(models), *models[0].right.shape[1:]), np.int64)
    for at, model in enumerate(models):
        np.add.at(counts[:, at], np.searchsorted(recordings, model.recording), model.right)
    value = models[0].value

    def statistic(summed: np.ndarray) -> np.ndarray:
        return np.array([figure(np.array([value(one[None]) for one in summed]))])

    (found,) = bootstrap(counts, recordings, statistic)
    return Interval(100 * found.low, 100 * found.high, found.level, found.method)


def mean_interval(percents: Sequence[float]) -> Interval:
    """95 % interval of a mean over people: Student's t, cut at 0 and 100.

    Args:
        percents: one a person, two people or more.
    """
    return _student(percents, 0.0, 100.0)


def _student(values: Sequence[float], lowest: float, highest: float) -> Interval:
    """Student's interval of a mean over people, cut at both ends."""
    from scipy.stats import t

    n = len(values)
    half = float(t.ppf(0.5 + LEVEL / 2, n - 1)) * statistics.stdev(values) / math.sqrt(n)
    mean = statistics.fmean(values)
    return Interval(
        max(lowest, mean - half), min(highest, mean + half), LEVEL, "Student, over people"
    )
