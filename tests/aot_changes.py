"""Graphs with one thing changed by hand."""

from __future__ import annotations

from dataclasses import replace

from firmware_export.aot.graph import Graph, Loop, Node
from firmware_export.aot.reading import read_graph
from kd_edge.base.flatbuffer import read_tflite


def graph_of(content: bytes) -> Graph:
    return read_graph(read_tflite(content))


def changed(graph: Graph, kind: str, **values) -> Graph:
    """The graph with other values in its first node of a kind; functions are given the node."""
    done = []

    def new(node: Node) -> Node:
        if node.op != kind or done:
            return node
        done.append(node)
        return replace(node, **{k: v(node) if callable(v) else v for k, v in values.items()})

    items = tuple(
        replace(item, nodes=tuple(map(new, item.nodes))) if isinstance(item, Loop) else new(item)
        for item in graph.items
    )
    assert done
    return replace(graph, items=items)


def first(change):
    """A function of a node that changes its first result alone."""
    return lambda node: (change(node.outputs[0]), *node.outputs[1:])


def nth_input(position: int, change):
    return lambda node: tuple(
        change(tensor) if i == position else tensor for i, tensor in enumerate(node.inputs)
    )
