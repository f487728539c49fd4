"""Several teachers, each heard example by example as far as it knows the truth."""

from __future__ import annotations

from keras import ops

from kd_edge.distill.batch import Batch
from kd_edge.distill.losses.hinton import hinton_loss
from kd_edge.distill.losses.record import Loss
from kd_edge.distill.losses.schedule import Temperature, value_at


class CaMkd(Loss):
    """Cross-entropy to each teacher by itself; who is nearer to an example's label weighs more.

    Options:
        temperature: above 0; 1 leaves the distributions as they are.
    """

    temperature: Temperature

    def values(self, batch: Batch, layers):
        del layers
        temperature = value_at(self.temperature, batch.epoch)
        teachers = [teacher.logits for teacher in batch.taught.teachers]
        losses = ops.stack([_hard_loss(batch, logits) for logits in teachers])
        each = ops.stack(
            [hinton_loss(batch.student.logits, t, temperature=temperature) for t in teachers]
        )
        return ops.sum(confidence_weights(losses) * each, axis=0)


def confidence_weights(losses):
    """What each teacher weighs in each example, by its cross-entropy to the label.

    w_k = (1 - exp(L_k) / sum_j exp(L_j)) / (K - 1), beside sum_k w_k H(teacher_k, student);
    H. Zhang, D. Chen, C. Wang, "Confidence-Aware Multi-Teacher Knowledge Distillation", ICASSP
    2022, arXiv 2201.00007, the part about logits. The authors' program divides by K once more.
    The weights of an example sum to one; two teachers that are far apart weigh 1 and 0, of more
    teachers none weighs more than 1 / (K - 1).

    Args:
        losses: (teachers, batch) nats; no gradient flows into them.

    Returns:
        (teachers, batch), 0 to 1.
    """
    n = losses.shape[0]
    if n == 1:
        return ops.ones_like(losses)
    return (1 - ops.softmax(ops.stop_gradient(losses), axis=0)) / (n - 1)


def _hard_loss(batch: Batch, logits):
    """(batch,) cross-entropy of a teacher's logits to the truth."""
    return batch.over_truths(lambda truth: batch.task.hard_loss(logits, truth))
