"""What a task is: the functions that know what a model's output means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.pixels import NO_CLASS
from kd_edge.tasks.figures import Figure, Tally

# Of every task's outputs: the axis that is a distribution over classes.
CLASS_AXIS = -1


def name_of(decided: np.ndarray, class_names: tuple[str, ...]) -> str:
    """The name of an example's one class, a scalar index."""
    return class_names[int(decided)]


@dataclass(frozen=True)
class Counted:
    """How a task is judged whose examples are right in part, class by class.

    Attributes:
        of: ((n, ..., classes) logits, (n, ...) truth) -> (n, ...) counts, which add up.
        value: (n, ...) counts -> the figure of all of them, 0 to 1.
        called: the figure.
    """

    of: Callable[[np.ndarray, np.ndarray], np.ndarray]
    value: Callable[[np.ndarray], float]
    called: str


@dataclass(frozen=True)
class Task:
    """One kind of answer, as functions on logits and truth.

    Logits are (n, ..., classes), unnormalised; the last axis is the distribution. Truth is
    (n, ...) integers: one class an example, or one a pixel.

    Attributes:
        name: as a recipe has it.
        check: (logits_shape, truth, n_classes), without result; raises KD_SHAPE where the truth is
            not this task's, or a model of that output cannot answer it.
        hard_loss: (logits, truth) tensors -> (batch,) nats; with a third argument, (classes,) what
            each class weighs, the same weighed.
        right: (logits, truth) tensors -> (batch,) share of the example that is decided rightly.
        decide: (n, ..., classes) array -> (n, ...) int64 classes. Dequantised or integer scores
            give the same answer.
        score: ((n, ..., classes) array, examples) -> the figures of a part, with intervals.
        told: (one example's (...) decisions or truth, class names) -> the same in words; by
            default the name of its one class.
        colours: number of classes -> (classes, 3) uint8, in which a report paints an image's
            pixels; None where an example is no picture of classes.
        counted: how it is judged if examples are right in part; None if each is right or wrong.
    """

    name: str
    check: Callable[[tuple[int | None, ...], np.ndarray, int], None]
    hard_loss: Callable[..., Any]
    right: Callable[[Any, Any], Any]
    decide: Callable[[np.ndarray], np.ndarray]
    score: Callable[[np.ndarray, Any], Figure]
    told: Callable[[np.ndarray, tuple[str, ...]], str] = name_of
    colours: Callable[[int], np.ndarray] | None = None
    counted: Counted | None = None

    def shares_right(self, logits: np.ndarray, truth: np.ndarray) -> np.ndarray:
        """(n,) share of each example that is decided rightly, 0 to 1, of what has a class.

        Args:
            logits: (n, ..., classes). truth: (n, ...).
        """
        right, counted = self.decide(logits) == truth, truth != NO_CLASS
        within = tuple(range(1, truth.ndim))
        return (right & counted).sum(axis=within) / np.maximum(counted.sum(axis=within), 1)

    def tally(self, logits: np.ndarray, examples: Any) -> Tally:
        """How far each recording of a part is decided rightly.

        Args:
            logits: (n, ..., classes). examples: with truth (n, ...).
        """
        groups = examples.groups
        found, first, owner = np.unique(groups.recording, return_index=True, return_inverse=True)
        shares = self.shares_right(logits, examples.truth)
        return Tally(
            recordings=tuple(map(int, found)),
            subjects=tuple(map(str, groups.subject[first])),
            right=tuple(map(float, np.bincount(owner, weights=shares))),
            n=tuple(map(int, np.bincount(owner))),
        )

    def share_right(self, logits: np.ndarray, truth: np.ndarray) -> float:
        """Mean of `shares_right`, 0 to 1.

        Args:
            logits: (n, ..., classes). truth: (n, ...).
        """
        return float(np.mean(self.shares_right(logits, truth)))

    def agreement(self, left: np.ndarray, right: np.ndarray) -> float:
        """Share of decisions that two sets of scores have in common, 0 to 1.

        Args:
            left, right: (n, ..., classes), in any unit.
        """
        return float(np.mean(self.decide(left) == self.decide(right)))


def largest(scores: np.ndarray) -> np.ndarray:
    """The class of the largest score: (n, ..., classes) -> (n, ...) int64; the first of equals."""
    return np.argmax(scores, axis=CLASS_AXIS)


def check_classes(truth: np.ndarray, n_classes: int) -> None:
    """Raise KD_SHAPE unless every value of the truth, (n, ...), is a class."""
    if truth.size and (truth.min() < 0 or truth.max() >= n_classes):
        raise KdEdgeError(
            "KD_SHAPE", f"labels must be from 0 to {n_classes - 1}, the model's classes"
        )


def weighed(losses, truth, class_weights):
    """(batch, ...) losses, each times what its class weighs; all as they are without weights.

    What has no class weighs 1, the mean of what has one: a teacher tells of it as well.

    Args:
        truth: (batch, ...) integers, `NO_CLASS` for no class. class_weights: (classes,), or None.
    """
    if class_weights is None:
        return losses
    from keras import ops

    table = ops.convert_to_tensor(class_weights, "float32")
    truth = ops.cast(truth, "int32")
    weights = ops.take(table, ops.maximum(truth, 0))
    return losses * ops.where(ops.equal(truth, NO_CLASS), 1.0, weights)


def mean_of_labelled(values, truth):
    """(batch, ...) tensor -> (batch,), the mean over what has a class; 0 of nothing.

    Args:
        truth: (batch, ...) integers, `NO_CLASS` for no class.
    """
    from keras import ops

    counted = ops.cast(ops.not_equal(truth, NO_CLASS), "float32")
    axes = tuple(range(1, len(values.shape)))
    return ops.sum(values * counted, axis=axes) / ops.maximum(ops.sum(counted, axis=axes), 1.0)
