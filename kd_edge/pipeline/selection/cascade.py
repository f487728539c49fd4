"""A cascade's margin, found on examples that no model was trained on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from kd_edge.base.composition import MOST_MARGIN, first_sure

# A margin that is a whole number of steps but for float's rounding is that number.
_ROUNDING = 1e-6


class _Models(Protocol):
    """As `Said`: (models, n) shares that are right, and int8 steps to the next class."""

    @property
    def right(self) -> np.ndarray: ...

    @property
    def steps(self) -> np.ndarray: ...


@dataclass(frozen=True)
class Found:
    """A margin, and what it rests on.

    Attributes:
        margin: in the unit of the models' scores.
        n: examples that it was found on.
        drop: what the cascade loses on them against its last model, share of decisions.
    """

    margin: float
    n: int
    drop: float


def least_steps(margin: float, scale: float) -> int:
    """A margin as whole steps of a model's scores, rounded up; one that is never reached at most.

    Args:
        margin: in the unit of the scores. scale: of them.
    """
    return min(math.ceil(margin / scale - _ROUNDING), MOST_MARGIN + 1)


def all_margins(scales: Sequence[float]) -> np.ndarray:
    """(margins,) every one that tells a difference, rising, in the unit of the scores.

    At the last one every model is asked.

    Args:
        scales: of the scores of each model but the last.
    """
    steps = np.arange(MOST_MARGIN + 2, dtype=np.float64)
    return np.unique(np.concatenate([steps * scale for scale in scales]))


def who_answers(said: _Models, margin: float, scales: Sequence[float]) -> np.ndarray:
    """(n,) place of the model that answers each example at one margin for all models.

    Args:
        scales: of the scores of each model but the last.
    """
    least = np.array([least_steps(margin, scale) for scale in scales])
    return first_sure(said.steps, least)


def find_margin(said: _Models, scales: Sequence[float], max_drop: float) -> Found:
    """The smallest margin that loses at most `max_drop`, if no larger one surely loses more.

    A margin below one that loses more may lose less by chance. But a few hundred examples also say
    by chance that a margin loses more: that ends the search only from one standard error on. At the
    largest margin the last model answers everything, so there always is one.

    Args:
        said: what the models say to examples that none of them was trained on.
        scales: of the scores of each model but the last.
        max_drop: share of decisions that may be lost against the last model, 0 to 1.
    """
    n = said.right.shape[1]
    found = None
    for margin in all_margins(scales)[::-1]:
        who = who_answers(said, margin, scales)
        lost = said.right[-1] - said.right[who, np.arange(n)]
        drop, error = float(lost.mean()), float(lost.std() / math.sqrt(n))
        # A mean of n examples is a multiple of 1 / n but for float's rounding.
        if drop - error > max_drop + _ROUNDING:
            break
        if drop <= max_drop + _ROUNDING:
            found = Found(float(margin), n, drop)
    if found is None:
        raise AssertionError("at the largest margin a cascade is its last model")
    return found
