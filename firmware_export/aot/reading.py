"""From a `.tflite` file to the graph, with everything checked that later stages rely on."""

from __future__ import annotations

from collections.abc import Iterable

from firmware_export.aot.forms import check_form
from firmware_export.aot.graph import ITEM_BYTES, Graph, Node, tensor_bytes
from firmware_export.aot.operator_table import facts_of
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.flatbuffer import Operator, Tensor, TfliteModel

# Far above any microcontroller; keeps a hostile file from asking for the machine's time and memory.
MAX_TENSOR_BYTES = 64 * 1024 * 1024
MAX_CONSTANT_BYTES = 64 * 1024 * 1024  # of all operators, a shared one counted each time
MAX_OPERATORS = 4096


def read_graph(model: TfliteModel) -> Graph:
    """The model as a graph of nodes in the file's order.

    Raises:
        KdEdgeError KD_BAD_TFLITE: a tensor is used before it is computed, computed twice, or
            larger than any board; the model has no input, output or operator.
        KdEdgeError KD_UNSUPPORTED_OP: an operator works on a type the engine does not know, on a
            sparse constant, or on the state of another operator.
    """
    if not (model.inputs and model.outputs and model.operators):
        raise _bad("it has no input, no output or no operator", "the model")
    if len(model.operators) > MAX_OPERATORS:
        raise _bad(f"it has {len(model.operators)} operators; {MAX_OPERATORS} is most", "the model")
    if len(set(model.inputs)) != len(model.inputs):
        raise _bad("one tensor is listed as two inputs", "the model's inputs")
    for index in model.inputs:
        if model.tensors[index].data is not None:
            raise _bad(f"{_name(model.tensors[index])} is a constant", "the model's inputs")
    known = {t.index for t in model.tensors if t.data is not None or t.is_variable}
    known |= set(model.inputs)
    nodes = []
    for operator in model.operators:
        nodes.append(_node(operator, model.tensors, known))
        known |= set(operator.outputs)
    for index in model.outputs:
        if index not in known:
            raise _bad("no operator computes it", _name(model.tensors[index]))
    ports = tuple(model.tensors[i] for i in (*model.inputs, *model.outputs))
    for tensor in ports:
        _check_readable(tensor, "the model")
    _check_states(nodes, ports)
    _check_constants(nodes)
    return Graph(
        inputs=tuple(model.tensors[i] for i in model.inputs),
        outputs=tuple(model.tensors[i] for i in model.outputs),
        items=tuple(nodes),
        wholes=tuple(t for n in nodes for t in n.outputs)
        + tuple(model.tensors[i] for i in model.inputs),
        next_index=len(model.tensors),
    )


def place_of(operator: Operator) -> str:
    """Where an operator stands in the file, for messages."""
    return f"operator {operator.index} ({operator.name})"


def _node(operator: Operator, tensors: tuple[Tensor, ...], known: set[int]) -> Node:
    place, facts = place_of(operator), facts_of(operator.name)
    for position, index in enumerate((*operator.inputs, *operator.outputs)):
        if index >= 0:
            packed = position == 1 and facts.takes_int4
            _check_readable(tensors[index], place, packed=packed)
    for index in operator.inputs:
        if index >= 0 and index not in known and tensors[index].shape != (0,):
            raise _bad(f"it reads {_name(tensors[index])}, which nothing computed before", place)
    for index in operator.outputs:
        if index < 0 or index in known or operator.outputs.count(index) > 1:
            what = _name(tensors[index]) if index >= 0 else "no tensor"
            raise _bad(f"it writes {what}: an input, a constant, a state or already written", place)
    node = Node(
        op=operator.name,
        place=place,
        inputs=tuple(tensors[i] if i >= 0 else None for i in operator.inputs),
        outputs=tuple(tensors[i] for i in operator.outputs),
        options=operator.options,
    )
    check_form(node, facts.form, operator.options_kind)
    if facts.agrees:
        facts.agrees(node)
    return node


def _check_readable(tensor: Tensor, place: str, *, packed: bool = False) -> None:
    """Refuse what the engine has no array of.

    Args:
        packed: it may be a constant of int4.
    """
    if tensor.unreadable is not None:
        raise KdEdgeError(
            "KD_UNSUPPORTED_OP",
            f"{_name(tensor)} {tensor.unreadable}, which the plain-C engine does not read",
            where=place,
            hint="convert the model to int8, with dense constants",
        )
    packed = packed and tensor.dtype == "int4" and tensor.data is not None
    if tensor.dtype not in ITEM_BYTES and not packed:
        raise KdEdgeError(
            "KD_UNSUPPORTED_OP",
            f"{_name(tensor)} is of type {tensor.dtype}, which the plain-C engine does not know",
            where=place,
            hint=f"it knows {', '.join(ITEM_BYTES)}: convert the model to int8",
        )
    if tensor_bytes(tensor) > MAX_TENSOR_BYTES:
        raise _bad(f"{_name(tensor)} has the shape {tensor.shape}: no board holds it", place)


def _check_states(nodes: Iterable[Node], ports: Iterable[Tensor]) -> None:
    """Refuse a variable tensor that is anything else than the state of one operator.

    Args:
        ports: the model's inputs and outputs.

    Raises:
        KdEdgeError KD_UNSUPPORTED_OP: naming the tensor and who else uses it.
    """
    for tensor in ports:
        if tensor.is_variable:
            raise _state_refusal(tensor, "is an input or output of the model", "the model")
    owners: dict[int, Node] = {}
    for node in nodes:
        for position, tensor in enumerate(node.inputs):
            if tensor is None or not tensor.is_variable:
                continue
            if position not in facts_of(node.op).states:
                raise _state_refusal(
                    tensor, f"is read as an ordinary input of {node.op}", node.place
                )
            if tensor.data is not None:
                raise _state_refusal(tensor, "is a constant too", node.place)
            if tensor.index in owners:
                other = owners[tensor.index].place
                raise _state_refusal(tensor, f"is the state of {other} too", node.place)
            owners[tensor.index] = node


def _state_refusal(tensor: Tensor, reason: str, where: str) -> KdEdgeError:
    return KdEdgeError(
        "KD_UNSUPPORTED_OP",
        f"tensor {tensor.index} ('{tensor.name}') keeps its values from run to run, and {reason}",
        where=where,
        hint="read an operator's result instead of its state; give each a state of its own",
    )


def _check_constants(nodes: list[Node]) -> None:
    read = sum(tensor_bytes(t) for n in nodes for t in n.inputs if t and t.data is not None)
    if read > MAX_CONSTANT_BYTES:
        raise _bad(
            f"its operators read {read:,} bytes of constants: no board holds them", "the model"
        )


def _name(tensor: Tensor) -> str:
    return f"tensor {tensor.index} ('{tensor.name}')"


def _bad(message: str, where: str) -> KdEdgeError:
    return KdEdgeError(
        "KD_BAD_TFLITE",
        f"the model is not consistent: {message}",
        where=where,
        hint="make the file again with `kd-edge build`",
    )
