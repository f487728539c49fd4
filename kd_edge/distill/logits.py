"""Telling logits from probabilities, which no loss and no ensemble would notice."""

from __future__ import annotations

import numpy as np

from kd_edge.base.errors import KdEdgeError

# Float16 probabilities still sum to one within this; rows of real logits do not all do so.
_TOLERANCE = 2e-3


def require_logits(values: np.ndarray, what: str) -> None:
    """Refuse probabilities: a softmax of a softmax teaches nearly nothing, and says nothing.

    Args:
        values: (batch, ..., classes).
        what: whose they are, for the message.

    Raises:
        KdEdgeError KD_NOT_LOGITS: no value is negative and every row sums to one; or every column
            of an image does, which is a softmax over the wrong axis.
    """
    for axis in range(1, values.ndim - 1):
        if values.shape[axis] > 1 and _sum_to_one(values, axis):
            raise KdEdgeError(
                "KD_NOT_LOGITS",
                f"{what} are probabilities over axis {axis}, and logits belong here",
                where=f"an array of shape {values.shape}; its last axis has the classes",
                hint="take the softmax away: over an image's rows or columns it compares places "
                "with each other, and teaches no class",
            )
    if are_probabilities(values):
        raise KdEdgeError(
            "KD_NOT_LOGITS",
            f"{what} are probabilities, and logits belong here",
            where=f"{len(values)} rows, each of which sums to one",
            hint="take the softmax off the model's last layer; a logarithm of them will do as well",
        )


def are_probabilities(values: np.ndarray) -> bool:
    """Whether no value is negative and every row sums to one; (batch, ..., classes)."""
    return _sum_to_one(values, -1)


def _sum_to_one(values: np.ndarray, axis: int) -> bool:
    if values.ndim < 2 or values.size == 0:
        return False
    sums = values.sum(axis=axis, dtype=np.float64)
    return bool((values >= 0).all() and np.abs(sums - 1).max() < _TOLERANCE)


def require_both(student_logits, teacher_logits) -> None:
    """Refuse probabilities on either side, where the values are known (not while tracing).

    Args:
        student_logits, teacher_logits: (batch, ..., classes).

    Raises:
        KdEdgeError KD_NOT_LOGITS: as `require_logits`.
    """
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
    from keras import ops

    try:
        return ops.convert_to_numpy(x)
    except (AttributeError, NotImplementedError, RuntimeError, TypeError, ValueError):
        return None
