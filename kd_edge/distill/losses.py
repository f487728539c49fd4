"""Distillation losses: pure functions on logits, with the paper that each comes from."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from keras import ops

from kd_edge.base.errors import KdEdgeError
from kd_edge.distill.logits import require_logits


def hinton_loss(student_logits, teacher_logits, *, temperature: float):
    """Soft-target cross-entropy, scaled by T² so that its gradient keeps its size.

    T² * -sum_k softmax(teacher / T)_k * log softmax(student / T)_k; G. Hinton, O. Vinyals, J. Dean,
    "Distilling the Knowledge in a Neural Network", NeurIPS Deep Learning Workshop 2014,
    arXiv 1503.02531, section 2.

    Args:
        student_logits: (batch, classes), unnormalised.
        teacher_logits: (batch, classes), unnormalised; no gradient flows into it.
        temperature: > 0; 1 leaves the distributions as they are.

    Returns:
        (batch,) nats.

    Raises:
        KdEdgeError KD_NOT_LOGITS: rows of either argument sum to one, where their values are known.
        KD_RECIPE_VALUE: the temperature is not positive.
    """
    if not temperature > 0:
        raise KdEdgeError("KD_RECIPE_VALUE", f"temperature must be positive, not {temperature}")
    _require_both(student_logits, teacher_logits)
    targets = ops.softmax(ops.stop_gradient(teacher_logits) / temperature, axis=-1)
    log_answers = ops.log_softmax(student_logits / temperature, axis=-1)
    return -(temperature**2) * ops.sum(targets * log_answers, axis=-1)


def logit_mse_loss(student_logits, teacher_logits):
    """Mean over the classes of the squared difference of the logits.

    mean_k (student_k - teacher_k)²; J. Ba, R. Caruana, "Do Deep Nets Really Need to be Deep?",
    NeurIPS 2014, equation 1, there with a factor of one half for the sum.

    Args:
        student_logits, teacher_logits: (batch, classes), unnormalised; no gradient flows into
            the teacher's.

    Returns:
        (batch,) squared logits.

    Raises:
        KdEdgeError KD_NOT_LOGITS: rows of either argument sum to one, where their values are known.
    """
    _require_both(student_logits, teacher_logits)
    return ops.mean(ops.square(student_logits - ops.stop_gradient(teacher_logits)), axis=-1)


# name -> function of (student_logits, teacher_logits); one that takes a temperature names it so.
LOSSES: dict[str, Callable] = {
    "hinton": hinton_loss,
    "logit-mse": logit_mse_loss,
}


def _require_both(student_logits, teacher_logits) -> None:
    for values, what in (
        (student_logits, "the student's outputs"),
        (teacher_logits, "the teacher's"),
    ):
        known = _values(values)
        if known is not None:
            require_logits(known, what)


def _values(x) -> np.ndarray | None:
    """The numbers in `x`, or None while a graph is being traced (then the trainer has checked)."""
    if isinstance(x, np.ndarray):
        return x
    try:
        return ops.convert_to_numpy(x)
    except (AttributeError, NotImplementedError, RuntimeError, TypeError, ValueError):
        return None
