"""From 8-bit pixels to the numbers of a model, and back: the same for this host and for boards."""

from __future__ import annotations

import numpy as np

from kd_edge.base.pixels import PixelInput
from kd_edge.base.quantisation import quantize
from kd_edge.base.tensors import TensorSpec

PIXEL_VALUES = 256


def scaled(pixels: np.ndarray, wanted: PixelInput) -> np.ndarray:
    """Pixels as the numbers that the model sees: low + pixel * step.

    Args:
        pixels: any shape, uint8.

    Returns:
        the same shape, float32, from low to high of `wanted.range`.
    """
    low, _ = wanted.range
    return np.float32(low) + pixels.astype(np.float32) * _step(wanted)


def unscaled(values: np.ndarray, wanted: PixelInput) -> np.ndarray:
    """The pixels that `scaled` made these numbers of.

    Args:
        values: any shape, float32.

    Returns:
        the same shape, uint8.
    """
    pixels = np.rint((values.astype(np.float64) - wanted.range[0]) / float(_step(wanted)))
    return np.clip(pixels, 0, PIXEL_VALUES - 1).astype(np.uint8)


def pixel_table(wanted: PixelInput, spec: TensorSpec) -> np.ndarray:
    """What each pixel value becomes in a quantised input: (256,) int8."""
    values = scaled(np.arange(PIXEL_VALUES, dtype=np.uint8), wanted)
    return quantize(values, spec.scale, spec.zero_point)


def _step(wanted: PixelInput) -> np.float32:
    low, high = wanted.range
    return np.float32((high - low) / (PIXEL_VALUES - 1))
