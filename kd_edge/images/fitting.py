"""From a decoded image to the channels and the size of a model's input.

Pillow resizes 8-bit pixels with integers, so that every machine gives the same bits; the range
comes last, in float32: `kd_edge.base.pixel_values`.
"""

from __future__ import annotations

import numpy as np
import PIL.Image

from kd_edge.base.pixels import NO_CLASS, PixelInput

# Images: the mean over the pixels that a target pixel covers, weighted by distance.
# Masks: the nearest pixel's class, since a mean of classes is none.
_IMAGE_FILTER = PIL.Image.Resampling.BILINEAR
_MASK_FILTER = PIL.Image.Resampling.NEAREST


def fitted_pixels(pixels: np.ndarray, wanted: PixelInput) -> np.ndarray:
    """An image in the channels and at the size of a model's input.

    Args:
        pixels: (h, w) or (h, w, 3) uint8.

    Returns:
        (height, width, channels) uint8.
    """
    picture = PIL.Image.fromarray(pixels).convert("L" if wanted.channels == "grey" else "RGB")
    fitted = _resized(picture, wanted, _IMAGE_FILTER, around=0)
    return np.asarray(fitted).reshape(wanted.shape)


def fitted_mask(mask: np.ndarray, wanted: PixelInput) -> np.ndarray:
    """A mask at the size of a model's input; what is padded has no class.

    Args:
        mask: (h, w) int16.

    Returns:
        (height, width) int16.
    """
    picture = PIL.Image.fromarray(mask.astype(np.int32))
    return np.asarray(_resized(picture, wanted, _MASK_FILTER, around=NO_CLASS)).astype(np.int16)


def _resized(picture: PIL.Image.Image, wanted: PixelInput, method, *, around: int):
    target = (wanted.width, wanted.height)
    if picture.size == target:
        return picture
    if wanted.resize == "stretch":
        return picture.resize(target, method)
    width, height = picture.size
    ratios = (wanted.width / width, wanted.height / height)
    if wanted.resize == "crop":
        return picture.resize(target, method, box=_middle(picture.size, max(ratios), target))
    ratio = min(ratios)
    inner = (_at_most(width * ratio, wanted.width), _at_most(height * ratio, wanted.height))
    padded = PIL.Image.new(picture.mode, target, around)
    corner = ((wanted.width - inner[0]) // 2, (wanted.height - inner[1]) // 2)
    padded.paste(picture.resize(inner, method), corner)
    return padded


def _middle(size: tuple[int, int], ratio: float, target: tuple[int, int]) -> tuple[float, ...]:
    """The box around the middle that becomes the target at this ratio."""
    starts = [(full - side / ratio) / 2 for full, side in zip(size, target, strict=True)]
    ends = [full - start for full, start in zip(size, starts, strict=True)]
    return (max(0.0, starts[0]), max(0.0, starts[1]), min(size[0], ends[0]), min(size[1], ends[1]))


def _at_most(length: float, most: int) -> int:
    return min(max(1, round(length)), most)
