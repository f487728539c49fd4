"""CONV_2D in strips, with Helium: see kd_conv_strips_s8_mve.c."""

from __future__ import annotations

from firmware_export.aot.graph import Node
from firmware_export.aot.lower.conv_geometry import Geometry
from firmware_export.aot.lower.convolution import Convolution
from firmware_export.aot.lower.strips import (
    PIXELS,
    VECTOR,
    StripTile,
    cheapest,
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
    tile = cheapest(
        node,
        tiles(g, None),
        scratch=lambda tile: _scratch(conv, tile),
        cost=lambda tile: _instructions(g, len(conv.weights), tile),
    )
    params = {
        **strips_params(g, tile, conv.weights, conv.narrowing),
        "out_first": placed.first,
        "out_step": placed.step,
        "out_row_gap": placed.row_gap,
        "block": 0,
    }
    args = (conv.source, Scratch(_scratch(conv, tile)), conv.result)
    return Call("kd_conv_strips_s8", params, args, (2,), macs=conv.macs, note=conv.note)


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
