"""Soft targets of standardised logits: the student need not match how large the teacher's are."""

from __future__ import annotations

from typing import ClassVar

from keras import ops

from kd_edge.distill.batch import Batch
from kd_edge.distill.logits import require_both
from kd_edge.distill.losses.hinton import hinton_loss
from kd_edge.distill.losses.record import Loss
from kd_edge.distill.losses.schedule import Temperature, value_at

# Deviations below this are none: logits that are all alike say nothing.
_SMALLEST = 1e-6


class Standardised(Loss):
    """Cross-entropy to the teachers' softened distribution, both sides' logits standardised first.

    Options:
        temperature: above 0, of logits of deviation 1.
    """

    published: ClassVar = {"temperature": 2.0}

    temperature: Temperature

    def values(self, batch: Batch, layers):
        del layers
        temperature = value_at(self.temperature, batch.epoch)
        return standardised_loss(batch.student.logits, batch.taught.logits, temperature=temperature)


def standardised_loss(student_logits, teacher_logits, *, temperature):
    """`hinton_loss` of logits with mean 0 and deviation 1.

    T² * -sum_k softmax(z(teacher) / T)_k * log softmax(z(student) / T)_k with
    z(x) = (x - mean(x)) / deviation(x) over the classes; S. Sun, W. Ren, J. Li, R. Wang, X. Cao,
    "Logit Standardization in Knowledge Distillation", CVPR 2024, algorithm 1, with the deviation of
    a whole population. The authors' program takes a sample's, larger by √(classes / (classes - 1)).

    Args:
        student_logits, teacher_logits: (batch, ..., classes), unnormalised; no gradient flows into
            the teacher's.
        temperature: > 0, a number or a tensor.

    Returns:
        (batch,) nats.

    Raises:
        KdEdgeError KD_NOT_LOGITS, KD_RECIPE_VALUE: as `hinton_loss`.
    """
    require_both(student_logits, teacher_logits)
    return hinton_loss(
        _standardised(student_logits), _standardised(teacher_logits), temperature=temperature
    )


def _standardised(logits):
    centred = logits - ops.mean(logits, axis=-1, keepdims=True)
    variance = ops.mean(ops.square(centred), axis=-1, keepdims=True)
    return centred / ops.sqrt(ops.maximum(variance, _SMALLEST**2))
