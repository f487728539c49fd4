"""Sums over int16 values and int8 weights, and what brings them to int16, as TFLite Micro has them.

It adds in 64 bits and rounds once with a multiplier of 15 bits; where the biases are int32, it adds
in 32 bits and rounds twice, as in int8.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from firmware_export.aot.arithmetic import activation_range
from firmware_export.aot.graph import Node, refuse
from firmware_export.aot.numbers import wide_multiplier
from kd_edge.base.errors import KdEdgeError

_LARGEST_VALUE = 1 << 15
_LEAST_ROWS = 4  # that kd_matvec_s16 reads
_MOST_LEFT = 7  # that a sum of 64 bits may be shifted
_SUM_LIMIT = 1 << 47


def wide_matrix(
    node: Node,
    weights: np.ndarray,
    bias: np.ndarray,
    pairs: Sequence[tuple[int, int]],
    *,
    together: int,
) -> dict[str, object]:
    """`kd_matvec_s16_matrix`.

    Args:
        weights: int8 (rows, columns). bias: (rows,) int64.
        together: rows of the weights that are multiplied with the same values.

    The other args and raises as `narrow_members`.
    """
    return {
        "weights": np.pad(weights, ((0, max(_LEAST_ROWS - together, 0)), (0, 0))),
        "columns": weights.shape[1],
        "narrow": narrow_members(node, weights, bias, pairs),
    }


def narrow_members(
    node: Node, weights: np.ndarray, bias: np.ndarray, pairs: Sequence[tuple[int, int]]
) -> dict[str, object]:
    """`kd_narrow_s16` of a node's sums.

    Args:
        weights: int8 (channels, window).
        bias: int (channels,).
        pairs: multiplier of 31 bits and shift, one or one for each channel.

    Raises:
        KdEdgeError KD_UNSUPPORTED_OP: sums or results can be larger than TFLite Micro computes.
    """
    pairs = pairs[:1] if len(set(pairs)) == 1 else pairs
    twice = _sums_of_32_bits(node)
    sums = largest_sums(weights, bias)
    if twice:
        _check_twice(node, sums, pairs)
    low, high = activation_range(node, node.computed)
    return {
        "bias": bias.astype(np.int64) if bias.any() else None,
        "scales": np.array(pairs, np.int32) if twice else wide_scales(node, sums, pairs),
        "low": low,
        "high": high,
        "by_channel": int(len(pairs) > 1),
        "twice": int(twice),
    }


def _sums_of_32_bits(node: Node) -> bool:
    if node.op not in ("CONV_2D", "FULLY_CONNECTED"):
        return False
    bias = node.inputs[2] if len(node.inputs) > 2 else None
    if bias is not None:
        return bias.dtype == "int32"
    return node.options.get("quantized_bias_type") == "INT32"


def largest_sums(weights: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """int64 (channels,): no sum of int16 values with int8 weights is further from 0."""
    reach = np.abs(weights.astype(np.int64)).sum(axis=1) * _LARGEST_VALUE
    return reach + np.minimum(np.abs(bias.astype(np.float64)), 2.0 * _SUM_LIMIT).astype(np.int64)


def wide_scales(node: Node, sums: np.ndarray, pairs: Sequence[tuple[int, int]]) -> np.ndarray:
    """int32 (pairs, 2): multiplier and right of `kd_requant_wide`.

    Args:
        sums: int64 (channels,), the largest sizes.

    Raises:
        KdEdgeError KD_UNSUPPORTED_OP: see `narrow_members`.
    """
    scales = []
    for (multiplier, shift), reach in zip(pairs, _by_pair(sums, pairs), strict=True):
        if shift > _MOST_LEFT or reach >= _SUM_LIMIT:
            raise _too_large(node)
        reduced, right = wide_multiplier(multiplier, shift)
        if (reach * reduced) >> right >= (1 << 31) - 1:
            raise _too_large(node)
        scales.append((reduced, right))
    return np.array(scales, np.int32)


def _check_twice(node: Node, sums: np.ndarray, pairs: Sequence[tuple[int, int]]) -> None:
    for (_, shift), reach in zip(pairs, _by_pair(sums, pairs), strict=True):
        if reach << max(shift, 0) >= 1 << 31:
            raise _too_large(node)


def _by_pair(sums: np.ndarray, pairs: Sequence[tuple[int, int]]) -> list[int]:
    return [int(sums.max())] if len(pairs) == 1 else [int(reach) for reach in sums]


def _too_large(node: Node) -> KdEdgeError:
    return refuse(
        node,
        "its sums can grow beyond what TFLite Micro computes",
        "calibrate on data like those of use, or make the layer smaller",
    )
