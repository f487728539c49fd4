"""Operators that move values without computing: slices, joins, paddings, transposition, views."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np

from firmware_export.aot.checks import (
    axis_of,
    constant_of,
    elements,
    require_same_size,
    require_shape,
    require_types,
)
from firmware_export.aot.cores import Core
from firmware_export.aot.graph import ITEM_BYTES, Node, refuse, tensor_bytes
from firmware_export.aot.lower.moves import Axis, Move, copy_call, run_length, strides
from firmware_export.aot.lower.slicing import (
    slice_moves,
    split_moves,
    split_source,
    strided_slice_moves,
    unpack_moves,
)
from firmware_export.aot.numbers import zero_point_of
from firmware_export.aot.program import Call
from kd_edge.base.flatbuffer import Tensor


def contiguous_view(node: Node) -> tuple[int, ...] | None:
    """Bytes into `view_source(node)` at which each output lies, whole and in order.

    None where the operator does more than name a part of its input.

    Raises:
        KdEdgeError KD_UNSUPPORTED_OP: TFLite Micro does not compute the operator as it stands.
    """
    if node.op not in _PARTS:
        return None
    offsets = []
    for move in _PARTS[node.op](node):
        if run_length(move) != (elements(move.target), []):
            return None
        offsets.append(move.first * ITEM_BYTES[move.source.dtype])
    return tuple(offsets)


def view_source(node: Node) -> Tensor:
    """The tensor whose parts the outputs of such an operator are."""
    return split_source(node)


def lower_part(node: Node, core: Core) -> tuple[Call, ...]:
    """One copy an output, of an operator that takes parts of one tensor."""
    return tuple(copy_call(move, node.place) for move in _PARTS[node.op](node))


def _same_values(node: Node) -> tuple[Move, ...]:
    source, result = node.inputs[0], node.outputs[0]
    require_types(node)
    require_same_size(node, source, result)
    return (Move(source, result, (Axis(elements(source), 1, 1),)),)


def _transpose_moves(node: Node) -> tuple[Move, ...]:
    source, result = node.inputs[0], node.outputs[0]
    require_types(node)
    order = constant_of(node, 1, "order of axes")
    if sorted(order) != list(range(len(source.shape))):
        raise refuse(node, f"{order} is no order of {len(source.shape)} axes", "make it again")
    shape = tuple(source.shape[axis] for axis in order)
    require_shape(node, result, shape)
    steps = strides(source.shape)
    axes = tuple(
        Axis(size, steps[axis], target)
        for size, axis, target in zip(shape, order, strides(shape), strict=True)
    )
    return (Move(source, result, axes),)


_PARTS: dict[str, Callable[[Node], tuple[Move, ...]]] = {
    "RESHAPE": _same_values,
    "SQUEEZE": _same_values,
    "EXPAND_DIMS": _same_values,
    "SLICE": slice_moves,
    "STRIDED_SLICE": strided_slice_moves,
    "SPLIT": split_moves,
    "SPLIT_V": split_moves,
    "UNPACK": unpack_moves,
    "TRANSPOSE": _transpose_moves,
}


# --- several tensors into one ---


def lower_concatenation(node: Node, core: Core) -> tuple[Call, ...]:
    """CONCATENATION: each input copied to its place."""
    return _joins(node, *joined_sizes(node))


def lower_pack(node: Node, core: Core) -> tuple[Call, ...]:
    """PACK: inputs of one shape side by side along a new axis."""
    return _joins(node, *joined_sizes(node))


def joined_sizes(node: Node) -> tuple[int, list[int], int]:
    """Values before the axis of a CONCATENATION or PACK, each input's along it, and behind it.

    Raises:
        KdEdgeError KD_UNSUPPORTED_OP: types, shapes or quantisation that do not fit each other.
    """
    result, packs = node.outputs[0], node.op == "PACK"
    if None in node.inputs:
        raise refuse(node, "one of its inputs is absent", "make the file again")
    require_types(node)
    if not packs:
        _check_join(node)
    axis = axis_of(node, int(node.options["axis"]), len(result.shape))
    before, behind = result.shape[:axis], result.shape[axis + 1 :]
    sizes = []
    for tensor in node.inputs:
        if not packs and len(tensor.shape) != len(result.shape):
            raise refuse(node, f"{tensor.shape} into {result.shape}", "make the file again")
        sizes.append(1 if packs else tensor.shape[axis])
        require_shape(node, tensor, before + (() if packs else (sizes[-1],)) + behind)
    require_shape(node, result, (*before, sum(sizes), *behind))
    return prod(before), sizes, prod(behind)


def _check_join(node: Node) -> None:
    """TFLite Micro joins int8 of one quantisation, int16 of zero point 0, and never clamps."""
    result = node.outputs[0]
    if node.options.get("fused_activation_function", "NONE") != "NONE":
        raise refuse(node, "it has an activation fused into it", "keep it a layer of its own")
    for tensor in node.inputs:
        quantised = (tensor.scales, tensor.zero_points)
        if result.dtype == "int8" and quantised != (result.scales, result.zero_points):
            raise refuse(
                node,
                f"'{tensor.name}' and the result have different scales",
                "convert again: the converter gives all parts of a whole one scale",
            )
        if result.dtype == "int16" and zero_point_of(tensor) != 0:
            raise refuse(node, f"int16 '{tensor.name}' has a zero point", "convert again")


def _joins(node: Node, outer: int, sizes: list[int], inner: int) -> tuple[Call, ...]:
    whole, at, calls = sum(sizes) * inner, 0, []
    for tensor, size in zip(node.inputs, sizes, strict=True):
        axes = (Axis(outer, size * inner, whole), Axis(size * inner, 1, 1))
        move = Move(tensor, node.outputs[0], axes, target_first=at)
        calls.append(copy_call(move, node.place))
        at += size * inner
    return tuple(calls)


# --- padding ---


def lower_pad(node: Node, core: Core) -> tuple[Call, ...]:
    """PAD and PADV2: the result filled with the padding's value, then the input copied into it."""
    source, result = node.inputs[0], node.outputs[0]
    require_types(node)
    amounts = constant_of(node, 1, "paddings")
    if len(amounts) != 2 * len(source.shape) or min(amounts, default=0) < 0:
        raise refuse(node, "its paddings are not two for each axis, 0 or more", "make it again")
    before, behind = amounts[::2], amounts[1::2]
    shape = tuple(n + a + b for n, a, b in zip(source.shape, before, behind, strict=True))
    require_shape(node, result, shape)
    steps = strides(shape)
    axes = tuple(
        Axis(size, step, target)
        for size, step, target in zip(source.shape, strides(source.shape), steps, strict=True)
    )
    first = sum(n * step for n, step in zip(before, steps, strict=True))
    copy = copy_call(Move(source, result, axes, target_first=first), node.place)
    if shape == source.shape:
        return (copy,)
    fill = Call(
        kernel="kd_fill",
        params={"n_bytes": tensor_bytes(result), "pattern": _pattern(node)},
        args=(result,),
        writes=(0,),
        note=node.place,
    )
    return (fill, copy)


def _pattern(node: Node) -> int:
    """The padding's value repeated to four bytes, as a little-endian number."""
    result = node.outputs[0]
    constant = node.inputs[2] if len(node.inputs) > 2 else None
    if constant is None:
        value = np.array([zero_point_of(result) if result.dtype == "int8" else 0], result.dtype)
    else:
        alike = (constant.scales, constant.zero_points) == (result.scales, result.zero_points)
        if constant.data is None or elements(constant) != 1 or constant.dtype != result.dtype:
            raise refuse(node, "its value is no constant of the result's type", "make it again")
        if result.dtype == "int8" and not alike:
            raise refuse(node, "its value and its result have different scales", "convert again")
        value = constant.data.reshape(-1)
    content = value.tobytes()
    return int.from_bytes(content * (4 // len(content)), "little")
