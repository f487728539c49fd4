"""Several teachers as one: their logits on the same windows become one set of logits."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.special import log_softmax, logsumexp

from kd_edge.base.errors import KdEdgeError, nearest
from kd_edge.distill.logits import require_logits


def combine(
    logits: Sequence[np.ndarray],
    *,
    method: str,
    held_out_accuracy: Sequence[float] | None = None,
) -> np.ndarray:
    """Joint logits of several teachers.

    Args:
        logits: (n, classes) of each teacher, unnormalised, on the same windows in the same order.
        method: a key of `ENSEMBLES`.
        held_out_accuracy: of each teacher on windows that it was not trained on, 0 to 1; only
            'accuracy-weighted' reads it.

    Returns:
        (n, classes) float32 logits (log-probabilities where probabilities were averaged).

    Raises:
        KdEdgeError KD_UNKNOWN_NAME: no such method. KD_SHAPE: shapes differ. KD_NOT_LOGITS: some
            are probabilities. KD_RECIPE_VALUE: accuracies missing, out of range or all zero.
    """
    if method not in ENSEMBLES:
        raise KdEdgeError(
            "KD_UNKNOWN_NAME",
            f"there is no ensemble '{method}'{nearest(method, ENSEMBLES)}",
            hint=f"ensembles: {', '.join(ENSEMBLES)}",
        )
    if len({np.shape(x) for x in logits}) != 1 or np.ndim(logits[0]) != 2:
        raise KdEdgeError(
            "KD_SHAPE",
            "teachers' logits must have one shape (windows, classes)",
            where=f"shapes {[np.shape(x) for x in logits]}",
        )
    for index, values in enumerate(logits):
        require_logits(values, f"the outputs of teacher {index + 1}")
    stacked = np.stack(logits).astype(np.float64)
    return ENSEMBLES[method](stacked, held_out_accuracy).astype(np.float32)


def mean_logits(logits: np.ndarray, _held_out_accuracy=None) -> np.ndarray:
    """Mean of the logits: (teachers, n, classes) -> (n, classes)."""
    return logits.mean(axis=0)


def mean_probabilities(logits: np.ndarray, _held_out_accuracy=None) -> np.ndarray:
    """Logarithm of the mean of the probabilities: (teachers, n, classes) -> (n, classes)."""
    return _mix(logits, np.zeros(len(logits)))


def accuracy_weighted(logits: np.ndarray, held_out_accuracy: Sequence[float] | None) -> np.ndarray:
    """Logarithm of the mean of the probabilities, weighted by each teacher's held-out accuracy."""
    accuracy = np.asarray([] if held_out_accuracy is None else held_out_accuracy, float)
    if len(accuracy) != len(logits) or not ((accuracy >= 0) & (accuracy <= 1)).all():
        raise KdEdgeError(
            "KD_RECIPE_VALUE",
            f"'accuracy-weighted' needs an accuracy from 0 to 1 for each of {len(logits)} teachers",
            where=f"held_out_accuracy {held_out_accuracy}",
        )
    if not accuracy.any():
        raise KdEdgeError("KD_RECIPE_VALUE", "every teacher has a held-out accuracy of 0")
    with np.errstate(divide="ignore"):  # a teacher that is never right weighs nothing
        return _mix(logits, np.log(accuracy))


def confidence_weighted(logits: np.ndarray, _held_out_accuracy=None) -> np.ndarray:
    """Logarithm of the mean of the probabilities, weighted window by window by exp(-entropy).

    exp(entropy) is the number of classes that a teacher hesitates between (its perplexity). After
    the per-sample weights of H. Zhang, D. Chen, C. Wang, "Confidence-Aware Multi-Teacher Knowledge
    Distillation", ICASSP 2022, with the entropy in place of the cross-entropy to the label, so
    that windows without labels can be used as well.
    """
    log_p = log_softmax(logits, axis=-1)
    entropy = -(np.exp(log_p) * log_p).sum(axis=-1)
    return _mix(logits, -entropy)


# name -> function of ((teachers, n, classes) logits, held-out accuracies or None).
ENSEMBLES: dict[str, Callable[[np.ndarray, Sequence[float] | None], np.ndarray]] = {
    "mean-logits": mean_logits,
    "mean-probabilities": mean_probabilities,
    "accuracy-weighted": accuracy_weighted,
    "confidence": confidence_weighted,
}


def _mix(logits: np.ndarray, log_weights: np.ndarray) -> np.ndarray:
    """log sum_t w_t softmax(logits_t); log_weights (teachers,) or (teachers, n), any scale."""
    log_w = log_weights - logsumexp(log_weights, axis=0)
    log_w = log_w.reshape(log_w.shape + (1,) * (logits.ndim - log_w.ndim))
    return logsumexp(log_softmax(logits, axis=-1) + log_w, axis=0)
