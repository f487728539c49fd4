"""Convolutions whose input Helium lays into strips: see kd_strips.h."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from firmware_export.aot.graph import Node
from firmware_export.aot.lower.conv_geometry import Geometry, even_parts
from firmware_export.aot.lower.conv_layout import folded_bias
from firmware_export.aot.lower.conv_quantisation import Narrowing

Way = TypeVar("Way")
VECTOR = 16  # bytes of a vector
PIXELS = 4  # that are computed at a time
LITTLE_SCRATCH = 1344  # bytes that a layer may always take,
_MUCH_SCRATCH = 8192  # and where the arena has room for more


@dataclass(frozen=True)
class StripTile:
    """Output pixels of a layer that are computed at a time.

    Attributes:
        band_rows: of the output, whose windows share columns of a strip.
        rows, columns: of the output; columns are all or a multiple of four.
    """

    band_rows: int
    rows: int
    columns: int

    def strip_rows(self, g: Geometry) -> int:
        """Of the input, for a band."""
        return (self.band_rows - 1) * g.stride_rows + g.kernel_rows

    def strip_columns(self, g: Geometry) -> int:
        """Of the input, for a row of windows."""
        shared = g.column_step == 1 and g.stride_columns <= g.kernel_columns
        apart = g.stride_columns if shared else g.kernel_columns
        return (self.columns - 1) * apart + g.kernel_columns

    def strip_bytes(self, g: Geometry, deep: int) -> int:
        """Args: deep: bytes of a strip's pixel."""
        return self.rows // self.band_rows * self.strip_columns(g) * self.strip_rows(g) * deep

    def runs(self, g: Geometry, *, split: bool) -> tuple[int, int]:
        """Runs of pixels that lie evenly in the output, and fours of each."""
        if split or self.columns < g.out_columns:
            return self.rows, -(-self.columns // PIXELS)
        return 1, -(-self.rows * self.columns // PIXELS)

    def count(self, g: Geometry) -> int:
        """Tiles of all images."""
        return g.batches * -(-g.out_rows // self.rows) * -(-g.out_columns // self.columns)

    def rows_laid(self, g: Geometry) -> int:
        """Of strips, in all images."""
        return self.count(g) * self.rows // self.band_rows * self.strip_rows(g)


def tiles(g: Geometry, most_window: int | None) -> Iterator[StripTile]:
    """What a layer may be computed in.

    Args:
        most_window: bytes from a window's first to its last where bands have several rows; None:
            bands have one.
    """
    for band in _bands(g, most_window):
        rows = [band * n for n in even_parts(g.out_rows // band)]
        for columns in {-(-n // PIXELS) * PIXELS for n in even_parts(g.out_columns)}:
            if columns < g.out_columns:
                yield from (StripTile(band, n, columns) for n in rows)
        yield from (StripTile(band, n, g.out_columns) for n in rows)


def _bands(g: Geometry, most_window: int | None) -> Iterator[int]:
    yield 1
    if most_window is None or g.row_step > 1 or g.stride_rows > g.kernel_rows:
        return
    for band in range(2, g.out_rows + 1):
        rows = StripTile(band, band, 1).strip_rows(g)
        if (g.kernel_columns - 1) * rows + g.kernel_rows > most_window:
            return
        yield band


def cheapest(
    node: Node, ways: Iterable[Way], scratch: Callable[[Way], int], cost: Callable[[Way], int]
) -> Way:
    """Of the ways with so little scratch as the layer may take the one of the least cost, or of all
    the one with the least scratch.

    Args:
        scratch: bytes. cost: instructions.
    """
    most = min(max(node.room, LITTLE_SCRATCH), _MUCH_SCRATCH)
    needed = [(way, scratch(way)) for way in ways]
    fitting = [way for way, n_bytes in needed if n_bytes <= most]
    if not fitting:
        return min(needed, key=lambda one: one[1])[0]
    return min(fitting, key=cost)


def scratch_bytes(g: Geometry, tile: StripTile, strips: int, deep: int, *, split: bool) -> int:
    """Places of windows, a pixel of zero points, strips, and what a load reads behind."""
    runs, fours = tile.runs(g, split=split)
    zeros = -(-deep // VECTOR) * VECTOR
    return 4 * (PIXELS + 1) * runs * fours + zeros + strips * tile.strip_bytes(g, deep) + VECTOR


def strips_params(
    g: Geometry, tile: StripTile, filters: np.ndarray, narrowing: Narrowing
) -> dict[str, object]:
    """All but where the output goes.

    Args:
        filters: int8 (channels, rows, columns, deep).
    """
    return {
        "stream": _stream(filters, narrowing),
        "table": narrowing.table,
        **g.members("in_channels", "kernel_columns", "row_step", "column_step"),
        "out_channels": len(filters),
        "band_rows": tile.band_rows,
        "tile_rows": tile.rows,
        "tile_columns": tile.columns,
        "in_zero": narrowing.in_zero,
        "out_zero": narrowing.out_zero,
        "low": narrowing.low,
        "high": narrowing.high,
    }


def _stream(filters: np.ndarray, narrowing: Narrowing) -> np.ndarray:
    """int8 (bytes,): what kd_strips.h says of the stream."""
    rows = filters.reshape(len(filters), -1)
    words = np.stack([folded_bias(rows, narrowing), narrowing.multiplier], axis=1).astype("<i4")
    shift = narrowing.shift.astype(np.int8)[:, None]
    by_column = filters.transpose(0, 2, 1, 3).reshape(rows.shape)
    stream = np.concatenate([words.view(np.int8), shift, by_column], axis=1)
    return np.pad(stream.reshape(-1), (0, max(VECTOR - stream.shape[1], 0)))
