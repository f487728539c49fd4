"""The window may arrive step by step: inputs shrink to one step, loops become one."""

from __future__ import annotations

from dataclasses import replace

from firmware_export.aot.graph import Graph, Loop, Node, View
from firmware_export.aot.passes.uses import readers
from kd_edge.base.errors import KdEdgeError


def stream_steps(graph: Graph) -> Graph:
    """One loop over the steps of all inputs, first in the graph; each input holds one step.

    Raises:
        KdEdgeError KD_UNSUPPORTED_OP: an input is not walked over step by step, or the loops have
            different numbers of steps.
    """
    loops = [item for item in graph.items if isinstance(item, Loop)]
    if not loops:
        raise _refusal("no part of it runs step by step")
    if len({loop.steps for loop in loops}) > 1:
        counts = " and ".join(str(loop.steps) for loop in loops)
        raise _refusal(f"its branches have different numbers of steps: {counts}")
    whole = {tensor.index for tensor in graph.inputs}
    entries = {
        tensor.index: (view, tensor)
        for loop in loops
        for node in loop.nodes
        for tensor in node.inputs
        if tensor is not None and (view := graph.views.get(tensor.index)) and view.base in whole
    }
    _check_walked(graph, loops, entries)
    step_of = {view.base: tensor for view, tensor in entries.values()}
    merged = Loop(loops[0].steps, tuple(node for loop in loops for node in loop.nodes))
    rest = tuple(item for item in graph.items if isinstance(item, Node))
    return replace(
        graph,
        inputs=tuple(step_of[tensor.index] for tensor in graph.inputs),
        items=(merged, *rest),
        views={index: view for index, view in graph.views.items() if index not in entries},
    )


def _check_walked(graph: Graph, loops: list[Loop], entries: dict) -> None:
    walked = {view.base for view, _ in entries.values() if view.step_bytes}
    whole = readers(graph).keys() | {tensor.index for tensor in graph.outputs}
    for tensor in graph.inputs:
        others = [view for view in graph.views.values() if view.base == tensor.index]
        if tensor.index not in walked or tensor.index in whole or len(others) > 1:
            raise _refusal(f"its input '{tensor.name}' is not read step by step, once")
    bases = {view.base for view, _ in entries.values()}
    for loop in loops:
        own = {t.index for node in loop.nodes for t in node.outputs}
        for node in loop.nodes:
            for tensor in node.inputs:
                if tensor is None or tensor.data is not None or tensor.is_variable:
                    continue
                base = graph.views.get(tensor.index, View(tensor.index, 0)).base
                if tensor.index not in own and base not in bases | own:
                    raise _refusal(f"{node.place} needs more than one step before it")


def _refusal(reason: str) -> KdEdgeError:
    return KdEdgeError(
        "KD_UNSUPPORTED_OP",
        f"this model cannot take its window step by step: {reason}",
        where="the model",
        hint="compile it without --stream",
    )
