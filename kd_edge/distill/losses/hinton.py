"""Soft targets of Hinton et al."""

from __future__ import annotations

from typing import ClassVar

from keras import ops

from kd_edge.distill.batch import Batch
from kd_edge.distill.logits import require_both
from kd_edge.distill.losses.record import Loss
from kd_edge.distill.losses.schedule import Temperature, require_positive, value_at
from kd_edge.distill.losses.shapes import per_example


class Hinton(Loss):
    """Cross-entropy to the teachers' softened distribution.

    Options:
        temperature: above 0; 1 leaves the distributions as they are.
    """

    published: ClassVar = {"temperature": 4.0}

    temperature: Temperature

    def values(self, batch: Batch, layers):
        del layers
        temperature = value_at(self.temperature, batch.epoch)
        return hinton_loss(batch.student.logits, batch.taught.logits, temperature=temperature)


def hinton_loss(student_logits, teacher_logits, *, temperature):
    """Soft-target cross-entropy, scaled by T² so that its gradient keeps its size.

    T² * -sum_k softmax(teacher / T)_k * log softmax(student / T)_k; G. Hinton, O. Vinyals, J. Dean,
    "Distilling the Knowledge in a Neural Network", NeurIPS Deep Learning Workshop 2014,
    arXiv 1503.02531, section 2. Of pixel-wise outputs it is the mean over the pixels.

    Args:
        student_logits: (batch, ..., classes), unnormalised.
        teacher_logits: (batch, ..., classes), unnormalised; no gradient flows into it.
        temperature: > 0, a number or a tensor; 1 leaves the distributions as they are.

    Returns:
        (batch,) nats.

    Raises:
        KdEdgeError KD_NOT_LOGITS: rows of either argument sum to one, where their values are known.
        KD_RECIPE_VALUE: the temperature is not positive.
    """
    require_positive(temperature)
    require_both(student_logits, teacher_logits)
    targets = ops.softmax(ops.stop_gradient(teacher_logits) / temperature, axis=-1)
    log_answers = ops.log_softmax(student_logits / temperature, axis=-1)
    return per_example(-(temperature**2) * ops.sum(targets * log_answers, axis=-1))
