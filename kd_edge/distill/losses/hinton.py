"""Soft targets of Hinton et al."""

from __future__ import annotations

from typing import ClassVar

from keras import ops

from kd_edge.distill.batch import Batch
from kd_edge.distill.logits import require_both
from kd_edge.distill.losses.class_weights import ClassWeighted
from kd_edge.distill.losses.schedule import Temperature, require_positive, value_at
from kd_edge.distill.losses.shapes import per_example
from kd_edge.tasks.record import weighed


class Hinton(ClassWeighted):
    """Cross-entropy to the teachers' softened distribution.

    Options:
        temperature: above 0; 1 leaves the distributions as they are.
        class_weights: what an example or a pixel of each class weighs, in the models' order; all
            alike if you leave it out. `class_balance` and `class_weights` of a model set it,
            unless it stands here. What has no class weighs 1.
    """

    published: ClassVar = {"temperature": 4.0}

    temperature: Temperature

    def values(self, batch: Batch, layers):
        del layers
        temperature = value_at(self.temperature, batch.epoch)
        logits = batch.student.logits
        each = soft_cross_entropy(logits, batch.taught.logits, temperature=temperature)
        weights = self.class_weights
        if weights is None:
            return per_example(each)
        return batch.over_truths(lambda truth: per_example(weighed(each, truth, weights)))


def hinton_loss(student_logits, teacher_logits, *, temperature):
    """`soft_cross_entropy` as (batch,) nats: of pixel-wise outputs the mean over the pixels.

    Raises: as `soft_cross_entropy`.
    """
    return per_example(soft_cross_entropy(student_logits, teacher_logits, temperature=temperature))


def soft_cross_entropy(student_logits, teacher_logits, *, temperature):
    """Soft-target cross-entropy, scaled by T² so that its gradient keeps its size.

    T² * -sum_k softmax(teacher / T)_k * log softmax(student / T)_k; G. Hinton, O. Vinyals, J. Dean,
    "Distilling the Knowledge in a Neural Network", NeurIPS Deep Learning Workshop 2014,
    arXiv 1503.02531, section 2.

    Args:
        student_logits: (batch, ..., classes), unnormalised.
        teacher_logits: (batch, ..., classes), unnormalised; no gradient flows into it.
        temperature: > 0, a number or a tensor; 1 leaves the distributions as they are.

    Returns:
        (batch, ...) nats.

    Raises:
        KdEdgeError KD_NOT_LOGITS: rows of either argument sum to one, where their values are known.
        KD_RECIPE_VALUE: the temperature is not positive.
    """
    require_positive(temperature)
    require_both(student_logits, teacher_logits)
    targets = ops.softmax(ops.stop_gradient(teacher_logits) / temperature, axis=-1)
    log_answers = ops.log_softmax(student_logits / temperature, axis=-1)
    return -(temperature**2) * ops.sum(targets * log_answers, axis=-1)
