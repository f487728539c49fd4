"""How much memory of its own an operator may take before the arena grows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from firmware_export.aot.graph import Graph, Loop, Node, tensor_bytes
from firmware_export.aot.lower.strips import LITTLE_SCRATCH
from firmware_export.aot.program import Scratch
from firmware_export.aot.schedule import Items, item_calls
from kd_edge.base.flatbuffer import Tensor


def with_room(graph: Graph) -> Graph:
    """The same graph, whose nodes know their room.

    An operator's room is what the values in use at the fullest moment take, less those in use while
    it runs. The memory plan decides, not this: it may find no place for so much in one piece, or
    have less in use, since an operator that works in place has one memory there.
    """
    lives = _lives(graph)
    in_use = [
        sum(n_bytes for n_bytes, first, last in lives if first <= moment <= last)
        for moment in range(len(graph.items))
    ]
    most = max(in_use, default=0)

    def roomy(node: Node, moment: int) -> Node:
        return replace(node, room=most - in_use[moment])

    items = tuple(
        replace(item, nodes=tuple(roomy(node, moment) for node in item.nodes))
        if isinstance(item, Loop)
        else roomy(item, moment)
        for moment, item in enumerate(graph.items)
    )
    return replace(graph, items=items)


def takes_room(items: Items) -> bool:
    """Whether a layer takes more scratch than it always may."""
    sizes = (arg.n_bytes for c in item_calls(items) for arg in c.args if isinstance(arg, Scratch))
    return max(sizes, default=0) > LITTLE_SCRATCH


def _lives(graph: Graph) -> list[tuple[int, int, int]]:
    """Bytes of each memory, and its first and last moment."""
    last = len(graph.items) - 1
    moments: dict[int, list[int]] = {index: [0, last] for index in graph.kept}
    sizes = {tensor.index: tensor_bytes(tensor) for tensor in graph.wholes}
    for tensor, moment in _seen(graph):
        view = graph.views.get(tensor.index)
        moments.setdefault(view.base if view else tensor.index, []).append(moment)
        if view is None:
            sizes[tensor.index] = tensor_bytes(tensor)
    return [(sizes[index], min(at), max(at)) for index, at in moments.items()]


def _seen(graph: Graph) -> Iterator[tuple[Tensor, int]]:
    """Every value, each time that it must be there."""
    yield from ((tensor, 0) for tensor in graph.inputs)
    for moment, item in enumerate(graph.items):
        for node in item.nodes if isinstance(item, Loop) else (item,):
            for tensor in (*node.inputs, *node.outputs):
                if tensor is not None and tensor.data is None:
                    yield tensor, moment
    yield from ((tensor, len(graph.items) - 1) for tensor in graph.outputs)
