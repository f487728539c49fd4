"""TRANSPOSE_CONV, taken apart into ordinary convolutions."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from firmware_export.aot.cores import Core
from firmware_export.aot.graph import Node, refuse
from firmware_export.aot.lower.conv import convolution_call
from firmware_export.aot.lower.conv_geometry import Geometry, check_sizes, padding_before
from firmware_export.aot.lower.conv_quantisation import narrowing_of
from firmware_export.aot.lower.convolution import Convolution, Placement
from firmware_export.aot.program import Call

_MOST_PARTS = 1024  # convolutions that one layer may become: strides of 32 by 32


def lower_transpose_conv(node: Node, core: Core) -> tuple[Call, ...]:
    """TRANSPOSE_CONV: output shape, weights (out, rows, columns, in), input, perhaps biases.

    Output pixels whose places leave the same rest when divided by the strides see the same weights:
    each such set is an ordinary convolution with stride 1, whose pixels lie a stride apart.

    Raises:
        KdEdgeError KD_UNSUPPORTED_OP: types other than int8 and int16, computed weights, several
            images, or shapes that do not fit each other.
    """
    weights, source = node.inputs[1], node.inputs[2]
    bias = node.inputs[3] if len(node.inputs) > 3 else None
    result = node.outputs[0]
    narrowing = narrowing_of(node, source, weights, bias, axis=0)
    fits = len(source.shape) == 4 == len(result.shape) and source.shape[0] == 1 == result.shape[0]
    if not fits or source.shape[3] != weights.shape[3] or result.shape[3] != weights.shape[0]:
        raise refuse(node, f"from {source.shape} to {result.shape}", "use one image at a time")
    check_sizes(node, *source.shape, *result.shape, *weights.shape)
    strides = int(node.options["stride_h"]), int(node.options["stride_w"])
    if min(strides) < 1:
        raise refuse(node, "a stride is not positive", "export it again")
    padding = str(node.options["padding"])
    rows, columns = (
        _phases(result.shape[i], weights.shape[i], strides[i - 1], padding) for i in (1, 2)
    )
    if len(rows) * len(columns) > _MOST_PARTS:
        what = f"its strides {strides} make {len(rows) * len(columns)} convolutions of it"
        raise refuse(node, f"{what}; {_MOST_PARTS} is most", "use smaller strides")
    whole = Convolution(
        source, result, _unit(source.shape), weights.data, narrowing, note=node.place
    )
    return tuple(
        convolution_call(node, _of_pair(whole, row, column, strides), core)
        for row in rows
        for column in columns
    )


@dataclass(frozen=True)
class _Phase:
    """One direction of a set of output pixels.

    Attributes:
        first: the first output pixel.
        count: how many there are, a stride apart.
        taps: filter pixels in the order of a convolution; none where nothing reaches these pixels.
        pad: pixels of padding before the input; negative where its first ones are not reached.
    """

    first: int
    count: int
    taps: tuple[int, ...]
    pad: int


def _phases(size: int, kernel: int, stride: int, padding: str) -> tuple[_Phase, ...]:
    before = padding_before(padding, size, kernel, stride)
    phases = []
    for first in range(min(stride, size)):
        # Input pixel i reaches output pixel i * stride - before + tap.
        at, rest = divmod(first + before, stride)
        taps = tuple(range(rest, kernel, stride))[::-1]
        count = -(-(size - first) // stride)
        phases.append(_Phase(first, count, taps, len(taps) - 1 - at))
    return tuple(phases)


def _unit(shape: tuple[int, ...]) -> Geometry:
    return Geometry(1, *shape[1:], 1, 1, 1, 1, 1, 1, 0, 0, *shape[1:3])


def _of_pair(
    whole: Convolution, row: _Phase, column: _Phase, strides: tuple[int, int]
) -> Convolution:
    out_columns, channels = whole.result.shape[2:]
    weights = whole.weights[:, row.taps][:, :, column.taps]
    if not weights.size:
        # No input reaches these pixels: the bias alone, as the sum over one pixel with no weight.
        weights = np.zeros((channels, 1, 1, weights.shape[3]), np.int8)
        row, column = replace(row, pad=0), replace(column, pad=0)
    geometry = replace(
        whole.geometry,
        kernel_rows=weights.shape[1],
        kernel_columns=weights.shape[2],
        pad_rows=row.pad,
        pad_columns=column.pad,
        out_rows=row.count,
        out_columns=column.count,
    )
    step = strides[1] * channels
    placement = Placement(
        first=(row.first * out_columns + column.first) * channels,
        step=step,
        row_gap=strides[0] * out_columns * channels - column.count * step,
    )
    return replace(
        whole, geometry=geometry, weights=np.ascontiguousarray(weights), placement=placement
    )
