"""Concatenation without copies: what is joined is computed where the whole will lie."""

from __future__ import annotations

from dataclasses import replace

from firmware_export.aot.graph import Graph, Loop, Node, View, tensor_bytes
from firmware_export.aot.lower.shape import joined_sizes
from firmware_export.aot.passes.drop_shapes import flat_views
from firmware_export.aot.passes.uses import port_indices, producers, readers

_JOINS = frozenset({"CONCATENATION", "PACK"})


def join_in_place(graph: Graph) -> Graph:
    """Drop each CONCATENATION or PACK whose parts lie one behind the other in the whole.

    A part must be computed by a node for this alone: a model input, a view or a part read
    elsewhere stays where it is, and then the operator stays too.
    """
    computed, reading, ports = producers(graph), readers(graph), port_indices(graph)
    views = dict(graph.views)
    busy = set(views) | {view.base for view in views.values()} | ports
    gone: set[int] = set()
    for node in graph.items:
        if isinstance(node, Loop) or node.op not in _JOINS or not _side_by_side(node):
            continue
        parts = [tensor.index for tensor in node.inputs]
        free = all(
            index in computed and index not in busy and len(reading[index]) == 1 for index in parts
        )
        if not free or len(set(parts)) != len(parts):
            continue
        offset = 0
        for tensor in node.inputs:
            views[tensor.index] = View(node.outputs[0].index, offset)
            offset += tensor_bytes(tensor)
        busy |= {*parts, node.outputs[0].index}
        gone.add(id(node))
    items = tuple(item for item in graph.items if id(item) not in gone)
    return replace(graph, items=items, views=flat_views(views))


def _side_by_side(node: Node) -> bool:
    """Whether each part is one run of bytes in the whole, of the same quantisation.

    Raises:
        KdEdgeError KD_UNSUPPORTED_OP: its shapes contradict each other.
    """
    whole = node.outputs[0]
    outer, _, _ = joined_sizes(node)
    alike = all(
        (tensor.scales, tensor.zero_points) == (whole.scales, whole.zero_points)
        for tensor in node.inputs
    )
    return alike and outer == 1
