"""Tensors that live on from one run to the next: each belongs to one operator alone."""

from __future__ import annotations

from collections.abc import Iterable

from firmware_export.aot.graph import Node
from firmware_export.aot.operator_table import facts_of
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.flatbuffer import Tensor


def check_states(nodes: Iterable[Node], ports: Iterable[Tensor]) -> None:
    """Refuse a variable tensor that is anything else than the state of one operator.

    Args:
        ports: the model's inputs and outputs.

    Raises:
        KdEdgeError KD_UNSUPPORTED_OP: naming the tensor and who else uses it.
    """
    for tensor in ports:
        if tensor.is_variable:
            raise _refusal(tensor, "is an input or output of the model", "the model")
    owners: dict[int, Node] = {}
    for node in nodes:
        for position, tensor in enumerate(node.inputs):
            if tensor is None or not tensor.is_variable:
                continue
            if position not in facts_of(node.op).states:
                raise _refusal(tensor, f"is read as an ordinary input of {node.op}", node.place)
            if tensor.data is not None:
                raise _refusal(tensor, "is a constant too", node.place)
            if tensor.index in owners:
                other = owners[tensor.index].place
                raise _refusal(tensor, f"is the state of {other} too", node.place)
            owners[tensor.index] = node


def _refusal(tensor: Tensor, reason: str, where: str) -> KdEdgeError:
    return KdEdgeError(
        "KD_UNSUPPORTED_OP",
        f"tensor {tensor.index} ('{tensor.name}') keeps its values from run to run, and {reason}",
        where=where,
        hint="read an operator's result instead of its state; give each a state of its own",
    )
