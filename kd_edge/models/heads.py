"""From (batch, 1, time, channels) to logits: what is kept of time, then one Dense layer."""

from __future__ import annotations

import keras
from keras import layers

from kd_edge.models.inputs import check_choice


def head(x, n_classes: int, *, segments: int, dropout: float, pool: str = "means"):
    """Logits of what a pool keeps of the time axis, with dropout before the last layer.

    Args:
        x: (batch, 1, time, channels), none of them negative.
        segments: equal parts of the time axis at most whose means are taken apart.
        dropout: share of the values that training leaves out.
        pool: a key of `POOLS`.
    """
    check_choice("pool", pool, POOLS)
    x = layers.Dropout(dropout, name="dropout")(POOLS[pool](x, segments))
    return layers.Dense(n_classes, name="logits")(x)


def segment_means(x, segments: int) -> keras.KerasTensor:
    """Means over at most `segments` equal parts of the time axis, as one vector."""
    part = -(-x.shape[2] // segments)
    x = layers.AveragePooling2D((1, part), padding="same", name="pool")(x)
    return layers.Flatten(name="flatten")(x)


def statistics(x, segments: int) -> keras.KerasTensor:
    """Means of segments, and each channel's mean absolute deviation over the whole window.

    Statistics pooling is of D. Snyder et al., "X-vectors", ICASSP 2018, with a standard deviation.
    The mean absolute one needs no square and no root, which int8 holds badly. As deviations add up
    to 0, it is twice the mean of their positive part: mean |x - m| = 2 mean relu(x - m); the last
    layer takes the 2.
    """
    mean = layers.GlobalAveragePooling2D(keepdims=True, name="mean")(x)
    above = layers.ReLU(name="above")(layers.Subtract(name="centred")([x, mean]))
    deviation = layers.GlobalAveragePooling2D(name="deviation")(above)
    return layers.Concatenate(name="statistics")([*_means(x, segments), deviation])


def attentive(x, segments: int) -> keras.KerasTensor:
    """Means of segments, and a mean in which each channel says which moments count.

    The weights are a sigmoid of a convolution of length 1. B. Desplanques et al., "ECAPA-TDNN",
    Interspeech 2020, weigh by a softmax over time: of 25 moments, int8 holds its 0.04 in steps of
    0.004, and a sigmoid's 0 to 1 in the same.
    """
    weights = layers.Conv2D(x.shape[-1], 1, activation="sigmoid", name="moments")(x)
    weighted = layers.Multiply(name="weighted")([x, weights])
    chosen = layers.GlobalAveragePooling2D(name="chosen")(weighted)
    return layers.Concatenate(name="attentive")([*_means(x, segments), chosen])


def _means(x, segments: int) -> list[keras.KerasTensor]:
    """The same means as `segment_means`, each an operator that has a scale of its own in int8.

    A pooling layer has its input's scale. In front of a concatenation the converter would take the
    concatenation's for both, which is that of means, and clip what goes into the pooling.
    """
    length = x.shape[2]
    part = -(-length // segments)
    found = []
    for index, start in enumerate(range(0, length, part)):
        beyond = max(length - start - part, 0)
        cut = layers.Cropping2D(((0, 0), (start, beyond)), name=f"segment_{index}")(x)
        found.append(layers.GlobalAveragePooling2D(name=f"segment_{index}_mean")(cut))
    return found


# Name -> function of (batch, 1, time, channels) and segments to (batch, features).
POOLS = {"means": segment_means, "statistics": statistics, "attention": attentive}
