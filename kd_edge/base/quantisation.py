"""The one rounding rule between real values and integers, the same in Python and on the board."""

from __future__ import annotations

import numpy as np

from kd_edge.base.errors import KdEdgeError


def quantize(values, scale: float, zero_point: int, dtype=np.int8) -> np.ndarray:
    """Integers of a real array: `clamp(trunc(v + copysign(0.5, v)) + zero_point)`, `v = x / scale`.

    Every step is in float32, so that `kd_quantize_input` in C gives the same integers. Halves go
    away from zero; NaN becomes the zero point; infinities become the end of the range.

    Args:
        values: any shape, in the tensor's own unit.
        scale: > 0, unit a step.
        zero_point: the integer that stands for 0.
        dtype: a signed or unsigned integer type of at most 16 bits.

    Returns:
        the shape of `values`, of `dtype`.

    Raises:
        KdEdgeError KD_SHAPE: scale is not a positive float32, or the zero point is out of range.
    """
    limits = np.iinfo(dtype)
    scale32 = np.float32(scale)
    if not (np.isfinite(scale32) and scale32 > 0) or not limits.min <= zero_point <= limits.max:
        raise KdEdgeError(
            "KD_SHAPE",
            f"cannot quantise with scale {scale!r} and zero point {zero_point!r}",
            hint=f"the scale must be a positive float32, the zero point fit {np.dtype(dtype).name}",
        )
    with np.errstate(over="ignore", invalid="ignore"):
        steps = np.asarray(values, dtype=np.float32) / scale32
        rounded = np.trunc(steps + np.copysign(np.float32(0.5), steps))
    rounded = np.where(np.isnan(rounded), np.float32(0), rounded)
    # Clamped before the zero point is added: float32 holds these integers exactly, larger ones not.
    in_range = np.clip(rounded, limits.min - zero_point, limits.max - zero_point)
    return (in_range.astype(np.int32) + np.int32(zero_point)).astype(dtype)


def dequantize(integers: np.ndarray, scale: float, zero_point: int) -> np.ndarray:
    """Real values of quantised integers: `(q - zero_point) * scale` in float32, same shape."""
    centred = np.asarray(integers).astype(np.int32) - np.int32(zero_point)
    return centred.astype(np.float32) * np.float32(scale)
