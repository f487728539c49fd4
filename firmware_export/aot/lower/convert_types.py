"""QUANTIZE and DEQUANTIZE: between float, int8 and int16."""

from __future__ import annotations

from firmware_export.aot.checks import (
    elements,
    require_same_size,
    require_scales,
    require_types,
)
from firmware_export.aot.cores import Core
from firmware_export.aot.graph import Node, refuse
from firmware_export.aot.lower.elementwise import lower_table
from firmware_export.aot.numbers import quantize_multiplier, scale_of, zero_point_of
from firmware_export.aot.program import Call

_INTEGERS = ("int8", "int16")


def lower_quantize(node: Node, core: Core) -> tuple[Call, ...]:
    """float32 or an integer to int8 or int16; int8 to int8 is a table."""
    source, result = node.inputs[0], node.outputs[0]
    require_types(node, result, allowed=_INTEGERS)
    require_scales(node, result)
    require_same_size(node, source, result)
    if source.dtype == result.dtype == "int8":
        return lower_table(node, core)
    if source.dtype == "float32":
        return (_of_float(node),)
    require_types(node, source, allowed=(*_INTEGERS, "float32"))
    require_scales(node, source)
    return (_of_integer(node),)


def _of_float(node: Node) -> Call:
    source, result = node.inputs[0], node.outputs[0]
    return Call(
        kernel="kd_quantize_f32",
        params={
            "count": elements(source),
            "scale": scale_of(result),
            "zero_point": zero_point_of(result),
            "wide": int(result.dtype == "int16"),
        },
        args=(source, result),
        writes=(1,),
        in_place=((0, 1),),
        note=node.place,
    )


def _of_integer(node: Node) -> Call:
    source, result = node.inputs[0], node.outputs[0]
    multiplier, shift = quantize_multiplier(scale_of(source) / scale_of(result))
    bits = 8 if source.dtype == "int8" else 16
    if shift + bits >= 30:
        raise refuse(node, "its result's scale is far below its input's", "calibrate again")
    return Call(
        kernel="kd_requantize",
        params={
            "count": elements(source),
            "in_wide": int(source.dtype == "int16"),
            "out_wide": int(result.dtype == "int16"),
            "in_offset": -zero_point_of(source),
            "multiplier": multiplier,
            "shift": shift,
            "offset": zero_point_of(result),
        },
        args=(source, result),
        writes=(1,),
        in_place=((0, 1),) if source.dtype == "int16" else (),
        note=node.place,
    )


def lower_dequantize(node: Node, core: Core) -> tuple[Call, ...]:
    """int8 or int16 to float32."""
    source, result = node.inputs[0], node.outputs[0]
    require_types(node, source, allowed=_INTEGERS)
    require_types(node, result, allowed=("float32",))
    require_scales(node, source)
    require_same_size(node, source, result)
    call = Call(
        kernel="kd_dequantize_f32",
        params={
            "count": elements(source),
            "scale": scale_of(source),
            "zero_point": zero_point_of(source),
            "wide": int(source.dtype == "int16"),
        },
        args=(source, result),
        writes=(1,),
        note=node.place,
    )
    return (call,)
