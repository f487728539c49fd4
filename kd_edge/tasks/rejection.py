"""Windows that a model had better not answer: accuracy against coverage, and unknown classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Points of a curve that are kept.
_POINTS = 60


@dataclass(frozen=True)
class CoveragePoint:
    """The surest `coverage` of all windows, 0 to 1, and how often they are right."""

    coverage: float
    accuracy: float


@dataclass(frozen=True)
class Coverage:
    """Accuracy against coverage on one part.

    Attributes:
        aurc: area under risk against coverage: the share of wrong answers among the surest windows,
            as a mean over all numbers of them; 0 is best. Y. Geifman, G. Uziel, R. El-Yaniv,
            "Bias-Reduced Uncertainty Estimation for Deep Neural Classifiers", ICLR 2019.
        points: from the surest windows to all.
    """

    n_windows: int
    aurc: float
    points: tuple[CoveragePoint, ...]


def measure_coverage(sureness: np.ndarray, right: np.ndarray) -> Coverage:
    """Accuracy against coverage where the surest windows are answered.

    Windows that are equally sure come together: their errors are spread over them evenly.

    Args:
        sureness: (n,), more is surer; n > 0. right: (n,) bool.
    """
    n = len(right)
    _, groups, sizes = np.unique(-sureness, return_inverse=True, return_counts=True)
    wrong = np.bincount(groups, weights=~right)
    ends = np.cumsum(sizes)
    errors = np.cumsum(np.repeat(wrong / sizes, sizes))
    risk = errors / np.arange(1, n + 1)
    # A curve of many points has as many of them as are seen.
    wanted = np.unique(np.searchsorted(ends, np.linspace(1, n, _POINTS)))
    points = (CoveragePoint(float(end / n), float(1 - risk[end - 1])) for end in ends[wanted])
    return Coverage(n, float(risk.mean()), tuple(points))


def auroc(known: np.ndarray, unknown: np.ndarray) -> float:
    """How often a known window is surer than an unknown one, 0 to 1; equals count half.

    The area under the receiver operating characteristic, by the Mann-Whitney statistic.

    Args:
        known: (n,), unknown: (m,) sureness, more is surer; n and m > 0.
    """
    ordered = np.sort(unknown)
    below = np.searchsorted(ordered, known, side="left")
    up_to = np.searchsorted(ordered, known, side="right")
    return float((below + up_to).sum() / (2 * len(known) * len(unknown)))


def least_sureness(sureness: np.ndarray, share: float) -> int:
    """The largest threshold below which no more than a share of windows lies.

    Args:
        sureness: (n,) integers of windows that should be answered, n > 0; more is surer.
        share: 0 up to 1.
    """
    ordered = np.sort(sureness)
    return int(ordered[min(int(share * len(ordered)), len(ordered) - 1)])
