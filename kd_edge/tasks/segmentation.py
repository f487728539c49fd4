"""Segmentation: one class a pixel (or a sample); pixels without a class do not count."""

from __future__ import annotations

import colorsys

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.pixels import NO_CLASS
from kd_edge.tasks.figures import GroupOverlap, Overlap
from kd_edge.tasks.intervals import bootstrap
from kd_edge.tasks.record import (
    CLASS_AXIS,
    Counted,
    Task,
    check_classes,
    largest,
    mean_of_labelled,
    weighed,
)

# Classes that `told` names.
_TOLD = 3
# Neighbouring classes get hues far from each other.
_GOLDEN = (5**0.5 - 1) / 2


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


def hard_loss(logits, truth, class_weights=None):
    """Mean over an example's pixels of the cross-entropy to their classes.

    mean_p -log softmax(logits_p)_truth_p, over the pixels that have a class; J. Long, E. Shelhamer,
    T. Darrell, "Fully Convolutional Networks for Semantic Segmentation", CVPR 2015, section 4.

    Args:
        logits: (batch, ..., classes). truth: (batch, ...) integers, `NO_CLASS` for no class.
        class_weights: (classes,) what each class weighs; None: all alike.

    Returns:
        (batch,) nats; 0 for an example without a labelled pixel.
    """
    import keras

    losses = keras.losses.sparse_categorical_crossentropy(
        keras.ops.maximum(truth, 0), logits, from_logits=True
    )
    return mean_of_labelled(weighed(losses, truth, class_weights), truth)


def right(logits, truth):
    """(batch,) share of an example's labelled pixels whose largest logit is their class's."""
    from keras import ops

    decided = ops.cast(ops.argmax(logits, axis=CLASS_AXIS), "int32")
    equal = ops.cast(ops.equal(decided, ops.cast(truth, "int32")), "float32")
    return mean_of_labelled(equal, truth)


def score(scores: np.ndarray, windows) -> Overlap:
    """Intersection over union of every class, and of a part as a whole.

    Args:
        scores: (n, ..., classes), logits or probabilities. windows: with truth (n, ...).

    Raises:
        KdEdgeError KD_EMPTY_PART: there is no example, or none has a labelled pixel.
    """
    n_classes, groups = len(windows.class_names), windows.groups
    check(scores.shape, windows.truth, n_classes)
    counts = confusions(scores, windows.truth)
    total = counts.sum(axis=0)
    if not total.any():
        raise KdEdgeError("KD_EMPTY_PART", "no pixel of the part has a class")
    iou = _iou(total)
    overall, *of_classes = bootstrap(
        counts, groups.recording, lambda summed: np.append(_mean_iou(summed), _iou(summed))
    )
    holds = counts.sum(axis=2) > 0
    return Overlap(
        n_windows=len(windows),
        n_recordings=len(np.unique(groups.recording)),
        mean_iou=_mean_iou(total),
        interval=overall,
        pixel_accuracy=float(np.trace(total) / total.sum()),
        class_names=windows.class_names,
        iou=tuple(None if np.isnan(value) else float(value) for value in iou),
        confusion=tuple(tuple(int(n) for n in row) for row in total),
        per_subject=_of_subjects(counts, groups),
        per_class=tuple(
            GroupOverlap(name, int(holds[:, i].sum()), float(iou[i]), of_classes[i])
            for i, name in enumerate(windows.class_names)
            if holds[:, i].any()
        ),
    )


def confusions(scores: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(n, classes, classes) pixels of each example, rows true.

    Args:
        scores: (n, ..., classes), logits or probabilities. truth: (n, ...).
    """
    n_classes = scores.shape[CLASS_AXIS]
    found = np.zeros((len(scores), n_classes, n_classes), np.int64)
    for at, (of_one, true) in enumerate(zip(scores, truth, strict=True)):
        found[at] = _confusion(largest(of_one), true, n_classes)
    return found


def mean_iou(counts: np.ndarray) -> float:
    """Mean intersection over union, 0 to 1, of all examples' (n, classes, classes) pixels."""
    return _mean_iou(counts.sum(axis=0))


def _of_subjects(counts: np.ndarray, groups) -> tuple[GroupOverlap, ...]:
    """Mean overlap of each subject with a labelled pixel."""
    found = []
    for name in sorted(set(groups.subject.tolist())):
        own = groups.subject == name
        total = counts[own].sum(axis=0)
        if total.any():
            (interval,) = bootstrap(
                counts[own], groups.recording[own], lambda summed: np.array([_mean_iou(summed)])
            )
            found.append(GroupOverlap(name, int(own.sum()), _mean_iou(total), interval))
    return tuple(found)


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
    """Over the classes that the truth holds; NaN where it holds none."""
    held = confusion.sum(axis=1) > 0
    return float(np.mean(_iou(confusion)[held])) if held.any() else float("nan")


def told(decided: np.ndarray, class_names: tuple[str, ...]) -> str:
    """The classes of an example and their share of its labelled pixels: 'road 64 %, sky 36 %'.

    Args:
        decided: (height, width) class of each pixel.
    """
    values, counts = np.unique(decided[decided != NO_CLASS], return_counts=True)
    order = np.argsort(-counts, kind="stable")[:_TOLD]
    shares = (f"{class_names[values[i]]} {100 * counts[i] / counts.sum():.0f} %" for i in order)
    return ", ".join(shares) or "no class"


def colours(n_classes: int) -> np.ndarray:
    """(classes, 3) uint8, hues around the circle by the golden ratio, bright and dark in turn."""
    shades = [
        colorsys.hsv_to_rgb(
            index * _GOLDEN % 1, 0.75 - 0.35 * (index % 3 == 2), 1 - 0.4 * (index % 2)
        )
        for index in range(n_classes)
    ]
    return np.rint(255 * np.array(shades).reshape(n_classes, 3)).astype(np.uint8)


SEGMENTATION = Task(
    name="segmentation",
    check=check,
    hard_loss=hard_loss,
    right=right,
    decide=largest,
    score=score,
    told=told,
    colours=colours,
    counted=Counted(confusions, mean_iou, Overlap.called),
)
