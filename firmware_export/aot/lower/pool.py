"""AVERAGE_POOL_2D and MAX_POOL_2D."""

from __future__ import annotations

from firmware_export.aot.arithmetic import RANGES, activation_range
from firmware_export.aot.checks import require_scales, require_types
from firmware_export.aot.cores import Core
from firmware_export.aot.graph import Node, refuse
from firmware_export.aot.lower.conv_geometry import Geometry, geometry_of
from firmware_export.aot.numbers import scale_of, zero_point_of
from firmware_export.aot.program import Call

_KERNELS = {"AVERAGE_POOL_2D": "kd_avg_pool", "MAX_POOL_2D": "kd_max_pool"}
_SUFFIXES = {"int8": "s8", "int16": "s16"}
_SCALE_TOLERANCE = 1e-6  # by which TFLite Micro lets the two scales differ


def lower_pool(node: Node, core: Core) -> tuple[Call, ...]:
    """AVERAGE_POOL_2D or MAX_POOL_2D over (batch, rows, columns, channels).

    Raises:
        KdEdgeError KD_UNSUPPORTED_OP: types other than int8 and int16, an output quantised
            otherwise than the input, or shapes that do not fit each other.
    """
    source, result = node.inputs[0], node.outputs[0]
    require_types(node)
    require_scales(node, source, result)
    differ = abs(scale_of(source) - scale_of(result)) > _SCALE_TOLERANCE
    if differ or zero_point_of(source) != zero_point_of(result):
        raise refuse(node, "its output is quantised otherwise than its input", "convert it again")
    kernel = int(node.options["filter_height"]), int(node.options["filter_width"])
    g = geometry_of(node, kernel)
    if result.shape[3] != g.in_channels:
        raise refuse(node, f"its output is {result.shape}", "export the model again")
    low, high = activation_range(node, result)
    if node.op == "AVERAGE_POOL_2D":
        if source.dtype == "int8" and (low, high) == RANGES["int8"] and _in_pairs(g):
            return (_pairs_call(node, g),)
        _check_sum(node, g)
    params = {
        **g.members("kernel_columns"),
        "channels": g.in_channels,
        "low": low,
        "high": high,
    }
    # Without padding in front, a pixel is written at or before the first that is still to be read.
    in_place = ((0, 1),) if g.pad_rows == 0 == g.pad_columns else ()
    args = (source, result)
    kernel = f"{_KERNELS[node.op]}_{_SUFFIXES[source.dtype]}"
    return (Call(kernel, params, args, (1,), in_place=in_place, note=node.place),)


def _check_sum(node: Node, g: Geometry) -> None:
    """Refuse windows whose sums can leave 32 bits."""
    largest = min(g.kernel_rows, g.in_rows) * min(g.kernel_columns, g.in_columns)
    largest *= -RANGES[node.inputs[0].dtype][0]
    if largest >= 1 << 31:
        raise refuse(node, "its sums can leave 32 bits", "pool in two layers")


def _in_pairs(g: Geometry) -> bool:
    """Whether each output pixel is the mean of the next two of a row, none of them padding."""
    windows = g.kernel_rows, g.kernel_columns, g.stride_rows, g.stride_columns
    return windows == (1, 2, 1, 2) and 2 * g.out_columns <= g.in_columns


def _pairs_call(node: Node, g: Geometry) -> Call:
    params = {
        "rows": g.batches * g.in_rows,
        "pairs": g.out_columns,
        "channels": g.in_channels,
        "behind": g.in_columns - 2 * g.out_columns,
    }
    args = (node.inputs[0], node.outputs[0])
    return Call("kd_avg_pool_s8_pairs", params, args, (1,), in_place=((0, 1),), note=node.place)
