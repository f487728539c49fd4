"""ADD, SUB, MUL, MAXIMUM and MINIMUM over tensors of any shapes that broadcast, and tables."""

from __future__ import annotations

from dataclasses import replace

from firmware_export.aot.arithmetic import looked_up, product_members, sum_members
from firmware_export.aot.checks import (
    elements,
    require_same_size,
    require_scales,
    require_shape,
    require_symmetric,
    require_types,
)
from firmware_export.aot.cores import Core
from firmware_export.aot.graph import Node, refuse
from firmware_export.aot.lower.moves import Axis, joined, rows_member, strides
from firmware_export.aot.lower.wide import lower_wide
from firmware_export.aot.program import Call, Scratch
from firmware_export.aot.tables import table_of, table_source
from kd_edge.base.flatbuffer import Tensor

_MANY = 640  # values of a sum from which on a table of 256 terms saves more than it costs
_HALF_BITS = 19  # an operand of half of the larger scale is shifted up by 20 bits


def lower_sum(node: Node, core: Core) -> tuple[Call, ...]:
    """ADD and SUB."""
    (call,) = _binary(node, "kd_sum", sum_members)
    many = elements(node.outputs[0]) >= _MANY and call.kernel == "kd_sum_s8" and not core.mve
    return (_sum_by_table(node) if many else call,)


def _sum_by_table(node: Node) -> Call:
    """kd_sum_table_s8: first the operand of the larger scale, which is not shifted right."""
    members = sum_members(node)
    signs = {"a_": 1, "b_": members["sign"]}
    a, b = ("a_", "b_") if members["a_right"] == 0 else ("b_", "a_")
    factor = signs[a] << _HALF_BITS
    table, low, high = looked_up(node.table, members["low"], members["high"])
    params = {
        "a_factor": factor,
        "a_add": members[f"{a}offset"] * factor,
        **{f"b_{name}": members[b + name] for name in ("offset", "multiplier", "right")},
        "b_sign": signs[b],
        **{name: members[name] for name in ("multiplier", "right", "offset")},
        "low": low,
        "high": high,
        "table": table,
    }
    in_order = node if a == "a_" else replace(node, inputs=node.inputs[::-1])
    call = _walk(in_order, "kd_sum_table", params)
    first, second, result = call.args
    return replace(
        call,
        args=(first, second, Scratch(256 * 4), result),
        writes=(3,),
        in_place=tuple((read, 3) for read, _ in call.in_place),
    )


def lower_product(node: Node, core: Core) -> tuple[Call, ...]:
    """MUL."""
    return _binary(node, "kd_mul", product_members)


def lower_extremum(node: Node, core: Core) -> tuple[Call, ...]:
    """MAXIMUM and MINIMUM of quantised values; TFLite Micro does not look at their scales."""
    require_types(node)
    members = {"minimum": int(node.op == "MINIMUM")}
    return (_walk(node, "kd_extremum", members),)


def _binary(node: Node, kernel: str, members_of) -> tuple[Call, ...]:
    require_types(node)
    require_scales(node, *_operands(node), node.computed, node.outputs[0])
    require_symmetric(node, *_operands(node), node.outputs[0])
    table = table_of(node)
    if table is not None:
        return (_table_call(node, table),)
    return (_walk(node, kernel, {**members_of(node), "table": node.table}),)


def _operands(node: Node) -> tuple[Tensor, Tensor]:
    if len(node.inputs) != 2 or None in node.inputs:
        raise refuse(node, "it has not two operands", "make the file again")
    return node.inputs[0], node.inputs[1]


def _walk(node: Node, kernel: str, members: dict[str, object]) -> Call:
    a, b = _operands(node)
    result = node.outputs[0]
    rank = max(len(a.shape), len(b.shape))
    shapes = [(1,) * (rank - len(t.shape)) + t.shape for t in (a, b)]
    pairs = list(zip(*shapes, strict=True))
    if any(m != n and 1 not in (m, n) for m, n in pairs):
        raise refuse(node, f"{a.shape} and {b.shape} do not broadcast", "make the file again")
    require_shape(node, result, tuple(n if m == 1 else m for m, n in pairs))
    axes = tuple(
        Axis(size, 0 if m == 1 else step_a, 0 if n == 1 else step_b)
        for size, (m, n), step_a, step_b in zip(
            result.shape, pairs, strides(shapes[0]), strides(shapes[1]), strict=True
        )
    )
    alike = tuple((i, 2) for i, t in enumerate((a, b)) if elements(t) == elements(result))
    return Call(
        kernel=f"{kernel}_{_SUFFIXES[result.dtype]}",
        params={"rows": rows_member(joined(axes)), **members},
        args=(a, b, result),
        writes=(2,),
        in_place=alike,
        note=node.place,
    )


_SUFFIXES = {"int8": "s8", "int16": "s16"}


def lower_table(node: Node, core: Core) -> tuple[Call, ...]:
    """LOGISTIC, TANH, RELU and their like: on int8 a table, on int16 computed."""
    require_types(node)
    if node.inputs[0].dtype == "int16":
        return lower_wide(node)
    return (_table_call(node, table_of(node)),)


def _table_call(node: Node, table) -> Call:
    source = table_source(node)
    result = node.outputs[0]
    require_same_size(node, source, result)
    return Call(
        kernel="kd_table_s8",
        params={"count": elements(result), "table": table},
        args=(source, result),
        writes=(1,),
        in_place=((0, 1),),
        note=node.place,
    )
