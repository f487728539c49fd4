"""DEPTHWISE_CONV_2D in strips, with Helium: see kd_depthwise_strips_s8_mve.c."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firmware_export.aot.graph import Node
from firmware_export.aot.lower.conv_geometry import Geometry
from firmware_export.aot.lower.conv_layout import folded_bias
from firmware_export.aot.lower.conv_quantisation import Narrowing
from firmware_export.aot.program import Call, Scratch

_VECTOR = 16  # bytes of a vector, and channels that are turned at a time at most
_BLOCKS = (16, 8, 4, 2, 1)
_PIXELS = 4  # that are computed at a time
_MOST_STRIP_BYTES = 1024


@dataclass(frozen=True)
class StripTile:
    """Output pixels and channels of a layer that are computed at a time.

    Attributes:
        rows, columns: of the output; several rows only if the columns are all.
        block: channels.
    """

    rows: int
    columns: int
    block: int

    def strip_bytes(self, g: Geometry) -> int:
        """Of one channel: for each column that a row of windows reads, a byte for each row."""
        shared = g.column_step == 1 and g.stride_columns <= g.kernel_columns
        apart = g.stride_columns if shared else g.kernel_columns
        return self.rows * ((self.columns - 1) * apart + g.kernel_columns) * g.kernel_rows

    def scratch_bytes(self, g: Geometry) -> int:
        """Places of the windows, a vector of zero points, strips, and what a load reads behind."""
        windows = -(-self.rows * self.columns // _PIXELS) * _PIXELS
        return 4 * windows + _VECTOR + self.block * self.strip_bytes(g) + _VECTOR


def strips_call(
    node: Node, g: Geometry, by_channel: np.ndarray, narrowing: Narrowing
) -> Call | None:
    """The call that computes it; None if a window is above a vector, or pixels are under four.

    Args:
        by_channel: int8 (channels, window).
    """
    if g.taps > _VECTOR or g.out_rows * g.out_columns < _PIXELS:
        return None
    tile = _tile(g)
    filters = by_channel.reshape(-1, g.kernel_rows, g.kernel_columns).transpose(0, 2, 1)
    params = {
        "weights": np.ascontiguousarray(filters).reshape(by_channel.shape),
        "bias": folded_bias(by_channel, narrowing),
        "multiplier": narrowing.multiplier,
        "shift": narrowing.shift.astype(np.int8),
        "table": narrowing.table,
        **g.members("kernel_columns", "row_step", "column_step"),
        "channels": g.in_channels,
        "tile_rows": tile.rows,
        "tile_columns": tile.columns,
        "in_zero": narrowing.in_zero,
        "out_zero": narrowing.out_zero,
        "low": narrowing.low,
        "high": narrowing.high,
        "block": tile.block,
    }
    args = (node.inputs[0], Scratch(tile.scratch_bytes(g)), node.outputs[0])
    macs = g.pixels * by_channel.size
    return Call("kd_depthwise_strips_s8", params, args, (2,), macs=macs, note=node.place)


def _tile(g: Geometry) -> StripTile:
    """The largest that keeps to little scratch: of the most channels that four pixels fit with."""
    blocks = [n for n in _BLOCKS if n < _VECTOR or g.in_channels >= n]
    fitting = (tile for block in blocks if (tile := _of_block(g, block)))
    return next(fitting)


def _of_block(g: Geometry, block: int) -> StripTile | None:
    def fits(rows: int, columns: int) -> bool:
        return block * StripTile(rows, columns, block).strip_bytes(g) <= _MOST_STRIP_BYTES

    if fits(1, g.out_columns):
        rows = max(n for n in range(1, g.out_rows + 1) if fits(n, g.out_columns))
        if rows * g.out_columns < min(_PIXELS, g.out_rows * g.out_columns):
            return None
        return StripTile(_even_part(g.out_rows, rows), g.out_columns, block)
    columns = range(_PIXELS, g.out_columns, _PIXELS)
    fitting = max((n for n in columns if fits(1, n)), default=0)
    if not fitting:
        return None
    even = -(-_even_part(g.out_columns, fitting) // _PIXELS) * _PIXELS
    return StripTile(1, even, block)


def _even_part(size: int, most: int) -> int:
    """The largest of parts that are as even as can be, none above `most`."""
    return -(-size // -(-size // most))
