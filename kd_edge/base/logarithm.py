"""The natural logarithm in float32, with the same bits here as on a board."""

from __future__ import annotations

import numpy as np

SMALLEST = float(np.finfo(np.float32).tiny)
_ROOT_OF_TWO = np.float32(1.41421356)
_LN_2 = np.float32(0.693147181)


def log_float32(x: np.ndarray) -> np.ndarray:
    """ln x, as kd_log.c computes it: one order of operations, each rounded to float32.

    x = m 2^e with m from √½ to √2, and ln m = 2 artanh s = 2 (s + s³/3 + s⁵/5 + …) with
    s = (m - 1) / (m + 1), |s| <= 0.172: five terms leave less than 1e-9.

    Args:
        x: any shape, float32, finite and at least `SMALLEST`.

    Returns:
        The same shape, float32, within 2 units in the last place, or 1e-7 near 1.
    """
    bits = np.ascontiguousarray(x, dtype=np.float32).view(np.uint32)
    exponent = (bits >> np.uint32(23)).astype(np.int32) - 127
    mantissa = ((bits & np.uint32(0x7FFFFF)) | np.uint32(0x3F800000)).view(np.float32)
    large = mantissa > _ROOT_OF_TWO
    mantissa = np.where(large, mantissa * np.float32(0.5), mantissa)
    exponent = exponent + large
    s = (mantissa - np.float32(1)) / (mantissa + np.float32(1))
    z = s * s
    series = z * np.float32(1 / 9) + np.float32(1 / 7)
    series = series * z + np.float32(1 / 5)
    series = series * z + np.float32(1 / 3)
    series = series * z * s + s
    return exponent.astype(np.float32) * _LN_2 + (series + series)
