"""TFLite's fixed-point parameters, computed once ahead of time and exactly as TFLite Micro does."""

from __future__ import annotations

import math

import numpy as np

from kd_edge.base.flatbuffer import Tensor


def quantize_multiplier(real: float) -> tuple[int, int]:
    """`real` as (multiplier, shift): multiplier * 2**(shift - 31), multiplier in [2^30, 2^31).

    The rule of TFLite's `QuantizeMultiplier` in double precision; (0, 0) for zero and for what is
    below 2^-32.
    """
    if real == 0:
        return 0, 0
    fraction, shift = math.frexp(real)
    # TfLiteRound: halves away from zero.
    fixed = math.floor(abs(fraction) * (1 << 31) + 0.5) * (1 if fraction > 0 else -1)
    if fixed == 1 << 31:
        fixed //= 2
        shift += 1
    if shift < -31:
        return 0, 0
    if shift > 30:
        return (1 << 31) - 1, 30
    return fixed, shift


def wide_multiplier(multiplier: int, shift: int) -> tuple[int, int]:
    """`kd_requant_wide`'s (multiplier, right): 15 bits, as TFLite has them for sums of 64 bits."""
    return (multiplier + (1 << 15)) >> 16 if multiplier < 0x7FFF0000 else 0x7FFF, 14 - shift


def scale_of(tensor: Tensor) -> float:
    """The one scale of a tensor, as the float32 of the file widened to double."""
    return float(np.float32(tensor.scales[0]))


def zero_point_of(tensor: Tensor) -> int:
    """The one zero point of a tensor, 0 where it has none."""
    return tensor.zero_points[0] if tensor.zero_points else 0
