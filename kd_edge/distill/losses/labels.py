"""The labels' own loss, so that it can be weighed like any other."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from keras import ops
from pydantic import Field, NonNegativeFloat

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.pixels import NO_CLASS
from kd_edge.distill.batch import Batch
from kd_edge.distill.losses.record import Loss
from kd_edge.examples import Examples
from kd_edge.tasks.record import mean_of_labelled

Smoothing = Annotated[float, Field(ge=0, lt=1)]


class Labels(Loss):
    """The task's loss to the truth: cross-entropy for classification and for each pixel.

    Options:
        smoothing: share of the truth that is spread evenly over all classes, 0 (if you leave it
            out) to below 1.
        class_weights: what each class weighs, in the models' order; all alike if you leave it out.
            `class_balance` of a model sets it from the training part.
    """

    smoothing: Smoothing = 0.0
    class_weights: tuple[NonNegativeFloat, ...] | None = None

    @property
    def needs_teacher(self) -> bool:
        return False

    def values(self, batch: Batch, layers):
        del layers
        logits = batch.student.logits
        weights = () if self.class_weights is None else (self._weights_of(logits),)
        hard = batch.over_truths(lambda truth: batch.task.hard_loss(logits, truth, *weights))
        if self.smoothing == 0:
            return hard
        even = batch.over_truths(lambda truth: even_loss(logits, truth))
        return (1 - self.smoothing) * hard + self.smoothing * even

    def _weights_of(self, logits) -> tuple[float, ...]:
        if len(self.class_weights) != logits.shape[-1]:
            raise KdEdgeError(
                "KD_RECIPE_VALUE",
                f"class_weights has {len(self.class_weights)} numbers, and the model "
                f"{logits.shape[-1]} classes",
                where="class_weights",
                hint="write one number a class, or set class_balance of the model instead",
            )
        return self.class_weights


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


def even_loss(logits, truth):
    """Cross-entropy to the even distribution over the classes.

    -1/K sum_k log softmax(logits)_k; with the weight ε beside 1 - ε of the labels' it is the label
    smoothing of C. Szegedy et al., "Rethinking the Inception Architecture for Computer Vision",
    CVPR 2016, section 7. Of pixel-wise outputs it is the mean over the pixels that have a class.

    Args:
        logits: (batch, ..., classes). truth: (batch, ...) integers, `NO_CLASS` for no class.

    Returns:
        (batch,) nats.
    """
    return mean_of_labelled(-ops.mean(ops.log_softmax(logits, axis=-1), axis=-1), truth)
