"""A last layer in real numbers as one in int8, on the scales that the model has."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.head import Head
from kd_edge.base.quantisation import dequantize
from kd_edge.personalise.prototypes import FloatHead

_MOST_WEIGHT = 127
# Of the output's steps, that scores on what was seen may take; the rest is for what comes.
_FILLED = 0.9
_MOST_BIAS = (1 << 30) - 1


def scores_of(head: Head, embedding: np.ndarray) -> np.ndarray:
    """(windows, classes) real scores of (windows, features) embeddings, before they are rounded."""
    if not head.is_quantised:
        return embedding @ head.weights.T.astype(np.float64) + head.bias
    scales = head.scales.astype(np.float64)
    weights = head.weights * scales.reshape(-1, 1)
    return embedding @ weights.T + head.bias * head.input_scale * scales


def as_head(new: FloatHead, old: Head, seen: np.ndarray) -> Head:
    """A new last layer in the form of an old one.

    All scores of a window are multiplied by one factor and moved by one number, which changes no
    decision: they spread as the old layer's did, so that what was calibrated on those (a threshold,
    a temperature) keeps its meaning, and none of them leaves the output's range.

    Args:
        old: gives shapes, types and the scales of what goes in and comes out.
        seen: (windows, features) embeddings to measure the spread on, in their real unit.

    Raises:
        KdEdgeError KD_DIVERGED: it cannot be written on these scales.
    """
    before, after = scores_of(old, seen), seen @ new.weights.T + new.bias
    factor = before.std() / max(after.std(), np.finfo(np.float64).tiny)
    middle = before.mean()
    if old.is_quantised:
        low, high = dequantize(np.array([-128, 127]), old.output_scale, old.output_zero)
        middle = np.clip(middle, low + 0.25 * (high - low), high - 0.25 * (high - low))
        reach = max(after.max() - after.mean(), after.mean() - after.min())
        room = min(high - middle, middle - low)
        factor = min(factor, _FILLED * room / max(reach, np.finfo(np.float64).tiny))
    weights = factor * new.weights
    bias = factor * (new.bias - after.mean()) + middle
    if not (np.isfinite(weights).all() and np.isfinite(bias).all()):
        raise _unwritable("its numbers are not finite")
    if not old.is_quantised:
        return replace(old, weights=weights.astype(np.float32), bias=bias.astype(np.float32))
    return _quantised(weights, bias, old)


def _quantised(weights: np.ndarray, bias: np.ndarray, old: Head) -> Head:
    largest = np.abs(weights).max(axis=1)
    if len(old.scales) == 1:
        largest = largest.max(keepdims=True)
    # A row of zeros takes any scale.
    scales = (np.where(largest > 0, largest, 1.0) / _MOST_WEIGHT).astype(np.float32)
    real = scales.astype(np.float64)
    steps = np.rint(bias / (old.input_scale * real))
    if not np.abs(steps).max() <= _MOST_BIAS or not (scales > 0).all():
        raise _unwritable("a bias is beyond 30 bits of its step")
    rounded = np.clip(np.rint(weights / real.reshape(-1, 1)), -_MOST_WEIGHT, _MOST_WEIGHT)
    return replace(old, weights=rounded.astype(np.int8), bias=steps.astype(np.int32), scales=scales)


def _unwritable(why: str) -> KdEdgeError:
    return KdEdgeError(
        "KD_DIVERGED",
        f"the wearer's last layer cannot be written in the model's numbers: {why}",
        hint="look at the recordings with `kd-edge data inspect`: they are unlike training's",
    )
