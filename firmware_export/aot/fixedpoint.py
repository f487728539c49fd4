"""Fixed-point arithmetic on arrays: requantisation, and exp, logistic and tanh as TFLite has them.

Values of `integer_bits` m are int32 numbers in units of 2**(m - 31), held in int64 arrays so that
no step overflows unseen. Constants and the order of roundings are those of gemmlowp's fixed-point
functions, on which TFLite's reference kernels stand: the results agree with them in every bit.
"""

from __future__ import annotations

import math

import numpy as np

INT32_MAX = (1 << 31) - 1
INT32_MIN = -(1 << 31)
_ONE_Q2 = 1 << 29  # 1.0 with two integer bits


def high_mul(a: np.ndarray, b: np.ndarray | int) -> np.ndarray:
    """a * b / 2^31 of any shape, int32 rounded, halves up, saturated if both are the smallest."""
    product = np.asarray(a, np.int64) * np.asarray(b, np.int64)
    return np.minimum((product + (1 << 30)) >> 31, INT32_MAX)


def divide_by_pot(x: np.ndarray, exponent: int) -> np.ndarray:
    """x / 2**exponent of any shape, int64 rounded, halves away from zero."""
    x = np.asarray(x, np.int64)
    if exponent == 0:
        return x
    return (x + (1 << (exponent - 1)) - (x < 0)) >> exponent


def requantize(x: np.ndarray, multiplier: int, shift: int) -> np.ndarray:
    """x * multiplier * 2**(shift - 31) rounded twice; int32 overflow before the product wraps.

    Args:
        x: int32 of any shape.
    """
    left = np.asarray(x, np.int64) << max(shift, 0)
    wrapped = ((left - INT32_MIN) & 0xFFFFFFFF) + INT32_MIN
    return divide_by_pot(high_mul(wrapped, multiplier), max(-shift, 0))


def input_radius(integer_bits: int, left_shift: int) -> int:
    """Largest input, after its zero point, that a left shift keeps in the fixed-point range."""
    return math.floor(((1 << integer_bits) - 1) * (1 << (31 - integer_bits)) / 2.0**left_shift)


def exp_of_negative(a: np.ndarray, integer_bits: int) -> np.ndarray:
    """exp(a) for a <= 0 of any shape, int32 without integer bits; 1 is the largest number."""
    a = np.asarray(a, np.int64)
    fraction_bits = 31 - integer_bits
    quarter = 1 << (fraction_bits - 2)
    in_quarter = (a & (quarter - 1)) - quarter
    result = _exp_in_last_quarter(in_quarter << integer_bits)
    remainder = in_quarter - a
    for exponent in range(-2, integer_bits):
        multiplier = math.floor(math.exp(-(2.0**exponent)) * 2.0**31 + 0.5)
        bit = (remainder >> (fraction_bits + exponent)) & 1
        result = np.where(bit == 1, high_mul(result, multiplier), result)
    return np.where(a == 0, INT32_MAX, result)


def _exp_in_last_quarter(a: np.ndarray) -> np.ndarray:
    """exp(a) for -1/4 <= a < 0 by a Taylor expansion around -1/8; no integer bits."""
    at_centre = math.floor(math.exp(-1 / 8) * 2.0**31 + 0.5)
    third = math.floor(2.0**31 / 3 + 0.5)
    x = a + (1 << 28)
    x2 = high_mul(x, x)
    x3, x4 = high_mul(x2, x), high_mul(x2, x2)
    rest = divide_by_pot(high_mul(divide_by_pot(x4, 2) + x3, third) + x2, 1)
    return at_centre + high_mul(np.int64(at_centre), x + rest)


def _reciprocal_of_half(half: np.ndarray) -> np.ndarray:
    """1 / half for half in [1/2, 1), with two integer bits: three steps after Newton."""
    start = math.floor(48 / 17 * 2.0**29 + 0.5)
    slope = -math.floor(32 / 17 * 2.0**29 + 0.5)
    x = start + high_mul(half, slope)
    for _ in range(3):
        error = _ONE_Q2 - high_mul(half, x)
        x = x + _shift_saturated(high_mul(x, error), 2)
    return x


def _half_sum_with_one(a: np.ndarray) -> np.ndarray:
    return (np.asarray(a, np.int64) + INT32_MAX + 1) >> 1


def _shift_saturated(x: np.ndarray, left: int) -> np.ndarray:
    limit = (1 << (31 - left)) - 1
    return np.where(x > limit, INT32_MAX, np.where(x < -limit, INT32_MIN, x << left))


def logistic(a: np.ndarray, integer_bits: int) -> np.ndarray:
    """1 / (1 + exp(-a)) of any shape, int32 without integer bits."""
    a = np.asarray(a, np.int64)
    half = _half_sum_with_one(exp_of_negative(-np.abs(a), integer_bits))
    positive = _shift_saturated(_reciprocal_of_half(half), 1)
    return np.where(a == 0, 1 << 30, np.where(a > 0, positive, INT32_MAX - positive))


def tanh(a: np.ndarray, integer_bits: int) -> np.ndarray:
    """tanh(a) of any shape, int32 without integer bits."""
    a = np.asarray(a, np.int64)
    # exp(-2|a|): the same number with one integer bit more is twice as much.
    half = _half_sum_with_one(exp_of_negative(-np.abs(a), integer_bits + 1))
    size = _shift_saturated(_reciprocal_of_half(half) - _ONE_Q2, 2)
    return np.where(a == 0, 0, np.where(a < 0, -size, size))
