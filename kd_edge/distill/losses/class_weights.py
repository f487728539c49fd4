"""What each class weighs, so that rare ones are learned as well."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Self

import numpy as np
from pydantic import NonNegativeFloat

from kd_edge.base.errors import KdEdgeError, nearest
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
                where="distillation, class_weights",
                hint="write one number a class, or set class_balance or class_weights of the model",
            )


def weights_of_classes(
    training: Examples, balance: float, chosen: Mapping[str, float]
) -> tuple[float, ...] | None:
    """What each class weighs, so that rare ones, or those of your choice, are learned as well.

    w_k = c_k f_k^-b / sum_j c_j f_j^(1 - b), f_k the share of the truth that is class k: the mean
    weight of what is labelled is 1, so that the learning rate keeps its meaning. With b = 1 and
    c = 1 every class weighs as much in all; D. Eigen, R. Fergus, "Predicting Depth, Surface Normals
    and Semantic Labels with a Common Multi-Scale Convolutional Architecture", ICCV 2015, section
    6.3, up to a common factor.

    Args:
        training: with truth (n, ...), `NO_CLASS` for no class.
        balance: b, from 0 to 1.
        chosen: class -> c, above 0; 1 of a class that is left out.

    Returns:
        one a class; 0 for a class that the truth does not hold; None: all alike.

    Raises:
        KdEdgeError KD_UNKNOWN_NAME: as `check_class_names`.
    """
    check_class_names(chosen, training.class_names)
    if balance == 0 and not chosen:
        return None
    truth, n_classes = training.truth, len(training.class_names)
    counts = np.bincount(truth[truth != NO_CLASS].astype(np.int64), minlength=n_classes)
    shares = counts / max(counts.sum(), 1)
    held = shares > 0
    weights = np.array([chosen.get(name, 1) for name in training.class_names], float) * held
    weights[held] *= shares[held] ** -balance
    total = np.sum(weights * shares) or 1.0
    return tuple(float(weight) for weight in weights / total)


def check_class_names(chosen: Iterable[str], known: Sequence[str]) -> None:
    """Make sure that the data has the classes. Raises KD_UNKNOWN_NAME, with the nearest names."""
    for name in chosen:
        if name not in known:
            raise KdEdgeError(
                "KD_UNKNOWN_NAME",
                f"there is no class '{name}'{nearest(name, known)}",
                where="class_weights",
                hint=f"the classes are {', '.join(known)}",
            )
