"""Hashes of windows: the same numbers, the same hash, whichever program holds them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from kd_edge.examples.sets import Examples

# Array of an NPZ file that holds hashes as text.
HASH = "hash"


def window_hashes(examples: Examples) -> np.ndarray:
    """(n,) SHA-256 of each example, 32 bytes each: of its inputs' numbers in their order.

    The numbers are little-endian float32, in C order, each input behind the one before it.
    """
    return np.concatenate(
        [
            hashes_of([array[at : at + examples.at_once] for array in examples.inputs.values()])
            for at in range(0, max(1, len(examples)), examples.at_once)
        ]
    )


def hashes_of(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """(n,) as `window_hashes`, of each input's (n, ...) array."""
    rows = [np.ascontiguousarray(array, "<f4") for array in arrays]
    found = [hashlib.sha256(b"".join(row[at].tobytes() for row in rows)).digest()
             for at in range(len(rows[0]))]  # fmt: skip
    return np.array(found, dtype="V32")


def hex_digits(hashes: np.ndarray) -> np.ndarray:
    """(n,) text of 64 hexadecimal digits of (n,) hashes of 32 bytes."""
    return np.array([bytes(one).hex() for one in hashes], dtype="U64")
