"""Simple statistics of a window as layers that convert to int8, for plain classifiers."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from keras import layers

from kd_edge.models.inputs import as_timeline, check_choice, check_option, too_short
from kd_edge.models.layers import SegmentStatistic

STATISTICS = ("mean", "magnitude", "deviation", "length")
_SCALE = "_scale"


def window_statistics(
    inputs: dict[str, keras.KerasTensor], *, segments: int, statistics: Sequence[str]
) -> keras.KerasTensor:
    """Statistics of every channel in equal parts of the window, as one vector.

    Behind each statistic stands a layer that brings it to one scale, since int8 has one for the
    whole vector; `standardise` sets it.

    Args:
        inputs: name -> (batch, [steps,] samples, channels).
        segments: parts, fewer if they would be shorter than two samples. Samples that do not
            divide into them are left out at the beginning.
        statistics: of `STATISTICS`, each once.

    Returns:
        (batch, features): input by input, statistic by statistic, segment by segment.

    Raises:
        KdEdgeError KD_SHAPE: an input is shorter than two samples.
    """
    check_option("segments", segments, 1)
    for kind in statistics:
        check_choice("statistics", kind, STATISTICS)
    parts = []
    for name, x in inputs.items():
        cut = _segments(as_timeline(x, name), name, segments)
        for kind in dict.fromkeys(statistics):
            each = SegmentStatistic(kind, name=f"{name}_{kind}")(cut)
            each = layers.DepthwiseConv2D(
                1, depthwise_initializer="ones", name=f"{name}_{kind}{_SCALE}"
            )(each)
            parts.append(layers.Flatten(name=f"{name}_{kind}_flat")(each))
    return parts[0] if len(parts) == 1 else layers.Concatenate(name="statistics")(parts)


def _segments(x, name: str, segments: int) -> keras.KerasTensor:
    """(batch, 1, samples, channels) -> (batch, segments, samples of each, channels)."""
    samples, channels = x.shape[2:]
    if samples < 2:
        raise too_short(name, samples, "statistics")
    number = min(segments, samples // 2)
    length = samples // number
    if samples > number * length:
        early = samples - number * length
        x = layers.Cropping2D(((0, 0), (early, 0)), name=f"{name}_cut")(x)
    return layers.Reshape((number, length, channels), name=f"{name}_segments")(x)


def standardise(network: keras.Model, vectors: np.ndarray) -> np.ndarray:
    """Bring each channel's statistic to mean 0 and deviation 1, over all segments.

    Args:
        network: with the layers of `window_statistics`, not yet set; others are left alone.
        vectors: (n, features) that it gives now.

    Returns:
        (n, features) that it gives then, float64.
    """
    found, start = [], 0
    for layer in [layer for layer in network.layers if layer.name.endswith(_SCALE)]:
        channels = layer.output.shape[-1]
        size = layer.output.shape[1] * channels
        part = vectors[:, start : start + size].reshape(-1, channels).astype(np.float64)
        mean, deviation = part.mean(axis=0), part.std(axis=0)
        deviation[deviation == 0] = 1
        layer.set_weights([(1 / deviation).reshape(1, 1, channels, 1), -mean / deviation])
        found.append(((part - mean) / deviation).reshape(len(vectors), size))
        start += size
    return np.concatenate(found, axis=1) if found else vectors.astype(np.float64)
