"""Small int8 models of convolutions along time, as our students are, from the schema."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from aot_layers import Layers
from tflite_samples import options_of

SAME, VALID, CAUSAL = 0, 1, 2  # as the schema has them, and one of our own


@dataclass(frozen=True)
class Conv:
    """One convolution along time."""

    kernel: int
    stride: int = 1
    step: int = 1
    padding: int = SAME
    depthwise: bool = False

    def columns(self, size: int) -> int:
        reach = (self.kernel - 1) * self.step + 1
        if self.padding == CAUSAL:
            size += reach - 1
        if self.padding == SAME:
            return -(-size // self.stride)
        return (size - reach) // self.stride + 1


class Timeline(Layers):
    """Layers over (1, 1, time, channels), or (1, time, bands, channels)."""

    def __init__(self, seed: int):
        super().__init__(seed)
        self._zeros: dict[int, int] = {}

    def along(self, source, shape, filters: int, conv: Conv):
        by_row = shape[1] > 1
        size, made_of = conv.columns(shape[1] if by_row else shape[2]), source
        if conv.padding == CAUSAL:
            made_of = self._delayed(
                source, shape, 1 if by_row else 2, (conv.kernel - 1) * conv.step
            )
        kernel = (conv.kernel, 1) if by_row else (1, conv.kernel)
        filters = shape[3] if conv.depthwise else filters
        dense = (filters, *kernel, shape[3])
        form = (1, *kernel, filters) if conv.depthwise else dense
        weights, scales = self._weights(form, 1, scale=0.03)
        bias = self._bias(filters, scales * self._scales[source])
        result_shape = (1, size, shape[2], filters) if by_row else (1, 1, size, filters)
        result = self.value(result_shape, scale=0.1, zero_point=-128)
        along, beside = ("H", "W") if by_row else ("W", "H")
        options = {
            f"stride{along}": conv.stride,
            # A depthwise layer takes equal strides only.
            f"stride{beside}": conv.stride if conv.depthwise and not by_row else 1,
            f"dilation{along}Factor": conv.step,
            f"dilation{beside}Factor": 1,
            "padding": SAME if conv.padding == SAME else VALID,
            "fusedActivationFunction": 1,
        }
        kind, op = (
            ("DepthwiseConv2D", "DEPTHWISE_CONV_2D") if conv.depthwise else ("Conv2D", "CONV_2D")
        )
        if conv.depthwise:
            options["depthMultiplier"] = 1
        made = options_of(f"{kind}Options", **options)
        self.operator(op, (made_of, weights, bias), (result,), made, version=3)
        return result, result_shape

    def _delayed(self, source, shape, axis: int, count: int):
        """Zeros in front of the first moment."""
        amounts = np.zeros((4, 2), np.int32)
        amounts[axis, 0] = count
        padded = tuple(size + count * (i == axis) for i, size in enumerate(shape))
        result = self.value(padded, scale=self._scales[source], zero_point=self._zeros[source])
        inputs = (source, self.constant(self._name("amounts"), amounts))
        self.operator("PAD", inputs, (result,), options_of("PadOptions"), version=2)
        return result

    def value(self, shape, *, scale=0.05, zero_point=3):
        index = super().value(shape, scale=scale, zero_point=zero_point)
        self._zeros[index] = zero_point
        return index

    def added(self, a, b, shape):
        result = self.value(shape, scale=0.15, zero_point=4)
        self.operator("ADD", (a, b), (result,), options_of("AddOptions"), version=2)
        return result

    def mean(self, source, shape):
        axes = self.constant(self._name("axes"), np.array([1, 2], np.int32))
        result = self.value((1, shape[3]), scale=0.05, zero_point=-3)
        options = options_of("ReducerOptions", keepDims=False)
        self.operator("MEAN", (source, axes), (result,), options, version=2)
        return result

    def mean_along(self, source, shape):
        """Means over time that keep the axes, to be read beside what they are of."""
        axes = self.constant(self._name("axes"), np.array([1, 2], np.int32))
        result = self.value((1, 1, 1, shape[3]), scale=0.05, zero_point=-3)
        options = options_of("ReducerOptions", keepDims=True)
        self.operator("MEAN", (source, axes), (result,), options, version=2)
        return result


def stack(convs, *, samples=48, channels=3, width=8, bands=0, head="mean") -> bytes:
    """Convolutions in a row, behind them means over time or one of segments, and a dense layer.

    Args:
        bands: values beside each moment, each with its channels; 0 for a row of moments.
        head: 'mean' or 'segments'.
    """
    graph = Timeline(len(convs))
    shape = (1, samples, bands, channels) if bands else (1, 1, samples, channels)
    source = result = graph.value(shape)
    for conv in convs:
        result, shape = graph.along(result, shape, width, conv)
    if head == "segments":
        result, shape = graph.pool(result, shape, max(shape[2] // 2, 1))
        result = graph.reshape(result, (1, shape[2] * shape[3]))
        return graph.content((source,), (graph.dense(result, shape[2] * shape[3], 4),))
    return graph.content((source,), (graph.dense(graph.mean(result, shape), shape[3], 4),))


def residual(*, padding=SAME) -> bytes:
    """A stem, and a block with a shortcut that halves nothing."""
    graph = Timeline(5)
    shape = (1, 1, 40, 3)
    source = graph.value(shape)
    stem, shape = graph.along(source, shape, 8, Conv(5, 2, padding=padding))
    inner, _ = graph.along(stem, shape, 8, Conv(3, padding=SAME, depthwise=True))
    inner, _ = graph.along(inner, shape, 8, Conv(1))
    result = graph.added(stem, inner, shape)
    return graph.content((source,), (graph.dense(graph.mean(result, shape), 8, 4),))


def gated() -> bytes:
    """A convolution behind what depends on the whole window."""
    graph = Timeline(6)
    shape = (1, 1, 40, 3)
    source = graph.value(shape)
    stem, shape = graph.along(source, shape, 8, Conv(5, 2))
    shifted = graph.added(stem, graph.mean_along(stem, shape), shape)
    result, shape = graph.along(shifted, shape, 8, Conv(3))
    return graph.content((source,), (graph.mean(result, shape),))


def centred() -> bytes:
    """Values beside their mean over time, without a convolution behind them."""
    graph = Timeline(7)
    shape = (1, 1, 40, 3)
    source = graph.value(shape)
    stem, shape = graph.along(source, shape, 8, Conv(5, 2))
    shifted = graph.added(stem, graph.mean_along(stem, shape), shape)
    return graph.content((source,), (graph.mean(shifted, shape),))


def turned() -> bytes:
    """Channels and moments change places before a convolution."""
    graph = Timeline(8)
    source = graph.value((1, 1, 24, 3))
    order = graph.constant("order", np.array([0, 1, 3, 2], np.int32))
    result = graph.value((1, 1, 3, 24))
    graph.operator("TRANSPOSE", (source, order), (result,))
    result, shape = graph.along(result, (1, 1, 3, 24), 4, Conv(2))
    return graph.content((source,), (graph.mean(result, shape),))


def echo() -> bytes:
    """The input is an output too."""
    graph = Timeline(9)
    source = graph.value((1, 1, 24, 3))
    result, shape = graph.along(source, (1, 1, 24, 3), 4, Conv(3))
    return graph.content((source,), (graph.mean(result, shape), source))
