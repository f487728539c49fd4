"""Squared difference of logits."""

from __future__ import annotations

from keras import ops

from kd_edge.distill.batch import Batch
from kd_edge.distill.logits import require_both
from kd_edge.distill.losses.record import Loss
from kd_edge.distill.losses.shapes import per_example


class LogitMse(Loss):
    """Mean squared difference to the teachers' logits."""

    def values(self, batch: Batch, layers):
        del layers
        return logit_mse_loss(batch.student.logits, batch.taught.logits)


def logit_mse_loss(student_logits, teacher_logits):
    """Mean over the classes of the squared difference of the logits.

    mean_k (student_k - teacher_k)²; J. Ba, R. Caruana, "Do Deep Nets Really Need to be Deep?",
    NeurIPS 2014, equation 1, there with a factor of one half for the sum.

    Args:
        student_logits, teacher_logits: (batch, ..., classes), unnormalised; no gradient flows into
            the teacher's.

    Returns:
        (batch,) squared logits.

    Raises:
        KdEdgeError KD_NOT_LOGITS: rows of either argument sum to one, where their values are known.
    """
    require_both(student_logits, teacher_logits)
    return per_example(ops.square(student_logits - ops.stop_gradient(teacher_logits)))
