"""Accuracy with its interval, macro-F1, the confusion matrix, and the same by subject and class."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.measure.results import Accuracy, GroupAccuracy, Interval
from kd_edge.windows import WindowSet

LEVEL = 0.95
_Z = NormalDist().inv_cdf(0.5 + LEVEL / 2)
_RESAMPLES = 2000
_SEED = 0  # of the bootstrap: the same answers give the same interval


def measure_accuracy(scores: np.ndarray, windows: WindowSet) -> Accuracy:
    """How often the largest score is the true class's.

    Args:
        scores: (n_windows, classes), logits or probabilities, in the order of `class_names`.

    Raises:
        KdEdgeError KD_EMPTY_PART: no windows.
        KdEdgeError KD_SHAPE: scores of another shape.
        KdEdgeError KD_DIVERGED: a score is NaN or infinite.
    """
    n_classes = len(windows.class_names)
    if len(windows) == 0:
        raise KdEdgeError("KD_EMPTY_PART", "there is no window to measure accuracy on")
    if scores.shape != (len(windows), n_classes):
        raise KdEdgeError(
            "KD_SHAPE", f"scores {scores.shape} for {len(windows)} windows of {n_classes} classes"
        )
    if not np.all(np.isfinite(scores)):
        raise KdEdgeError(
            "KD_DIVERGED",
            "the model's scores are not all finite numbers",
            hint="the training diverged: lower the learning rate",
        )
    predicted = np.argmax(scores, axis=1)
    right = predicted == windows.labels
    confusion = np.zeros((n_classes, n_classes), dtype=np.int64)
    np.add.at(confusion, (windows.labels, predicted), 1)
    names = np.asarray(windows.class_names)[windows.labels]
    present = [name for i, name in enumerate(windows.class_names) if confusion[i].any()]
    return Accuracy(
        n_windows=len(windows),
        n_recordings=len(np.unique(windows.recordings)),
        accuracy=float(np.mean(right)),
        interval=accuracy_interval(right, windows.recordings),
        macro_f1=_macro_f1(confusion),
        class_names=windows.class_names,
        confusion=tuple(tuple(int(n) for n in row) for row in confusion),
        per_subject=_groups(
            sorted(set(windows.subjects.tolist())), windows.subjects, right, windows.recordings
        ),
        per_class=_groups(present, names, right, windows.recordings),
    )


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


def _bootstrap(counts: np.ndarray, totals: np.ndarray) -> Interval:
    """Of sum(counts) / sum(totals), where each recording has its count and its total."""
    rng = np.random.default_rng(_SEED)
    drawn = rng.integers(len(totals), size=(_RESAMPLES, len(totals)))
    fractions = counts[drawn].sum(axis=1) / totals[drawn].sum(axis=1)
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(fractions, (tail, 100 - tail))
    return Interval(float(low), float(high), LEVEL, "bootstrap over recordings")


def difference_interval(left: np.ndarray, right: np.ndarray, recordings: np.ndarray) -> Interval:
    """95 % interval of accuracy(left) - accuracy(right) on the same windows, from -1 to 1.

    Only windows that one side alone has right tell anything: the sides are compared pair by pair.
    Recordings count, as in `accuracy_interval`. Where each gives one window, or all differ alike:
    the adjusted Wald interval of D. G. Bonett and R. M. Price, "Adjusted Wald confidence interval
    for a difference of binomial proportions based on paired data", Journal of Educational and
    Behavioral Statistics 37 (2012), with the recordings as its trials. Else a percentile bootstrap
    that draws recordings.

    Args:
        left, right: (n_windows,) bool, n_windows > 0: whether each side is right.
        recordings: (n_windows,) which recording each window is of.
    """
    _, inverse = np.unique(recordings, return_inverse=True)
    totals = np.bincount(inverse)
    difference = np.bincount(inverse, weights=left.astype(int) - right.astype(int))
    n = len(totals)
    if totals.max() > 1 and np.ptp(difference / totals) > 0:
        return _bootstrap(difference, totals)
    share_left = (n * np.mean(left & ~right) + 1) / (n + 2)
    share_right = (n * np.mean(right & ~left) + 1) / (n + 2)
    centre = share_left - share_right
    half = _Z * math.sqrt((share_left + share_right - centre**2) / (n + 2))
    low, high = max(-1.0, centre - half), min(1.0, centre + half)
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


def _macro_f1(confusion: np.ndarray) -> float:
    """Mean over the classes that have windows of 2 TP / (2 TP + FP + FN)."""
    hits = np.diag(confusion)
    f1 = 2 * hits / np.maximum(confusion.sum(axis=0) + confusion.sum(axis=1), 1)
    return float(np.mean(f1[confusion.sum(axis=1) > 0]))


def _groups(
    names: list[str], of_window: np.ndarray, right: np.ndarray, recordings: np.ndarray
) -> tuple[GroupAccuracy, ...]:
    groups = []
    for name in names:
        own = of_window == name
        interval = accuracy_interval(right[own], recordings[own])
        groups.append(GroupAccuracy(name, int(own.sum()), float(np.mean(right[own])), interval))
    return tuple(groups)
