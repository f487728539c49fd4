"""That a graph is whole: asked after reading and after every pass, which names a wrong pass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import NoReturn

import numpy as np

from firmware_export.aot.forms import check_form
from firmware_export.aot.graph import ITEM_BYTES, Graph, Loop, Node, View, tensor_bytes
from firmware_export.aot.marks import Marks
from firmware_export.aot.operator_table import facts_of
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.flatbuffer import Tensor

READING = "reading the file"
# Turns of a loop that are walked one by one, the last among them: one differs from the next by the
# same steps, and a hostile file may ask for millions.
_MOST_TURNS = 256
_CALLER = "the caller"
_LAST_HOP = "the last hop"  # what it left may be computed anew


def verify(graph: Graph, stage: str) -> None:
    """Check what every later stage relies on.

    - A tensor has one shape, type and quantisation wherever it stands; a constant fills its shape.
    - A node has the inputs, axes and options of its form; a table stands with what it replaces.
    - A view lies inside its base, which is no view; inside a loop it is walked step by step.
    - Every byte that a node or the caller reads is written before, and written once a run.
    - A state belongs to one node.

    Args:
        stage: what made the graph, for messages.

    Raises:
        KdEdgeError KD_INTERNAL: naming stage, node and tensor.
    """
    _Verifier(graph, stage).check()


def verify_pass(before: Graph, after: Graph, name: str) -> None:
    """Check a pass: what it leaves is whole, and means what it meant.

    A node that stays keeps its operator, options and states, and for each tensor its type, its
    being quantised and, over all turns of its loop, its number of values. No state, model input
    or output is lost, no result that was used is left over, and no number of a tensor is given
    to another one.

    Raises as `verify`.
    """
    verify(after, name)
    _Difference(before, after, name).check()


@dataclass(frozen=True)
class Fault:
    """How a stage's faults are told."""

    stage: str

    def __call__(self, place: str, what: str, tensor: Tensor | None = None) -> NoReturn:
        """Raise KD_INTERNAL for what is wrong at a place, with the tensor if it is one."""
        named = f"{what}: tensor {tensor.index} ('{tensor.name}')" if tensor else what
        raise KdEdgeError(
            "KD_INTERNAL",
            f"the plain-C compiler broke the model's graph in '{self.stage}': {named}",
            where=place,
            hint="this is a defect of kd-edge; report it with the model's operators",
        )


class _Verifier:
    """One graph's check."""

    def __init__(self, graph: Graph, stage: str):
        self._graph = graph
        self._fault = Fault(stage)
        self._known = _Known(graph, self._fault)
        self._written: dict[int, Marks] = {}

    def check(self) -> None:
        places: set[str] = set()
        for node in self._graph.nodes():
            if node.place in places:
                self._fault(node.place, f"{node.op} stands in it twice")
            places.add(node.place)
            self._check_node(node)
        self._check_states()
        self._check_bases()
        self._check_order()

    def _check_node(self, node: Node) -> None:
        try:
            check_form(node, facts_of(node.op).form, "")
        except KdEdgeError as error:
            self._fault(node.place, error.message)
        if (node.table is None) != (node.before_table is None):
            self._fault(node.place, "it has a table or what stands before it, not both")
        if node.table is not None:
            fits = node.table.dtype == np.int8 and node.table.shape == (256,)
            if not fits or {node.computed.dtype, node.outputs[0].dtype} != {"int8"}:
                self._fault(node.place, "its table is not of 256 int8", node.outputs[0])
        if any(node.padding) and (min(node.padding) < 0 or len(node.inputs[0].shape) != 4):
            self._fault(node.place, f"its padding is {node.padding}", node.inputs[0])

    def _check_states(self) -> None:
        owners: dict[int, str] = {}
        for node in self._graph.nodes():
            for position, tensor in enumerate(node.inputs):
                if tensor is None or not tensor.is_variable:
                    continue
                if position not in facts_of(node.op).states:
                    self._fault(node.place, f"its input {position} is a state", tensor)
                if owners.setdefault(tensor.index, node.place) != node.place:
                    self._fault(node.place, f"{owners[tensor.index]} has its state too", tensor)

    def _check_bases(self) -> None:
        for index, view in self._graph.views.items():
            if view.base in self._graph.views:
                self._fault("the views", f"tensor {index} lies in {view.base}, a view itself")
            if view.base not in self._known.sizes:
                self._fault("the views", f"tensor {index} lies in {view.base}, which is unknown")
        for index in self._graph.kept:
            if index in self._graph.views or index not in self._known.sizes:
                self._fault("the views", f"tensor {index} is kept, and has no memory of its own")

    # --- order ---

    def _check_order(self) -> None:
        for index, kept in self._graph.kept.items():
            marks = self._written.setdefault(index, Marks())
            marks.put(kept.first_byte, kept.end_byte, _LAST_HOP)
        for tensor in self._graph.inputs:
            self._write("the model", tensor, _CALLER, 0, 1)
        for item in self._graph.items:
            nodes, steps = (item.nodes, item.steps) if isinstance(item, Loop) else ((item,), 1)
            for turn in turns_of(steps):
                for node in nodes:
                    self._run(node, turn, steps)
            for node in nodes if steps > 1 else ():
                self._write_all_turns(node, steps)
        for tensor in self._graph.outputs:
            if tensor.data is None:
                self._read("the model's outputs", tensor, 0, 1)

    def _run(self, node: Node, turn: int, steps: int) -> None:
        for tensor in moving(node):
            self._read(node.place, tensor, turn, steps)
        for position, tensor in enumerate(node.outputs):
            if tensor.data is not None or tensor.is_variable:
                self._fault(node.place, "it writes a constant or a state", tensor)
            self._write(node.place, tensor, (node.place, position), turn, steps)

    def _read(self, place: str, tensor: Tensor, turn: int, steps: int) -> None:
        base, start, end = self._bytes(place, tensor, turn, steps)
        if None in self._written.setdefault(base, Marks()).over(start, end):
            self._fault(place, "it reads what nothing has written before", tensor)

    def _write(self, place: str, tensor: Tensor, mark, turn: int, steps: int) -> None:
        base, start, end = self._bytes(place, tensor, turn, steps)
        marks = self._written.setdefault(base, Marks())
        others = marks.over(start, end) - {None, mark, _LAST_HOP}
        if others:
            (other, *_) = sorted(str(m[0]) if isinstance(m, tuple) else m for m in others)
            self._fault(place, f"it writes over what {other} has written", tensor)
        marks.put(start, end, mark)

    def _write_all_turns(self, node: Node, steps: int) -> None:
        for position, tensor in enumerate(node.outputs):
            view = self._graph.views.get(tensor.index)
            if view and view.step_bytes:
                if view.step_bytes != tensor_bytes(tensor):
                    self._fault(node.place, "its steps do not lie side by side", tensor)
                end = view.offset_bytes + steps * view.step_bytes
                self._written[view.base].put(view.offset_bytes, end, (node.place, position))

    def _bytes(self, place: str, tensor: Tensor, turn: int, steps: int) -> tuple[int, int, int]:
        """The memory in which a tensor lies, and its first byte there and the one behind it."""
        view = self._graph.views.get(tensor.index, View(tensor.index, 0))
        start = view.offset_bytes + turn * view.step_bytes
        end = start + tensor_bytes(tensor)
        if view.step_bytes and steps == 1 and tensor_bytes(tensor) != view.step_bytes:
            self._fault(place, "it is walked step by step outside of a loop", tensor)
        if view.offset_bytes < 0 or view.step_bytes < 0 or end > self._known.sizes[view.base]:
            size = self._known.sizes[view.base]
            self._fault(place, f"bytes {start} to {end} of {size} are used", tensor)
        if (view.offset_bytes | view.step_bytes) % ITEM_BYTES[tensor.dtype]:
            self._fault(place, "its values do not begin where one can", tensor)
        return view.base, start, end


class _Known:
    """Every tensor that a graph names, each with one shape, type and quantisation.

    Attributes:
        tensors: index -> one of its appearances.
        sizes: index -> bytes of a tensor that may have memory of its own.
    """

    def __init__(self, graph: Graph, fault: Fault):
        self.tensors: dict[int, Tensor] = {}
        self._next_index, self._fault = graph.next_index, fault
        for place, tensor in _appearances(graph):
            self._add(place, tensor)
        self.sizes = {index: tensor_bytes(t) for index, t in self.tensors.items()}

    def _add(self, place: str, tensor: Tensor) -> None:
        if not 0 <= tensor.index < self._next_index:
            self._fault(place, f"tensors go up to {self._next_index - 1}", tensor)
        other = self.tensors.setdefault(tensor.index, tensor)
        if other is tensor:
            self._check_constant(place, tensor)
        elif facts(other) != facts(tensor):
            self._fault(place, f"it is {_named(tensor)}, and {_named(other)} elsewhere", tensor)
        elif tensor.data is not other.data:
            self._check_constant(place, tensor)

    def _check_constant(self, place: str, tensor: Tensor) -> None:
        if tensor.data is None:
            return
        dtype = "int8" if tensor.dtype == "int4" else tensor.dtype
        if tensor.data.shape != tensor.shape or tensor.data.dtype.name != dtype:
            has = f"{tensor.data.dtype.name} {tensor.data.shape}"
            self._fault(place, f"its constant of {has} is to be {_named(tensor)}", tensor)


class _Difference:
    """What a pass made of a graph."""

    def __init__(self, before: Graph, after: Graph, name: str):
        self._before, self._after = before, after
        self._fault = Fault(name)

    def check(self) -> None:
        old = {node.place: (node, turns) for node, turns in _nodes_with_turns(self._before)}
        for node, turns in _nodes_with_turns(self._after):
            if node.place not in old:
                self._fault(node.place, f"{node.op} stands for no operator of before")
            self._check_node(*old[node.place], node, turns)
        self._check_states()
        self._check_ports()
        self._check_numbers()
        lost = used(self._before) - used(self._after)
        for node in self._after.nodes():
            if node.place in lost:
                self._fault(node.place, "nothing uses its result any more", node.outputs[0])

    def _check_node(self, old: Node, old_turns: int, new: Node, turns: int) -> None:
        counts = len(old.inputs), len(old.outputs)
        if (new.op, new.options) != (old.op, old.options) or counts != (
            len(new.inputs),
            len(new.outputs),
        ):
            self._fault(new.place, "its operator, options or number of tensors has changed")
        pairs = zip((*old.inputs, *old.outputs), (*new.inputs, *new.outputs), strict=True)
        for position, (was, is_now) in enumerate(pairs):
            if was is None or is_now is None:
                if was is not is_now:
                    self._fault(new.place, f"an absent input has changed: {position}", was)
                continue
            if was.is_variable and is_now.index != was.index:
                self._fault(new.place, "it has another state", is_now)
            if was.data is not None and is_now.data is not was.data:
                self._fault(new.place, "it has another constant", is_now)
            if is_now.dtype != was.dtype or bool(is_now.scales) != bool(was.scales):
                text = f"it was {_named(was)} and is {_named(is_now)}"
                self._fault(new.place, text, is_now)
            padded = position == 0
            count = _values(old if padded else None, was) * _times(was, old_turns)
            left = _values(new if padded else None, is_now) * _times(is_now, turns)
            if left != count:
                self._fault(new.place, f"{count} values a run have become {left}", is_now)

    def _check_states(self) -> None:
        kept = _states(self._after)
        for index, (place, tensor) in _states(self._before).items():
            if index not in kept:
                self._fault(place, "its state is lost", tensor)

    def _check_ports(self) -> None:
        counts = [(len(g.inputs), len(g.outputs)) for g in (self._before, self._after)]
        if counts[0] != counts[1]:
            self._fault("the model", "an input or output is lost")
        first = self._after.items[0] if self._after.items else None
        for was, is_now in zip(self._before.inputs, self._after.inputs, strict=True):
            step = isinstance(first, Loop) and was.dtype == is_now.dtype
            if was.index != is_now.index and not (
                step and prod(is_now.shape) * first.steps == prod(was.shape)
            ):
                self._fault("the model", f"its input {was.index} is another one", is_now)
        for was, is_now in zip(self._before.outputs, self._after.outputs, strict=True):
            if was.index != is_now.index:
                self._fault("the model", f"its output {was.index} is another one", is_now)

    def _check_numbers(self) -> None:
        old = _Known(self._before, self._fault).tensors
        for place, tensor in _appearances(self._after):
            was = old.get(tensor.index)
            if was is None and tensor.index < self._before.next_index:
                self._fault(place, "its number is not free", tensor)
            if was is not None and facts(was) != facts(tensor):
                self._fault(place, f"it was {_named(was)} and is {_named(tensor)}", tensor)


# --- what a graph holds ---


def moving(node: Node) -> tuple[Tensor, ...]:
    """The inputs that something computes: no constants, no states, nothing without values."""
    return tuple(
        t
        for t in node.inputs
        if t is not None and t.data is None and not t.is_variable and prod(t.shape)
    )


def facts(tensor: Tensor) -> tuple:
    """What may not differ between two appearances of a tensor."""
    return (tensor.shape, *_quantised(tensor), tensor.is_variable)


def _quantised(tensor: Tensor) -> tuple:
    return tensor.dtype, tensor.scales, tensor.zero_points, tensor.quantized_axis


def _named(tensor: Tensor) -> str:
    text = f"{tensor.dtype} {tensor.shape}"
    if tensor.scales:
        several = f"{len(tensor.scales)} scales"
        text += f" of {f'scale {tensor.scales[0]:g}' if len(tensor.scales) == 1 else several}"
    return text


def _appearances(graph: Graph) -> Iterator[tuple[str, Tensor]]:
    """Every tensor wherever it stands, with that place."""
    for tensor in (*graph.wholes, *graph.inputs, *graph.outputs):
        yield "the model", tensor
    for node in graph.nodes():
        for tensor in (*node.inputs, *node.outputs, node.before_table):
            if tensor is not None:
                yield node.place, tensor


def _nodes_with_turns(graph: Graph) -> Iterator[tuple[Node, int]]:
    for item in graph.items:
        nodes, turns = (item.nodes, item.steps) if isinstance(item, Loop) else ((item,), 1)
        for node in nodes:
            yield node, turns


def turns_of(steps: int) -> tuple[int, ...]:
    """The turns of a loop that a verifier walks: all but those of a very long one's middle."""
    return (*range(min(steps, _MOST_TURNS) - 1), steps - 1)


def _values(node: Node | None, tensor: Tensor) -> int:
    """How many values it has, with those of a node's folded padding."""
    if node is None or not any(node.padding):
        return prod(tensor.shape)
    batch, rows, columns, channels = tensor.shape
    above, below, left, right = node.padding
    return batch * (rows + above + below) * (columns + left + right) * channels


def _times(tensor: Tensor, turns: int) -> int:
    return 1 if tensor.data is not None or tensor.is_variable else turns


def _states(graph: Graph) -> dict[int, tuple[str, Tensor]]:
    return {
        tensor.index: (node.place, tensor)
        for node in graph.nodes()
        for tensor in node.inputs
        if tensor is not None and tensor.is_variable
    }


def used(graph: Graph) -> set[str]:
    """Places of the nodes on whose results the model's outputs depend."""

    def base(tensor: Tensor) -> int:
        return graph.views.get(tensor.index, View(tensor.index, 0)).base

    needed = {base(tensor) for tensor in graph.outputs}
    places = set()
    for node in reversed(list(graph.nodes())):
        if any(base(tensor) in needed for tensor in node.outputs):
            places.add(node.place)
            needed |= {base(tensor) for tensor in moving(node)}
    return places
