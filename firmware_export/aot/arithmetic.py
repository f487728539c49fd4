"""ADD, SUB, MUL, MAXIMUM and MINIMUM in integers: their constants, and the values that they give.

The constants are computed in double precision, as TFLite Micro prepares them. The values serve
where one operand is a constant and the operator a table.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from firmware_export.aot.checks import RANGES
from firmware_export.aot.fixedpoint import requantize
from firmware_export.aot.graph import Node, refuse
from firmware_export.aot.numbers import quantize_multiplier, scale_of, zero_point_of
from kd_edge.base.flatbuffer import Tensor

# Bits by which operands of a sum are shifted up before they are brought to one scale.
_SUM_BITS = {"int8": 20, "int16": 15}
# Bits by which a product may be shifted up and stay within 2^30.
_PRODUCT_SHIFT = {"int8": 13, "int16": 0}
_ACTIVATION_LIMITS = {"RELU": (0.0, None), "RELU6": (0.0, 6.0), "RELU_N1_TO_1": (-1.0, 1.0)}


def activation_range(node: Node, tensor: Tensor) -> tuple[int, int]:
    """Smallest and largest quantised value that the fused activation and the type allow."""
    low, high = RANGES[tensor.dtype]
    name = node.options.get("fused_activation_function", "NONE")
    if name == "NONE":
        return low, high
    if name not in _ACTIVATION_LIMITS:
        raise refuse(node, f"it has {name} fused into it", "keep the activation a layer of its own")
    least, most = _ACTIVATION_LIMITS[name]
    return (
        max(low, quantised(least, tensor)),
        high if most is None else min(high, quantised(most, tensor)),
    )


def looked_up(table: np.ndarray | None, low: int, high: int) -> tuple[np.ndarray | None, int, int]:
    """A folded table, int8 (256,), with the clamp before it worked in; and what then clamps."""
    if table is None:
        return None, low, high
    codes = np.clip(np.arange(256) - 128, low, high)
    return table[codes + 128].astype(np.int8), *RANGES["int8"]


def quantised(real: float, tensor: Tensor) -> int:
    """A real number in a tensor's units; beyond 2^31 it stays there."""
    steps = min(max(real / scale_of(tensor), -(2.0**31)), 2.0**31)
    # In single precision, which decides where a quotient is half.
    return zero_point_of(tensor) + round_half_away(np.float32(steps))


def round_half_away(value: float) -> int:
    """To the nearest integer, halves away from zero, as C's `round`."""
    return int(math.copysign(math.floor(abs(float(value)) + 0.5), float(value)))


def sum_members(node: Node) -> dict[str, int]:
    """Constants of ADD and SUB, by the names of the kernel's parameters.

    Raises:
        KdEdgeError KD_UNSUPPORTED_OP: the scales are so far apart that TFLite Micro refuses them.
    """
    a, b, result = node.inputs[0], node.inputs[1], node.computed
    bits = _SUM_BITS[result.dtype]
    both = 2 * max(scale_of(a), scale_of(b))
    factors = scale_of(a) / both, scale_of(b) / both, both / ((1 << bits) * scale_of(result))
    members = {"a_offset": -zero_point_of(a), "b_offset": -zero_point_of(b)}
    for name, real in zip(("a_", "b_", ""), factors, strict=True):
        multiplier, shift = quantize_multiplier(real)
        if real >= 1 or shift > 0:
            raise refuse(
                node,
                f"its result's scale {scale_of(result):g} is far below its inputs'",
                "calibrate on data like those of use, or drop the layer",
            )
        members |= {f"{name}multiplier": multiplier, f"{name}right": -shift}
    low, high = activation_range(node, result)
    return members | {
        "offset": zero_point_of(result),
        "low": low,
        "high": high,
        "sign": -1 if node.op == "SUB" else 1,
    }


def sum_values(members: Mapping[str, int], a, b, *, bits: int) -> np.ndarray:
    """What ADD or SUB gives for quantised operands of one shape, before a folded table: int64."""
    scaled = [
        requantize(
            (np.asarray(values, np.int64) + members[f"{name}_offset"]) << bits,
            members[f"{name}_multiplier"],
            -members[f"{name}_right"],
        )
        for name, values in (("a", a), ("b", b))
    ]
    total = scaled[0] + members["sign"] * scaled[1]
    raw = requantize(total, members["multiplier"], -members["right"]) + members["offset"]
    return np.clip(raw, members["low"], members["high"])


def product_members(node: Node) -> dict[str, int]:
    """Constants of MUL, by the names of the kernel's parameters.

    Raises:
        KdEdgeError KD_UNSUPPORTED_OP: a product at these scales does not fit 32 bits.
    """
    a, b, result = node.inputs[0], node.inputs[1], node.computed
    multiplier, shift = quantize_multiplier(scale_of(a) * scale_of(b) / scale_of(result))
    if shift > _PRODUCT_SHIFT[result.dtype]:
        raise refuse(
            node,
            f"its result's scale {scale_of(result):g} is far below its inputs' product",
            "calibrate on data like those of use, or drop the layer",
        )
    low, high = activation_range(node, result)
    return {
        "a_offset": -zero_point_of(a),
        "b_offset": -zero_point_of(b),
        "multiplier": multiplier,
        "shift": shift,
        "offset": zero_point_of(result),
        "low": low,
        "high": high,
    }


def product_values(members: Mapping[str, int], a, b) -> np.ndarray:
    """What MUL gives for quantised operands of one shape, before a folded table: int64."""
    x = np.asarray(a, np.int64) + members["a_offset"]
    y = np.asarray(b, np.int64) + members["b_offset"]
    raw = requantize(x * y, members["multiplier"], members["shift"]) + members["offset"]
    return np.clip(raw, members["low"], members["high"])


def binary_values(node: Node, a, b) -> np.ndarray:
    """What an int8 ADD, SUB, MUL, MAXIMUM or MINIMUM of one shape gives, before a folded table."""
    if node.op in ("ADD", "SUB"):
        return sum_values(sum_members(node), a, b, bits=_SUM_BITS["int8"])
    if node.op == "MUL":
        return product_values(product_members(node), a, b)
    return np.maximum(a, b) if node.op == "MAXIMUM" else np.minimum(a, b)
