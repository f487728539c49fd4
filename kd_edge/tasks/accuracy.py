"""Accuracy with its interval, macro-F1, the confusion matrix, and the same by subject and class."""

from __future__ import annotations

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.examples import Examples
from kd_edge.tasks.figures import Accuracy, GroupAccuracy
from kd_edge.tasks.intervals import accuracy_interval
from kd_edge.tasks.record import largest


def measure_accuracy(scores: np.ndarray, windows: Examples) -> Accuracy:
    """How often the largest score is the true class's.

    Args:
        scores: (n_windows, classes), logits or probabilities, in the order of `class_names`.

    Raises:
        KdEdgeError KD_EMPTY_PART: no windows.
        KdEdgeError KD_SHAPE: scores of another shape.
        KdEdgeError KD_DIVERGED: a score is NaN or infinite.
    """
    n_classes = len(windows.class_names)
    if len(windows) == 0:
        raise KdEdgeError("KD_EMPTY_PART", "there is no window to measure accuracy on")
    if scores.shape != (len(windows), n_classes):
        raise KdEdgeError(
            "KD_SHAPE", f"scores {scores.shape} for {len(windows)} windows of {n_classes} classes"
        )
    if not np.all(np.isfinite(scores)):
        raise KdEdgeError(
            "KD_DIVERGED",
            "the model's scores are not all finite numbers",
            hint="the training diverged: lower the learning rate",
        )
    predicted = largest(scores)
    right = predicted == windows.truth
    confusion = np.zeros((n_classes, n_classes), dtype=np.int64)
    np.add.at(confusion, (windows.truth, predicted), 1)
    names = np.asarray(windows.class_names)[windows.truth]
    present = [name for i, name in enumerate(windows.class_names) if confusion[i].any()]
    return Accuracy(
        n_windows=len(windows),
        n_recordings=len(np.unique(windows.groups.recording)),
        accuracy=float(np.mean(right)),
        interval=accuracy_interval(right, windows.groups.recording),
        macro_f1=_macro_f1(confusion),
        class_names=windows.class_names,
        confusion=tuple(tuple(int(n) for n in row) for row in confusion),
        per_subject=_groups(
            sorted(set(windows.groups.subject.tolist())),
            windows.groups.subject,
            right,
            windows.groups.recording,
        ),
        per_class=_groups(present, names, right, windows.groups.recording),
    )


def _macro_f1(confusion: np.ndarray) -> float:
    """Mean over the classes that have windows of 2 TP / (2 TP + FP + FN)."""
    hits = np.diag(confusion)
    f1 = 2 * hits / np.maximum(confusion.sum(axis=0) + confusion.sum(axis=1), 1)
    return float(np.mean(f1[confusion.sum(axis=1) > 0]))


def _groups(
    names: list[str], of_window: np.ndarray, right: np.ndarray, recordings: np.ndarray
) -> tuple[GroupAccuracy, ...]:
    groups = []
    for name in names:
        own = of_window == name
        interval = accuracy_interval(right[own], recordings[own])
        groups.append(GroupAccuracy(name, int(own.sum()), float(np.mean(right[own])), interval))
    return tuple(groups)
