"""What each class weighs, so that rare ones are learned as well."""

from __future__ import annotations

from typing import Self

import numpy as np
from pydantic import NonNegativeFloat

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.pixels import NO_CLASS
from kd_edge.distill.losses.record import Loss
from kd_edge.examples import Examples


class ClassWeighted(Loss):
    """A loss of which each example, or pixel, counts as much as its class weighs.

    Attributes:
        class_weights: one a class, in the models' order; None: all alike.
    """

    class_weights: tuple[NonNegativeFloat, ...] | None = None

    def balanced(self, class_weights: tuple[float, ...]) -> Self:
        if self.class_weights is not None:
            return self
        return self.model_copy(update={"class_weights": class_weights})

    def check_classes(self, n_classes: int) -> None:
        if self.class_weights is not None and len(self.class_weights) != n_classes:
            raise KdEdgeError(
                "KD_RECIPE_VALUE",
                f"class_weights has {len(self.class_weights)} numbers, and the model {n_classes} "
                "classes",
                where="class_weights",
                hint="write one number a class, or set class_balance of the model instead",
            )


def balanced_weights(training: Examples, balance: float) -> tuple[float, ...] | None:
    """What each class weighs so that rare ones are learned as well.

    w_k = f_k^-b / sum_j f_j^(1 - b), f_k the share of the truth that is class k: the mean weight of
    what is labelled is 1, so that the learning rate keeps its meaning. With b = 1 every class
    weighs as much in all; D. Eigen, R. Fergus, "Predicting Depth, Surface Normals and Semantic
    Labels with a Common Multi-Scale Convolutional Architecture", ICCV 2015, section 6.3, up to a
    common factor.

    Args:
        training: with truth (n, ...), `NO_CLASS` for no class.
        balance: b, from 0 to 1.

    Returns:
        one a class; 0 for a class that the truth does not hold; None for b = 0, all alike.
    """
    if balance == 0:
        return None
    truth, n_classes = training.truth, len(training.class_names)
    counts = np.bincount(truth[truth != NO_CLASS].astype(np.int64), minlength=n_classes)
    shares = counts / max(counts.sum(), 1)
    held = shares > 0
    weights = np.zeros(n_classes)
    weights[held] = shares[held] ** -balance / np.sum(shares[held] ** (1 - balance))
    return tuple(float(weight) for weight in weights)
