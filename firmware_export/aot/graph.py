"""The graph that the passes work on: nodes over tensors, views without bytes, loops over steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import prod

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.flatbuffer import Tensor

ITEM_BYTES = {"int8": 1, "uint8": 1, "bool": 1, "int16": 2, "int32": 4, "float32": 4, "int64": 8}


@dataclass(frozen=True, eq=False)
class Node:
    """One operator to compute.

    Attributes:
        op: the schema's name, e.g. 'CONV_2D'.
        place: where it stands in the file, for messages, e.g. "operator 3 (CONV_2D)".
        inputs: tensors in the schema's order, None where an optional one is absent.
        outputs: tensors it writes.
        options: the schema's options in snake_case.
        table: int8 (256,) by which each output value is replaced, indexed by value + 128: a folded
            element-wise operator. `outputs[0]` is then quantised as after the table.
        before_table: the tensor that the operator alone would write; None without a table.
        padding: rows above, below, columns left, right that a folded PAD adds to what the
            operator's own padding says; zeros in real values.
        room: bytes of its own that the arena is likely to have for it without growing.
    """

    op: str
    place: str
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]
    options: Mapping[str, object]
    table: np.ndarray | None = None
    before_table: Tensor | None = None
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    room: int = 0

    @property
    def computed(self) -> Tensor:
        """What the arithmetic gives before a folded table: requantise to its scale."""
        return self.before_table or self.outputs[0]


@dataclass(frozen=True, eq=False)
class Loop:
    """Nodes run once for each step: their tensors hold one step's values.

    Attributes:
        steps: how often.
        nodes: in order; tensors of the outer graph are reached through `Graph.views`.
    """

    steps: int
    nodes: tuple[Node, ...]


@dataclass(frozen=True)
class View:
    """A tensor that is part of another one's memory.

    Attributes:
        base: index of the tensor with the memory.
        offset_bytes: where in it.
        step_bytes: what is added for each step of the loop that it is used in.
    """

    base: int
    offset_bytes: int
    step_bytes: int = 0


@dataclass(frozen=True)
class Kept:
    """What a memory that lives on from hop to hop does between two.

    Attributes:
        moved_bytes: by which its content moves to the front.
        first_byte, end_byte: from the one up to, not including, the other it then holds what the
            last hop left. The other bytes are computed anew.
        entering: it holds a model input, so it moves at the end of a hop: then there is room for
            what is new. The others move at the start.
    """

    moved_bytes: int
    first_byte: int
    end_byte: int
    entering: bool


@dataclass(frozen=True, eq=False)
class Graph:
    """What is to be computed.

    Attributes:
        inputs, outputs: the model's.
        items: nodes and loops in order of execution.
        wholes: inputs and results as the file has them; some are reached through views alone.
        next_index: the first tensor index not in use.
        views: tensor index -> the memory that it shares; never a chain.
        kept: index of a whole that lives on from hop to hop -> how it moves between two; empty for
            a graph of whole windows.
    """

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    items: tuple[Node | Loop, ...]
    wholes: tuple[Tensor, ...]
    next_index: int
    views: Mapping[int, View] = field(default_factory=dict)
    kept: Mapping[int, Kept] = field(default_factory=dict)

    def nodes(self) -> Iterator[Node]:
        """Every node, inside loops too."""
        for item in self.items:
            yield from item.nodes if isinstance(item, Loop) else (item,)


def tensor_bytes(tensor: Tensor) -> int:
    """Bytes of its values, without padding; constants of int4 are packed."""
    count = prod(tensor.shape)
    return (count + 1) // 2 if tensor.dtype == "int4" else count * ITEM_BYTES[tensor.dtype]


def refuse(node: Node, reason: str, hint: str) -> KdEdgeError:
    """The error for an operator that the plain-C engine does not compute as it stands."""
    return KdEdgeError("KD_UNSUPPORTED_OP", f"{node.op}: {reason}", where=node.place, hint=hint)
