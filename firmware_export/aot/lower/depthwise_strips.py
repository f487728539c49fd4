"""DEPTHWISE_CONV_2D in strips, with Helium: see kd_depthwise_strips_s8_mve.c."""

from __future__ import annotations

import numpy as np

from firmware_export.aot.graph import Node
from firmware_export.aot.lower.conv_geometry import Geometry
from firmware_export.aot.lower.conv_quantisation import Narrowing
from firmware_export.aot.lower.strips import (
    PIXELS,
    VECTOR,
    StripTile,
    most_scratch,
    scratch_bytes,
    strips_params,
    tiles,
)
from firmware_export.aot.program import Call, Scratch

_BLOCKS = (16, 8, 4, 2, 1)  # channels that are laid at a time
# Instructions as counted: a block of a tile, a row of a strip, a pixel of it by channels (else 6),
# a channel of a tile, four pixels.
_BLOCK, _ROW, _PIXEL, _CHANNEL, _FOUR = 130, 45, {16: 7, 8: 5}, 33, 28


def strips_call(
    node: Node, g: Geometry, by_channel: np.ndarray, narrowing: Narrowing
) -> Call | None:
    """The call that computes it; None if a window is above a vector, or pixels are under four.

    Args:
        by_channel: int8 (channels, window).
    """
    if g.taps > VECTOR or g.out_rows * g.out_columns < PIXELS:
        return None
    block, tile = _cheapest(g, most_scratch(node))
    filters = by_channel.reshape(-1, g.kernel_rows, g.kernel_columns, 1)
    params = {
        **strips_params(g, tile, filters, narrowing),
        "out_first": 0,
        "out_step": g.in_channels,
        "out_row_gap": 0,
        "block": block,
    }
    scratch = Scratch(scratch_bytes(g, tile, block, 1, split=False))
    args = (node.inputs[0], scratch, node.outputs[0])
    macs = g.pixels * by_channel.size
    return Call("kd_depthwise_strips_s8", params, args, (2,), macs=macs, note=node.place)


def _cheapest(g: Geometry, most: int) -> tuple[int, StripTile]:
    """Of those with so little scratch the ones of the fewest instructions, or the smallest."""
    blocks = [n for n in _BLOCKS if n < VECTOR or g.in_channels >= n]
    every = [(block, tile) for block in blocks for tile in tiles(g, VECTOR)]
    needed = {one: scratch_bytes(g, one[1], one[0], 1, split=False) for one in every}
    fitting = [one for one in every if needed[one] <= most]
    if not fitting:
        return min(every, key=needed.__getitem__)
    return min(fitting, key=lambda one: _instructions(g, *one))


def _instructions(g: Geometry, block: int, tile: StripTile) -> int:
    """About so many."""
    blocks = -(-g.in_channels // block)
    channels = blocks * block if block == VECTOR else g.in_channels
    laid = tile.rows_laid(g) * (_ROW + tile.strip_columns(g) * _PIXEL.get(block, 6))
    runs, fours = tile.runs(g, split=False)
    each = blocks * _BLOCK + channels * (_CHANNEL + runs * fours * _FOUR)
    return blocks * laid + tile.count(g) * each
