"""Element-wise operators and SOFTMAX on int16, whose zero points are 0."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np

from firmware_export.aot.checks import (
    elements,
    require_same_size,
    require_scales,
    require_symmetric,
)
from firmware_export.aot.graph import Node, refuse
from firmware_export.aot.numbers import quantize_multiplier, scale_of
from firmware_export.aot.program import Call
from firmware_export.aot.sigmoid_table import sigmoid_table
from firmware_export.aot.tables import leaky_relu_factors, relu6_limits, relu_members
from kd_edge.base.flatbuffer import Tensor

_IDENTITY = (1 << 30, 1)
_MOST_SHIFT = 14  # of a 16-bit value, or a difference of two, that must stay within 32 bits
_STEPS = 512  # of the tables that SOFTMAX interpolates
_MOST_DEPTH = 65535  # largest shares of SOFTMAX whose sum fits 32 bits


def lower_wide(node: Node) -> tuple[Call, ...]:
    """LOGISTIC, TANH, RELU, RELU6 or LEAKY_RELU, int16 to int16."""
    source, result = node.inputs[0], node.outputs[0]
    require_scales(node, source, result)
    require_symmetric(node, source, result)
    require_same_size(node, source, result)
    kernel, members = _WIDE[node.op](node, source, result)
    return (_call(node, kernel, {"count": elements(source), **members}),)


def _call(node: Node, kernel: str, params: dict[str, object]) -> Call:
    return Call(
        kernel=kernel,
        params=params,
        args=(node.inputs[0], node.outputs[0]),
        writes=(1,),
        in_place=((0, 1),),
        note=node.place,
    )


Kernel = tuple[str, dict[str, object]]


def _slopes(
    node: Node, above: tuple[int, int], below: tuple[int, int], high: int = 32767
) -> Kernel:
    if max(above[1], below[1]) > _MOST_SHIFT:
        raise refuse(node, "its result's scale is far below its input's", "calibrate again")
    return "kd_slopes_s16", {
        "multiplier": above[0],
        "shift": above[1],
        "below_multiplier": abs(below[0]),
        "below_shift": below[1],
        "below_sign": -1 if below[0] < 0 else 1,
        "high": high,
    }


def _relu(node: Node, source: Tensor, result: Tensor) -> Kernel:
    members = relu_members(source, result)
    return _slopes(node, (members["multiplier"], members["shift"]), (0, 0))


def _relu6(node: Node, source: Tensor, result: Tensor) -> Kernel:
    _, six = relu6_limits(source, (-32768, 32767))
    return _slopes(node, _IDENTITY, (0, 0), six)


def _leaky_relu(node: Node, source: Tensor, result: Tensor) -> Kernel:
    return _slopes(node, *leaky_relu_factors(node))


def _logistic(node: Node, source: Tensor, result: Tensor) -> Kernel:
    return _sigmoid(node, source, result, exact_shifts=(0,))


def _tanh(node: Node, source: Tensor, result: Tensor) -> Kernel:
    return _sigmoid(node, source, result, exact_shifts=(0, 1))


def _sigmoid(node: Node, source: Tensor, result: Tensor, exact_shifts: tuple[int, ...]) -> Kernel:
    if _power_of_two(scale_of(result)) != -15:
        raise refuse(node, "its result's scale is not 1/32768", "convert again: that is the rule")
    power = _power_of_two(scale_of(source))
    if power is not None and power + 12 in exact_shifts:
        multiplier, right = 3 << (power + 12), 0
    else:
        real, right = scale_of(source) * 4096.0 * 3.0, 0
        while real <= 32767.0 / 2.0 and right <= 30:
            real, right = real * 2.0, right + 1
        multiplier = int(real)
    if multiplier > 32767:
        raise refuse(
            node,
            f"its input's scale {scale_of(source):g} is above what TFLite Micro takes",
            "calibrate on data like those of use",
        )
    return "kd_sigmoid_s16", {
        "multiplier": multiplier,
        "right": right,
        "tanh": int(node.op == "TANH"),
        "table": sigmoid_table(),
    }


def _power_of_two(scale: float) -> int | None:
    """The exponent of a scale that is a power of two, within the thousandth TFLite allows."""
    exponent = math.log2(scale)
    return round(exponent) if abs(exponent - round(exponent)) < 1e-3 else None


_WIDE: dict[str, Callable[[Node, Tensor, Tensor], Kernel]] = {
    "LOGISTIC": _logistic,
    "TANH": _tanh,
    "RELU": _relu,
    "RELU6": _relu6,
    "LEAKY_RELU": _leaky_relu,
}


def lower_wide_softmax(node: Node) -> tuple[Call, ...]:
    """SOFTMAX along the last axis, int16 to int16; its two tables take 2 kB."""
    source, result = node.inputs[0], node.outputs[0]
    require_scales(node, source, result)
    require_symmetric(node, source, result)
    depth = source.shape[-1]
    if depth > _MOST_DEPTH:
        raise refuse(node, f"over {depth} values", f"use at most {_MOST_DEPTH}")
    if abs(scale_of(result) * 32768 - 1) > 0.001:
        raise refuse(node, "its result's scale is not 1/32768", "convert again: that is the rule")
    # This order of products, because the last bit of a double can decide.
    real = scale_of(source) * float(np.float32(node.options["beta"])) / (10.0 / 65535.0)
    multiplier, shift = quantize_multiplier(real)
    if shift > _MOST_SHIFT:
        raise refuse(node, "beta times its scale is too large", "calibrate again")
    exp, one_over = softmax_tables()
    members = {"multiplier": multiplier, "shift": shift, "exp": exp, "one_over": one_over}
    rows = {"rows": elements(source) // depth, "depth": depth}
    return (_call(node, "kd_softmax_s16", {**rows, **members}),)


@functools.cache
def softmax_tables() -> tuple[np.ndarray, np.ndarray]:
    """int16 (513,) each: exp over [-10, 0] and 1 / (1 + x) over [0, 1], in units of 2/65535.

    Computed in single precision as TFLite Micro does when it starts.
    """
    exp = _table(np.float32(10.0) / np.float32(65535), 32767, _exp)
    return exp, _table(np.float32(1.0) / np.float32(65535), -32768, _one_over_one_plus)


def _exp(x: np.float32) -> np.float32:
    return np.float32(math.exp(float(x)))


def _one_over_one_plus(x: np.float32) -> np.float32:
    return np.float32(1) / (np.float32(1) + x)


def _table(scale: np.float32, zero_point: int, function: Callable) -> np.ndarray:
    """Points of a function over the int16 range, each moved by half of what the middle is off."""
    lowest = scale * np.float32(-32768 - zero_point)
    highest = scale * np.float32(32767 - zero_point)
    unit = np.float32(2.0) / np.float32(65535)
    per_one = np.float32(65536) / (unit * np.float32(32767) - unit * np.float32(-32768))
    step = (highest - lowest) / np.float32(_STEPS)
    points = []
    for i in range(_STEPS):
        at = lowest + np.float32(i) * step
        here = _rounded(function(at) * per_one)
        there = function(lowest + np.float32(i + 1) * step) * per_one
        middle = _rounded(function(at + step / np.float32(2)) * per_one)
        off = _rounded((there + here) / np.float32(2)) - middle
        points.append(here - _rounded(off / np.float32(2)))
    points.append(_rounded(function(highest) * per_one))
    table = np.clip(points, -32768, 32767).astype(np.int16)
    table.setflags(write=False)
    return table


def _rounded(x: np.float32) -> np.float32:
    """To the nearest whole number, halves away from zero."""
    return np.float32(math.copysign(math.floor(abs(float(x)) + 0.5), float(x)))
