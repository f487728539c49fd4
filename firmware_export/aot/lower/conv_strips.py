"""CONV_2D in strips, with Helium: see kd_conv_strips_s8_mve.c."""

from __future__ import annotations

from firmware_export.aot.graph import Node
from firmware_export.aot.lower.conv_geometry import Geometry
from firmware_export.aot.lower.convolution import Convolution
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

# Instructions as counted: a row of a strip and a vector of it; a channel of a tile, four pixels,
# and a vector of their windows.
_ROW, _MOVE, _CHANNEL, _FOUR, _VECTORS = 60, 6, 45, 26, 10


def conv_strips_call(node: Node, conv: Convolution) -> Call:
    """The call that computes a convolution of one group, wherever its windows lie."""
    g, placed = conv.geometry, conv.placed
    tile = _cheapest(conv, most_scratch(node))
    params = {
        **strips_params(g, tile, conv.weights, conv.narrowing),
        "out_first": placed.first,
        "out_step": placed.step,
        "out_row_gap": placed.row_gap,
        "block": 0,
    }
    args = (conv.source, Scratch(_scratch(conv, tile)), conv.result)
    return Call("kd_conv_strips_s8", params, args, (2,), macs=conv.macs, note=conv.note)


def _cheapest(conv: Convolution, most: int) -> StripTile:
    """Of those with so little scratch the one of the fewest instructions, or the smallest."""
    every = list(tiles(conv.geometry, None))
    fitting = [tile for tile in every if _scratch(conv, tile) <= most]
    if not fitting:
        return min(every, key=lambda tile: _scratch(conv, tile))
    return min(fitting, key=lambda tile: _instructions(conv.geometry, len(conv.weights), tile))


def _scratch(conv: Convolution, tile: StripTile) -> int:
    g, split = conv.geometry, conv.placed.row_gap != 0
    return scratch_bytes(g, tile, 1, g.in_channels, split=split)


def _instructions(g: Geometry, channels: int, tile: StripTile) -> int:
    """About so many."""
    moves = -(-tile.strip_columns(g) * g.in_channels // VECTOR)
    laid = tile.rows_laid(g) * (_ROW + moves * _MOVE)
    vectors = -(-g.taps * g.in_channels // VECTOR)
    fours = -(-tile.rows * tile.columns // PIXELS)
    return laid + channels * tile.count(g) * (_CHANNEL + fours * (_FOUR + vectors * _VECTORS))
