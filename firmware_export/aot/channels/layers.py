"""A layer of weights as a matrix over the channels that it reads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firmware_export.aot.arithmetic import activation_range
from firmware_export.aot.fixedpoint import divide_by_pot, high_mul
from firmware_export.aot.graph import Node
from firmware_export.aot.lower.conv_geometry import Geometry, geometry_of
from firmware_export.aot.numbers import quantize_multiplier, scale_of, zero_point_of
from kd_edge.base.errors import KdEdgeError

# The axis of the weights along which a layer's results go.
RESULTS_AXIS = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0}
_INT8 = (-128, 127)


@dataclass(frozen=True, eq=False)
class Layer:
    """What CONV_2D, DEPTHWISE_CONV_2D or FULLY_CONNECTED of int8 computes.

    Attributes:
        matrix: int64 (results, columns), the weights.
        channels: int64 (1, columns) or (results, 1): the input's channel that each multiplies.
        bias: int64 (results,).
        multiplier: int64 (results,), of 2^31.
        shift: int64 (results,), left where positive.
        in_zero, out_zero: zero points.
        low, high: the fused activation's.
        padded: whether a window reaches beyond the input, where products are zero.
    """

    matrix: np.ndarray
    channels: np.ndarray
    bias: np.ndarray
    multiplier: np.ndarray
    shift: np.ndarray
    in_zero: int
    out_zero: int
    low: int
    high: int
    padded: bool

    def sums(
        self, least: np.ndarray, most: np.ndarray, *, padded: bool | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Bounds of each sum by those of the input's channels.

        Args:
            least, most: int64 (channels,), quantised values.
            padded: False for windows that lie in the input alone; None for all.

        Returns:
            Two int64 (results,): least and most, in units of the products.
        """
        first, last = least - self.in_zero, most - self.in_zero
        if self.padded if padded is None else padded:
            first, last = np.minimum(first, 0), np.maximum(last, 0)
        first, last = first[self.channels], last[self.channels]
        smallest = np.where(self.matrix > 0, self.matrix * first, self.matrix * last)
        largest = np.where(self.matrix > 0, self.matrix * last, self.matrix * first)
        return smallest.sum(axis=1) + self.bias, largest.sum(axis=1) + self.bias

    def results(self, sums: np.ndarray) -> np.ndarray:
        """What sums become.

        Args:
            sums: int64 (results,), in units of the products.

        Returns:
            int64 (results,), quantised values.
        """
        left, right = np.maximum(self.shift, 0), np.maximum(-self.shift, 0)
        product = high_mul(sums << left, self.multiplier)
        halved = np.array([divide_by_pot(x, int(r)) for x, r in zip(product, right, strict=True)])
        return np.clip(halved + self.out_zero, self.low, self.high)

    def wraps(self, least: np.ndarray, most: np.ndarray) -> bool:
        """Whether a sum within these bounds can leave 32 bits on its way.

        Args:
            least, most: int64 (results,), in units of the products.
        """
        largest = np.maximum(-least, most) << np.maximum(self.shift, 0)
        return bool(largest.max() >= 1 << 31)


def layer_of(node: Node) -> Layer | None:
    """The layer of a node; None for what is of other types, in groups, or to be refused."""
    if node.op not in RESULTS_AXIS or node.table is not None or len(node.inputs) not in (2, 3):
        return None
    source, weights, bias = (*node.inputs, None)[:3]
    result = node.outputs[0]
    types = [t.dtype for t in (source, weights, result)]
    if types != ["int8"] * 3 or weights.data is None or source.data is not None:
        return None
    axis = RESULTS_AXIS[node.op]
    if not quantised(source, result) or not _by_result(weights, axis):
        return None
    if bias is not None and not _whole_numbers(bias, weights.shape[axis]):
        return None
    try:
        return _layer(node, axis)
    except KdEdgeError:
        return None  # its lowering says why


def _whole_numbers(bias, count: int) -> bool:
    return bias.data is not None and bias.data.size == count and bias.data.dtype.kind == "i"


def quantised(*tensors) -> bool:
    """Whether each has one scale above 0 and one zero point, as computed tensors must."""
    return all(len(t.scales) == len(t.zero_points) == 1 and t.scales[0] > 0 for t in tensors)


def _by_result(weights, axis: int) -> bool:
    scales = weights.scales
    by_axis = len(scales) == 1 or (
        weights.quantized_axis == axis and len(scales) == weights.shape[axis]
    )
    return bool(scales) and by_axis and min(scales) > 0 and not any(weights.zero_points)


def _layer(node: Node, axis: int) -> Layer | None:
    source, weights, bias = (*node.inputs, None)[:3]
    result = node.outputs[0]
    form = _FORMS[node.op](node)
    if form is None or result.shape[-1] != weights.shape[axis]:
        return None
    matrix, channels, padded = form
    count = len(matrix)
    scales = np.broadcast_to(np.asarray(weights.scales, np.float32), (count,)).astype(np.float64)
    pairs = [
        quantize_multiplier(float(real)) for real in scale_of(source) * scales / scale_of(result)
    ]
    low, high = activation_range(node, result)
    layer = Layer(
        matrix=matrix.astype(np.int64),
        channels=channels,
        bias=np.zeros(count, np.int64) if bias is None else bias.data.reshape(-1).astype(np.int64),
        multiplier=np.array([m for m, _ in pairs], np.int64),
        shift=np.array([s for _, s in pairs], np.int64),
        in_zero=zero_point_of(source),
        out_zero=zero_point_of(result),
        low=low,
        high=high,
        padded=padded,
    )
    whole = np.full(source.shape[-1], _INT8[0]), np.full(source.shape[-1], _INT8[1])
    return None if layer.wraps(*layer.sums(*whole)) else layer


def _convolution(node: Node) -> tuple[np.ndarray, np.ndarray, bool] | None:
    source, weights = node.inputs[:2]
    if len(source.shape) != 4 or weights.shape[3] != source.shape[3]:
        return None
    matrix = weights.data.reshape(weights.shape[0], -1)
    channels = np.arange(matrix.shape[1])[None] % source.shape[3]
    return matrix, channels, _reaches_beyond(geometry_of(node, weights.shape[1:3]))


def _depthwise(node: Node) -> tuple[np.ndarray, np.ndarray, bool] | None:
    source, weights = node.inputs[:2]
    if len(source.shape) != 4 or weights.shape[0] != 1 or weights.shape[3] % source.shape[3]:
        return None
    matrix = weights.data.reshape(-1, weights.shape[3]).T
    channels = np.arange(len(matrix))[:, None] // (weights.shape[3] // source.shape[3])
    return matrix, channels, _reaches_beyond(geometry_of(node, weights.shape[1:3]))


def _dense(node: Node) -> tuple[np.ndarray, np.ndarray, bool] | None:
    source, weights = node.inputs[:2]
    if not source.shape or weights.shape[1] % source.shape[-1]:
        return None
    return weights.data, np.arange(weights.shape[1])[None] % source.shape[-1], False


_FORMS = {
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _dense,
}


def _reaches_beyond(g: Geometry) -> bool:
    last_row = (g.out_rows - 1) * g.stride_rows - g.pad_rows + (g.kernel_rows - 1) * g.row_step
    last_column = (g.out_columns - 1) * g.stride_columns - g.pad_columns
    last_column += (g.kernel_columns - 1) * g.column_step
    before = g.pad_rows > 0 or g.pad_columns > 0
    return before or last_row >= g.in_rows or last_column >= g.in_columns
