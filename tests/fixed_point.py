"""Requantisation of one number in Python integers, step by step as gemmlowp describes it."""

from __future__ import annotations


def saturating_rounding_doubling_high_mul(a: int, b: int) -> int:
    """gemmlowp's: (a * b * 2 rounded) >> 32, saturated at the one case that overflows."""
    if a == b == -(1 << 31):
        return (1 << 31) - 1
    return (a * b + (1 << 30)) >> 31


def rounding_divide_by_pot(x: int, exponent: int) -> int:
    """x / 2**exponent, halves away from zero."""
    if exponent == 0:
        return x
    mask = (1 << exponent) - 1
    threshold = (mask >> 1) + (1 if x < 0 else 0)
    return (x >> exponent) + (1 if (x & mask) > threshold else 0)


def multiply_by_quantized_multiplier(x: int, multiplier: int, shift: int) -> int:
    """x * multiplier * 2**(shift - 31) with TFLite's two roundings."""
    left, right = max(shift, 0), max(-shift, 0)
    high = saturating_rounding_doubling_high_mul(x << left, multiplier)
    return rounding_divide_by_pot(high, right)
