"""Who computes and who reads a tensor: what every pass asks."""

from __future__ import annotations

from firmware_export.aot.graph import Graph, Node


def producers(graph: Graph) -> dict[int, Node]:
    """Tensor index -> the node that writes it."""
    return {tensor.index: node for node in graph.nodes() for tensor in node.outputs}


def readers(graph: Graph) -> dict[int, list[Node]]:
    """Tensor index -> the nodes that read it, in order, one entry a reading."""
    found: dict[int, list[Node]] = {}
    for node in graph.nodes():
        for tensor in node.inputs:
            if tensor is not None:
                found.setdefault(tensor.index, []).append(node)
    return found


def port_indices(graph: Graph) -> set[int]:
    """The tensors that the caller sees: the model's inputs and outputs."""
    return {tensor.index for tensor in (*graph.inputs, *graph.outputs)}
