"""DIST: the student keeps the teacher's order of things, not its values."""

from __future__ import annotations

from typing import ClassVar

from keras import ops
from pydantic import NonNegativeFloat

from kd_edge.distill.batch import Batch
from kd_edge.distill.logits import require_both
from kd_edge.distill.losses.record import Loss
from kd_edge.distill.losses.schedule import Temperature, require_positive, value_at
from kd_edge.distill.losses.shapes import per_example, unit


class Dist(Loss):
    """Correlation with the teachers' probabilities, over the classes and over the batch.

    Options:
        temperature: above 0; 1 leaves the distributions as they are.
        example_weight: of the correlation over an example's classes, 0 or more; 1 or 2 in the
            paper.
        class_weight: of the correlation over a class's examples in the batch, alike.
    """

    published: ClassVar = {"temperature": 1.0, "example_weight": 1.0, "class_weight": 1.0}

    temperature: Temperature
    example_weight: NonNegativeFloat
    class_weight: NonNegativeFloat

    def values(self, batch: Batch, layers):
        del layers
        return dist_loss(
            batch.student.logits,
            batch.taught.logits,
            temperature=value_at(self.temperature, batch.epoch),
            example_weight=self.example_weight,
            class_weight=self.class_weight,
        )


def dist_loss(student_logits, teacher_logits, *, temperature, example_weight, class_weight):
    """One minus Pearson's correlation, within each example and within each class.

    T² (β mean_i (1 - r(s_i, t_i)) + γ mean_k (1 - r(s_:k, t_:k))) of s, t = softmax(logits / T);
    T. Huang, S. You, F. Wang, C. Qian, C. Xu, "Knowledge Distillation from A Stronger Teacher",
    NeurIPS 2022, section 3; T² as in the authors' program. β is `example_weight`, γ
    `class_weight`. Every pixel of a pixel-wise output is an example of its own. The second term
    belongs to the batch: each example has the same. It is γ T² for a batch of one.

    Args:
        student_logits, teacher_logits: (batch, ..., classes), unnormalised; no gradient flows into
            the teacher's.
        temperature: > 0, a number or a tensor.

    Returns:
        (batch,), 0 to 2 T² (β + γ).

    Raises:
        KdEdgeError KD_NOT_LOGITS, KD_RECIPE_VALUE: as `hinton_loss`.
    """
    require_positive(temperature)
    require_both(student_logits, teacher_logits)
    ours = ops.softmax(student_logits / temperature, axis=-1)
    theirs = ops.softmax(ops.stop_gradient(teacher_logits) / temperature, axis=-1)
    within_examples = per_example(1 - _correlation(ours, theirs))
    within_classes = ops.mean(1 - _correlation(_by_class(ours), _by_class(theirs)))
    return temperature**2 * (example_weight * within_examples + class_weight * within_classes)


def _by_class(p):
    """(batch, ..., classes) -> (classes, all else)."""
    return ops.transpose(ops.reshape(p, (-1, p.shape[-1])))


def _correlation(a, b):
    """Pearson's, over the last axis; 0 where either does not vary."""
    return ops.sum(_centred(a) * _centred(b), axis=-1)


def _centred(x):
    """Mean 0 and length 1 over the last axis."""
    return unit(x - ops.mean(x, axis=-1, keepdims=True))
