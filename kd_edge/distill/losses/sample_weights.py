"""What each example weighs in one loss of a sum: functions of a batch that give (batch,)."""

from __future__ import annotations

import math
from collections.abc import Callable

from keras import ops

from kd_edge.base.registry import Registry
from kd_edge.distill.batch import Batch, Tensor
from kd_edge.distill.losses.shapes import per_example

# Of a division by a loss that may be 0.
_SMALLEST = 1e-7


def teacher_right(batch: Batch) -> Tensor:
    """1 where the teachers together decide rightly, else 0; of pixels the share.

    Z. Meng, J. Li, Y. Zhao, Y. Gong, "Conditional Teacher-Student Learning", ICASSP 2019:
    a student learns from its teacher where that is right, and from the label where it is not.

    Returns:
        (batch,) 0 to 1.
    """
    return batch.over_truths(lambda truth: batch.task.right(batch.taught.logits, truth))


def teacher_wrong(batch: Batch) -> Tensor:
    """1 where the teachers together decide wrongly, else 0; of pixels the share.

    Returns:
        (batch,) 0 to 1.
    """
    return 1 - teacher_right(batch)


def teacher_certainty(batch: Batch) -> Tensor:
    """1 - entropy / log(classes) of the teachers' probabilities: 0 if even, 1 if one is 1.

    Returns:
        (batch,) 0 to 1.
    """
    log_p = ops.log_softmax(batch.taught.logits, axis=-1)
    entropy = -ops.sum(ops.exp(log_p) * log_p, axis=-1)
    return 1 - per_example(entropy) / math.log(batch.taught.logits.shape[-1])


def teacher_truth(batch: Batch) -> Tensor:
    """The probability that the teachers give the truth; of pixels the geometric mean.

    Returns:
        (batch,) 0 to 1.
    """
    return ops.exp(-_hard(batch, batch.taught.logits))


def student_behind(batch: Batch) -> Tensor:
    """1 - exp(-r), r = the student's loss to the label / that of the teachers.

    H. Zhou et al., "Rethinking Soft Labels for Knowledge Distillation: A Bias-Variance Tradeoff
    Perspective", ICLR 2021: an example that the student knows already, and its teacher
    less, teaches little more.

    Returns:
        (batch,) 0 to 1.
    """
    ratio = _hard(batch, batch.student.logits) / ops.maximum(
        _hard(batch, batch.taught.logits), _SMALLEST
    )
    return 1 - ops.exp(-ratio)


def _hard(batch: Batch, logits: Tensor) -> Tensor:
    return batch.over_truths(lambda truth: batch.task.hard_loss(logits, truth))


# No gradient flows through what a function of these gives.
SAMPLE_WEIGHTS: Registry[Callable[[Batch], Tensor]] = Registry(
    "sample weight",
    {
        "teacher-right": teacher_right,
        "teacher-wrong": teacher_wrong,
        "teacher-certainty": teacher_certainty,
        "teacher-truth": teacher_truth,
        "student-behind": student_behind,
    },
    home=__name__,
)
