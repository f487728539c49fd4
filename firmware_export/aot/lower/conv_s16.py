"""Convolutions of int16 values with int8 weights."""

from __future__ import annotations

import numpy as np

from firmware_export.aot.graph import Node
from firmware_export.aot.lower.conv_geometry import Geometry
from firmware_export.aot.lower.conv_quantisation import Narrowing
from firmware_export.aot.lower.convolution import Convolution
from firmware_export.aot.lower.sums_s16 import narrow_members, wide_matrix
from firmware_export.aot.program import Call, Scratch

DEPTHWISE_COLUMNS = 256  # of a kernel whose rows kd_depthwise_s16 adds up in 32 bits


def wide_convolution_call(node: Node, conv: Convolution) -> Call:
    """kd_conv_s16, in groups or not.

    Raises:
        KdEdgeError KD_UNSUPPORTED_OP: see `narrow_members`.
    """
    g, placed = conv.geometry, conv.placed
    channels = conv.weights.shape[3]
    adjoining = g.kernel_columns == 1 or (g.column_step == 1 and conv.groups == 1)
    bias, pairs = conv.narrowing.bias, conv.narrowing.pairs
    filters = len(conv.weights) // conv.groups
    params = {
        "matrix": wide_matrix(node, conv.rows, bias, pairs, together=filters),
        "out_first": placed.first,
        "out_step": placed.step,
        "out_row_gap": placed.row_gap,
        **g.members("in_channels", "row_step", "column_step"),
        "run_columns": g.kernel_columns if adjoining else 1,
        "runs": 1 if adjoining else g.kernel_columns,
        "groups": conv.groups,
        "group_channels": channels,
        "group_filters": filters,
    }
    in_place = adjoining and g.kernel_rows == 1 and _inside(g)
    scratch = Scratch(0 if in_place else 2 * conv.rows.shape[1])
    args = (conv.source, scratch, conv.result)
    return Call("kd_conv_s16", params, args, (2,), macs=conv.macs, note=conv.note)


def _inside(g: Geometry) -> bool:
    """Whether every window of one row lies in the input."""
    columns = (g.out_columns - 1) * g.stride_columns - g.pad_columns + g.kernel_columns
    rows = (g.out_rows - 1) * g.stride_rows - g.pad_rows
    return g.pad_rows <= 0 >= g.pad_columns and columns <= g.in_columns and rows < g.in_rows


def wide_depthwise_call(
    node: Node, g: Geometry, by_channel: np.ndarray, narrowing: Narrowing
) -> Call:
    """kd_depthwise_s16.

    Args:
        by_channel: int8 (channels, taps).

    Raises:
        KdEdgeError KD_UNSUPPORTED_OP: see `narrow_members`.
    """
    params = {
        "weights": np.ascontiguousarray(by_channel),
        "narrow": narrow_members(node, by_channel, narrowing.bias, narrowing.pairs),
        **g.members("kernel_columns", "row_step", "column_step"),
        "channels": g.in_channels,
    }
    args = (node.inputs[0], node.outputs[0])
    macs = g.pixels * by_channel.size
    return Call("kd_depthwise_s16", params, args, (1,), macs=macs, note=node.place)
