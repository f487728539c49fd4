"""PNG and JPEG files as arrays, by Pillow; what is broken, hostile or of another kind is named."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import struct
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageOps

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.untrusted import read_regular
from kd_edge.signals.source import must_exist

# Of files; others in a folder are not images. Kinds of content are told by the content.
ENDINGS = (".png", ".jpg", ".jpeg")
_KINDS = ("PNG", "JPEG")
# docs/reliability.md has these bounds. 40 megapixels are 120 MB as RGB.
MOST_FILE_BYTES = 64_000_000
MOST_PIXELS = 40_000_000
_COLOURS = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")
# What Pillow raises for damaged files.
_DAMAGED = (
    OSError,
    ValueError,
    SyntaxError,
    KeyError,
    IndexError,
    TypeError,
    EOFError,
    OverflowError,
    MemoryError,
    struct.error,
    zlib.error,
    PIL.Image.DecompressionBombError,
)
_SEE = f"images are PNG or JPEG files of 8 bits a channel and at most {MOST_PIXELS:,} pixels"


def image_files(root: Path) -> list[Path]:
    """Every image file below a folder, sorted by name; hidden ones are left out."""
    return sorted(_below(root))


def _below(root: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if name.lower().endswith(ENDINGS) and not name.startswith("."):
                yield Path(folder, name)


def file_bytes(path: Path) -> bytes:
    """The bytes of an image's file. Raises KD_NO_FILE, KD_BAD_FORMAT (empty, too large, a pipe)."""
    try:
        content = read_regular(must_exist(path), most_bytes=MOST_FILE_BYTES)
    except OSError as error:
        raise bad_image(str(path), f"cannot be read: {error.strerror or error}") from error
    if not content:
        raise bad_image(str(path), "is empty")
    return content


def sha256_bytes(content: bytes) -> str:
    """Digest of an image's file."""
    return hashlib.sha256(content).hexdigest()


def decode_pixels(content: bytes, source: str) -> np.ndarray:
    """The picture in an image file, turned as its camera's orientation says.

    Transparent pixels lie on black. Grey images stay grey.

    Returns:
        (height, width) or (height, width, 3) uint8.

    Raises:
        KdEdgeError KD_BAD_FORMAT, KD_TRUNCATED: with the file's name.
    """
    with _opened(content, source) as picture:
        if picture.mode not in _COLOURS:
            raise bad_image(source, f"has pixels of mode {picture.mode}, not 8 bits a channel")
        turned = PIL.ImageOps.exif_transpose(picture)
        if turned.mode in ("1", "L"):
            return np.asarray(turned.convert("L"))
        if turned.mode in ("LA", "PA", "RGBA") or "transparency" in turned.info:
            return _on_black(turned.convert("RGBA"))
        return np.asarray(turned.convert("RGB"))


def decode_mask(content: bytes, source: str) -> np.ndarray:
    """The class of each pixel, as a grey or palette image holds it: (height, width) uint8.

    Raises:
        KdEdgeError KD_BAD_FORMAT, KD_TRUNCATED: with the file's name.
    """
    with _opened(content, source) as picture:
        if picture.format != "PNG":
            raise bad_image(source, "is a JPEG, which blurs classes: masks are PNG files")
        if picture.mode not in ("1", "L", "P"):
            raise bad_image(
                source,
                f"is of mode {picture.mode}: a mask holds one integer a pixel, its class",
                hint="write classes 0, 1, … as an 8-bit grey or palette PNG",
            )
        return np.asarray(picture).astype(np.uint8)


def _on_black(rgba) -> np.ndarray:
    black = PIL.Image.new("RGBA", rgba.size, (0, 0, 0, 255))
    return np.asarray(PIL.Image.alpha_composite(black, rgba).convert("RGB"))


@contextlib.contextmanager
def _opened(content: bytes, source: str) -> Iterator[PIL.Image.Image]:
    """A decoded picture of bounded size, while the block runs; its faults as errors of ours."""
    try:
        with warnings.catch_warnings():
            # Of sizes that are refused below, and of fields that no picture needs.
            warnings.simplefilter("ignore")
            picture = PIL.Image.open(io.BytesIO(content), formats=_KINDS)
        with picture:
            width, height = picture.size
            if width * height > MOST_PIXELS:
                raise bad_image(source, f"has {width:,} x {height:,} pixels")
            picture.load()
            yield picture
    except _DAMAGED as error:
        raise _readable(error, source) from error


def _readable(error: Exception, source: str) -> KdEdgeError:
    said = str(error).replace("\n", " ")
    if isinstance(error, PIL.UnidentifiedImageError):
        said = "it is neither PNG nor JPEG"
    if "truncated" in said.lower():
        return KdEdgeError(
            "KD_TRUNCATED",
            f"{_name(source)} ends in the middle: {said}",
            where=source,
            hint="copy the file again and compare its size",
        )
    return bad_image(source, f"cannot be decoded: {said}")


def bad_image(source: str, what: str, hint: str = _SEE) -> KdEdgeError:
    """The error for an image that cannot be used."""
    return KdEdgeError("KD_BAD_FORMAT", f"{_name(source)} {what}", where=source, hint=hint)


def _name(source: str) -> str:
    return source.rpartition("/")[2]
