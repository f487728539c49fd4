"""What narrows a convolution's sums: TFLite's per-channel multipliers, bias and clamp."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from firmware_export.aot.arithmetic import activation_range, looked_up
from firmware_export.aot.checks import require_symmetric, require_types
from firmware_export.aot.fixedpoint import requantize
from firmware_export.aot.graph import Node, refuse
from firmware_export.aot.numbers import quantize_multiplier, scale_of, zero_point_of
from kd_edge.base.flatbuffer import Tensor

_INT8 = (-128, 127)
_QUARTER = (1 << 30, -1)  # multiplier and shift that divide a multiple of four exactly


@dataclass(frozen=True, eq=False)
class Narrowing:
    """From sums to int8 or int16, by output channel.

    Attributes:
        multiplier: int32 (channels,).
        shift: int32 (channels,), left where positive.
        bias: int32 (channels,); for int16 values mostly int64.
        in_zero, out_zero: zero points; the output's is the one before a table.
        low, high: the clamp, both included; the whole range where there is a table.
        table: int8 (256,) with the clamp worked in, or None.
    """

    multiplier: np.ndarray
    shift: np.ndarray
    bias: np.ndarray
    in_zero: int
    out_zero: int
    low: int
    high: int
    table: np.ndarray | None

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Multiplier and shift of each channel."""
        return list(zip(self.multiplier.tolist(), self.shift.tolist(), strict=True))

    def select(self, channels: np.ndarray) -> Narrowing:
        """The same for the channels at these indices, (n,), in this order."""
        return Narrowing(
            self.multiplier[channels],
            self.shift[channels],
            self.bias[channels],
            self.in_zero,
            self.out_zero,
            self.low,
            self.high,
            self.table,
        )


def narrowing_of(
    node: Node, source: Tensor, weights: Tensor, bias: Tensor | None, *, axis: int
) -> Narrowing:
    """Constants for a node whose output channels lie along `axis` of the weights.

    Raises:
        KdEdgeError KD_UNSUPPORTED_OP: types that TFLite Micro does not take together, weights
            that are not constant, or quantisation that the operator cannot have.
    """
    channels = weights.shape[axis]
    _check_types(node, source, weights, bias, channels)
    computed = node.computed
    if len(weights.scales) > 1 and weights.quantized_axis != axis:
        raise refuse(node, "its weights' scales do not go by output channel", "export it again")
    scales = np.broadcast_to(np.asarray(weights.scales, np.float32), (channels,))
    # In doubles and in this order, as TFLite does: the last bit of a multiplier depends on it.
    real = scale_of(source) * scales.astype(np.float64) / scale_of(computed)
    pairs = [quantize_multiplier(float(value)) for value in real]
    table, low, high = looked_up(node.table, *activation_range(node, computed))
    return Narrowing(
        multiplier=np.array([m for m, _ in pairs], np.int32),
        shift=np.array([s for _, s in pairs], np.int32),
        bias=np.zeros(channels, np.int32) if bias is None else bias.data.reshape(channels),
        in_zero=zero_point_of(source),
        out_zero=zero_point_of(computed),
        low=low,
        high=high,
        table=table,
    )


def _check_types(
    node: Node, source: Tensor, weights: Tensor, bias: Tensor | None, channels: int
) -> None:
    require_types(node)
    if weights.data is None or (bias is not None and bias.data is None):
        raise refuse(node, "its weights or biases are computed", "make them constants")
    if bias is not None and bias.data.size != channels:
        raise refuse(node, f"it has {bias.data.size} biases", f"its weights need {channels}")
    if len(source.scales) != 1 or len(node.computed.scales) != 1 or not weights.scales:
        raise refuse(node, "a tensor has no scale of its own", "convert the model to int8")
    require_symmetric(node, source, node.computed)


def sum_bounds(weights: np.ndarray, in_zero: int) -> tuple[np.ndarray, np.ndarray]:
    """Smallest and largest sum of weight * (x - in_zero) over rows of weights, for any int8 x.

    Args:
        weights: int8 (channels, window).

    Returns:
        Two int64 (channels,).
    """
    wide = weights.astype(np.int64)
    positive, negative = np.maximum(wide, 0).sum(axis=1), np.minimum(wide, 0).sum(axis=1)
    least, most = _INT8[0] - in_zero, _INT8[1] - in_zero
    return positive * least + negative * most, positive * most + negative * least


def check_sums(node: Node, weights: np.ndarray, narrowing: Narrowing) -> None:
    """Refuse sums that can leave 32 bits, where TFLite Micro's answer has no meaning.

    Args:
        weights: int8 (channels, window).
    """
    least, most = sum_bounds(weights, narrowing.in_zero)
    bias = narrowing.bias.astype(np.int64)
    if (least + bias).min() < -(1 << 31) or (most + bias).max() >= 1 << 31:
        raise refuse(node, "its sums can leave 32 bits", "use a smaller filter or bias")


def settled(weights: np.ndarray, narrowing: Narrowing) -> tuple[np.ndarray, Narrowing]:
    """The same answers, with zero weights if a channel's result is the same for every input.

    Such a channel has a bias far beyond its products. The converter clamps such biases to 2^30,
    and one of them would keep the layer from the faster kernels, whose sums are shorter.

    Args:
        weights: int8 (channels, window), for which `check_sums` holds.
    """
    least, most = sum_bounds(weights, narrowing.in_zero)
    bias = narrowing.bias.astype(np.int64)
    ends = zip(least + bias, most + bias, narrowing.pairs, strict=True)
    results = [_results(narrowing, first, last, *pair) for first, last, pair in ends]
    same = np.array([ends is not None and ends[0] == ends[1] for ends in results])
    if not same.any():
        return weights, narrowing
    value = np.array([ends[0] if ends else 0 for ends in results], np.int64)
    one = dict(zip(("multiplier", "shift"), _QUARTER, strict=True))
    return np.where(same[:, None], 0, weights).astype(weights.dtype), replace(
        narrowing,
        bias=np.where(same, 4 * (value - narrowing.out_zero), bias).astype(narrowing.bias.dtype),
        **{
            name: np.where(same, number, getattr(narrowing, name)).astype(np.int32)
            for name, number in one.items()
        },
    )


def _results(
    narrowing: Narrowing, least: int, most: int, multiplier: int, shift: int
) -> tuple[int, int] | None:
    """What the smallest and the largest sum become before a table; None if sums may wrap."""
    if shift > 0 and max(-int(least), int(most)) << shift >= 1 << 31:
        return None
    sums = np.array([least, most], np.int64)
    values = requantize(sums, multiplier, shift) + narrowing.out_zero
    first, last = np.clip(values, narrowing.low, narrowing.high).tolist()
    return first, last


def fits_doubled(weights: np.ndarray, narrowing: Narrowing) -> bool:
    """Whether the DSP kernels' arithmetic is exact: see kd_conv_s8_narrow.h.

    Args:
        weights: int8 (channels, window).
    """
    least, most = sum_bounds(weights, narrowing.in_zero)
    bias = narrowing.bias.astype(np.int64)
    sums_fit = (least + bias).min() > -(1 << 30) and (most + bias).max() < 1 << 30
    shifts = narrowing.shift[narrowing.multiplier != 0]
    return bool(sums_fit and (shifts < 0).all())


def fits_packed(weights: np.ndarray, narrowing: Narrowing) -> bool:
    """Whether two channels' sums can share a register: see kd_conv_s8_dsp.c.

    Args:
        weights: int8 (channels, window).
    """
    least, most = sum_bounds(weights, narrowing.in_zero)
    fits = least.min() >= -(1 << 23) and most.max() < 1 << 23
    return bool(fits and (weights > -128).all() and fits_doubled(weights, narrowing))
