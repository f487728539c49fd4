"""Decoupled distillation: what a teacher says of the true class, and of all others, apart."""

from __future__ import annotations

from typing import ClassVar

from keras import ops
from pydantic import NonNegativeFloat

from kd_edge.distill.batch import Batch
from kd_edge.distill.logits import require_both
from kd_edge.distill.losses.record import Loss
from kd_edge.distill.losses.schedule import Temperature, require_positive, value_at
from kd_edge.tasks.record import mean_of_labelled

# Far below every logit: what is left out of a softmax.
_NOWHERE = -1e9


class Dkd(Loss):
    """Decoupled distillation: how sure of the true class, and which other classes, weighed apart.

    Options:
        temperature: above 0; 1 leaves the distributions as they are.
        target_weight: of how sure the teachers are of the true class, 0 or more; 1 in the paper.
        other_weight: of what they say of the other classes, 0 or more; 8 in the paper, or fewer.
    """

    published: ClassVar = {"temperature": 4.0, "target_weight": 1.0, "other_weight": 8.0}

    temperature: Temperature
    target_weight: NonNegativeFloat
    other_weight: NonNegativeFloat

    def values(self, batch: Batch, layers):
        del layers
        temperature = value_at(self.temperature, batch.epoch)
        return batch.over_truths(
            lambda truth: dkd_loss(
                batch.student.logits,
                batch.taught.logits,
                truth,
                temperature=temperature,
                target_weight=self.target_weight,
                other_weight=self.other_weight,
            )
        )


def dkd_loss(student_logits, teacher_logits, truth, *, temperature, target_weight, other_weight):
    """Divergences of the true class against the rest, and of the rest among itself.

    T² (α KL(b_t || b_s) + β KL(q_t || q_s)): b = (p_true, 1 - p_true), q = the softmax over all
    classes but the true one, both at temperature T; B. Zhao, Q. Cui, R. Song, Y. Qiu, J. Liang,
    "Decoupled Knowledge Distillation", CVPR 2022, section 3. α is `target_weight`, β
    `other_weight`. Of pixel-wise outputs it is the mean over the pixels that have a class.

    Args:
        student_logits, teacher_logits: (batch, ..., classes), unnormalised; no gradient flows into
            the teacher's.
        truth: (batch, ...) integers, `NO_CLASS` for no class.
        temperature: > 0, a number or a tensor.

    Returns:
        (batch,) nats.

    Raises:
        KdEdgeError KD_NOT_LOGITS, KD_RECIPE_VALUE: as `hinton_loss`.
    """
    require_positive(temperature)
    require_both(student_logits, teacher_logits)
    true = ops.one_hot(ops.maximum(truth, 0), student_logits.shape[-1])
    ours = _apart(student_logits / temperature, true)
    theirs = _apart(ops.stop_gradient(teacher_logits) / temperature, true)
    target, others = (_divergence(t, s) for t, s in zip(theirs, ours, strict=True))
    losses = temperature**2 * (target_weight * target + other_weight * others)
    return mean_of_labelled(losses, truth)


def _apart(logits, true):
    """Log-probabilities of (true, not true), and of the other classes among themselves.

    Args:
        logits, true: (..., classes), `true` one-hot.
    """
    others = logits + _NOWHERE * true
    log_sums = ops.stack([ops.sum(logits * true, axis=-1), ops.logsumexp(others, axis=-1)], axis=-1)
    return ops.log_softmax(log_sums, axis=-1), ops.log_softmax(others, axis=-1)


def _divergence(log_p, log_q):
    """KL(p || q) over the last axis."""
    return ops.sum(ops.exp(log_p) * (log_p - log_q), axis=-1)
