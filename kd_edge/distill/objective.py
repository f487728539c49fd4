"""What is minimised: the labels' cross-entropy, and a distillation loss beside it."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import keras
import numpy as np
from keras import ops

from kd_edge.base.errors import KdEdgeError, nearest
from kd_edge.distill.losses import LOSSES


def pack_targets(labels: np.ndarray, teacher_logits: np.ndarray | None) -> np.ndarray:
    """(n, 1) labels, or (n, 1 + classes) with the teacher's logits, as one float32 array."""
    column = labels.astype(np.float32)[:, None]
    if teacher_logits is None:
        return column
    return np.concatenate([column, teacher_logits.astype(np.float32)], axis=1)


def make_objective(*, loss: str | None, temperature: float | None, alpha: float | None) -> Callable:
    """A function (packed targets, logits) -> (batch,): alpha * hard + (1 - alpha) * distillation.

    Raises:
        KdEdgeError KD_UNKNOWN_NAME: no such loss. KD_RECIPE_VALUE: alpha or temperature is missing,
            out of range, or given where nothing reads it.
    """
    if loss is None:
        _refuse("alpha", alpha)
        _refuse("temperature", temperature)
        return hard_loss
    if loss not in LOSSES:
        raise KdEdgeError(
            "KD_UNKNOWN_NAME",
            f"there is no loss '{loss}'{nearest(loss, LOSSES)}",
            hint=f"losses: {', '.join(LOSSES)}",
        )
    if alpha is None or not 0 <= alpha <= 1:
        raise KdEdgeError("KD_RECIPE_VALUE", f"alpha must be from 0 to 1, not {alpha}")
    soft = LOSSES[loss]
    settings = {}
    if "temperature" in inspect.signature(soft).parameters:
        if temperature is None or not temperature > 0:
            raise KdEdgeError(
                "KD_RECIPE_VALUE", f"loss '{loss}' needs a temperature > 0, not {temperature}"
            )
        settings["temperature"] = temperature
    else:
        _refuse("temperature", temperature, f" with loss '{loss}'")

    def objective(targets, logits):
        distilled = soft(logits, targets[:, 1:], **settings)
        return alpha * hard_loss(targets, logits) + (1 - alpha) * distilled

    return objective


def hard_loss(targets, logits):
    """Cross-entropy to the labels in the first column of the targets, (batch,) nats."""
    labels = ops.cast(targets[:, 0], "int32")
    return keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)


def correct(targets, logits):
    """(batch,) 1 where the largest logit is the label's, else 0."""
    labels = ops.cast(targets[:, 0], "int32")
    return ops.cast(ops.equal(ops.cast(ops.argmax(logits, axis=-1), "int32"), labels), "float32")


def _refuse(name: str, value, why: str = " without a distillation loss") -> None:
    if value is not None:
        raise KdEdgeError("KD_RECIPE_VALUE", f"{name} = {value} has no meaning{why}")
