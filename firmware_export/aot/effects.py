"""What a pass did to a graph, counted and in words."""

from __future__ import annotations

from dataclasses import dataclass

from firmware_export.aot.channels.layers import RESULTS_AXIS
from firmware_export.aot.graph import Graph, Loop


@dataclass(frozen=True)
class PassEffect:
    """What a pass left.

    Attributes:
        operators_before, operators_after: that compute something.
        did: what else it changed, in words; empty where it found nothing to do.
    """

    name: str
    operators_before: int
    operators_after: int
    did: str


def effect(name: str, before: Graph, after: Graph) -> PassEffect:
    """The difference that a pass made."""
    old, new = _counts(before), _counts(after)
    gained = {what: new[what] - old[what] for what in new}
    words = [
        f"{count} {one if count == 1 else many}"
        for (one, many), count in gained.items()
        if count > 0
    ]
    fewer = _channels(before) - _channels(after)
    if fewer > 0:
        words.append(f"{fewer} constant channel{'s' if fewer > 1 else ''} dropped")
    loops = [item.steps for item in after.items if isinstance(item, Loop)]
    if gained[_LOOPS] > 0:
        words[0] += f" over {' and '.join(str(n) for n in dict.fromkeys(loops))} steps"
    return PassEffect(
        name, sum(1 for _ in before.nodes()), sum(1 for _ in after.nodes()), "; ".join(words)
    )


_LOOPS = ("loop", "loops")


def _channels(graph: Graph) -> int:
    """Results of all layers of weights: of each filter or row."""
    layers = [node for node in graph.nodes() if node.op in RESULTS_AXIS]
    return sum(node.inputs[1].shape[RESULTS_AXIS[node.op]] for node in layers)


def _counts(graph: Graph) -> dict[tuple[str, str], int]:
    nodes = list(graph.nodes())
    return {
        _LOOPS: sum(isinstance(item, Loop) for item in graph.items),
        ("operator with a table folded in", "operators with a table folded in"): sum(
            node.table is not None for node in nodes
        ),
        ("operator with padding folded in", "operators with padding folded in"): sum(
            any(node.padding) for node in nodes
        ),
        ("tensor in another one's memory", "tensors in other ones' memory"): len(graph.views),
        ("memory kept from hop to hop", "memories kept from hop to hop"): len(graph.kept),
    }
