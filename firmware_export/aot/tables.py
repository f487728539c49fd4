"""Element-wise int8 operators as tables of 256 bytes, with the values of TFLite Micro's kernels."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from firmware_export.aot import fixedpoint
from firmware_export.aot.arithmetic import binary_values, quantised
from firmware_export.aot.checks import elements, require_same_size, require_scales
from firmware_export.aot.graph import Node, refuse
from firmware_export.aot.numbers import quantize_multiplier, scale_of, zero_point_of
from kd_edge.base.flatbuffer import Tensor

_CODES = np.arange(-128, 128, dtype=np.int64)
_BINARY = frozenset({"ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM"})
_TABLE_INTEGER_BITS = 4  # before the binary point of LOGISTIC's and TANH's argument


def table_of(node: Node) -> np.ndarray | None:
    """int8 (256,): the result for each input value, at value + 128.

    None for an operator that is no such table: another one, another type, two computed operands,
    or a constant that is not the same for every value.

    Raises:
        KdEdgeError KD_UNSUPPORTED_OP: it would be one, but TFLite Micro does not take its
            quantisation.
    """
    if not node.inputs or node.inputs[0] is None or len(node.outputs) != 1:
        return None
    result = node.computed
    if node.op in _BINARY:
        values = _of_binary(node)
    elif node.op in _UNARY and node.inputs[0].dtype == result.dtype == "int8":
        require_same_size(node, node.inputs[0], result)
        require_scales(node, node.inputs[0], result)
        values = _UNARY[node.op](node, node.inputs[0], result)
    else:
        return None
    if values is None:
        return None
    table = np.clip(values, -128, 127).astype(np.int8)
    return table if node.table is None else node.table[table.astype(np.int32) + 128]


def table_source(node: Node) -> Tensor:
    """What an operator with a table looks up: its computed operand, or the one that it has."""
    operands = node.inputs[:2]
    return next((t for t in operands if t is not None and t.data is None), operands[0])


def _of_binary(node: Node) -> np.ndarray | None:
    operands = node.inputs[:2]
    result = node.computed
    if len(operands) != 2 or any(t is None or t.dtype != "int8" for t in (*operands, result)):
        return None
    constant = [t.data is not None for t in operands]
    if sum(constant) != 1:
        return None
    computed, fixed = operands if constant[1] else operands[::-1]
    if elements(fixed) != 1 or computed.shape != result.shape:
        return None
    require_scales(node, *operands, result)
    value = np.int64(fixed.data.reshape(-1)[0])
    return binary_values(node, *((_CODES, value) if constant[1] else (value, _CODES)))


def _range_limited(node: Node, source: Tensor) -> tuple[int, int, int]:
    """Multiplier, shift and radius that bring an input into fixed point for LOGISTIC and TANH."""
    fraction, shift = math.frexp(scale_of(source) * 2.0 ** (31 - _TABLE_INTEGER_BITS))
    # Exact, because a scale has 24 bits; from a shift of 31 on the radius is 0 and nothing is left.
    multiplier = int(fraction * 2.0**31)
    if not 0 <= shift <= 62:
        raise refuse(
            node,
            f"its input's scale {scale_of(source):g} is out of the range that TFLite Micro takes",
            "calibrate on data like those of use",
        )
    return multiplier, shift, fixedpoint.input_radius(_TABLE_INTEGER_BITS, shift)


def _saturating(
    node: Node, source: Tensor, function: Callable, result_bits: int, offset: int
) -> np.ndarray:
    multiplier, shift, radius = _range_limited(node, source)
    centred = _CODES - zero_point_of(source)
    fixed = fixedpoint.requantize(centred, multiplier, shift)
    inside = fixedpoint.divide_by_pot(function(fixed, _TABLE_INTEGER_BITS), 31 - result_bits)
    values = np.clip(inside + offset, -128, 127)
    return np.where(centred <= -radius, -128, np.where(centred >= radius, 127, values))


def _logistic(node: Node, source: Tensor, result: Tensor) -> np.ndarray:
    if zero_point_of(result) != -128:
        raise refuse(
            node,
            f"its result has the zero point {zero_point_of(result)}; TFLite Micro takes -128 alone",
            "convert the model again: the converter sets 1/256 and -128",
        )
    return _saturating(node, source, fixedpoint.logistic, 8, -128)


def _tanh(node: Node, source: Tensor, result: Tensor) -> np.ndarray:
    return _saturating(node, source, fixedpoint.tanh, 7, 0)


def relu_members(source: Tensor, result: Tensor) -> dict[str, int]:
    """Constants of RELU: requantised, then cut off below zero."""
    multiplier, shift = quantize_multiplier(scale_of(source) / scale_of(result))
    return {"multiplier": multiplier, "shift": shift, "low": zero_point_of(result)}


def _relu(node: Node, source: Tensor, result: Tensor) -> np.ndarray:
    members = relu_members(source, result)
    centred = _CODES - zero_point_of(source)
    raw = fixedpoint.requantize(centred, members["multiplier"], members["shift"])
    return np.maximum(raw + zero_point_of(result), members["low"])


def relu6_limits(source: Tensor, limits: tuple[int, int]) -> tuple[int, int]:
    """Quantised 0 and 6 of RELU6, which keeps its input's quantisation whatever its result says."""
    return zero_point_of(source), min(max(quantised(6.0, source), limits[0]), limits[1])


def _relu6(node: Node, source: Tensor, result: Tensor) -> np.ndarray:
    zero, six = relu6_limits(source, (-128, 127))
    return np.where(six < _CODES, six, np.maximum(_CODES, zero))


def leaky_relu_factors(node: Node) -> tuple[tuple[int, int], tuple[int, int]]:
    """(multiplier, shift) for values above zero and for those below; the latter may be negative."""
    source, result = node.inputs[0], node.computed
    alpha = float(node.options["alpha"])
    if not math.isfinite(alpha):
        raise refuse(node, f"its slope is {alpha}", "make the file again")
    above = scale_of(source) / scale_of(result)
    below = scale_of(source) * alpha / scale_of(result)
    return quantize_multiplier(above), quantize_multiplier(below)


def _leaky_relu(node: Node, source: Tensor, result: Tensor) -> np.ndarray:
    above, (alpha, alpha_shift) = leaky_relu_factors(node)
    centred = _CODES - zero_point_of(source)
    scaled = fixedpoint.requantize(centred, abs(alpha), alpha_shift)
    low = -scaled if alpha < 0 else scaled
    high = fixedpoint.requantize(centred, *above)
    return np.where(centred >= 0, high, low) + zero_point_of(result)


def _requantised(node: Node, source: Tensor, result: Tensor) -> np.ndarray:
    multiplier, shift = quantize_multiplier(scale_of(source) / scale_of(result))
    centred = _CODES - zero_point_of(source)
    return fixedpoint.requantize(centred, multiplier, shift) + zero_point_of(result)


def _absolute(node: Node, source: Tensor, result: Tensor) -> np.ndarray:
    size = np.abs(_CODES - zero_point_of(source))
    if source.scales[0] != result.scales[0]:
        size = fixedpoint.requantize(
            size, *quantize_multiplier(scale_of(source) / scale_of(result))
        )
    return size + zero_point_of(result)


# --- HARD_SWISH, in 16 bits ---


def _hard_swish(node: Node, source: Tensor, result: Tensor) -> np.ndarray:
    fine = scale_of(source) / 128
    out, out_shift = quantize_multiplier(fine / scale_of(result))
    relu, relu_shift = quantize_multiplier(fine / (3 / 32768))
    if out_shift > 0:
        raise refuse(
            node,
            "its result's scale is below a 128th of its input's, which TFLite Micro refuses",
            "calibrate on data like those of use",
        )
    fine_value = (_CODES - zero_point_of(source)) * 128
    on_output_scale = _high_mul_16(fine_value, _narrow(out))
    gate = fine_value
    if relu_shift > 0:
        gate = _shift_left_16(gate, relu_shift - 1)
    gate = _high_mul_16(gate, _narrow(relu))
    if relu_shift > 0:
        gate = _shift_left_16(gate, 1)
    elif relu_shift < 0:
        gate = _divide_by_pot_16(gate, -relu_shift)
    gate = (gate + (1 << 15)) >> 1
    product = gate * on_output_scale
    truncated = np.where(product < 0, -(-product >> 15), product >> 15)
    return _divide_by_pot_16(truncated, -out_shift) + zero_point_of(result)


def _narrow(multiplier: int) -> int:
    """A 31-bit multiplier rounded to 15 bits."""
    return min((multiplier + (1 << 15)) >> 16, 32767)


def _shift_left_16(x: np.ndarray, left: int) -> np.ndarray:
    return np.clip(x << left, -32768, 32767)


def _high_mul_16(x: np.ndarray, factor: int) -> np.ndarray:
    return np.minimum((x * factor + (1 << 14)) >> 15, 32767)


def _divide_by_pot_16(x: np.ndarray, exponent: int) -> np.ndarray:
    """As gemmlowp on int16, whose mask is cut to 16 bits where the exponent is 16 or more."""
    mask = ((((1 << exponent) - 1) + 32768) & 0xFFFF) - 32768
    remainder, threshold = x & mask, (mask >> 1) + (x < 0)
    return (x >> exponent) + (remainder > threshold)


_UNARY: dict[str, Callable[[Node, Tensor, Tensor], np.ndarray]] = {
    "LOGISTIC": _logistic,
    "TANH": _tanh,
    "RELU": _relu,
    "RELU6": _relu6,
    "LEAKY_RELU": _leaky_relu,
    "HARD_SWISH": _hard_swish,
    "QUANTIZE": _requantised,
    "ABS": _absolute,
}
