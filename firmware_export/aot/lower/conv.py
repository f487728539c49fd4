"""CONV_2D, and the dense convolution that other operators become."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from firmware_export.aot.cores import Core
from firmware_export.aot.graph import Node, refuse
from firmware_export.aot.kernels import kernel_variant
from firmware_export.aot.layout import pack_s4, s4_input_bytes
from firmware_export.aot.lower.conv_geometry import MAX_SIZE, Geometry, geometry_of
from firmware_export.aot.lower.conv_layout import (
    CONV_VECTOR,
    folded_bias,
    nibbles,
    packed_stream,
    padded,
    row_stream,
)
from firmware_export.aot.lower.conv_quantisation import (
    Narrowing,
    check_sums,
    fits_packed,
    narrowing_of,
    settled,
)
from firmware_export.aot.lower.conv_s16 import wide_convolution_call
from firmware_export.aot.lower.conv_strips import conv_strips_call
from firmware_export.aot.lower.convolution import Convolution
from firmware_export.aot.lower.strips import PIXELS
from firmware_export.aot.program import Call, Scratch


def lower_conv(node: Node, core: Core) -> tuple[Call, ...]:
    """CONV_2D: (batch, rows, columns, channels) with weights (out, rows, columns, in / groups).

    Raises:
        KdEdgeError KD_UNSUPPORTED_OP: types other than int8 and int16, computed weights, or
            shapes and quantisation that do not fit each other.
    """
    source, weights = node.inputs[0], node.inputs[1]
    bias = node.inputs[2] if len(node.inputs) > 2 else None
    narrowing = narrowing_of(node, source, weights, bias, axis=0)
    geometry = geometry_of(node, weights.shape[1:3])
    channels, deep = weights.shape[0], weights.shape[3]
    if node.outputs[0].shape[3] != channels or geometry.in_channels % deep:
        what = f"its weights {weights.shape} do not fit its input and output"
        raise refuse(node, what, "export it again")
    if channels % (geometry.in_channels // deep):
        raise refuse(node, "its groups do not divide its output channels", "export it again")
    conv = Convolution(
        source,
        node.outputs[0],
        geometry,
        weights.data,
        narrowing,
        packed=weights.dtype == "int4",
        note=node.place,
    )
    return (convolution_call(node, conv, core),)


def convolution_call(node: Node, conv: Convolution, core: Core) -> Call:
    """The call of the fastest kernel that computes it exactly."""
    if conv.source.dtype == "int16":
        return wide_convolution_call(node, conv)
    check_sums(node, conv.rows, conv.narrowing)
    rows, narrowing = settled(conv.rows, conv.narrowing)
    conv = replace(conv, weights=rows.reshape(conv.weights.shape), narrowing=narrowing)
    if conv.packed:
        return _groups_s4_call(conv) if conv.groups > 1 else _dense_s4_call(conv, core)
    variant = kernel_variant("kd_conv_s8", core)
    if conv.groups > 1 or (variant == "_dsp" and not fits_packed(conv.rows, conv.narrowing)):
        return _general_call(conv)
    walk = _walk(_flat(conv))
    if variant == "_dsp" and conv.placement is None:
        tile = _row_tile(walk, len(conv.weights))
        if tile:
            return _row_call(conv, walk, tile)
    adjoining = conv.placement is None and walk.one_run
    few = conv.placement is None and conv.geometry.out_rows * conv.geometry.out_columns < PIXELS
    if variant == "_mve" and not (adjoining or few):
        return conv_strips_call(node, conv)
    return _dense_call(conv, walk, core)


# --- kd_conv_s8_general ---


def _general_call(conv: Convolution) -> Call:
    args = (conv.source, conv.result)
    params = _general_params(conv) | {"weights": conv.rows}
    return Call("kd_conv_s8_general", params, args, (1,), macs=conv.macs, note=conv.note)


def _general_params(conv: Convolution) -> dict[str, object]:
    g, narrowing, placed = conv.geometry, conv.narrowing, conv.placed
    return {
        "bias": narrowing.bias.astype(np.int32),
        "multiplier": narrowing.multiplier,
        "shift": narrowing.shift.astype(np.int8),
        "table": narrowing.table,
        "out_first": placed.first,
        "out_step": placed.step,
        "out_row_gap": placed.row_gap,
        **g.members("in_channels", "kernel_columns", "row_step", "column_step"),
        "group_channels": conv.weights.shape[3],
        "group_filters": len(conv.weights) // conv.groups,
        "out_channels": len(conv.weights),
        "in_zero": narrowing.in_zero,
        "out_zero": narrowing.out_zero,
        "low": narrowing.low,
        "high": narrowing.high,
    }


# --- kd_conv_s4 and kd_conv_s4_groups ---


def _groups_s4_call(conv: Convolution) -> Call:
    params = {"packed": nibbles(conv.rows), "conv": _general_params(conv) | {"weights": None}}
    args = (conv.source, Scratch(conv.rows.shape[1]), conv.result)
    return Call("kd_conv_s4_groups", params, args, (2,), macs=conv.macs, note=conv.note)


def _dense_s4_call(conv: Convolution, core: Core) -> Call:
    walk = _walk(_flat(conv))
    params = _dense_params(conv, walk, walk.window_bytes) | {
        **_row_constants(conv.rows, conv.narrowing, 1),
        "weights": pack_s4(conv.rows),
    }
    copied = 0 if walk.all_direct(walk.window_bytes) else walk.window_bytes
    scratch = Scratch(s4_input_bytes(walk.window_bytes, core)), Scratch(copied)
    args = (conv.source, *scratch, conv.result)
    return Call("kd_conv_s4", params, args, (3,), macs=conv.macs, note=conv.note)


# --- kd_conv_s8 ---


@dataclass(frozen=True)
class _Walk:
    """The geometry in bytes, as kd_conv_s8_params has it."""

    first_x: int
    row_bytes: int
    x_bytes: int
    run_bytes: int
    run_step: int
    batches: int
    in_rows: int
    kernel_rows: int
    runs: int
    row_step: int
    stride_rows: int
    pad_rows: int
    out_rows: int
    out_columns: int

    @property
    def window_bytes(self) -> int:
        return self.kernel_rows * self.runs * self.run_bytes

    @property
    def one_run(self) -> bool:
        """Whether each window is a single run of a row of the input, but for padding beside it."""
        inside = self.pad_rows == 0 and self.stride_rows * (self.out_rows - 1) < self.in_rows
        return self.kernel_rows == 1 == self.runs and inside

    def last_direct(self, read_bytes: int) -> int:
        """Last place in a row where `read_bytes` may be read as a window; -1 if nowhere."""
        return max(self.row_bytes - read_bytes, -1) if self.one_run else -1

    def all_direct(self, read_bytes: int) -> bool:
        last_x = self.first_x + (self.out_columns - 1) * self.x_bytes
        return self.first_x >= 0 and last_x <= self.last_direct(read_bytes)


def _dense_call(conv: Convolution, walk: _Walk, core: Core) -> Call:
    variant = kernel_variant("kd_conv_s8", core)
    narrowing, rows = conv.narrowing, conv.rows
    if variant == "_dsp":
        read_bytes = -(-walk.window_bytes // 4) * 4
        constants = _stream_constants(rows, narrowing)
        scratch = read_bytes * (4 if walk.all_direct(read_bytes) else 5)
    else:
        read_bytes = walk.window_bytes
        constants = _row_constants(rows, narrowing, CONV_VECTOR if variant == "_mve" else 1)
        scratch = 0 if walk.all_direct(read_bytes) else read_bytes
    # On a big core's vectors two windows are collected, wherever each is.
    scratch *= 2 if core.vector else 1
    params = constants | _dense_params(conv, walk, read_bytes)
    args = (conv.source, Scratch(scratch), conv.result)
    return Call("kd_conv_s8", params, args, (2,), macs=conv.macs, note=conv.note)


def _dense_params(conv: Convolution, walk: _Walk, read_bytes: int) -> dict[str, object]:
    """All but the constants.

    Args:
        read_bytes: that the kernel reads where it reads a window in place.
    """
    narrowing, placed = conv.narrowing, conv.placed
    return {
        "table": narrowing.table,
        **vars(walk),
        "last_direct": walk.last_direct(read_bytes),
        "window_bytes": walk.window_bytes,
        "out_first": placed.first,
        "out_step": placed.step,
        "out_row_gap": placed.row_gap,
        "out_channels": len(conv.rows),
        "in_zero": narrowing.in_zero,
        "out_zero": narrowing.out_zero,
        "low": narrowing.low,
        "high": narrowing.high,
    }


# --- kd_conv_s8_row ---

_ROW_CHANNELS = 8  # with more, widening windows anew for each pixel costs less than it saves
_ROW_SCRATCH = 640
_ROW_PIXELS = 3  # that the kernel computes at a time


def _row_tile(walk: _Walk, channels: int) -> int:
    """Pixels that kd_conv_s8_row widens at a time; 0 where it does not serve."""
    even = walk.batches == 1 or walk.in_rows == walk.stride_rows * walk.out_rows
    if not (
        walk.one_run and even and channels <= _ROW_CHANNELS and walk.out_columns >= _ROW_PIXELS
    ):
        return 0
    fitting = (_ROW_SCRATCH // 2 - 1 - walk.window_bytes) // walk.x_bytes + 1
    tile = fitting - fitting % _ROW_PIXELS
    return max(min(tile, walk.out_columns), 0)


def _row_call(conv: Convolution, walk: _Walk, tile: int) -> Call:
    narrowing = conv.narrowing
    params = {
        "weights": row_stream(conv.rows, narrowing),
        "table": narrowing.table,
        "row_bytes": walk.row_bytes,
        "in_step_bytes": walk.stride_rows * walk.row_bytes,
        "first_x": walk.first_x,
        "x_bytes": walk.x_bytes,
        "window_bytes": walk.window_bytes,
        "tile_pixels": tile,
        "out_rows": walk.batches * walk.out_rows,
        "out_columns": walk.out_columns,
        "out_channels": len(conv.weights),
        "in_zero": narrowing.in_zero,
        "out_zero": narrowing.out_zero,
        "low": narrowing.low,
        "high": narrowing.high,
    }
    scratch = Scratch(2 * ((tile - 1) * walk.x_bytes + walk.window_bytes + 1))
    args = (conv.source, scratch, conv.result)
    return Call("kd_conv_s8_row", params, args, (2,), macs=conv.macs, note=conv.note)


# --- constants ---


def _stream_constants(rows: np.ndarray, narrowing: Narrowing) -> dict[str, np.ndarray | None]:
    stream = packed_stream(rows, narrowing)
    return {"weights": stream, "bias": None, "multiplier": None, "shift": None}


def _row_constants(
    rows: np.ndarray, narrowing: Narrowing, multiple: int
) -> dict[str, np.ndarray | None]:
    return {
        "weights": rows,
        "bias": padded(folded_bias(rows, narrowing), multiple),
        "multiplier": padded(narrowing.multiplier, multiple),
        "shift": padded(narrowing.shift, multiple).astype(np.int8),
    }


def _flat(conv: Convolution) -> Geometry:
    """The same windows in as few and long rows as can be, so that more are read in place."""
    g = conv.geometry
    if conv.placement is not None:
        return g
    pixel_by_pixel = (g.out_rows, g.out_columns) == (g.in_rows, g.in_columns)
    unpadded = g.pad_rows == 0 == g.pad_columns
    if pixel_by_pixel and unpadded and g.taps == 1 and g.stride_rows == g.stride_columns == 1:
        columns = g.batches * g.in_rows * g.in_columns
        if columns <= MAX_SIZE:
            return replace(
                g,
                batches=1,
                in_rows=1,
                in_columns=columns,
                out_rows=1,
                out_columns=columns,
            )
    return g


def _walk(g: Geometry) -> _Walk:
    dilated = g.column_step > 1 and g.kernel_columns > 1
    return _Walk(
        first_x=-g.pad_columns * g.in_channels,
        row_bytes=g.in_columns * g.in_channels,
        x_bytes=g.stride_columns * g.in_channels,
        run_bytes=g.in_channels * (1 if dilated else g.kernel_columns),
        run_step=g.in_channels * (g.column_step if dilated else 0),
        batches=g.batches,
        in_rows=g.in_rows,
        kernel_rows=g.kernel_rows,
        runs=g.kernel_columns if dilated else 1,
        row_step=g.row_step,
        stride_rows=g.stride_rows,
        pad_rows=g.pad_rows,
        out_rows=g.out_rows,
        out_columns=g.out_columns,
    )
