"""Several teachers as one: their logits on the same examples become one set of logits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from keras import ops

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.registry import Registry
from kd_edge.distill.batch import Tensor
from kd_edge.distill.logits import require_logits
from kd_edge.tasks import Task


def combine(
    logits: Sequence[np.ndarray],
    *,
    method: str,
    held_out_accuracy: Sequence[float] | None = None,
) -> np.ndarray:
    """Joint logits of several teachers.

    Args:
        logits: (n, ..., classes) of each teacher, unnormalised, on the same examples in one order.
        method: a key of `ENSEMBLES`.
        held_out_accuracy: of each teacher on examples that it was not trained on, 0 to 1; for
            methods that weigh by it.

    Returns:
        (n, ..., classes) float32 logits (log-probabilities where probabilities were averaged).

    Raises:
        KdEdgeError KD_UNKNOWN_NAME: no such method. KD_SHAPE: shapes differ. KD_NOT_LOGITS: some
            are probabilities. KD_RECIPE_VALUE: accuracies missing, out of range or all zero.
    """
    if len({np.shape(x) for x in logits}) != 1 or np.ndim(logits[0]) < 2:
        raise KdEdgeError(
            "KD_SHAPE",
            "teachers' logits must have one shape (examples, ..., classes)",
            where=f"shapes {[np.shape(x) for x in logits]}",
        )
    for index, values in enumerate(logits):
        require_logits(values, f"the outputs of teacher {index + 1}")
    join = joiner(method, len(logits), held_out_accuracy)
    stacked = np.stack(logits).astype(np.float32)
    return np.asarray(ops.convert_to_numpy(join(stacked)), np.float32)


@dataclass(frozen=True)
class Dropped:
    """A teacher that was left out.

    Attributes:
        teacher: its place among those that were asked.
        with_it, without_it: share of the held-out decisions that those that are kept have right
            together, with this one and without it, 0 to 1.
    """

    teacher: int
    with_it: float
    without_it: float


@dataclass(frozen=True)
class Chosen:
    """The teachers that join.

    Attributes:
        kept: their places among those that were asked, rising.
        accuracies: held-out accuracy of each that is kept, 0 to 1.
        dropped: the others, in their order.
    """

    kept: tuple[int, ...]
    accuracies: tuple[float, ...]
    dropped: tuple[Dropped, ...]


def choose(
    logits: Sequence[np.ndarray], truth: np.ndarray, *, task: Task, method: str, drop: bool
) -> Chosen:
    """Which teachers join, by what they say to examples that none of them was trained on.

    From the one that is best alone, the one that helps most is added as long as the share of right
    decisions does not fall; each that is left over makes it fall. If all together are as good as
    those, all are kept.

    Args:
        logits: (n, ..., classes) of each teacher, unnormalised, on the same examples in one order.
        truth: (n, ...) integers.
        method: how they join, a key of `ENSEMBLES`.
        drop: whether any is left out.

    Raises:
        KdEdgeError: as `combine`.
    """
    alone = [task.share_right(said, truth) for said in logits]
    everybody = list(range(len(logits)))

    def together(chosen: Sequence[int]) -> float:
        joint = combine(
            [logits[i] for i in sorted(chosen)],
            method=method,
            held_out_accuracy=[alone[i] for i in sorted(chosen)],
        )
        return task.share_right(joint, truth)

    kept = [max(everybody, key=lambda i: alone[i])] if drop else everybody
    while left := [i for i in everybody if i not in kept]:
        with_it = {i: together([*kept, i]) for i in left}
        best = max(left, key=lambda i: (with_it[i], alone[i]))
        if with_it[best] < together(kept):
            break
        kept.append(best)
    if left and together(everybody) >= together(kept):
        kept = everybody
    dropped = [Dropped(i, with_it[i], together(kept)) for i in left if i not in kept]
    kept = sorted(kept)
    return Chosen(tuple(kept), tuple(alone[i] for i in kept), tuple(dropped))


def joiner(
    method: str, n_teachers: int, held_out_accuracy: Sequence[float] | None
) -> Callable[[Tensor], Tensor]:
    """A function (teachers, n, ..., classes) -> (n, ..., classes), also inside a graph.

    Raises:
        KdEdgeError KD_UNKNOWN_NAME, KD_RECIPE_VALUE: as `combine`.
    """
    ensemble = ENSEMBLES.find(method)
    if ensemble.by_accuracy:
        _check_accuracies(method, held_out_accuracy, n_teachers)
    return lambda logits: ensemble.join(logits, held_out_accuracy)


def mean_logits(logits, _held_out_accuracy=None):
    """Mean of the logits: (teachers, n, ..., classes) -> (n, ..., classes)."""
    return ops.mean(logits, axis=0)


def mean_probabilities(logits, _held_out_accuracy=None):
    """Logarithm of the mean of the probabilities, of the same shapes."""
    return _mix(logits, ops.zeros_like(logits[..., 0]))


def accuracy_weighted(logits, held_out_accuracy: Sequence[float] | Tensor):
    """Logarithm of the mean of the probabilities, weighted by each teacher's held-out accuracy.

    Args:
        logits: (teachers, n, ..., classes). held_out_accuracy: (teachers,) shares of right answers.

    Returns:
        (n, ..., classes) logits.
    """
    # A teacher that is never right weighs nothing: its logarithm is -inf.
    log_weights = ops.log(ops.convert_to_tensor(held_out_accuracy, "float32"))
    weights = ops.reshape(log_weights, (-1,) + (1,) * (len(logits.shape) - 2))
    return _mix(logits, weights + ops.zeros_like(logits[..., 0]))


def confidence_weighted(logits, _held_out_accuracy=None):
    """Logarithm of the mean of the probabilities, weighted example by example by exp(-entropy).

    exp(entropy) is the number of classes that a teacher hesitates between (its perplexity). After
    the per-sample weights of H. Zhang, D. Chen, C. Wang, "Confidence-Aware Multi-Teacher Knowledge
    Distillation", ICASSP 2022, with the entropy in place of the cross-entropy to the label, so
    that examples without labels can be used as well.
    """
    log_p = ops.log_softmax(logits, axis=-1)
    entropy = -ops.sum(ops.exp(log_p) * log_p, axis=-1)
    return _mix(logits, -entropy)


@dataclass(frozen=True)
class Ensemble:
    """A way to join teachers.

    Attributes:
        name: as a recipe has it.
        join: ((teachers, n, ..., classes) logits, held-out accuracies or None) -> (n, ..., classes)
            logits.
        by_accuracy: it needs the accuracies.
    """

    name: str
    join: Callable[[Tensor, Sequence[float] | None], Tensor]
    by_accuracy: bool = False


ENSEMBLES: Registry[Ensemble] = Registry(
    "ensemble",
    (
        Ensemble("mean-logits", mean_logits),
        Ensemble("mean-probabilities", mean_probabilities),
        Ensemble("accuracy-weighted", accuracy_weighted, by_accuracy=True),
        Ensemble("confidence", confidence_weighted),
    ),
    home=__name__,
)


def _mix(logits, log_weights):
    """log sum_t w_t softmax(logits_t); log_weights (teachers, n, ...), of any scale."""
    log_w = log_weights - ops.logsumexp(log_weights, axis=0, keepdims=True)
    return ops.logsumexp(ops.log_softmax(logits, axis=-1) + ops.expand_dims(log_w, -1), axis=0)


def _check_accuracies(
    method: str, held_out_accuracy: Sequence[float] | None, n_teachers: int
) -> None:
    accuracy = np.asarray([] if held_out_accuracy is None else held_out_accuracy, float)
    if len(accuracy) != n_teachers or not ((accuracy >= 0) & (accuracy <= 1)).all():
        raise KdEdgeError(
            "KD_RECIPE_VALUE",
            f"'{method}' needs an accuracy from 0 to 1 for each of {n_teachers} teachers",
            where=f"held_out_accuracy {held_out_accuracy}",
        )
    if not accuracy.any():
        raise KdEdgeError("KD_RECIPE_VALUE", "every teacher has a held-out accuracy of 0")
