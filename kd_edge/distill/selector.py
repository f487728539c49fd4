"""What a selector learns: which of several students answers an example best."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Picks:
    """Whom to pick, example by example.

    Attributes:
        best: (n,) int64 place of the student that answers it best.
        telling: (n,) bool whether it matters whom of them.
    """

    best: np.ndarray
    telling: np.ndarray

    @property
    def digest(self) -> str:
        """SHA-256 of all that it says."""
        return hashlib.sha256(self.best.tobytes() + self.telling.tobytes()).hexdigest()


def best_students(losses: np.ndarray) -> Picks:
    """Who gives the truth the largest probability.

    With p = exp(-loss) of each student and d the largest p less the smallest, an example tells if
    d is not below the examples' median, and not 0. Whether students are right says less: one may be
    right by chance, and of two that are right, or wrong, one may be nearer to it.

    Args:
        losses: (students, n) cross-entropy to the labels, in nats, on examples that the students
            were not trained on; of pixels their mean.
    """
    probable = np.exp(-losses)
    best = np.argmax(probable, axis=0).astype(np.int64)
    apart = np.ptp(probable, axis=0)
    return Picks(best=best, telling=(apart >= np.median(apart)) & (apart > 0))
