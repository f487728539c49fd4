"""Branches that treat each step alike run step by step, so that one step's values are live."""

from __future__ import annotations

from dataclasses import dataclass, replace

from firmware_export.aot.graph import Graph, Loop, Node, View, refuse, tensor_bytes
from firmware_export.aot.passes.uses import port_indices, producers, readers
from firmware_export.aot.tables import table_of
from kd_edge.base.flatbuffer import Tensor

LSTM = "UNIDIRECTIONAL_SEQUENCE_LSTM"
_ROW_OPERATORS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "AVERAGE_POOL_2D", "MAX_POOL_2D"})
_SHAPE_OPERATORS = frozenset({"RESHAPE", "SQUEEZE", "EXPAND_DIMS"})
# Value by value; on int16 no table stands for them.
_WIDE_OPERATORS = frozenset({"LOGISTIC", "TANH", "RELU", "RELU6", "LEAKY_RELU"})


@dataclass(frozen=True)
class _Chain:
    """Nodes in a row, each reading only the one before, that treat `steps` steps alike."""

    steps: int
    nodes: tuple[Node, ...]
    last_step: Node | None  # the slice behind it that keeps the last step only


def step_loops(graph: Graph) -> Graph:
    """Every LSTM, with what can be run step by step before and behind it, becomes a loop.

    Raises:
        KdEdgeError KD_UNSUPPORTED_OP: an LSTM of a constant, of more than one sequence, or whose
            result has not its steps.
    """
    taken: set[int] = set()
    loops: dict[int, Loop] = {}  # id of a chain's last node -> the loop in its place
    views = dict(graph.views)
    next_index = graph.next_index
    for node in graph.nodes():
        if node.op != LSTM or id(node) in taken:
            continue
        chain = _chain_around(graph, node, taken)
        whole = (*chain.nodes, *((chain.last_step,) if chain.last_step else ()))
        taken |= {id(member) for member in whole}
        loop, new_views, next_index = _loop(graph, chain, next_index)
        loops[id(whole[-1])] = loop
        views |= new_views
    items = []
    for item in graph.items:
        if id(item) in loops:
            items.append(loops[id(item)])
        elif id(item) not in taken:
            items.append(item)
    return replace(graph, items=tuple(items), views=views, next_index=next_index)


def _chain_around(graph: Graph, lstm: Node, taken: set[int]) -> _Chain:
    """The LSTM and what can run with it, without nodes that another chain has taken."""
    steps = _steps(lstm)
    computed, reading, ports = producers(graph), readers(graph), port_indices(graph)
    nodes = [lstm]
    while True:
        source = _stepped_input(nodes[0])
        before = computed.get(source.index)
        alone = len(reading[source.index]) == 1 and source.index not in ports
        if before is None or id(before) in taken or not alone or not _by_step(before, steps):
            break
        nodes.insert(0, before)
    last_step = None
    while last_step is None:
        result = nodes[-1].outputs[0]
        after = reading.get(result.index, [])
        if len(after) != 1 or id(after[0]) in taken or result.index in ports:
            break
        if _keeps_last_step(after[0], steps):
            last_step = after[0]
        elif _by_step(after[0], steps):
            nodes.append(after[0])
        else:
            break
    return _Chain(steps, tuple(nodes), last_step)


def _steps(lstm: Node) -> int:
    if sum(t is not None and t.data is None and not t.is_variable for t in lstm.inputs) > 1:
        raise refuse(lstm, "its weights or biases are computed", "make them constants")
    if lstm.inputs[0].data is not None:
        raise refuse(lstm, "its input is a constant", "compute what follows from it beforehand")
    shape = lstm.inputs[0].shape
    time_major = bool(lstm.options.get("time_major"))
    if len(shape) != 3 or shape[1 if time_major else 0] != 1:
        raise refuse(lstm, f"its input is {shape}, not one sequence", "convert with a batch of 1")
    steps = shape[0 if time_major else 1]
    result = lstm.outputs[0].shape
    if not _has_steps(result, steps):
        raise refuse(lstm, f"it makes {result} of {shape}", "make the file again")
    return steps


def _has_steps(shape: tuple[int, ...], steps: int) -> bool:
    """Whether each step's values lie together: one step is the whole, whatever its shape."""
    return steps == 1 or _axis(shape, steps) is not None


def _axis(shape: tuple[int, ...], steps: int) -> int | None:
    """The axis of several steps: the first that is not 1, if it has so many places."""
    axis = next((i for i, size in enumerate(shape) if size != 1), None)
    return axis if axis is not None and shape[axis] == steps else None


def _stepped_input(node: Node) -> Tensor:
    return next(t for t in node.inputs if t is not None and t.data is None and not t.is_variable)


def _by_step(node: Node, steps: int) -> bool:
    """Whether step t of the result depends on step t of the one computed input alone."""
    moving = [t for t in node.inputs if t is not None and t.data is None and not t.is_variable]
    if len(moving) != 1 or len(node.outputs) != 1:
        return False
    source, result = moving[0], node.outputs[0]
    if not (_has_steps(source.shape, steps) and _has_steps(result.shape, steps)):
        return False
    if node.op == LSTM:
        return _steps(node) == steps
    if node.op in _SHAPE_OPERATORS:
        return True
    if node.op in _ROW_OPERATORS:
        by_row = _axis(source.shape, steps) == 1 == _axis(result.shape, steps) and _rows_alone(node)
        return steps == 1 or by_row
    wide = node.op in _WIDE_OPERATORS and source.dtype == result.dtype == "int16"
    return wide or table_of(node) is not None


def _rows_alone(node: Node) -> bool:
    options = node.options
    height = options.get("filter_height")
    if height is None:
        height = node.inputs[1].shape[1]
    return height == 1 and options.get("stride_h") == 1 and node.padding[:2] == (0, 0)


def _keeps_last_step(node: Node, steps: int) -> bool:
    """Whether a STRIDED_SLICE or SLICE takes exactly the last step, whole."""
    if node.op not in ("STRIDED_SLICE", "SLICE"):
        return False
    from firmware_export.aot.lower.shape import contiguous_view

    source, result = node.inputs[0], node.outputs[0]
    if steps == 1 or not _has_steps(source.shape, steps):
        return False
    offsets = contiguous_view(node)
    row = tensor_bytes(source) // steps
    return offsets == ((steps - 1) * row,) and tensor_bytes(result) == row


def _loop(graph: Graph, chain: _Chain, next_index: int) -> tuple[Loop, dict[int, View], int]:
    views: dict[int, View] = {}
    local: dict[int, Tensor] = {}

    def one_step(tensor: Tensor) -> Tensor:
        nonlocal next_index
        if tensor.index not in local:
            axis = None if chain.steps == 1 else _axis(tensor.shape, chain.steps)
            shape = tuple(1 if i == axis else size for i, size in enumerate(tensor.shape))
            local[tensor.index] = replace(tensor, index=next_index, shape=shape)
            next_index += 1
        return local[tensor.index]

    entry = _stepped_input(chain.nodes[0])
    nodes = tuple(_one_step_node(node, one_step) for node in chain.nodes)
    row = tensor_bytes(entry) // chain.steps
    views[local[entry.index].index] = View(entry.index, 0, row)
    result = chain.nodes[-1].outputs[0]
    inner = local[result.index]
    if chain.last_step is not None:
        # After the loop its last turn's result is still there.
        views[chain.last_step.outputs[0].index] = View(inner.index, 0)
    else:
        views[inner.index] = View(result.index, 0, tensor_bytes(result) // chain.steps)
    return Loop(chain.steps, nodes), views, next_index


def _one_step_node(node: Node, one_step) -> Node:
    def stepped(tensor: Tensor | None) -> Tensor | None:
        fixed = tensor is None or tensor.data is not None or tensor.is_variable
        return tensor if fixed else one_step(tensor)

    return replace(
        node,
        inputs=tuple(stepped(t) for t in node.inputs),
        outputs=tuple(one_step(t) for t in node.outputs),
        before_table=None if node.before_table is None else one_step(node.before_table),
    )
