"""Confidence intervals over recordings, which count where windows resemble each other."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np

from kd_edge.tasks.figures import Interval

LEVEL = 0.95
_Z = NormalDist().inv_cdf(0.5 + LEVEL / 2)
_RESAMPLES = 2000
_SEED = 0  # of the bootstrap: the same answers give the same interval


def accuracy_interval(right: np.ndarray, recordings: np.ndarray) -> Interval:
    """95 % interval of an accuracy.

    Windows of one recording resemble each other, so recordings count, not windows: where each gives
    one window, Wilson's interval; else a percentile bootstrap that draws recordings. Where every
    recording has the same accuracy (all right, say) a bootstrap has no width, which would be false
    certainty: then Wilson's interval with the recordings as its trials.

    Args:
        right: (n_windows,) bool, n_windows > 0.
        recordings: (n_windows,) which recording each window is of.
    """
    _, inverse = np.unique(recordings, return_inverse=True)
    totals = np.bincount(inverse)
    correct = np.bincount(inverse, weights=right)
    if totals.max() == 1 or np.ptp(correct / totals) == 0:
        low, high = wilson(float(np.mean(right)), len(totals))
        return Interval(low, high, LEVEL, "Wilson")
    return _bootstrap(correct, totals)


def bootstrap(
    counts: np.ndarray, recordings: np.ndarray, statistic: Callable[[np.ndarray], np.ndarray]
) -> tuple[Interval, ...]:
    """95 % intervals of statistics of summed counts, by drawing recordings.

    Args:
        counts: (n, ...) of each example.
        recordings: (n,) which recording each example is of.
        statistic: of the sum of some recordings' counts, (k,); NaN where they say nothing.

    Returns:
        k intervals; a statistic that no draw says anything about has NaN bounds.
    """
    _, inverse = np.unique(recordings, return_inverse=True)
    summed = np.zeros((inverse.max() + 1, *counts.shape[1:]), counts.dtype)
    np.add.at(summed, inverse, counts)
    values = [statistic(summed[chosen].sum(axis=0)) for chosen in _drawn(len(summed))]
    return tuple(_percentiles(column) for column in np.transpose(values))


def _bootstrap(counts: np.ndarray, totals: np.ndarray) -> Interval:
    """Of sum(counts) / sum(totals), where each recording has its count and its total."""
    drawn = _drawn(len(totals))
    return _percentiles(counts[drawn].sum(axis=1) / totals[drawn].sum(axis=1))


def _drawn(n: int) -> np.ndarray:
    """(resamples, n) recordings drawn with replacement."""
    return np.random.default_rng(_SEED).integers(n, size=(_RESAMPLES, n))


def _percentiles(values: np.ndarray) -> Interval:
    tail = 100 * (1 - LEVEL) / 2
    known = values[~np.isnan(values)]
    low, high = np.percentile(known, (tail, 100 - tail)) if len(known) else (np.nan, np.nan)
    return Interval(float(low), float(high), LEVEL, "bootstrap over recordings")


def difference_interval(left: np.ndarray, right: np.ndarray, recordings: np.ndarray) -> Interval:
    """95 % interval of accuracy(left) - accuracy(right) on the same windows, from -1 to 1.

    Windows may be right in part, such as images some of whose pixels are.

    Only windows that one side alone has right tell anything: the sides are compared pair by pair.
    Recordings count, as in `accuracy_interval`. Where each gives one window, or all differ alike:
    the adjusted Wald interval of D. G. Bonett and R. M. Price, "Adjusted Wald confidence interval
    for a difference of binomial proportions based on paired data", Journal of Educational and
    Behavioral Statistics 37 (2012), with the recordings as its trials. Else a percentile bootstrap
    that draws recordings; so too where a window is right in part.

    Args:
        left, right: (n_windows,) from 0 to 1, n_windows > 0: how far each side is right.
        recordings: (n_windows,) which recording each window is of.
    """
    _, inverse = np.unique(recordings, return_inverse=True)
    totals = np.bincount(inverse)
    difference = np.bincount(inverse, weights=np.subtract(left, right, dtype=np.float64))
    n = len(totals)
    in_part = not np.isin((left, right), (0, 1)).all()
    if (totals.max() > 1 or in_part) and np.ptp(difference / totals) > 0:
        return _bootstrap(difference, totals)
    # All differ by the same part: as windows none of which differs, around that part.
    alike = float(difference[0] / totals[0]) if in_part else 0.0
    share_left, share_right = (
        (n * (0.0 if in_part else np.mean(one > other)) + 1) / (n + 2)
        for one, other in ((left, right), (right, left))
    )
    centre = share_left - share_right
    half = _Z * math.sqrt((share_left + share_right - centre**2) / (n + 2))
    low, high = max(-1.0, alike + centre - half), min(1.0, alike + centre + half)
    return Interval(float(low), float(high), LEVEL, "Bonett and Price")


def exact_interval(successes: int, n: int) -> Interval:
    """95 % interval of a fraction of n trials that is never too narrow (Clopper and Pearson 1934).

    For fractions near 1 of few trials, for which Wilson's is too narrow on the far side.
    """
    from scipy.stats import binomtest

    found = binomtest(successes, n).proportion_ci(LEVEL, method="exact")
    return Interval(float(found.low), float(found.high), LEVEL, "Clopper and Pearson")


def wilson(fraction: float, n: int) -> tuple[float, float]:
    """Wilson's score interval (JASA 22, 1927) at `LEVEL` for a fraction of n trials."""
    z = _Z
    centre = (fraction + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(fraction * (1 - fraction) / n + z * z / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)
