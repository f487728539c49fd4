"""Windows that overlap share columns: a hop computes the new ones, and those at the edges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from math import prod

from firmware_export.aot.graph import ITEM_BYTES, Graph, Kept, Loop, Node, View, refuse
from firmware_export.aot.hops.motion import CONVOLUTIONS, Mixed, Motion, Walk, walk_of
from firmware_export.aot.verify import moving
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.flatbuffer import Tensor

_MOST_TRIES = 1000  # of other hops, in a search for one that works
_Range = tuple[int, int]  # values of a tensor: the first, and the one behind the last


def keep_columns(graph: Graph, hop: Fraction) -> Graph:
    """The graph of one hop: its inputs are what is new in the window, its outputs are the window's.

    Every tensor along time stays in memory as far as the next hop reads it, and moves to the front.
    Operators over it compute the columns that are new, and those whose windows reach over the
    edges of the window. The other operators run whole.

    Args:
        hop: share of the window that is new, above 0 and below 1.

    Raises:
        KdEdgeError KD_UNSUPPORTED_OP: a convolution would have to run whole; naming it and why.
        KdEdgeError KD_USAGE: the hop is not a whole number of an input's samples.
    """
    if not 0 < hop < 1:
        raise _bad_hop(hop, "is not between 0 and 1")
    entering = {tensor.index for tensor in graph.inputs}
    for tensor in graph.outputs:
        if _view(graph, tensor).base in entering:
            raise _refusal(f"its output '{tensor.name}' is an input")
    try:
        moves = _motions(graph, hop)
    except KdEdgeError as error:
        raise _with_nearest(error, graph, hop) from None
    return _Hop(graph, hop, moves).graph()


def _with_nearest(error: KdEdgeError, graph: Graph, hop: Fraction) -> KdEdgeError:
    """The error, with the nearest hop that the model takes as its hint, if there is one."""
    samples = min(prod(tensor.shape) // tensor.shape[-1] for tensor in graph.inputs)
    near = sorted(range(1, samples), key=lambda count: abs(Fraction(count, samples) - hop))
    for count in near[:_MOST_TRIES]:
        try:
            _motions(graph, Fraction(count, samples))
        except KdEdgeError:
            continue
        hint = f"the nearest hop that this model takes is {count}/{samples}"
        return KdEdgeError(error.code, error.message, where=error.where, hint=hint)
    return error


# --- forward: what moves, and how ---


@dataclass(frozen=True)
class _Moves:
    """Of each tensor along time its motion, and of each operator over such how it works."""

    motions: Mapping[int, Motion]
    walks: Mapping[int, Walk]  # by id of the node


def _motions(graph: Graph, hop: Fraction) -> _Moves:
    motions = {tensor.index: _input_motion(tensor, hop) for tensor in graph.inputs}
    walks: dict[int, Walk] = {}
    causes: dict[int, str] = {}  # tensor of the whole window -> the operator that made it so
    for item in graph.items:
        if isinstance(item, Loop):
            raise _keeps_state(item.nodes[0])
        try:
            walk, motion = _moved(graph, item, motions, causes)
        except Mixed as mixed:
            _check_cheap(item, str(mixed))
            cause = next((causes[b] for b in _bases(graph, item) if b in causes), item.place)
            causes |= {tensor.index: cause for tensor in item.outputs}
            continue
        walks[id(item)] = walk
        motions[item.outputs[0].index] = motion
    if not any(motions[node.outputs[0].index].end for node in graph.nodes() if id(node) in walks):
        raise _refusal(f"with a hop of {hop} every column is new or at an edge of the window")
    return _Moves(motions, walks)


def _moved(
    graph: Graph, node: Node, motions: Mapping[int, Motion], causes: Mapping[int, str]
) -> tuple[Walk, Motion]:
    if any(tensor is not None and tensor.is_variable for tensor in node.inputs):
        raise _keeps_state(node)
    for base in _bases(graph, node):
        if base in causes:
            raise Mixed(f"its input depends on the whole window, through {causes[base]}")
    operands = [
        motions[view.base].part(view.offset_bytes // ITEM_BYTES[tensor.dtype], prod(tensor.shape))
        for tensor in moving(node)
        for view in (_view(graph, tensor),)
    ]
    if not operands:
        raise Mixed("it is a constant")
    walk = walk_of(node)
    return walk, walk.motion(operands)


def _bases(graph: Graph, node: Node) -> list[int]:
    return [_view(graph, tensor).base for tensor in moving(node)]


def _view(graph: Graph, tensor: Tensor) -> View:
    return graph.views.get(tensor.index, View(tensor.index, 0))


def _input_motion(tensor: Tensor, hop: Fraction) -> Motion:
    size, channels = prod(tensor.shape), tensor.shape[-1]
    shift = hop * size
    if shift % channels:
        samples = size // channels
        raise _bad_hop(hop, f"of the {samples} samples of '{tensor.name}' is no whole number")
    return Motion(int(shift), 0, size - int(shift))


def _check_cheap(node: Node, reason: str) -> None:
    """Let operators run over the whole window that cost little there: all but convolutions."""
    pixels = prod(node.outputs[0].shape[:-1])
    if node.op in CONVOLUTIONS | {"TRANSPOSE_CONV"} and pixels > 1:
        raise refuse(
            node,
            f"it cannot keep what it has computed: {reason}",
            "choose another hop or layer, or compile it for whole windows",
        )


def _refusal(reason: str) -> KdEdgeError:
    return KdEdgeError(
        "KD_UNSUPPORTED_OP",
        f"this model cannot keep columns from hop to hop: {reason}",
        where="the model",
        hint="compile it for whole windows, without --hop",
    )


def _keeps_state(node: Node) -> KdEdgeError:
    return refuse(
        node,
        "it keeps a state of its own, which each window starts afresh",
        "compile it with --stream, which takes the window step by step",
    )


def _bad_hop(hop: Fraction, why: str) -> KdEdgeError:
    return KdEdgeError(
        "KD_USAGE", f"the hop {hop} {why}", hint="choose another share of the window, such as 1/4"
    )


# --- backward: what is read, computed and kept ---


class _Hop:
    """Which columns each operator computes, and where they lie."""

    def __init__(self, graph: Graph, hop: Fraction, moves: _Moves):
        self._graph, self._moves = graph, moves
        self._next_index = graph.next_index
        self._tensors = {t.index: t for t in graph.wholes} | {
            t.index: t for n in graph.nodes() for t in n.outputs
        }
        self._reads: dict[int, list[_Range]] = {}
        self._pieces: dict[int, list[_Range]] = {}
        # Tensor along time -> where its values from `start` on lie, all that are in memory.
        self._memories: dict[int, list[_Memory]] = {}
        self._views: dict[int, View] = {}
        self._wholes: list[Tensor] = []
        self._kept: dict[int, Kept] = {}

    def graph(self) -> Graph:
        """The hop's."""
        for tensor in self._graph.outputs:
            if tensor.data is None:
                self._read(tensor, _all(tensor))
        for node in reversed(self._graph.items):
            self._look_at(node)
        for tensor in self._graph.inputs:
            motion = self._moves.motions[tensor.index]
            size = prod(tensor.shape)
            self._pieces[tensor.index] = [(size - motion.shift, size)]
        for base in self._pieces:
            self._place(base)
        items = tuple(part for node in self._graph.items for part in self._parts(node))
        outputs = tuple(self._whole(tensor) for tensor in self._graph.outputs)
        inputs = tuple(self._new_of(tensor) for tensor in self._graph.inputs)
        return replace(
            self._graph,
            inputs=inputs,
            outputs=outputs,
            items=items,
            wholes=(*self._graph.wholes, *self._wholes),
            next_index=self._next_index,
            views=self._used_views(items, (*inputs, *outputs)),
            kept=self._kept,
        )

    def _look_at(self, node: Node) -> None:
        """Note what an operator computes, and what it reads for that."""
        walk = self._moves.walks.get(id(node))
        pieces = [] if walk is None else self._to_compute(walk)
        if walk is not None:
            self._pieces[walk.result.index] = pieces
        if walk is None or pieces == [_all(walk.result)]:
            for tensor in moving(node):
                self._read(tensor, _all(tensor))
            return
        for first, end in pieces:
            ranges = walk.reads(first // walk.column, end // walk.column)
            for tensor, read in zip(moving(node), ranges, strict=True):
                self._read(tensor, read)

    def _to_compute(self, walk: Walk) -> list[_Range]:
        """Of the result: what is read and not kept."""
        reads = self._reads.get(walk.result.index)
        if not reads:
            return []
        low, high = min(first for first, _ in reads), max(end for _, end in reads)
        motion = self._moves.motions[walk.result.index]
        if low < motion.end:
            # What is kept has been new once, even if nobody reads it as long as it is new.
            high = max(high, motion.end + motion.shift)
        edges = ((0, motion.first), (motion.end, prod(walk.result.shape)))
        cut = [(max(first, low), min(end, high)) for first, end in edges]
        columns = walk.column
        return [(a // columns * columns, -(-b // columns) * columns) for a, b in cut if a < b]

    def _read(self, tensor: Tensor, read: _Range) -> None:
        view = _view(self._graph, tensor)
        start = view.offset_bytes // ITEM_BYTES[tensor.dtype]
        self._reads.setdefault(view.base, []).append((start + read[0], start + read[1]))

    # --- memory ---

    def _place(self, base: int) -> None:
        """Keep a tensor, from the first value that is read on; or only what is computed of it."""
        pieces, reads = self._pieces[base], self._reads.get(base, [])
        if all(_within(read, pieces) for read in reads):
            self._memories[base] = [self._memory(base, piece) for piece in pieces]
            return
        used = (*pieces, *reads)
        memory = self._memory(base, (min(a for a, _ in used), max(b for _, b in used)))
        self._memories[base] = [memory]
        motion, item = self._moves.motions[base], ITEM_BYTES[self._tensors[base].dtype]
        first = max(motion.first, memory.first)
        self._kept[memory.index] = Kept(
            moved_bytes=motion.shift * item,
            first_byte=(first - memory.first) * item,
            end_byte=(motion.end - memory.first) * item,
            entering=self._is_input(base),
        )

    def _memory(self, base: int, values: _Range) -> _Memory:
        """Memory for some values of a tensor; its own where they are all."""
        tensor, count = self._tensors[base], values[1] - values[0]
        if count == prod(tensor.shape):
            return _Memory(base, *values)
        whole = replace(tensor, index=self._new_index(), shape=(count,))
        self._wholes.append(whole)
        return _Memory(whole.index, *values)

    def _is_input(self, base: int) -> bool:
        return any(tensor.index == base for tensor in self._graph.inputs)

    def _new_index(self) -> int:
        self._next_index += 1
        return self._next_index - 1

    def _find(self, tensor: Tensor, start: int, size: int) -> View:
        """Where `size` values of a tensor lie, from `start` on."""
        view, item = _view(self._graph, tensor), ITEM_BYTES[tensor.dtype]
        first = start + view.offset_bytes // item
        for memory in self._memories.get(view.base, ()):
            if memory.first <= first and first + size <= memory.end:
                return View(memory.index, (first - memory.first) * item)
        return View(view.base, first * item)

    # --- the new graph ---

    def _at(self, tensor: Tensor, shape: tuple[int, ...], start: int) -> Tensor:
        part = replace(tensor, index=self._new_index(), shape=shape)
        self._views[part.index] = self._find(tensor, start, prod(shape))
        return part

    def _whole(self, tensor: Tensor) -> Tensor:
        """The tensor, wherever it lies now."""
        if tensor.data is None and not tensor.is_variable:
            found = self._find(tensor, 0, prod(tensor.shape))
            if found != View(tensor.index, 0):
                self._views[tensor.index] = found
        return tensor

    def _new_of(self, tensor: Tensor) -> Tensor:
        """What is new of an input."""
        shift, channels = self._moves.motions[tensor.index].shift, tensor.shape[-1]
        shape = (1, shift // channels, channels)
        return self._at(tensor, shape, prod(tensor.shape) - shift)

    def _parts(self, node: Node) -> list[Node]:
        walk = self._moves.walks.get(id(node))
        if walk is None or self._pieces[walk.result.index] == [_all(walk.result)]:
            inputs = tuple(t if t is None else self._whole(t) for t in node.inputs)
            return [replace(node, inputs=inputs)]
        return [
            walk.part(first // walk.column, end // walk.column, self._at)
            for first, end in self._pieces[walk.result.index]
        ]

    def _used_views(self, items: tuple[Node, ...], ports: tuple[Tensor, ...]) -> dict[int, View]:
        used = {t.index for node in items for t in (*node.inputs, *node.outputs) if t is not None}
        used |= {tensor.index for tensor in ports}
        views = {**self._graph.views, **self._views}
        return {index: view for index, view in views.items() if index in used}


@dataclass(frozen=True)
class _Memory:
    """Where values of a tensor lie, from `first` up to, not including, `end`."""

    index: int
    first: int
    end: int


def _all(tensor: Tensor) -> _Range:
    return 0, prod(tensor.shape)


def _within(read: _Range, pieces: list[_Range]) -> bool:
    return any(first <= read[0] and read[1] <= end for first, end in pieces)
