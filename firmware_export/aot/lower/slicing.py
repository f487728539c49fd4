"""Which elements SLICE, STRIDED_SLICE, SPLIT and UNPACK take, by TFLite Micro's rules."""

from __future__ import annotations

from math import prod

from firmware_export.aot.checks import (
    axis_of,
    constant_of,
    require_shape,
    require_types,
)
from firmware_export.aot.graph import Node, refuse
from firmware_export.aot.lower.moves import Axis, Move, strides
from kd_edge.base.flatbuffer import Tensor


def slice_moves(node: Node) -> tuple[Move, ...]:
    """SLICE: from `begin`, `size` elements of each axis, -1 for all that follow."""
    source, result = node.inputs[0], node.outputs[0]
    require_types(node)
    begins = constant_of(node, 1, "begin", ("int32", "int64"))
    sizes = constant_of(node, 2, "size", ("int32", "int64"))
    if not len(begins) == len(sizes) == len(source.shape):
        raise refuse(node, "begin and size do not name every axis", "make the file again")
    places = list(zip(source.shape, begins, sizes, strict=True))
    sizes = [n - at if size == -1 else size for n, at, size in places]
    for (n, at, _), size in zip(places, sizes, strict=True):
        if at < 0 or size <= 0 or at + size > n:
            raise refuse(node, f"it takes {size} of {n} from {at}", "make the file again")
    require_shape(node, result, tuple(sizes))
    return (_part(source, result, begins, sizes, [1] * len(sizes)),)


def strided_slice_moves(node: Node) -> tuple[Move, ...]:
    """STRIDED_SLICE with begin, end and shrink masks, and negative strides."""
    source, result = node.inputs[0], node.outputs[0]
    require_types(node)
    options = node.options
    if any(options.get(name) for name in ("ellipsis_mask", "new_axis_mask", "offset")):
        raise refuse(
            node,
            "it has an ellipsis, a new axis or an offset, which TFLite Micro does not compute",
            "slice with plain indices and reshape",
        )
    lists = [constant_of(node, i, name) for i, name in ((1, "begin"), (2, "end"), (3, "strides"))]
    if any(len(values) != len(source.shape) for values in lists):
        raise refuse(node, "its indices do not name every axis", "make the file again")
    firsts, sizes, shape = [], [], []
    for axis, n in enumerate(source.shape):
        begin, end, stride = (values[axis] for values in lists)
        masks = [bool(int(options[f"{name}_mask"]) >> axis & 1) for name in _MASKS]
        first, size = _range(node, n, (begin, end, stride), masks)
        firsts.append(first)
        sizes.append(size)
        if not masks[2]:
            shape.append(size)
    require_shape(node, result, tuple(shape))
    return (_part(source, result, firsts, sizes, lists[2]),)


_MASKS = ("begin", "end", "shrink_axis")


def _range(node: Node, n: int, indices: tuple[int, int, int], masks: list[bool]) -> tuple[int, int]:
    """First place and number of places along an axis of `n`."""
    begin, end, stride = indices
    from_start, to_end, shrink = masks
    if stride == 0 or (shrink and stride < 0):
        raise refuse(
            node, "a stride is 0, or below 0 on an axis that is dropped", "make the file again"
        )
    # Where a walk may stand: one place behind the last one, in its direction.
    lowest, highest = (0, n) if stride > 0 else (-1, n - 1)
    first = lowest if stride > 0 else highest
    if not from_start:
        first = min(max(begin + n if begin < 0 else begin, lowest), highest)
    stop = highest if stride > 0 else lowest
    if not to_end:
        stop = min(max(end + n if end < 0 else end, lowest), highest)
    if shrink:
        stop = min(first + 1, n)
    return first, max(-((first - stop) // stride), 0)


def split_moves(node: Node) -> tuple[Move, ...]:
    """SPLIT and SPLIT_V: the axis cut into the outputs' sizes."""
    source = split_source(node)
    position, name = (0, "axis") if node.op == "SPLIT" else (2, "axis")
    require_types(node)
    axis = axis_of(node, constant_of(node, position, name)[0], len(source.shape))
    moves, at = [], 0
    for result in node.outputs:
        if len(result.shape) != len(source.shape):
            raise refuse(node, f"it makes {result.shape} of {source.shape}", "make the file again")
        size = result.shape[axis]
        shape = source.shape[:axis] + (size,) + source.shape[axis + 1 :]
        require_shape(node, result, shape)
        begins = [at if i == axis else 0 for i in range(len(shape))]
        moves.append(_part(source, result, begins, list(shape), [1] * len(shape)))
        at += size
    if at != source.shape[axis]:
        raise refuse(node, f"its parts have {at} of {source.shape[axis]}", "make the file again")
    return tuple(moves)


def split_source(node: Node) -> Tensor:
    """The tensor that is cut: SPLIT names its axis first."""
    return node.inputs[1] if node.op == "SPLIT" else node.inputs[0]


def unpack_moves(node: Node) -> tuple[Move, ...]:
    """UNPACK: each place along the axis an output of its own."""
    source = node.inputs[0]
    require_types(node)
    axis = axis_of(node, int(node.options["axis"]), len(source.shape))
    if len(node.outputs) != source.shape[axis]:
        raise refuse(node, f"it has not {source.shape[axis]} outputs", "make the file again")
    shape = source.shape[:axis] + source.shape[axis + 1 :]
    inner = prod(source.shape[axis + 1 :])
    axes = (Axis(prod(source.shape[:axis]), source.shape[axis] * inner, inner), Axis(inner, 1, 1))
    for result in node.outputs:
        require_shape(node, result, shape)
    return tuple(
        Move(source, result, axes, first=i * inner) for i, result in enumerate(node.outputs)
    )


def _part(source: Tensor, result: Tensor, begins: list, sizes: list, steps: list) -> Move:
    """So many places of each axis from `begins`, `steps` apart, written without gaps."""
    axes = tuple(
        Axis(size, step * stride, target)
        for size, step, stride, target in zip(
            sizes, steps, strides(source.shape), strides(sizes), strict=True
        )
    )
    first = sum(at * stride for at, stride in zip(begins, strides(source.shape), strict=True))
    return Move(source, result, axes, first=first)
