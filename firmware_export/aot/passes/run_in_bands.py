"""The first convolutions in bands of rows: less of their large results lies in memory at a time.

Three layers in two bands: rows 0 to 5 of the last one's result, with what they need of the two
before, then rows 6 to 11. Where windows of two bands overlap, the rows between are computed twice.
Values are the same to the bit: a band is the same operator on some rows, with padding only where
the picture ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import prod

from firmware_export.aot.effects import PassEffect
from firmware_export.aot.graph import Graph, Loop, Node, View, tensor_bytes
from firmware_export.aot.lower.conv_geometry import Geometry, geometry_of
from firmware_export.aot.passes.uses import port_indices, readers
from firmware_export.aot.verify import moving
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.flatbuffer import Tensor

_CONVOLUTIONS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D"})
_POOLS = frozenset({"AVERAGE_POOL_2D", "MAX_POOL_2D"})
_BANDS = (2, 3, 4, 5, 6, 8, 12)
_MOST_LAYERS = 7
_LEAST_GAIN = 0.05  # of the peak: less is not worth a row computed twice
_AS_GOOD = 1.10  # peaks so near each other: the one with the least work


@dataclass(frozen=True)
class BandRule:
    """What bands may cost, and must bring.

    Attributes:
        most_again: share of the multiply-accumulates that may be computed a second time.
        most_arena: share of the arena without bands that one with them must stay below.
    """

    most_again: float
    most_arena: float


ASKED = BandRule(most_again=0.10, most_arena=1.0)
# Unasked where memory is likely to decide, and nearly for nothing.
UNASKED = BandRule(most_again=0.01, most_arena=0.9)
LARGE_ARENA_BYTES = 32 * 1024


@dataclass(frozen=True)
class _Layer:
    """A node whose result can be computed row by row."""

    node: Node
    geometry: Geometry

    @property
    def macs_a_row(self) -> int:
        """Multiply-accumulates of a row of its result."""
        if self.node.op in _POOLS:
            return 0
        weights, result = self.node.inputs[1], self.node.outputs[0]
        deep = weights.shape[3] if self.node.op == "CONV_2D" else 1
        return prod(result.shape[2:]) * self.geometry.taps * deep

    def needs(self, first: int, end: int) -> tuple[int, int]:
        """The rows of its input, from the one up to the other, that rows of its result read."""
        g = self.geometry
        top = first * g.stride_rows - g.pad_rows
        return max(top, 0), min((end - 1) * g.stride_rows - g.pad_rows + self._reach, g.in_rows)

    def padding(self, first: int, end: int) -> tuple[int, int, int, int]:
        """Above, below, left, right of the rows that it needs."""
        g = self.geometry
        below = (end - 1) * g.stride_rows - g.pad_rows + self._reach - g.in_rows
        across = (g.kernel_columns - 1) * g.column_step + 1
        right = (g.out_columns - 1) * g.stride_columns - g.pad_columns + across - g.in_columns
        above = g.pad_rows - first * g.stride_rows
        return max(above, 0), max(below, 0), g.pad_columns, max(right, 0)

    @property
    def _reach(self) -> int:
        return (self.geometry.kernel_rows - 1) * self.geometry.row_step + 1


@dataclass(frozen=True)
class _Banded:
    """A graph with layers in bands: most bytes in use at a time, and work done again."""

    graph: Graph
    peak_bytes: int
    macs_again: int
    n_nodes: int


def run_in_bands(graph: Graph, *, most_again: float) -> Graph:
    """The graph with layers in bands where its peak of memory is lower for it; else itself.

    Args:
        most_again: share of the multiply-accumulates that may be computed a second time.
    """
    allowed = most_again * multiply_accumulates(graph)
    while True:
        best = _best(graph, allowed)
        if best is None:
            return graph
        graph, allowed = best.graph, allowed - best.macs_again


def banded_effect(name: str, before: Graph, after: Graph) -> PassEffect:
    """What bands change: layers, and what is computed again."""
    old, new = {node.place for node in before.nodes()}, list(after.nodes())
    layers = old - {node.place for node in new}
    bands = sum(node.place not in old for node in new)
    again = multiply_accumulates(after) / multiply_accumulates(before) - 1
    return PassEffect(
        name,
        len(old),
        len(new),
        f"{len(layers)} layers as {bands} bands of rows; {100 * again:.1f} % more "
        "multiply-accumulates",
    )


def multiply_accumulates(graph: Graph) -> int:
    """Of the layers that can run in bands."""
    return sum(_macs(node) for node in graph.nodes())


def peak_bytes(graph: Graph) -> int:
    """Most bytes of tensors that are in use at a moment, nothing in place."""
    return max(_live(graph))


def _best(graph: Graph, allowed: float) -> _Banded | None:
    live = _live(graph)
    most = max(live)
    moment = live.index(most)
    if isinstance(graph.items[moment], Loop):
        return None
    found = [
        banded
        for layers in _chains(graph, moment)
        for count in _BANDS
        if (banded := _banded(graph, layers, count)) is not None
        and banded.macs_again <= allowed
        and banded.peak_bytes <= (1 - _LEAST_GAIN) * most
    ]
    if not found:
        return None
    least = min(banded.peak_bytes for banded in found)
    near = [banded for banded in found if banded.peak_bytes <= _AS_GOOD * least]
    return min(near, key=lambda banded: (banded.macs_again, banded.n_nodes, banded.peak_bytes))


# --- which layers ---


def _chains(graph: Graph, moment: int) -> Iterator[tuple[_Layer, ...]]:
    """Layers in a row around the item of that moment, each read by the next one alone."""
    items, reading = graph.items, readers(graph)
    busy = port_indices(graph) | set(graph.views) | {v.base for v in graph.views.values()}
    busy |= set(graph.kept)
    layers = [_layer(item) for item in items]

    def follows(place: int) -> bool:
        """Whether the item there and the one before are layers, with nothing else between."""
        if place < 1 or layers[place - 1] is None or layers[place] is None:
            return False
        between = items[place - 1].outputs[0].index
        alone = len(reading.get(between, ())) == 1 and between not in busy
        return alone and items[place].inputs[0].index == between

    if layers[moment] is None:
        return
    first = last = moment
    while follows(first):
        first -= 1
    while last + 1 < len(items) and follows(last + 1):
        last += 1
    for start in range(first, moment + 1):
        for end in range(max(moment, start + 1), min(last, start + _MOST_LAYERS - 1) + 1):
            yield tuple(layers[start : end + 1])


def _layer(item: Node | Loop) -> _Layer | None:
    """The item as a layer; None where its rows cannot be computed by themselves."""
    if isinstance(item, Loop) or item.op not in _CONVOLUTIONS | _POOLS:
        return None
    source = item.inputs[0]
    if source.data is not None or any(t is not None and t.data is None for t in item.inputs[1:]):
        return None
    try:
        geometry = geometry_of(item, _kernel(item))
    except KdEdgeError:  # the lowering says what is wrong with it
        return None
    padded = any(_Layer(item, geometry).padding(0, geometry.out_rows))
    if geometry.batches != 1 or (item.op in _POOLS and padded):
        return None
    return _Layer(item, geometry)


def _kernel(node: Node) -> tuple[int, int]:
    if node.op in _POOLS:
        return int(node.options["filter_height"]), int(node.options["filter_width"])
    return node.inputs[1].shape[1:3]


# --- the graph in bands ---


def _banded(graph: Graph, layers: Sequence[_Layer], count: int) -> _Banded | None:
    """These layers in so many bands; None where a band would have no rows of its own."""
    rows = layers[-1].geometry.out_rows
    if count > rows:
        return None
    cuts = [rows * i // count for i in range(count + 1)]
    maker = _Maker(graph)
    nodes: list[Node] = []
    computed = 0
    for first, end in pairwise(cuts):
        spans = _spans(layers, first, end)
        if any(start >= stop for start, stop in spans):
            return None
        computed += sum(
            layer.macs_a_row * (stop - start)
            for layer, (start, stop) in zip(layers, spans[1:], strict=True)
        )
        nodes += maker.band(layers, spans)
    gone = {id(layer.node) for layer in layers}
    at = next(i for i, item in enumerate(graph.items) if id(item) in gone)
    kept = [item for item in graph.items if id(item) not in gone]
    items = (*kept[:at], *nodes, *kept[at:])
    made = replace(graph, items=items, views=maker.views, next_index=maker.next_index)
    again = computed - sum(layer.macs_a_row * layer.geometry.out_rows for layer in layers)
    return _Banded(made, peak_bytes(made), again, len(nodes))


def _spans(layers: Sequence[_Layer], first: int, end: int) -> list[tuple[int, int]]:
    """Rows of the first layer's input, then of each layer's result, for rows of the last one's."""
    spans = [(first, end)]
    for layer in reversed(layers):
        spans.insert(0, layer.needs(*spans[0]))
    return spans


class _Maker:
    """Nodes of bands with their tensors."""

    def __init__(self, graph: Graph):
        self.views, self.next_index = dict(graph.views), graph.next_index

    def band(self, layers: Sequence[_Layer], spans: list[tuple[int, int]]) -> Iterator[Node]:
        """Every layer on its rows, the first from a part of its input, the last into its result."""
        source = self._part(layers[0].node.inputs[0], *spans[0])
        for layer, (first, end) in zip(layers, spans[1:], strict=True):
            node, whole = layer.node, layer.node.outputs[0]
            inside = layer is not layers[-1]
            result = self._rows(whole, first, end) if inside else self._part(whole, first, end)
            before = node.before_table and self._rows(node.before_table, first, end)
            yield replace(
                node,
                place=f"{node.place}, rows {first} to {end - 1}",
                inputs=(source, *node.inputs[1:]),
                outputs=(result,),
                options={**node.options, "padding": "VALID"},
                before_table=before,
                padding=layer.padding(first, end),
            )
            source = result

    def _rows(self, whole: Tensor, first: int, end: int) -> Tensor:
        """A tensor of its own for some rows."""
        self.next_index += 1
        return replace(
            whole,
            index=self.next_index - 1,
            name=f"{whole.name}, rows {first} to {end - 1}",
            shape=(1, end - first, *whole.shape[2:]),
        )

    def _part(self, whole: Tensor, first: int, end: int) -> Tensor:
        """Some rows of a tensor, in its memory."""
        part = self._rows(whole, first, end)
        outer = self.views.get(whole.index, View(whole.index, 0))
        offset = outer.offset_bytes + first * (tensor_bytes(whole) // whole.shape[1])
        self.views[part.index] = View(outer.base, offset)
        return part


# --- what it costs ---


def _macs(node: Node) -> int:
    layer = _layer(node)
    return 0 if layer is None else layer.macs_a_row * layer.geometry.out_rows


def _live(graph: Graph) -> list[int]:
    """Bytes in use while each item runs."""

    def base(tensor: Tensor) -> int:
        return graph.views[tensor.index].base if tensor.index in graph.views else tensor.index

    sizes: dict[int, int] = {}
    for tensor in (*graph.wholes, *graph.inputs):
        sizes[tensor.index] = tensor_bytes(tensor)
    spans: dict[int, tuple[int, int]] = {base(tensor): (0, 0) for tensor in graph.inputs}
    for moment, item in enumerate(graph.items):
        for node in item.nodes if isinstance(item, Loop) else (item,):
            for tensor in (*moving(node), *node.outputs):
                sizes.setdefault(tensor.index, tensor_bytes(tensor))
                spans[base(tensor)] = (spans.get(base(tensor), (moment, 0))[0], moment)
    for tensor in graph.outputs:
        if tensor.data is None and base(tensor) in spans:
            spans[base(tensor)] = (spans[base(tensor)][0], len(graph.items) - 1)
    return [
        sum(sizes[index] for index, (first, last) in spans.items() if first <= moment <= last)
        for moment in range(len(graph.items))
    ]
