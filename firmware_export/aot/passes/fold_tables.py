"""Element-wise operators become tables of 256 bytes, folded into what computes their input."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from firmware_export.aot.graph import Graph, Loop, Node
from firmware_export.aot.passes.uses import port_indices, producers, readers
from firmware_export.aot.tables import table_of, table_source

# Operators whose kernels look their results up in a table where one is given.
TAKES_TABLE = frozenset(
    {"CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED", "ADD", "SUB", "MUL"}
)


def fold_tables(graph: Graph) -> Graph:
    """Each table goes into the node before it where that node's result is read by nothing else."""
    reading = readers(graph)
    # The caller looks at ports, a loop through its views at what it walks over.
    seen = port_indices(graph) | {view.base for view in graph.views.values()}
    computed = producers(graph)
    current: dict[int, Node] = {}  # id of a node in `graph` -> what stands for it now
    gone: set[int] = set()
    for node in graph.nodes():
        table = table_of(node)
        if table is None:
            continue
        source = table_source(node)
        before = computed.get(source.index)
        if before is None or source.index in seen or len(reading[source.index]) > 1:
            continue
        holder = _holder(before, current)
        if holder.op not in TAKES_TABLE or source.dtype != "int8":
            continue
        current[id(before)] = _with_table(holder, node, table)
        # The next table in a row finds its producer through the node that has vanished.
        current[id(node)] = current[id(before)]
        computed[node.outputs[0].index] = before
        gone.add(id(node))

    def rebuilt(item: Node) -> Node:
        return current.get(id(item), item)

    items = tuple(
        replace(item, nodes=tuple(rebuilt(n) for n in item.nodes if id(n) not in gone))
        if isinstance(item, Loop)
        else rebuilt(item)
        for item in graph.items
        if id(item) not in gone
    )
    return replace(graph, items=items)


def _holder(node: Node, current: dict[int, Node]) -> Node:
    return current.get(id(node), node)


def _with_table(holder: Node, folded: Node, table: np.ndarray) -> Node:
    combined = table if holder.table is None else table[holder.table.astype(np.int32) + 128]
    return replace(holder, table=combined, before_table=holder.computed, outputs=folded.outputs)
