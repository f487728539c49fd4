"""Whether a wearer's last layer is better than the built one, beyond chance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import comb

import numpy as np

from kd_edge.personalise.prototypes import Few

# What chance alone may explain.
MOST_CHANCE = 0.05


@dataclass(frozen=True)
class Judged:
    """The two layers on repetitions that the new one has not learned from.

    Attributes:
        repetitions: that were held out, each once; 0: none could be, since no class has two.
        built, personal: of them, those decided rightly by each.
        gained, lost: those that only the new one decides rightly, and only the old one.
        chance: that the new one gains so much or more where both are equally good.
    """

    repetitions: int
    built: int
    personal: int
    gained: int
    lost: int
    chance: float | None

    @property
    def better(self) -> bool | None:
        """None: it could not be tried."""
        return None if self.chance is None else self.chance < MOST_CHANCE


def judge(
    few: Few,
    built: Callable[[np.ndarray], np.ndarray],
    personal: Callable[[Few], Callable[[np.ndarray], np.ndarray]],
) -> Judged:
    """Hold out the first repetition of every class, then the second, and so on; learn the rest.

    Only classes with a second repetition take part in the judgement: for the others nothing is left
    to learn from. A repetition is decided by the sum of its windows' scores. The two layers are
    compared by McNemar's exact test, one-sided (Psychometrika 1947).

    Args:
        built: (windows, features) embeddings -> (windows, classes) scores, of the old layer.
        personal: repetitions -> the same, of the layer that they give.
    """
    repetition = few.repetition
    most = {each: repetition[few.truth == each].max() for each in np.unique(few.truth)}
    several = np.array([most[each] > 0 for each in few.truth], bool)
    old, new = [], []
    for number in np.unique(repetition[several]):
        out = several & (repetition == number)
        held, rest = few.take(out), few.take(~out)
        old.append(_right(held, built(held.embedding)))
        new.append(_right(held, personal(rest)(held.embedding)))
    before = np.concatenate([*old, np.zeros(0, bool)])
    after = np.concatenate([*new, np.zeros(0, bool)])
    gained, lost = int((after & ~before).sum()), int((before & ~after).sum())
    return Judged(
        repetitions=len(before),
        built=int(before.sum()),
        personal=int(after.sum()),
        gained=gained,
        lost=lost,
        chance=_chance(gained, lost) if len(before) else None,
    )


def _right(few: Few, scores: np.ndarray) -> np.ndarray:
    """(repetitions,) bool in the order of their numbers."""
    numbers, owner = np.unique(few.recording, return_inverse=True)
    sums = np.zeros((len(numbers), scores.shape[1]))
    np.add.at(sums, owner, scores)
    truth = np.zeros(len(numbers), np.int64)
    truth[owner] = few.truth
    return sums.argmax(axis=1) == truth


def _chance(gained: int, lost: int) -> float:
    """P(at least `gained` heads of `gained + lost` fair coins)."""
    n = gained + lost
    return sum(comb(n, k) for k in range(gained, n + 1)) / 2**n
