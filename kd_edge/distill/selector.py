"""What a selector learns: which of several students answers an example best."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Picks:
    """Whom to pick, example by example.

    Attributes:
        best: (n,) int64 place of the student that answers it best.
        telling: (n,) bool whether it matters: students differ in how far they are right.
    """

    best: np.ndarray
    telling: np.ndarray


def best_students(right: np.ndarray, losses: np.ndarray) -> Picks:
    """Who is right; of those that are right alike, who is nearer to the label.

    Where all students are right alike, whoever is picked, the decision is as good: such examples
    tell a selector nothing of whom to pick.

    Args:
        right: (students, n) share of each example that each decides rightly, 0 to 1, on examples
            that it was not trained on.
        losses: (students, n) cross-entropy to the labels, in nats.
    """
    order = np.lexsort((losses, -right), axis=0)
    return Picks(best=order[0].astype(np.int64), telling=np.ptp(right, axis=0) > 0)
