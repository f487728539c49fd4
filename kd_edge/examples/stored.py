"""Arrays that stay on disk: rows are read when they are asked for, and nothing stays in memory."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from kd_edge.base.files import atomic_path

# What is held at once of examples that are gone through: so many, or so many bytes.
_MOST_ROWS = 256
_MOST_BYTES = 32_000_000


def rows_at_once(row_bytes: int) -> int:
    """How many examples of that size are held at once where all are gone through; 1 at least."""
    return max(1, min(_MOST_ROWS, _MOST_BYTES // max(1, row_bytes)))


class OnDisk:
    """An array of examples in an NPY file, or some of its rows, in place of a NumPy array.

    An index or a slice reads those rows. The file is mapped for the time of one reading: what has
    been read does not stay in the process.

    Args:
        path: of an NPY file, (n, ...).
        rows: (k,) which rows this array has; all in their order where None.
    """

    def __init__(self, path: Path, rows: np.ndarray | None = None):
        self._path = path
        held = self._held()
        self._row_shape, self.dtype = held.shape[1:], held.dtype
        self._rows = np.arange(len(held)) if rows is None else rows

    def _held(self) -> np.ndarray:
        return np.load(self._path, mmap_mode="r", allow_pickle=False)

    @property
    def shape(self) -> tuple[int, ...]:
        """(k, ...)."""
        return (len(self._rows), *self._row_shape)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index) -> np.ndarray:
        """The rows at an index, a slice or an index array, in memory."""
        rows = self._rows[index]
        found = self._held().view(np.ndarray)[rows]
        return found if np.ndim(rows) else found.copy()  # an index array has copied already

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return self[:].astype(self.dtype if dtype is None else dtype, copy=False)

    def take(self, indices: np.ndarray) -> OnDisk:
        """The rows at `indices`, (m,) int64, in that order, still on disk."""
        return OnDisk(self._path, self._rows[indices])

    def blocks(self) -> Iterator[np.ndarray]:
        """All rows, some at a time: arrays (m, ...) of the values in the file."""
        step = rows_at_once(math.prod(self._row_shape) * self.dtype.itemsize)
        return (self[start : start + step] for start in range(0, len(self), step))


def write_rows(
    path: Path, rows: Iterable[np.ndarray], shape: tuple[int, ...], dtype: type
) -> OnDisk:
    """Write an array row by row.

    Args:
        path: of the NPY file; a file that is there is replaced.
        rows: as many as `shape` says, each of shape[1:], values that `dtype` holds.
        shape: (n, ...) of the whole array.

    Raises:
        KdEdgeError KD_OUTPUT: the file cannot be written.
    """
    with atomic_path(path) as temporary, open(temporary, "wb") as stream:
        header = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(stream, header)
        for row in rows:
            stream.write(np.ascontiguousarray(row, dtype).tobytes())
    return OnDisk(path)
