"""A PAD in front of a convolution becomes the convolution's own padding."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from firmware_export.aot.graph import Graph, Loop, Node
from firmware_export.aot.passes.uses import port_indices, producers, readers

_TAKES_PADDING = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D"})


def fold_padding(graph: Graph) -> Graph:
    """Every PAD of rows and columns that only a VALID convolution reads goes into it.

    Not one whose result has another quantisation than its input: it copies bytes, which the
    convolution then reads by that of the result.
    """
    computed, reading, ports = producers(graph), readers(graph), port_indices(graph)
    folded: dict[int, Node] = {}
    gone: set[int] = set()
    for node in graph.nodes():
        pad = computed.get(node.inputs[0].index) if node.op in _TAKES_PADDING else None
        if pad is None or not _is_plain_pad(pad) or node.options.get("padding") != "VALID":
            continue
        padded = pad.outputs[0].index
        if len(reading[padded]) > 1 or padded in ports:
            continue
        rows, columns = pad.inputs[1].data.reshape(4, 2)[1:3].tolist()
        folded[id(node)] = replace(
            node,
            inputs=(pad.inputs[0], *node.inputs[1:]),
            padding=(rows[0], rows[1], columns[0], columns[1]),
        )
        gone.add(id(pad))
    items = tuple(
        item if isinstance(item, Loop) else folded.get(id(item), item)
        for item in graph.items
        if id(item) not in gone
    )
    return replace(graph, items=items)


def _is_plain_pad(node: Node) -> bool:
    """Whether it pads rows and columns alone, with zeros, and makes the shape that it says."""
    if node.op != "PAD" or len(node.inputs) != 2 or node.inputs[1].data is None:
        return False
    source, result, amounts = node.inputs[0], node.outputs[0], node.inputs[1].data
    alike = (source.dtype, source.scales, source.zero_points) == (
        *(result.dtype, result.scales, result.zero_points),
    )
    if amounts.size != 8 or amounts.dtype != np.int32 or len(source.shape) != 4 or not alike:
        return False
    by_axis = amounts.reshape(4, 2)
    grown = tuple((source.shape + by_axis.sum(axis=1)).tolist())
    return not by_axis[[0, 3]].any() and bool((by_axis >= 0).all()) and result.shape == grown
