"""Operators that only move values: boxes of strides, joined as far as they go, for one kernel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from firmware_export.aot.graph import ITEM_BYTES
from firmware_export.aot.program import Call
from kd_edge.base.flatbuffer import Tensor


@dataclass(frozen=True)
class Axis:
    """`size` places, so many elements apart in the two tensors that are walked over."""

    size: int
    a: int
    b: int


@dataclass(frozen=True, eq=False)
class Move:
    """Elements of one tensor to be written into another.

    Attributes:
        axes: outermost first; `a` is the source, `b` the target.
        first, target_first: element at the start of every axis.
    """

    source: Tensor
    target: Tensor
    axes: tuple[Axis, ...]
    first: int = 0
    target_first: int = 0


def strides(shape: Sequence[int]) -> tuple[int, ...]:
    """Elements from one place to the next along each axis of a tensor without gaps."""
    return tuple(prod(shape[i + 1 :]) for i in range(len(shape)))


def joined(axes: Sequence[Axis]) -> list[Axis]:
    """The same walk with as few axes as can be: none of size 1, none that continues the next."""
    result: list[Axis] = []
    for axis in axes:
        if axis.size == 1:
            continue
        if result:
            outer = result[-1]
            if (outer.a, outer.b) == (axis.size * axis.a, axis.size * axis.b):
                result[-1] = Axis(outer.size * axis.size, axis.a, axis.b)
                continue
        result.append(axis)
    return result


def rows_member(axes: Sequence[Axis], scale: int = 1) -> dict[str, object]:
    """`kd_rows` over joined axes, outermost first; `scale` turns elements into bytes."""
    row = axes[-1] if axes else Axis(1, 0, 0)
    outer = axes[-2::-1]
    table = [[axis.size, axis.a * scale, axis.b * scale] for axis in outer]
    return {
        "count": row.size,
        "a_step": row.a * scale,
        "b_step": row.b * scale,
        "n_axes": len(outer),
        "axes": np.array(table, np.int32) if table else None,
    }


def run_length(move: Move) -> tuple[int, list[Axis]]:
    """Elements that lie together in both tensors, and the axes around such runs."""
    axes = joined(move.axes)
    if axes and (axes[-1].a, axes[-1].b) == (1, 1):
        return axes[-1].size, axes[:-1]
    return 1, axes


def copy_call(move: Move, note: str) -> Call:
    """The call of kd_copy that carries the move out."""
    item = ITEM_BYTES[move.source.dtype]
    run, around = run_length(move)
    return Call(
        kernel="kd_copy",
        params={
            "rows": rows_member(around, item),
            "run": run * item,
            "in_start": move.first * item,
            "out_start": move.target_first * item,
        },
        args=(move.source, move.target),
        writes=(1,),
        note=note,
    )
