"""A camera, or a head in a scanner, is never held twice the same way."""

from __future__ import annotations

import math
from typing import Annotated

from keras import ops
from pydantic import Field

from kd_edge.base.errors import KdEdgeError
from kd_edge.distill.augmentations.record import Augmentation, Draw


class MovePicture(Augmentation):
    """Each picture turned, moved, zoomed and mirrored, in one resampling; its edge fills the gaps,
    and its mask moves with it.

    Options:
        degrees: largest turn, either way, 0 to 180.
        shift: largest move, either way, up and down and to the sides, as a share of the size.
        zoom: largest change of the size, either way, as a share.
        mirror: share of pictures that are swapped left to right.
    """

    degrees: Annotated[float, Field(ge=0, le=180)]
    shift: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    zoom: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    mirror: Annotated[float, Field(ge=0, le=1)] = 0.0

    def change_both(self, inputs, truth, draw: Draw):
        if not any((self.degrees, self.shift, self.zoom, self.mirror)):
            return inputs, truth
        for name, x in inputs.items():
            if len(x.shape) != 4 or name in draw.channels:
                raise KdEdgeError(
                    "KD_RECIPE_VALUE",
                    f"input '{name}' is no picture, which 'move-picture' moves",
                    where="augmentation.move-picture",
                    hint="leave it out: it is for images",
                )
        angle = draw.uniform() * (self.degrees * math.pi / 180)
        size = 1 + self.zoom * draw.uniform()
        side = ops.where(draw.uniform() < 2 * self.mirror - 1, -1.0, 1.0)
        moved = (self.shift * draw.uniform(), self.shift * draw.uniform())
        how = (angle, size, side, moved)
        pictures = {n: _moved(x, *how) for n, x in inputs.items()}
        return pictures, truth if len(truth.shape) < 3 else _moved_mask(truth, *how)


def _moved_mask(mask, *how):
    """(n, height, width) classes, each pixel the nearest one's. Args: how: as of `_moved`."""
    moved = _moved(ops.cast(mask[..., None], "float32"), *how, interpolation="nearest")
    return ops.cast(moved[..., 0], mask.dtype)


def _moved(x, angle, size, side, moved, interpolation="bilinear"):
    """Args: x: (n, height, width, channels). angle: (n,) radians. size, side: (n,) factors.
    moved: down and to the right, (n,) shares of the size."""
    height, width = x.shape[1:3]
    middle = ((height - 1) / 2, (width - 1) / 2)
    cos, sin = ops.cos(angle) / size, ops.sin(angle) / size
    # Where each pixel of the result is taken from: a matrix about the middle, over (column, row).
    a, b, c, d = cos * side, -sin * side, sin, cos
    column, row = middle[1] + moved[1] * width, middle[0] + moved[0] * height
    zero = ops.zeros_like(a)
    matrix = [
        *(a, b, middle[1] - a * column - b * row),
        *(c, d, middle[0] - c * column - d * row),
        *(zero, zero),
    ]
    return ops.image.affine_transform(
        x, ops.stack(matrix, axis=1), interpolation=interpolation, fill_mode="nearest"
    )
