"""Pictures that look alike, though their files differ: copies resized, recompressed, retouched.

Each picture becomes 64 bits, the signs of its lowest frequencies against their median ("pHash", by
the package imagehash). Pictures whose bits differ in few places belong to one group, and so does
whoever resembles one of them. Who looks alike need not show the same: a group keeps pictures on one
side of a split, and says nothing more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import PIL.Image

from kd_edge.base.errors import require
from kd_edge.images.image import Image

HASH_BITS = 64
# Rows of the table of all pairs that are looked at together: 1,000 x 100,000 float32 are 400 MB.
_AT_ONCE = 1000


def look_of(pixels: np.ndarray) -> np.ndarray:
    """The perceptual hash of a picture.

    Args:
        pixels: (h, w) or (h, w, 3) uint8.

    Returns:
        (64,) bool.

    Raises:
        KdEdgeError KD_MISSING_PACKAGE: imagehash is not installed.
    """
    imagehash = require("imagehash", extra="images", purpose="finding near duplicates")
    return imagehash.phash(PIL.Image.fromarray(pixels)).hash.reshape(HASH_BITS)


def looks_of(
    images: Sequence[Image], *, progress: Callable[[int], None] | None = None
) -> np.ndarray:
    """The hashes of images, (n, 64) bool; each is decoded, one at a time. Raises as `look_of`."""
    looks = np.empty((len(images), HASH_BITS), bool)
    for index, image in enumerate(images):
        looks[index] = look_of(image.pixels())
        if progress:
            progress(index + 1)
    return looks


def near_pairs(looks: np.ndarray, most_bits: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Every two pictures that differ in `most_bits` or fewer, some at a time.

    Args:
        looks: (n, 64) bool.

    Returns:
        pairs of (m,) int64 indices, the first smaller than the second.
    """
    signs = np.where(looks, np.float32(1), np.float32(-1))
    for start in range(0, len(signs), _AT_ONCE):
        # The product of two hashes is 64 less twice the bits in which they differ.
        alike = signs[start : start + _AT_ONCE] @ signs.T >= HASH_BITS - 2 * most_bits
        rows, others = np.nonzero(alike)
        later = others > rows + start
        yield rows[later] + start, others[later]


def resembling(looks: Sequence[str], others: Sequence[str], most_bits: int) -> int:
    """How many pictures look like one of others.

    Args:
        looks, others: hashes as `Image.look` has them; '' resembles nothing.
        most_bits: in which two that look alike may differ.
    """
    mine, theirs = (
        np.array([list(bytes.fromhex(look)) for look in some if look], np.uint8).reshape(-1, 8)
        for some in (looks, others)
    )
    both = np.unpackbits(np.concatenate([mine, theirs]), axis=1).astype(bool)
    found = {
        int(first)
        for firsts, seconds in near_pairs(both, most_bits)
        for first in firsts[(firsts < len(mine)) & (seconds >= len(mine))]
    }
    return len(found)


def groups_of(looks: np.ndarray, most_bits: int) -> np.ndarray:
    """For each picture the first one of its group: (n,) int64, its own index where it is alone."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    pairs = [np.concatenate(side) for side in zip(*near_pairs(looks, most_bits), strict=True)]
    joined = coo_array((np.ones(len(pairs[0]), bool), tuple(pairs)), shape=(len(looks),) * 2)
    _, group = connected_components(joined, directed=False)
    _, firsts = np.unique(group, return_index=True)
    return firsts[group]


def grouped(
    images: Sequence[Image], most_bits: int, *, progress: Callable[[int], None] | None = None
) -> list[Image]:
    """The images, each with its look, and the name of its group's first. Raises as `look_of`."""
    looks = looks_of(images, progress=progress)
    return [
        replace(image, group=images[first].source, look=np.packbits(look).tobytes().hex())
        for image, look, first in zip(images, looks, groups_of(looks, most_bits), strict=True)
    ]
