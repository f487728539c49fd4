"""RESIZE_NEAREST_NEIGHBOR and RESIZE_BILINEAR of NHWC tensors."""

from __future__ import annotations

import numpy as np

from firmware_export.aot.arithmetic import round_half_away
from firmware_export.aot.checks import constant_of, require_shape, require_types
from firmware_export.aot.cores import Core
from firmware_export.aot.graph import ITEM_BYTES, Node, refuse
from firmware_export.aot.lower.conv_geometry import check_sizes
from firmware_export.aot.lower.moves import Axis, Move, copy_call
from firmware_export.aot.program import Call


def lower_nearest(node: Node, core: Core) -> tuple[Call, ...]:
    """A copy with repeated or left-out pixels where the sizes are multiples, else by index."""
    source, result = node.inputs[0], node.outputs[0]
    require_types(node)
    height, width = _size(node)
    rows = [_nearest(node, y, source.shape[1], height) for y in range(height)]
    columns = [_nearest(node, x, source.shape[2], width) for x in range(width)]
    batch, in_rows, in_columns, depth = source.shape
    row_axes, column_axes = _even(rows, in_columns * depth), _even(columns, depth)
    if row_axes is not None and column_axes is not None:
        return (_copy(node, row_axes, column_axes),)
    item = ITEM_BYTES[source.dtype]
    every_row = [b * in_rows + row for b in range(batch) for row in rows]
    if max(every_row) > 0xFFFF or max(columns) > 0xFFFF:
        raise refuse(node, "more than 65536 rows or columns", "resize a smaller tensor")
    call = Call(
        kernel="kd_resize_nearest",
        params={
            "rows": np.array(every_row, np.uint16),
            "columns": np.array(columns, np.uint16),
            "out_rows": len(every_row),
            "out_columns": width,
            "row_bytes": in_columns * depth * item,
            "pixel_bytes": depth * item,
        },
        args=(source, result),
        writes=(1,),
        note=node.place,
    )
    return (call,)


def _size(node: Node) -> tuple[int, int]:
    source, result = node.inputs[0], node.outputs[0]
    size = constant_of(node, 1, "size")
    if len(source.shape) != 4 or len(size) != 2:
        raise refuse(node, f"it resizes {source.shape} to {size}", "resize images of four axes")
    require_shape(node, result, (source.shape[0], *size, source.shape[3]))
    check_sizes(node, *source.shape, *result.shape)
    return size[0], size[1]


def _nearest(node: Node, at: int, in_size: int, out_size: int) -> int:
    """The input row or column of an output one, in the single precision of TFLite Micro."""
    aligned, half = (bool(node.options.get(n)) for n in ("align_corners", "half_pixel_centers"))
    if aligned and out_size > 1:
        scale = np.float32(in_size - 1) / np.float32(out_size - 1)
    else:
        scale = np.float32(in_size) / np.float32(out_size)
    place = (np.float32(at) + np.float32(0.5 if half else 0.0)) * scale
    rounded = round_half_away(place) if aligned else int(np.floor(place))
    return max(min(rounded, in_size - 1), 0)


def _even(places: list[int], step: int) -> tuple[int, tuple[Axis, Axis]] | None:
    """First place, and two axes (target's steps in places) that walk evenly over all; or None."""
    n, first = len(places), places[0]
    for repeat in range(1, n + 1):
        if n % repeat:
            continue
        apart = places[repeat] - first if repeat < n else 0
        if all(p == first + i // repeat * apart for i, p in enumerate(places)):
            return first * step, (Axis(n // repeat, apart * step, repeat), Axis(repeat, 0, 1))
    return None


def _copy(node: Node, rows, columns) -> Call:
    source, result = node.inputs[0], node.outputs[0]
    depth = source.shape[3]
    out_row = result.shape[2] * depth
    axes = (
        Axis(source.shape[0], source.shape[1] * source.shape[2] * depth, result.shape[1] * out_row),
        *(Axis(a.size, a.a, a.b * out_row) for a in rows[1]),
        *(Axis(a.size, a.a, a.b * depth) for a in columns[1]),
        Axis(depth, 1, 1),
    )
    return copy_call(Move(source, result, axes, first=rows[0] + columns[0]), node.place)


def lower_bilinear(node: Node, core: Core) -> tuple[Call, ...]:
    """Integer weights of 1024ths, as TFLite Micro computes int8."""
    source, result = node.inputs[0], node.outputs[0]
    require_types(node)
    if node.options.get("align_corners") and node.options.get("half_pixel_centers"):
        raise refuse(node, "it has half-pixel centres and aligned corners", "choose one of them")
    height, width = _size(node)
    row_scale, row_first = _places(node, source.shape[1], height)
    column_scale, column_first = _places(node, source.shape[2], width)
    call = Call(
        kernel="kd_resize_bilinear_s8",
        params={
            "batches": source.shape[0],
            "in_rows": source.shape[1],
            "in_columns": source.shape[2],
            "out_rows": height,
            "out_columns": width,
            "channels": source.shape[3],
            "row_scale": row_scale,
            "column_scale": column_scale,
            "row_first": row_first,
            "column_first": column_first,
        },
        args=(source, result),
        writes=(1,),
        note=node.place,
    )
    return (call,)


def _places(node: Node, in_size: int, out_size: int) -> tuple[int, int]:
    """Scale and first place in 1024ths of an input row or column."""
    aligned = bool(node.options.get("align_corners")) and out_size > 1
    above, below = (in_size - 1, out_size - 1) if aligned else (in_size, out_size)
    scale = (1024 * above + below // 2) // below
    first = scale // 2 - 512 if node.options.get("half_pixel_centers") else 0
    if (scale * (out_size - 1) + first) // 1024 >= in_size:
        raise refuse(
            node,
            f"from {in_size} to {out_size} TFLite Micro's rounding reads behind the last pixel",
            "resize in two layers",
        )
    return scale, first
