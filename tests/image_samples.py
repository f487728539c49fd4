"""Made-up images: coloured shapes on noise, as arrays, class folders and folders with masks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image

KINDS = ("none", "disc", "square")


def shapes(n: int, *, size: int = 24, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Images with one shape each, and where it is.

    Returns:
        (n, size, size, 3) uint8, and (n, size, size) uint8: 0 for the ground, else the kind.
    """
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:size, :size]
    images = rng.integers(0, 60, (n, size, size, 3)).astype(np.uint8)
    masks = np.zeros((n, size, size), np.uint8)
    for i in range(n):
        kind, radius = 1 + i % 2, size // 5 + rng.integers(0, size // 8)
        y, x = rng.integers(radius, size - radius, 2)
        distance = (np.abs(rows - y), np.abs(columns - x))
        inside = np.hypot(*distance) if kind == 1 else np.maximum(*distance)
        masks[i][inside <= radius] = kind
        images[i][masks[i] > 0] = rng.integers(160, 255, 3)
    return images, masks


def class_folders(root: Path, n: int, **more) -> Path:
    """`<session>/<class>/<number>.png`, sessions 'a' and 'b' in turn."""
    images, masks = shapes(n, **more)
    for i, (pixels, mask) in enumerate(zip(images, masks, strict=True)):
        folder = root / "ab"[i // 2 % 2] / KINDS[mask.max()]
        folder.mkdir(parents=True, exist_ok=True)
        PIL.Image.fromarray(pixels).save(folder / f"{i}.png")
    return root


def mask_folders(root: Path, n: int, **more) -> Path:
    """`images/<session>/<number>.png`, `masks/…`, classes.txt; sessions 'a' and 'b' in turn."""
    images, masks = shapes(n, **more)
    for kind, pictures in (("images", images), ("masks", masks)):
        for i, pixels in enumerate(pictures):
            folder = root / kind / "ab"[i % 4 // 2]
            folder.mkdir(parents=True, exist_ok=True)
            PIL.Image.fromarray(pixels).save(folder / f"{i}.png")
    (root / "classes.txt").write_text("\n".join(KINDS))
    return root
