"""Images: readers of image sets, all with one interface.

Adding a reader is a module with `read(path, *, …) -> ImageSet`, and one line in `READERS`.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

from kd_edge.base.registry import Registry
from kd_edge.images.decoding import ENDINGS, image_files
from kd_edge.images.image import Image, ImageSet
from kd_edge.signals import Reader
from kd_edge.signals.source import members

__all__ = ["READERS", "Image", "ImageSet", "reader_of"]

_ALL = (
    Reader("image-folder", "a folder for each class", "kd_edge.images.class_folders"),
    Reader("image-masks", "images with a mask each", "kd_edge.images.mask_folders"),
    Reader("image-npz", "images in one NPZ file", "kd_edge.images.arrays"),
    Reader("digits", "handwritten digits, from scikit-learn", "kd_edge.images.digits", False),
)
# Name -> reader; recipes name them where they have [images].
READERS: Registry[Reader] = Registry("image set", _ALL, home=__name__)


def reader_of(path: Path) -> str | None:
    """The reader of the images that lie at `path`; None where there are none, or recordings.

    A folder with `images` and `masks`, a folder that holds more image files than others, a tar
    archive with images, an NPZ file with images and their classes.
    """
    if path.is_dir():
        if all((path / name).is_dir() for name in ("images", "masks")):
            return "image-masks"
        files = sum(1 for file in path.rglob("*") if file.is_file())
        return "image-folder" if 2 * len(image_files(path)) > files else None
    if path.suffix == ".npz" and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            kinds = {name.removesuffix(".npy").partition("_")[0] for name in archive.namelist()}
        return "image-npz" if {"x", "y"} <= kinds else None
    if ".tar" in path.suffixes and path.is_file():
        return "image-folder" if any(True for _ in members(path, ENDINGS)) else None
    return None
