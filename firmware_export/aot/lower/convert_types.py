"""QUANTIZE and DEQUANTIZE: between float and integers, or from integers to integers."""

from __future__ import annotations

from firmware_export.aot.checks import (
    elements,
    require_same_size,
    require_scales,
    require_types,
)
from firmware_export.aot.cores import Core
from firmware_export.aot.graph import ITEM_BYTES, Node
from firmware_export.aot.lower.elementwise import lower_table
from firmware_export.aot.numbers import quantize_multiplier, scale_of, zero_point_of
from firmware_export.aot.program import Call

# kd_integer of kd_integer.h.
_INTEGERS = {"int8": 0, "uint8": 1, "int16": 2, "int32": 3}


def lower_quantize(node: Node, core: Core) -> tuple[Call, ...]:
    """float32 or an integer to an integer; int8 to int8 is a table.

    Raises:
        KdEdgeError KD_UNSUPPORTED_OP: two types that TFLite Micro does not take together.
    """
    source, result = node.inputs[0], node.outputs[0]
    require_types(node)
    require_scales(node, result)
    require_same_size(node, source, result)
    if source.dtype == "float32":
        return (_of_float(node),)
    require_scales(node, source)
    if source.dtype == result.dtype == "int8":
        return lower_table(node, core)
    return (_of_integer(node),)


def _of_float(node: Node) -> Call:
    source, result = node.inputs[0], node.outputs[0]
    return Call(
        kernel="kd_quantize_f32",
        params={
            "count": elements(source),
            "scale": scale_of(result),
            "zero_point": zero_point_of(result),
            "out_type": _INTEGERS[result.dtype],
        },
        args=(source, result),
        writes=(1,),
        in_place=((0, 1),),
        note=node.place,
    )


def _of_integer(node: Node) -> Call:
    source, result = node.inputs[0], node.outputs[0]
    multiplier, shift = quantize_multiplier(scale_of(source) / scale_of(result))
    return Call(
        kernel="kd_requantize",
        params={
            "count": elements(source),
            "in_type": _INTEGERS[source.dtype],
            "out_type": _INTEGERS[result.dtype],
            "in_offset": -zero_point_of(source),
            "multiplier": multiplier,
            "shift": shift,
            "offset": zero_point_of(result),
        },
        args=(source, result),
        writes=(1,),
        in_place=((0, 1),) if ITEM_BYTES[source.dtype] >= ITEM_BYTES[result.dtype] else (),
        note=node.place,
    )


def lower_dequantize(node: Node, core: Core) -> tuple[Call, ...]:
    """int8, uint8 or int16 to float32."""
    source, result = node.inputs[0], node.outputs[0]
    require_types(node)
    require_scales(node, source)
    require_same_size(node, source, result)
    call = Call(
        kernel="kd_dequantize_f32",
        params={
            "count": elements(source),
            "scale": scale_of(source),
            "zero_point": zero_point_of(source),
            "in_type": _INTEGERS[source.dtype],
        },
        args=(source, result),
        writes=(1,),
        note=node.place,
    )
    return (call,)
