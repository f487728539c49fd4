"""A folder of class folders, or its archive: `train/cat/7.png` shows a cat, of session 'train'.

The folder that holds an image names its class, the folders above that one its session. A
`labels.csv` in the folder may say otherwise, and name subjects.
"""

from __future__ import annotations

from pathlib import Path

from kd_edge.base.errors import KdEdgeError
from kd_edge.images.decoding import (
    ENDINGS,
    MOST_FILE_BYTES,
    bad_image,
    decode_pixels,
    file_bytes,
    image_files,
    sha256_bytes,
)
from kd_edge.images.image import Image, ImageSet
from kd_edge.images.labels import LABELS, SubjectPattern, with_labels
from kd_edge.signals.source import members, must_exist

_IN_ARCHIVES = (*ENDINGS, *(ending.upper() for ending in ENDINGS))


def read(path: Path, *, subject_pattern: str | None = None) -> ImageSet:
    """The images below a folder or in a tar archive, by name.

    Args:
        subject_pattern: regular expression that finds the subject in an image's name (its folders
            included): the first group, or the whole match.

    Raises:
        KdEdgeError KD_NO_FILE, KD_EMPTY_FOLDER, KD_LABELS (an image without class, a wrong
            labels.csv), KD_BAD_FORMAT, KD_TRUNCATED.
    """
    root, pattern = must_exist(Path(path)), SubjectPattern(subject_pattern)
    if root.is_dir():
        files = {file.relative_to(root).as_posix(): file for file in image_files(root)}
        images = {name: _of_file(file, name, pattern) for name, file in files.items()}
    else:
        packed = {n.removeprefix("./"): content for n, content in members(root, _IN_ARCHIVES)}
        images = {
            name: _of_member(f"{root}/{name}", name, packed[name], pattern)
            for name in sorted(packed)
        }
    if not images:
        raise no_images(root)
    labelled = with_labels(images, root) if root.is_dir() else list(images.values())
    for image in labelled:
        if image.label is None:
            raise KdEdgeError(
                "KD_LABELS",
                "an image has no class",
                where=image.source,
                hint=f"put it into a folder of its class's name, or name its label in {LABELS}",
            )
    return ImageSet(tuple(labelled))


def no_images(root: Path) -> KdEdgeError:
    """The error for a place without images."""
    return KdEdgeError(
        "KD_EMPTY_FOLDER",
        f"{root.name} holds no images",
        where=str(root),
        hint=f"files that end in {', '.join(ENDINGS)} count, in the folder and below it",
    )


def _of_file(file: Path, name: str, pattern: SubjectPattern) -> Image:
    content = file_bytes(file)

    def pixels():
        return decode_pixels(file_bytes(file), str(file))

    return _image(str(file), name, content, pixels, pattern)


def _of_member(source: str, name: str, content: bytes, pattern: SubjectPattern) -> Image:
    if not 0 < len(content) <= MOST_FILE_BYTES:
        raise bad_image(source, "is empty" if not content else "is too large")
    return _image(source, name, content, lambda: decode_pixels(content, source), pattern)


def _image(source: str, name: str, content: bytes, pixels, pattern: SubjectPattern) -> Image:
    *above, label = name.split("/")[:-1] or [None]
    return Image(
        source=source,
        content_sha256=sha256_bytes(content),
        pixels=pixels,
        label=label,
        subject=pattern.find(name),
        session="/".join(above),
    )
