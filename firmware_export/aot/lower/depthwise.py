"""DEPTHWISE_CONV_2D."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from firmware_export.aot.cores import Core
from firmware_export.aot.graph import Node, refuse
from firmware_export.aot.kernels import kernel_variant
from firmware_export.aot.lower.conv import convolution_call
from firmware_export.aot.lower.conv_geometry import Geometry, even_parts, geometry_of
from firmware_export.aot.lower.conv_layout import (
    DEPTHWISE_VECTOR,
    folded_bias,
    nibbles,
    padded,
    quad_stream,
)
from firmware_export.aot.lower.conv_quantisation import (
    Narrowing,
    check_sums,
    fits_doubled,
    narrowing_of,
    settled,
)
from firmware_export.aot.lower.conv_s16 import DEPTHWISE_COLUMNS, wide_depthwise_call
from firmware_export.aot.lower.convolution import Convolution
from firmware_export.aot.lower.depthwise_strips import strips_call
from firmware_export.aot.program import Call, Scratch

_QUAD = 4  # channels that the DSP kernel computes at a time
_QUAD_HEADER_WORDS = 9  # of its stream, before the weights of four channels
_POINTER_BYTES = {"": 8, "_mve": 4}  # the portable kernel runs on 64-bit machines too
_MOST_STRIP_BYTES = 1536  # of widened input that the DSP kernel works on, beside one pixel's
_FOUR_BYTES = 8  # of four widened channels
_TILE_OVERHEAD = 12  # in pixels that could be widened meanwhile


def lower_depthwise(node: Node, core: Core) -> tuple[Call, ...]:
    """DEPTHWISE_CONV_2D: (batch, rows, columns, channels), weights (1, rows, columns, out).

    Several output channels for one input channel are a convolution in groups, and one input
    channel is an ordinary one.

    Raises:
        KdEdgeError KD_UNSUPPORTED_OP: types other than int8 and int16, computed weights, or
            shapes and quantisation that do not fit each other.
    """
    source, weights = node.inputs[0], node.inputs[1]
    bias = node.inputs[2] if len(node.inputs) > 2 else None
    narrowing = narrowing_of(node, source, weights, bias, axis=3)
    g = geometry_of(node, weights.shape[1:3])
    channels = weights.shape[3]
    fitting = weights.shape[0] == 1 and node.outputs[0].shape[3] == channels
    if not fitting or channels % g.in_channels:
        what = f"its weights {weights.shape} do not fit its input and output"
        raise refuse(node, what, "export it again")
    wide = source.dtype == "int16"
    variant = kernel_variant("kd_depthwise_s8", core)
    by_channel = weights.data.reshape(g.taps, channels).T
    if not wide:
        check_sums(node, by_channel, narrowing)
        by_channel, narrowing = settled(by_channel, narrowing)
    exact = (
        g.kernel_columns <= DEPTHWISE_COLUMNS if wide else _exact(by_channel, narrowing, variant)
    )
    packed = weights.dtype == "int4"
    if channels > g.in_channels or channels == 1 or not exact:
        filters = by_channel.reshape(channels, g.kernel_rows, g.kernel_columns, 1)
        conv = Convolution(
            source, node.outputs[0], g, filters, narrowing, packed=packed, note=node.place
        )
        return (convolution_call(node, conv, core),)
    if wide:
        return (wide_depthwise_call(node, g, by_channel, narrowing),)
    if variant == "_mve" and not packed:
        strips = strips_call(node, _along_a_row(g), by_channel, narrowing)
        if strips is not None:
            return (strips,)
    call = _call(node, g, by_channel, narrowing, variant)
    return (_with_packed_weights(call, variant) if packed else call,)


def _exact(by_channel: np.ndarray, narrowing: Narrowing, variant: str) -> bool:
    if variant != "_dsp":
        return True
    return len(by_channel) >= _QUAD and fits_doubled(by_channel, narrowing)


def _call(
    node: Node, g: Geometry, by_channel: np.ndarray, narrowing: Narrowing, variant: str
) -> Call:
    layout = {"": _portable, "_dsp": _streamed, "_mve": _vectors}[variant]
    if variant == "_dsp":
        g = _along_a_row(g)
        tile = _tile(g)
        scratch = Scratch(_FOUR_BYTES * (g.taps + tile.pixels(g)))
    else:
        tile = _Tile()
        scratch = Scratch(g.taps * _POINTER_BYTES[variant] + g.in_channels)
    params = {
        **layout(by_channel, narrowing),
        **vars(tile),
        "table": narrowing.table,
        **g.members("kernel_columns", "row_step", "column_step"),
        "channels": g.in_channels,
        "in_zero": narrowing.in_zero,
        "out_zero": narrowing.out_zero,
        "low": narrowing.low,
        "high": narrowing.high,
    }
    args = (node.inputs[0], scratch, node.outputs[0])
    macs = g.pixels * by_channel.size
    return Call("kd_depthwise_s8", params, args, (2,), macs=macs, note=node.place)


@dataclass(frozen=True)
class _Tile:
    """Output pixels that the DSP kernel computes at a time."""

    tile_rows: int = 0
    tile_columns: int = 0

    def pixels(self, g: Geometry) -> int:
        """Of the input that it widens for them."""
        rows = (self.tile_rows - 1) * g.stride_rows + (g.kernel_rows - 1) * g.row_step + 1
        columns = (self.tile_columns - 1) * g.stride_columns
        return rows * (columns + (g.kernel_columns - 1) * g.column_step + 1)


def _tile(g: Geometry) -> _Tile:
    """The tile of even parts that widens least, of those with little scratch; else one pixel."""
    sizes = [
        _Tile(rows, columns)
        for rows in even_parts(g.out_rows)
        for columns in even_parts(g.out_columns)
    ]
    fitting = [tile for tile in sizes if _FOUR_BYTES * tile.pixels(g) <= _MOST_STRIP_BYTES]

    def work(tile: _Tile) -> int:
        count = -(-g.out_rows // tile.tile_rows) * -(-g.out_columns // tile.tile_columns)
        return count * (tile.pixels(g) + _TILE_OVERHEAD)

    return min(fitting, key=work, default=_Tile(1, 1))


def _along_a_row(g: Geometry) -> Geometry:
    """A column of pixels as a row, which is widened and multiplied in one run."""
    if not g.in_columns == g.out_columns == g.kernel_columns == 1 or g.pad_columns:
        return g
    return replace(
        g,
        in_rows=1,
        in_columns=g.in_rows,
        kernel_rows=1,
        kernel_columns=g.kernel_rows,
        stride_rows=1,
        stride_columns=g.stride_rows,
        row_step=1,
        column_step=g.row_step,
        pad_rows=0,
        pad_columns=g.pad_rows,
        out_rows=1,
        out_columns=g.out_rows,
    )


def _with_packed_weights(call: Call, variant: str) -> Call:
    """kd_depthwise_s4, which unpacks all weights of the layer and calls the kernel for bytes."""
    weights = np.asarray(call.params["weights"])
    stream = weights.reshape(1, -1).view(np.int8)
    header = 0
    if variant == "_dsp":
        taps = call.params["kernel_rows"] * call.params["kernel_columns"]
        stream = weights.reshape(-1, _QUAD_HEADER_WORDS + taps).view(np.int8)
        header = 4 * _QUAD_HEADER_WORDS
    packed = [stream[:, :header].view(np.uint8), nibbles(stream[:, header:])]
    params = {
        "packed": np.concatenate(packed, axis=1),
        "groups": len(stream),
        "copied_bytes": header,
        "values": stream.shape[1] - header,
        "layer": call.params | {"weights": None},
    }
    source, scratch, result = call.args
    args = (source, Scratch(stream.size), scratch, result)
    return replace(call, kernel="kd_depthwise_s4", params=params, args=args, writes=(3,))


def _portable(by_channel: np.ndarray, narrowing: Narrowing) -> dict[str, np.ndarray | None]:
    return _folded(by_channel, narrowing, 1) | {"weights": np.ascontiguousarray(by_channel)}


def _vectors(by_channel: np.ndarray, narrowing: Narrowing) -> dict[str, np.ndarray | None]:
    """Tap after tap, so that a vector of channels adjoins."""
    return _folded(by_channel, narrowing, DEPTHWISE_VECTOR) | {
        "weights": np.ascontiguousarray(by_channel.T)
    }


def _folded(by_channel: np.ndarray, narrowing: Narrowing, multiple: int) -> dict[str, np.ndarray]:
    return {
        "bias": padded(folded_bias(by_channel, narrowing), multiple),
        "multiplier": padded(narrowing.multiplier, multiple),
        "shift": padded(narrowing.shift, multiple).astype(np.int8),
    }


def _streamed(by_channel: np.ndarray, narrowing: Narrowing) -> dict[str, np.ndarray | None]:
    """Channels in fours; where they are no multiple of four, the last four begin earlier."""
    channels = len(by_channel)
    first = np.minimum(np.arange(0, channels, _QUAD), channels - _QUAD)
    order = (first[:, None] + np.arange(_QUAD)).reshape(-1)
    stream = quad_stream(np.ascontiguousarray(by_channel.T[:, order]), narrowing.select(order))
    return {"weights": stream, "bias": None, "multiplier": None, "shift": None}
