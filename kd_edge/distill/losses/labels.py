"""The labels' own loss, so that it can be weighed like any other."""

from __future__ import annotations

from typing import Annotated

from keras import ops
from pydantic import Field

from kd_edge.distill.batch import Batch
from kd_edge.distill.losses.class_weights import ClassWeighted
from kd_edge.tasks.record import mean_of_labelled

Smoothing = Annotated[float, Field(ge=0, lt=1)]


class Labels(ClassWeighted):
    """The task's loss to the truth: cross-entropy for classification and for each pixel.

    Options:
        smoothing: share of the truth that is spread evenly over all classes, 0 (if you leave it
            out) to below 1.
        class_weights: what each class weighs, in the models' order; all alike if you leave it out.
            `class_balance` and `class_weights` of a model set it, unless it stands here.
    """

    smoothing: Smoothing = 0.0

    @property
    def needs_teacher(self) -> bool:
        return False

    def values(self, batch: Batch, layers):
        del layers
        logits = batch.student.logits
        more = () if self.class_weights is None else (self.class_weights,)
        hard = batch.over_truths(lambda truth: batch.task.hard_loss(logits, truth, *more))
        if self.smoothing == 0:
            return hard
        even = batch.over_truths(lambda truth: even_loss(logits, truth))
        return (1 - self.smoothing) * hard + self.smoothing * even


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
