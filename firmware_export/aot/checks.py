"""What lowerings ask of a node's tensors, refusing with one wording."""

from __future__ import annotations

from math import prod

from firmware_export.aot.graph import Node, refuse
from firmware_export.aot.operator_table import facts_of
from firmware_export.aot.operator_types import matches, named, signature_of
from kd_edge.base.flatbuffer import Tensor

RANGES = {"int8": (-128, 127), "int16": (-32768, 32767)}
CONVERT_AGAIN = "convert the model to int8 with the TFLite converter, which keeps to these rules"


def elements(tensor: Tensor) -> int:
    """How many values it has."""
    return prod(tensor.shape)


def require_types(node: Node) -> None:
    """Refuse unless its tensors are of types that the table has for the operator.

    Raises:
        KdEdgeError KD_UNSUPPORTED_OP: with what the plain-C engine and TFLite Micro have it for.
    """
    types = facts_of(node.op).types
    given = signature_of(types, node.inputs, (*node.outputs, node.computed))
    if any(matches(row, *given) for row in types.computed):
        return
    taken = any(matches(row, *given) for row in types.tflm_alone)
    raise refuse(
        node,
        f"it works on {named(*given)}; the plain-C engine has it for {_listed(types.computed)}",
        "the TFLite Micro engine builds it; or convert the model to int8"
        if taken
        else f"TFLite Micro has it for {_listed(types.tflm)}: convert the model to int8",
    )


def _listed(rows: tuple[str, ...]) -> str:
    return ", ".join(f"({row})" if " " in row else row for row in rows)


def require_scales(node: Node, *tensors: Tensor) -> None:
    """Refuse unless each has one scale above zero."""
    for tensor in tensors:
        if len(tensor.scales) != 1 or not tensor.scales[0] > 0:
            raise refuse(node, f"'{tensor.name}' has not one scale", CONVERT_AGAIN)


def require_symmetric(node: Node, *tensors: Tensor) -> None:
    """Refuse unless the zero point of each that is int16 is 0."""
    for tensor in tensors:
        if tensor.dtype == "int16" and any(tensor.zero_points):
            raise refuse(node, f"int16 '{tensor.name}' has a zero point", CONVERT_AGAIN)


def require_same_size(node: Node, source: Tensor, result: Tensor) -> None:
    """Refuse unless both have the same number of values, at least one."""
    if elements(source) != elements(result) or elements(source) == 0:
        raise refuse(
            node,
            f"it makes {result.shape} of {source.shape}",
            "make the file again: its shapes contradict each other",
        )


def require_shape(node: Node, result: Tensor, shape: tuple[int, ...]) -> None:
    """Refuse unless the result has this shape, with at least one value."""
    if result.shape != tuple(shape) or elements(result) == 0:
        raise refuse(
            node,
            f"its result is {result.shape}; its inputs give {tuple(shape)}",
            "make the file again: its shapes contradict each other, or a result is empty",
        )


def constant_of(node: Node, position: int, name: str, types: tuple[str, ...] = ("int32",)) -> list:
    """The integers of a constant input, flat.

    Raises:
        KdEdgeError KD_UNSUPPORTED_OP: it is absent, computed, or of another type.
    """
    tensor = node.inputs[position] if position < len(node.inputs) else None
    if tensor is None or tensor.data is None or tensor.dtype not in types:
        raise refuse(
            node,
            f"its {name} is no constant of type {' or '.join(types)}",
            "fix it when the model is converted: shapes cannot change on a board",
        )
    return [int(value) for value in tensor.data.reshape(-1)]


def axis_of(node: Node, axis: int, rank: int) -> int:
    """The axis counted from the front."""
    if not -rank <= axis < rank:
        raise refuse(node, f"axis {axis} of a tensor with {rank} axes", "make the file again")
    return axis % rank
