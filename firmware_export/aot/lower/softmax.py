"""SOFTMAX along the last axis."""

from __future__ import annotations

import math

from firmware_export.aot.checks import (
    elements,
    require_same_size,
    require_scales,
    require_types,
)
from firmware_export.aot.cores import Core
from firmware_export.aot.fixedpoint import input_radius
from firmware_export.aot.graph import Node, refuse
from firmware_export.aot.lower.wide import lower_wide_softmax
from firmware_export.aot.numbers import quantize_multiplier, scale_of
from firmware_export.aot.program import Call
from kd_edge.base.flatbuffer import Tensor

_INTEGER_BITS = 5  # of a difference from the largest value
# A row's sum of largest shares must fit 12 integer bits.
_MAX_DEPTH = 4095


def lower_softmax(node: Node, core: Core) -> tuple[Call, ...]:
    """int8 to int8 or int16, int16 to int16."""
    source, result = node.inputs[0], node.outputs[0]
    require_types(node)
    require_same_size(node, source, result)
    if not source.shape or not math.isfinite(float(node.options["beta"])):
        raise refuse(node, "it has no axis to go along, or no beta", "make the file again")
    if source.dtype == "int16":
        return lower_wide_softmax(node)
    require_scales(node, source)
    _check_result(node, result)
    depth = source.shape[-1]
    if not 1 <= depth <= _MAX_DEPTH:
        raise refuse(node, f"over {depth} values", f"use 1 to {_MAX_DEPTH} values")
    multiplier, left = _difference_scale(node, source)
    call = Call(
        kernel="kd_softmax_s8" if result.dtype == "int8" else "kd_softmax_s8_s16",
        params={
            "rows": elements(source) // depth,
            "depth": depth,
            "multiplier": multiplier,
            "left": left,
            "least": -input_radius(_INTEGER_BITS, left),
        },
        args=(source, result),
        writes=(1,),
        in_place=((0, 1),) if result.dtype == "int8" else (),
        note=node.place,
    )
    return (call,)


def _check_result(node: Node, result: Tensor) -> None:
    bits = 8 if result.dtype == "int8" else 16
    scale, zero_point = 2.0**-bits, -(1 << (bits - 1))
    near = len(result.scales) == 1 and abs(scale_of(result) - scale) <= (
        0 if bits == 8 else 0.001 * scale
    )
    if not near or result.zero_points != (zero_point,):
        raise refuse(
            node,
            f"its result is not of scale 1/{1 << bits} and zero point {zero_point}",
            "convert again: the converter sets these",
        )


def _difference_scale(node: Node, source: Tensor) -> tuple[int, int]:
    real = float(node.options["beta"]) * scale_of(source) * (1 << (31 - _INTEGER_BITS))
    real = min(real, (1 << 31) - 1.0)
    if real <= 1:
        raise refuse(
            node,
            f"beta times the scale {scale_of(source):g} is too small for TFLite Micro",
            "calibrate on data like those of use",
        )
    return quantize_multiplier(real)
