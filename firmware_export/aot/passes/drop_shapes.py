"""Operators that only rename bytes vanish: their results are views."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from firmware_export.aot.graph import ITEM_BYTES, Graph, Loop, Node, View
from firmware_export.aot.lower.shape import contiguous_view, view_source
from kd_edge.base.flatbuffer import Tensor


def drop_shapes(graph: Graph) -> Graph:
    """RESHAPE and its like, and slices that are one run of bytes, become views or constants."""
    views = dict(graph.views)
    # What a loop walks over must lie in memory: a part of a constant is copied there.
    walked = {view.base for view in graph.views.values()}
    constants: dict[int, Tensor] = {}
    gone: set[int] = set()
    for node in graph.nodes():
        offsets = contiguous_view(node)
        if offsets is None:
            continue
        source = view_source(node)
        source = constants.get(source.index, source)
        if source.data is not None and walked & {tensor.index for tensor in node.outputs}:
            continue
        for tensor, offset in zip(node.outputs, offsets, strict=True):
            if source.data is not None:
                constants[tensor.index] = _part(source, tensor, offset)
                continue
            if tensor.index in views:
                # A loop's result inside the whole: what computes it writes that part itself.
                views[_computed_index(source.index, views)] = views[tensor.index]
            views[tensor.index] = View(source.index, offset)
        gone.add(id(node))

    outputs = tuple(constants.get(t.index, t) for t in graph.outputs)
    items = _rebuilt(graph, gone, constants)
    return replace(graph, items=items, views=flat_views(views), outputs=outputs)


def _rebuilt(graph: Graph, gone: set[int], constants: dict[int, Tensor]) -> tuple[Node | Loop, ...]:
    """The items without the nodes that are gone, reading the constants that those gave."""

    def rebuilt(node: Node) -> Node:
        inputs = tuple(None if t is None else constants.get(t.index, t) for t in node.inputs)
        return replace(node, inputs=inputs)

    return tuple(
        replace(item, nodes=tuple(rebuilt(n) for n in item.nodes if id(n) not in gone))
        if isinstance(item, Loop)
        else rebuilt(item)
        for item in graph.items
        if id(item) not in gone
    )


def _computed_index(index: int, views: dict[int, View]) -> int:
    """The tensor behind those that only rename it."""
    while index in views:
        index = views[index].base
    return index


def flat_views(views: dict[int, View]) -> dict[int, View]:
    """Views of views resolved to the memory at the bottom."""
    flat: dict[int, View] = {}
    for index in views:
        base, offset, step = index, 0, 0
        while base in views:
            view = views[base]
            base, offset, step = (
                view.base,
                offset + view.offset_bytes,
                step + view.step_bytes,
            )
        flat[index] = View(base, offset, step)
    return flat


def _part(source: Tensor, tensor: Tensor, offset: int) -> Tensor:
    first = offset // ITEM_BYTES[source.dtype]
    count = int(np.prod(tensor.shape))
    data = source.data.reshape(-1)[first : first + count].reshape(tensor.shape)
    return replace(tensor, data=data)
