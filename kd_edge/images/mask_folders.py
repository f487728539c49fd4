"""Images with masks: `images/drive1/7.jpg` and `masks/drive1/7.png`, of session 'drive1'.

A mask is a grey or palette PNG of the image's size; the value of a pixel is its class. A
`classes.txt` beside both folders names the classes, one a line, from value 0 on. A `labels.csv`
names subjects and sessions of images (`drive1/7.jpg`).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kd_edge.base.errors import KdEdgeError, nearest
from kd_edge.base.pixels import NO_CLASS
from kd_edge.images.class_folders import no_images
from kd_edge.images.decoding import (
    decode_mask,
    decode_pixels,
    file_bytes,
    image_files,
    sha256_bytes,
)
from kd_edge.images.image import Image, ImageSet
from kd_edge.images.labels import SubjectPattern, with_labels
from kd_edge.signals.source import decode, must_exist, read_bytes

CLASSES = "classes.txt"


def read(path: Path, *, ignore: int | None = None, subject_pattern: str | None = None) -> ImageSet:
    """The images of a folder that has `images/` and `masks/`, by name.

    Args:
        ignore: value of pixels that have no class: they are neither learned nor counted.
        subject_pattern: as of `class_folders.read`.

    Raises:
        KdEdgeError KD_NO_FILE, KD_EMPTY_FOLDER, KD_LABELS (an image without mask or a mask without
            image, a wrong classes.txt or labels.csv), KD_BAD_FORMAT.
    """
    root, pattern = must_exist(Path(path)), SubjectPattern(subject_pattern)
    pictures, masks = (_by_stem(root / name) for name in ("images", "masks"))
    for mine, others, what in ((pictures, masks, "mask"), (masks, pictures, "image")):
        lonely = sorted(mine.keys() - others.keys())
        if lonely:
            raise KdEdgeError(
                "KD_LABELS",
                f"{len(lonely)} files have no {what} of the same name{nearest(lonely[0], others)}",
                where=str(mine[lonely[0]]),
                hint=f"images/{lonely[0]} and masks/{lonely[0]} belong together",
            )
    images = {
        file.relative_to(root / "images").as_posix(): _image(
            file, masks[stem], stem, ignore, pattern
        )
        for stem, file in pictures.items()
    }
    return ImageSet(tuple(with_labels(images, root)), _class_names(root / CLASSES))


def _by_stem(folder: Path) -> dict[str, Path]:
    """Name below the folder without its ending -> file."""
    files = image_files(must_exist(folder))
    if not files:
        raise no_images(folder)
    found: dict[str, Path] = {}
    for file in files:
        stem = file.relative_to(folder).with_suffix("").as_posix()
        if stem in found:
            raise KdEdgeError(
                "KD_LABELS",
                f"two files are called '{stem}'",
                where=f"{found[stem]}; {file}",
                hint="keep one of them: image and mask are matched by their names without ending",
            )
        found[stem] = file
    return found


def _image(file: Path, mask: Path, stem: str, ignore: int | None, pattern: SubjectPattern) -> Image:
    return Image(
        source=str(file),
        content_sha256=sha256_bytes(file_bytes(file)),
        pixels=lambda: decode_pixels(file_bytes(file), str(file)),
        mask=lambda: without_class(decode_mask(file_bytes(mask), str(mask)), ignore),
        mask_source=str(mask),
        subject=pattern.find(stem),
        session=stem.rpartition("/")[0],
    )


def without_class(mask: np.ndarray, ignore: int | None) -> np.ndarray:
    """A mask, (height, width) classes, as int16, where `ignore` has become NO_CLASS."""
    classes = mask.astype(np.int16)
    return classes if ignore is None else np.where(classes == ignore, np.int16(NO_CLASS), classes)


def _class_names(path: Path) -> tuple[str, ...] | None:
    if not path.is_file():
        return None
    names = tuple(line.strip() for line in decode(read_bytes(path), str(path)).splitlines())
    if not all(names) or len(set(names)) < len(names):
        raise KdEdgeError(
            "KD_LABELS",
            f"{CLASSES} has an empty line, or names a class twice",
            where=str(path),
            hint="write one class a line: the first is value 0 of the masks",
        )
    return names
