"""From calls to buffers with lifetimes, and from a memory plan to each pointer's place."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from firmware_export.aot.graph import Graph, View, tensor_bytes
from firmware_export.aot.memory import Buffer, Plan, plan_memory
from firmware_export.aot.program import Arg, Call, Scratch, State, StepCalls
from kd_edge.base.flatbuffer import Tensor

Items = tuple[Call | StepCalls, ...]
_WIDE_ALIGN = 8  # scratch and state: kernels load them as words and pairs of words
_ALIGN = 4


class Own(enum.Enum):
    """What memory of its own a call needs."""

    SCRATCH = "scratch"
    STATE = "state"


@dataclass(frozen=True)
class TensorKey:
    """The memory of a tensor, by its index."""

    index: int

    def __str__(self) -> str:
        return f"tensor {self.index}"


@dataclass(frozen=True)
class CallKey:
    """A call's own memory: a call is told from another one by its kernel and first result.

    Attributes:
        result: index of that tensor.
        position: of the argument.
    """

    own: Own
    kernel: str
    result: int
    position: int

    def __str__(self) -> str:
        return f"{self.own.value} of {self.kernel} for tensor {self.result}.{self.position}"


BufferKey = TensorKey | CallKey


@dataclass(frozen=True)
class Place:
    """Where a pointer points: bytes from the arena's start, and what each step adds."""

    offset_bytes: int
    step_bytes: int = 0


@dataclass(frozen=True)
class StatePlace:
    """State in the arena: where, how much, and the byte that a reset fills it with."""

    offset_bytes: int
    n_bytes: int
    fill: int


@dataclass(frozen=True, eq=False)
class Schedule:
    """Calls in order with the arena that they share.

    Attributes:
        items: calls, and loops of calls.
        plan: offsets by buffer key.
        buffers: what lies in the arena and when; buffers that share memory are one.
        views: as in the graph.
        shared: key of a buffer -> key of the one in whose memory it lies.
    """

    items: Items
    plan: Plan
    buffers: tuple[Buffer, ...]
    views: Mapping[int, View]
    shared: Mapping[BufferKey, BufferKey]

    def place(self, call: Call, position: int) -> Place:
        """Where an argument of a call lies; not for constants."""
        key, offset, step = _memory(call, position, self.views)
        return Place(self._offset(key) + offset, step)

    def tensor_place(self, tensor: Tensor) -> Place:
        """Where a model input or output lies."""
        view = self.views.get(tensor.index, View(tensor.index, 0))
        return Place(self._offset(TensorKey(view.base)) + view.offset_bytes)

    def states(self, item: Call | StepCalls) -> tuple[StatePlace, ...]:
        """The state of an item's calls."""
        return tuple(
            StatePlace(self.place(call, position).offset_bytes, arg.n_bytes, arg.fill)
            for call in (item.calls if isinstance(item, StepCalls) else (item,))
            for position, arg in enumerate(call.args)
            if isinstance(arg, State)
        )

    def _offset(self, key: BufferKey) -> int:
        return self.plan.offsets[self.shared.get(key, key)]


def schedule(graph: Graph, items: Items, *, keep_state: bool, keep_inputs: bool) -> Schedule:
    """Lifetimes and a memory plan.

    Args:
        keep_state: state lives on after the loop that uses it.
        keep_inputs: inputs are as they were after the model has run.
    """
    spans = _spans(graph, items, keep_state=keep_state, keep_inputs=keep_inputs)
    # In place saves the copy's memory, but holds the larger input's until the result dies: where
    # that costs more, only results as large as their inputs overwrite them.
    candidates = (_shared(graph, items, spans, shrinking=shrinking) for shrinking in (True, False))
    return min(
        (_planned(graph, items, spans, shared) for shared in candidates),
        key=lambda made: made.plan.arena_bytes,
    )


def _planned(
    graph: Graph, items: Items, spans: dict[BufferKey, _Span], shared: dict[BufferKey, BufferKey]
) -> Schedule:
    buffers = tuple(span.buffer(key) for key, span in _merged(spans, shared).items())
    return Schedule(items, plan_memory(buffers), buffers, graph.views, shared)


def item_calls(items: Items) -> Iterator[Call]:
    """Every call once, in order."""
    for item in items:
        yield from item.calls if isinstance(item, StepCalls) else (item,)


# --- lifetimes ---


@dataclass
class _Span:
    n_bytes: int
    first: int
    last: int
    align: int

    def add(self, other: _Span) -> None:
        self.n_bytes = max(self.n_bytes, other.n_bytes)
        self.first, self.last = min(self.first, other.first), max(self.last, other.last)
        self.align = max(self.align, other.align)

    def buffer(self, key: BufferKey) -> Buffer:
        return Buffer(key, self.n_bytes, self.first, self.last, self.align)


def _spans(graph: Graph, items: Items, *, keep_state: bool, keep_inputs: bool):
    sizes = _base_bytes(graph)
    end = sum(1 for _ in item_calls(items)) + 1
    spans: dict[BufferKey, _Span] = {
        TensorKey(index): _Span(sizes[index], 0, end, _ALIGN) for index in graph.kept
    }

    def use(key: BufferKey, span: _Span) -> None:
        spans.setdefault(key, span).add(span)

    for tensor in graph.inputs:
        last, base = end if keep_inputs else 0, _base(tensor, graph.views)
        use(TensorKey(base), _Span(sizes[base], 0, last, _ALIGN))
    for tensor in graph.outputs:
        if tensor.data is None:
            base = graph.views.get(tensor.index, View(tensor.index, 0)).base
            use(TensorKey(base), _Span(sizes[base], end, end, _ALIGN))
    for moment, call, loop in _timed(items):
        for position, arg in enumerate(call.args):
            if _is_constant(arg):
                continue
            key, _, step = _memory(call, position, graph.views)
            if isinstance(arg, Scratch):
                use(key, _Span(arg.n_bytes, moment, moment, _WIDE_ALIGN))
            elif isinstance(arg, State):
                first, last = (0, end) if keep_state else loop
                use(key, _Span(arg.n_bytes, first, last, _WIDE_ALIGN))
            else:
                # What a loop walks over must stay whole until its last turn.
                first, last = loop if step else (moment, moment)
                use(key, _Span(sizes[_base(arg, graph.views)], first, last, _ALIGN))
    return spans


def _timed(items: Items) -> Iterator[tuple[int, Call, tuple[int, int]]]:
    """Moment, call, and the first and last moment of the loop that it is in (its own without)."""
    moment = 1
    for item in items:
        calls = item.calls if isinstance(item, StepCalls) else (item,)
        loop = (moment, moment + len(calls) - 1)
        for call in calls:
            yield moment, call, loop
            moment += 1


def _base_bytes(graph: Graph) -> dict[int, int]:
    sizes = {t.index: tensor_bytes(t) for t in graph.wholes}
    for node in graph.nodes():
        sizes |= {t.index: tensor_bytes(t) for t in (*node.inputs, *node.outputs) if t is not None}
    return sizes


# --- two tensors in the same memory ---


def _shared(
    graph: Graph, items: Items, spans: dict[BufferKey, _Span], *, shrinking: bool
) -> dict[BufferKey, BufferKey]:
    """Results that overwrite the input they are computed from, where that dies with the call.

    Args:
        shrinking: also results that are smaller than their input.
    """
    shared: dict[BufferKey, BufferKey] = {}
    sizes = _base_bytes(graph)

    def whole(call: Call, position: int) -> BufferKey | None:
        arg = call.args[position]
        if not isinstance(arg, Tensor) or _is_constant(arg):
            return None
        key, offset, step = _memory(call, position, graph.views)
        fits = tensor_bytes(arg) == sizes[_base(arg, graph.views)]
        return key if offset == 0 == step and fits else None

    def read_in_parts(call: Call, key: BufferKey) -> bool:
        """Whether another operand is a part of it, which would change while it is still read."""
        return any(
            isinstance(arg, Tensor)
            and not _is_constant(arg)
            and _memory(call, position, graph.views)[0] == key
            and whole(call, position) is None
            for position, arg in enumerate(call.args)
        )

    for moment, call, _ in _timed(items):
        for read, written in call.in_place:
            source, result = whole(call, read), whole(call, written)
            if source is None or result is None or result in shared:
                continue
            if read_in_parts(call, source):
                continue
            root = shared.get(source, source)
            dies = spans[source].last == moment and spans[result].first == moment
            spare = spans[root].n_bytes - spans[result].n_bytes
            if dies and (spare == 0 or (shrinking and spare > 0)):
                shared[result] = root
    return shared


def _merged(
    spans: dict[BufferKey, _Span], shared: dict[BufferKey, BufferKey]
) -> dict[BufferKey, _Span]:
    merged = {key: replace(span) for key, span in spans.items() if key not in shared}
    for key, root in shared.items():
        merged[root].add(spans[key])
    return merged


# --- what an argument is ---


def _is_constant(arg: Arg) -> bool:
    return isinstance(arg, Tensor) and arg.data is not None


def _base(tensor: Tensor, views: Mapping[int, View]) -> int:
    return views[tensor.index].base if tensor.index in views else tensor.index


def _memory(call: Call, position: int, views: Mapping[int, View]) -> tuple[BufferKey, int, int]:
    """Buffer key, offset in it and step of an argument."""
    arg = call.args[position]
    if isinstance(arg, Tensor):
        view = views.get(arg.index, View(arg.index, 0))
        return TensorKey(view.base), view.offset_bytes, view.step_bytes
    own = Own.SCRATCH if isinstance(arg, Scratch) else Own.STATE
    return CallKey(own, call.kernel, first_result(call).index, position), 0, 0


def first_result(call: Call) -> Tensor:
    """The first tensor that a call writes."""
    return next(call.args[i] for i in call.writes if isinstance(call.args[i], Tensor))
