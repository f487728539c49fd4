"""Classification: one class an example."""

from __future__ import annotations

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.tasks.accuracy import measure_accuracy
from kd_edge.tasks.record import CLASS_AXIS, Task, check_classes, largest, weighed


def check(logits_shape: tuple[int | None, ...], truth: np.ndarray, n_classes: int) -> None:
    """Raise KD_SHAPE unless truth is (n,) classes and logits are (n, classes)."""
    if truth.ndim != 1:
        raise KdEdgeError(
            "KD_SHAPE",
            f"classification takes one class an example, not labels of shape {truth.shape}",
            hint='set task = "segmentation" where every pixel has a class',
        )
    check_classes(truth, n_classes)
    if len(logits_shape) != 2 or logits_shape[CLASS_AXIS] != n_classes:
        raise KdEdgeError(
            "KD_SHAPE",
            f"the model answers {logits_shape}, not (batch, {n_classes})",
            hint="end it in one Dense layer named 'logits', without softmax",
        )


def hard_loss(logits, truth, class_weights=None):
    """Cross-entropy to the labels.

    -log softmax(logits)_label; any textbook, such as C. Bishop, "Pattern Recognition and Machine
    Learning", 2006, equation 4.108.

    Args:
        logits: (batch, classes). truth: (batch,) integers.
        class_weights: (classes,) what each class weighs; None: all alike.

    Returns:
        (batch,) nats.
    """
    import keras

    losses = keras.losses.sparse_categorical_crossentropy(truth, logits, from_logits=True)
    return weighed(losses, truth, class_weights)


def right(logits, truth):
    """(batch,) 1 where the largest logit is the label's, else 0."""
    from keras import ops

    decided = ops.cast(ops.argmax(logits, axis=CLASS_AXIS), "int32")
    return ops.cast(ops.equal(decided, ops.cast(truth, "int32")), "float32")


CLASSIFICATION = Task(
    name="classification",
    check=check,
    hard_loss=hard_loss,
    right=right,
    decide=largest,
    score=measure_accuracy,
)
