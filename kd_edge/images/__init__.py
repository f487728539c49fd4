"""Images: readers of image sets, all with one interface.

Adding a reader is a module with `read(path, *, …) -> ImageSet`, and one line in `READERS`.
"""

from __future__ import annotations

from kd_edge.base.registry import Registry
from kd_edge.images.image import Image, ImageSet
from kd_edge.signals import Reader

__all__ = ["READERS", "Image", "ImageSet"]

_ALL = (
    Reader("image-folder", "a folder for each class", "kd_edge.images.class_folders"),
    Reader("image-masks", "images with a mask each", "kd_edge.images.mask_folders"),
    Reader("image-npz", "images in one NPZ file", "kd_edge.images.arrays"),
    Reader("digits", "handwritten digits, from scikit-learn", "kd_edge.images.digits", False),
)
# Name -> reader; recipes name them where they have [images].
READERS: Registry[Reader] = Registry("image set", _ALL, home=__name__)
