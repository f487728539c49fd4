"""That operators over some columns are those of the whole window, and none is lost."""

from __future__ import annotations

from math import prod

from firmware_export.aot.graph import Graph, Node
from firmware_export.aot.verify import Fault, facts, used, verify
from kd_edge.base.flatbuffer import Tensor


def verify_parts(before: Graph, after: Graph, name: str) -> None:
    """Check the graph of a hop: it is whole, and its operators are those of the window.

    Each has operator, constants, table and quantisation of the one whose place it bears, and no
    more values. Every operator that something used is still there, and every output.

    Raises:
        KdEdgeError KD_INTERNAL: as `verify_pass`.
    """
    verify(after, name)
    fault = Fault(name)
    whole = {node.place: node for node in before.nodes()}
    seen = set()
    for node in after.nodes():
        place = node.place if node.place in whole else node.place.rpartition(", columns ")[0]
        if place not in whole:
            fault(node.place, f"{node.op} stands for no operator of before")
        _check_part(fault, whole[place], node)
        seen.add(place)
    for lost in sorted(used(before) - seen):
        fault(lost, "it is lost", whole[lost].outputs[0])
    for was, now in zip(before.outputs, after.outputs, strict=True):
        if facts(was) != facts(now):
            fault("the model", "its output is another one", now)


def _check_part(fault: Fault, whole: Node, part: Node) -> None:
    if part.op != whole.op or part.table is not whole.table or _others(part) != _others(whole):
        fault(part.place, "its operator, table or options have changed")
    pairs = zip((*whole.inputs, *whole.outputs), (*part.inputs, *part.outputs), strict=True)
    for was, now in pairs:
        if was is None or now is None or was.data is not None:
            if now is not was:
                fault(part.place, "it has another constant", now)
        elif _kind(was) != _kind(now) or prod(now.shape) > prod(was.shape):
            fault(part.place, "one of its tensors is not what it was", now)


def _others(node: Node) -> dict[str, object]:
    """Its options but the padding, which parts state as a number."""
    return {name: value for name, value in node.options.items() if name != "padding"}


def _kind(tensor: Tensor) -> tuple:
    return tensor.dtype, tensor.scales, tensor.zero_points, len(tensor.shape)
