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
    cheapest,
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
    blocks = [n for n in _BLOCKS if n < VECTOR or g.in_channels >= n]
    block, tile = cheapest(
        node,
        [(block, tile) for block in blocks for tile in tiles(g, VECTOR)],
        scratch=lambda way: _scratch(g, *way),
        cost=lambda way: _instructions(g, *way),
    )
    filters = by_channel.reshape(-1, g.kernel_rows, g.kernel_columns, 1)
    params = {
        **strips_params(g, tile, filters, narrowing),
        "out_first": 0,
        "out_step": g.in_channels,
        "out_row_gap": 0,
        "block": block,
    }
    args = (node.inputs[0], Scratch(_scratch(g, block, tile)), node.outputs[0])
    macs = g.pixels * by_channel.size
    return Call("kd_depthwise_strips_s8", params, args, (2,), macs=macs, note=node.place)


def _scratch(g: Geometry, block: int, tile: StripTile) -> int:
    return scratch_bytes(g, tile, block, 1, split=False)


def _instructions(g: Geometry, block: int, tile: StripTile) -> int:
    """About so many."""
    blocks = -(-g.in_channels // block)
    channels = blocks * block if block == VECTOR else g.in_channels
    laid = tile.rows_laid(g) * (_ROW + tile.strip_columns(g) * _PIXEL.get(block, 6))
    runs, fours = tile.runs(g, split=False)
    each = blocks * _BLOCK + channels * (_CHANNEL + runs * fours * _FOUR)
    return blocks * laid + tile.count(g) * each
