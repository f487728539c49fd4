"""Segmentation: one class a pixel (or a sample); pixels without a class do not count."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.pixels import NO_CLASS
from kd_edge.tasks.figures import Interval
from kd_edge.tasks.intervals import bootstrap
from kd_edge.tasks.record import CLASS_AXIS, Task, check_classes, largest, mean_of_labelled


@dataclass(frozen=True)
class Overlap:
    """How well predicted regions lie on the true ones.

    Attributes:
        n_examples, n_recordings: what it was measured on.
        mean_iou: mean intersection over union of the classes that the truth holds, 0 to 1.
        interval: of `mean_iou`, over recordings (images, or the drive that frames came from).
        pixel_accuracy: share of pixels with a class that are decided rightly, 0 to 1.
        class_names: the order of `iou`.
        iou: of each class, 0 to 1; None for a class that neither truth nor answers hold.
    """

    n_examples: int
    n_recordings: int
    mean_iou: float
    interval: Interval
    pixel_accuracy: float
    class_names: tuple[str, ...]
    iou: tuple[float | None, ...]


def check(logits_shape: tuple[int | None, ...], truth: np.ndarray, n_classes: int) -> None:
    """Raise KD_SHAPE unless truth is (n, ...) classes and logits are (n, ..., classes)."""
    if truth.ndim < 2:
        raise KdEdgeError(
            "KD_SHAPE",
            f"segmentation takes a class for every pixel, not labels of shape {truth.shape}",
            hint='set task = "classification" where an example has one class',
        )
    check_classes(np.where(truth == NO_CLASS, 0, truth), n_classes)
    if tuple(logits_shape[1:]) != (*truth.shape[1:], n_classes):
        raise KdEdgeError(
            "KD_SHAPE",
            f"the model answers {tuple(logits_shape[1:])} an example, not "
            f"{(*truth.shape[1:], n_classes)}",
            hint="end it in a convolution named 'logits', without softmax, at the masks' size",
        )


def hard_loss(logits, truth):
    """Mean over an example's pixels of the cross-entropy to their classes.

    mean_p -log softmax(logits_p)_truth_p, over the pixels that have a class; J. Long, E. Shelhamer,
    T. Darrell, "Fully Convolutional Networks for Semantic Segmentation", CVPR 2015, section 4.

    Args:
        logits: (batch, ..., classes). truth: (batch, ...) integers, `NO_CLASS` for no class.

    Returns:
        (batch,) nats; 0 for an example without a labelled pixel.
    """
    import keras

    losses = keras.losses.sparse_categorical_crossentropy(
        keras.ops.maximum(truth, 0), logits, from_logits=True
    )
    return mean_of_labelled(losses, truth)


def right(logits, truth):
    """(batch,) share of an example's labelled pixels whose largest logit is their class's."""
    from keras import ops

    decided = ops.cast(ops.argmax(logits, axis=CLASS_AXIS), "int32")
    equal = ops.cast(ops.equal(decided, ops.cast(truth, "int32")), "float32")
    return mean_of_labelled(equal, truth)


def score(scores: np.ndarray, windows) -> Overlap:
    """Intersection over union of every class, and of a part as a whole.

    Args:
        scores: (n, ..., classes), logits or probabilities. windows: with labels (n, ...).

    Raises:
        KdEdgeError KD_EMPTY_PART: there is no example, or none has a labelled pixel.
    """
    n_classes = len(windows.class_names)
    check(scores.shape, windows.truth, n_classes)
    counts = np.stack(
        [
            _confusion(decided, truth, n_classes)
            for decided, truth in zip(largest(scores), windows.truth, strict=True)
        ]
        or [np.zeros((n_classes, n_classes), np.int64)]
    )
    total = counts.sum(axis=0)
    if not total.any():
        raise KdEdgeError("KD_EMPTY_PART", "no pixel of the part has a class")
    iou = _iou(total)
    return Overlap(
        n_examples=len(windows.truth),
        n_recordings=len(np.unique(windows.groups.recording)),
        mean_iou=_mean_iou(total),
        interval=bootstrap(counts, windows.groups.recording, _mean_iou),
        pixel_accuracy=float(np.trace(total) / total.sum()),
        class_names=windows.class_names,
        iou=tuple(None if np.isnan(value) else float(value) for value in iou),
    )


def _confusion(decided: np.ndarray, truth: np.ndarray, n_classes: int) -> np.ndarray:
    """(classes, classes) pixels, rows true."""
    counted = truth != NO_CLASS
    pairs = truth[counted].astype(np.int64) * n_classes + decided[counted]
    return np.bincount(pairs, minlength=n_classes**2).reshape(n_classes, n_classes)


def _iou(confusion: np.ndarray) -> np.ndarray:
    hits = np.diag(confusion)
    union = confusion.sum(axis=0) + confusion.sum(axis=1) - hits
    return np.where(union > 0, hits / np.maximum(union, 1), np.nan)


def _mean_iou(confusion: np.ndarray) -> float:
    """Over the classes that the truth holds."""
    return float(np.mean(_iou(confusion)[confusion.sum(axis=1) > 0]))


SEGMENTATION = Task(
    name="segmentation",
    check=check,
    hard_loss=hard_loss,
    right=right,
    decide=largest,
    score=score,
)
