"""MEAN, SUM and ARG_MAX."""

from __future__ import annotations

from math import prod

from firmware_export.aot.checks import (
    axis_of,
    constant_of,
    elements,
    require_scales,
    require_shape,
    require_types,
)
from firmware_export.aot.cores import Core
from firmware_export.aot.graph import Node, refuse
from firmware_export.aot.lower.moves import Axis, joined, rows_member, strides
from firmware_export.aot.numbers import quantize_multiplier, scale_of, zero_point_of
from firmware_export.aot.program import Call


def lower_reduce(node: Node, core: Core) -> tuple[Call, ...]:
    """MEAN and SUM over constant axes."""
    source, result = node.inputs[0], node.outputs[0]
    require_types(node)
    require_scales(node, source, result)
    rank = len(source.shape)
    over = {axis_of(node, axis, rank) for axis in constant_of(node, 1, "axes")}
    kept = [n for axis, n in enumerate(source.shape) if axis not in over]
    ones = [1 if axis in over else n for axis, n in enumerate(source.shape)]
    require_shape(node, result, tuple(ones if node.options.get("keep_dims") else kept))
    count = elements(source) // elements(result)
    multiplier, shift = quantize_multiplier(scale_of(source) / scale_of(result))
    if node.op == "MEAN":
        multiplier, shift = _divided(multiplier, shift, count)
    _check_sum(node, count, shift)
    walked = [Axis(n, step, 0) for n, step in zip(source.shape, strides(source.shape), strict=True)]
    call = Call(
        kernel="kd_reduce_s8" if result.dtype == "int8" else "kd_reduce_s16",
        params={
            "kept": rows_member(joined([a for i, a in enumerate(walked) if i not in over])),
            "reduced": rows_member(joined([a for i, a in enumerate(walked) if i in over])),
            "sum_offset": -zero_point_of(source) * count,
            "multiplier": multiplier,
            "shift": shift,
            "offset": zero_point_of(result),
        },
        args=(source, result),
        writes=(1,),
        note=node.place,
    )
    return (call,)


def _divided(multiplier: int, shift: int, count: int) -> tuple[int, int]:
    """The multiplier with the division by `count` in it, as near as it can be had in 31 bits."""
    up = min(count.bit_length() - 1, 32, 31 + shift)
    return (multiplier << up) // count, shift - up


def _check_sum(node: Node, count: int, shift: int) -> None:
    """Refuse sums that might not fit TFLite Micro's 32 bits."""
    largest = count * (1 << (8 if node.inputs[0].dtype == "int8" else 16))
    if largest << max(shift, 0) > 1 << 30:
        raise refuse(
            node,
            f"a sum of {count} values at these scales does not fit 32 bits",
            "reduce in two layers, or calibrate on data like those of use",
        )


def lower_arg_max(node: Node, core: Core) -> tuple[Call, ...]:
    """ARG_MAX along one constant axis, to int32."""
    source, result = node.inputs[0], node.outputs[0]
    require_types(node)
    axis = axis_of(node, constant_of(node, 1, "axis")[0], len(source.shape))
    require_shape(node, result, source.shape[:axis] + source.shape[axis + 1 :])
    call = Call(
        kernel="kd_arg_max_s8",
        params={
            "outer": prod(source.shape[:axis]),
            "count": source.shape[axis],
            "inner": prod(source.shape[axis + 1 :]),
        },
        args=(source, result),
        writes=(1,),
        note=node.place,
    )
    return (call,)
