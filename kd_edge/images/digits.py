"""Handwritten digits, 8 x 8 grey pixels, as scikit-learn brings them: real, small and offline.

1,797 digits of 13 people (E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits",
UCI Machine Learning Repository, 1998). Who wrote which is not known, so that no split is honest.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kd_edge.base.errors import require
from kd_edge.images.decoding import sha256_bytes
from kd_edge.images.image import Image, ImageSet

_STEPS = 16  # of grey


def data_file() -> Path:
    """Where the installed scikit-learn keeps them. Raises KD_MISSING_PACKAGE."""
    require("sklearn", extra="build", purpose="the reader 'digits'")
    from importlib import resources

    return Path(str(resources.files("sklearn.datasets.data") / "digits.csv.gz"))


def read(path: None = None) -> ImageSet:
    """Every digit, in the set's order; white on black.

    Raises:
        KdEdgeError KD_MISSING_PACKAGE: scikit-learn is not installed.
    """
    require("sklearn", extra="build", purpose="the reader 'digits'")
    from sklearn.datasets import load_digits

    found = load_digits()
    pixels = np.rint(found.images * (255 / _STEPS)).astype(np.uint8)
    return ImageSet(
        tuple(
            Image(
                source=f"digit {i}",
                content_sha256=sha256_bytes(image.tobytes()),
                pixels=lambda image=image: image,
                label=str(label),
            )
            for i, (image, label) in enumerate(zip(pixels, found.target, strict=True))
        )
    )
