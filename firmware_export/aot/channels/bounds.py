"""Which values each channel of each tensor can have: intervals, from the inputs onwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from firmware_export.aot.arithmetic import activation_range, binary_values
from firmware_export.aot.channels.layers import RESULTS_AXIS, layer_of, quantised
from firmware_export.aot.graph import Graph, Node
from firmware_export.aot.numbers import zero_point_of
from firmware_export.aot.tables import table_of
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.flatbuffer import Tensor


@dataclass(frozen=True, eq=False)
class Bounds:
    """Values of each channel, that is of each place along the last axis.

    Attributes:
        least: int64 (channels,), quantised.
        most: int64 (channels,), quantised.
    """

    least: np.ndarray
    most: np.ndarray

    @property
    def constant(self) -> np.ndarray:
        """Whether a channel has one value whatever the input: bool (channels,), without a unit."""
        return self.least == self.most


Of = Callable[[Tensor], Bounds]


def bounds_of(graph: Graph) -> dict[int, Bounds]:
    """Index -> bounds of every int8 tensor that an operator with a rule computes."""
    known: dict[int, Bounds] = {}

    def of(tensor: Tensor) -> Bounds:
        if tensor.index not in known:
            known[tensor.index] = _any_value(tensor.shape[-1])
        return known[tensor.index]

    for node in graph.nodes():
        rule = _RULES.get(node.op)
        if rule is None or not channelled(node):
            continue
        try:
            found = rule(node, of)
        except KdEdgeError:
            continue  # its lowering says why
        if found is not None:
            known[node.outputs[0].index] = found
    return known


def channelled(node: Node) -> bool:
    """Whether it makes one computed int8 tensor, of computed or constant int8 tensors alone.

    A tensor without one scale above 0 is none: its lowering says what is wrong with it.
    """
    moving = [t for t in node.inputs if t is not None and t.data is None]
    tensors = (*moving, *node.outputs)
    plain = all(
        t.dtype == "int8" and t.shape and not t.is_variable and quantised(t) for t in tensors
    )
    return plain and len(node.outputs) == 1 and bool(moving) and node.inputs[0].data is None


def _any_value(channels: int) -> Bounds:
    return Bounds(np.full(channels, -128), np.full(channels, 127))


def _of_layer(node: Node, of: Of) -> Bounds | None:
    layer = layer_of(node)
    if layer is None:
        return None
    source = of(node.inputs[0])
    return Bounds(*(layer.results(sums) for sums in layer.sums(source.least, source.most)))


def _of_pool(node: Node, of: Of) -> Bounds | None:
    source, result = node.inputs[0], node.outputs[0]
    if source.shape[-1] != result.shape[-1]:
        return None
    low, high = activation_range(node, result)
    bounds = of(source)
    return Bounds(np.clip(bounds.least, low, high), np.clip(bounds.most, low, high))


def _of_table(node: Node, of: Of) -> Bounds | None:
    table = table_of(node)
    if table is None or len(node.inputs) != 1 or node.inputs[0].shape != node.outputs[0].shape:
        return None
    source = of(node.inputs[0])
    ends = zip((source.least + 128).tolist(), (source.most + 129).tolist(), strict=True)
    parts = [table[first:end] for first, end in ends]
    return Bounds(*(np.array([fold(p) for p in parts], np.int64) for fold in (np.min, np.max)))


def _of_sum(node: Node, of: Of) -> Bounds | None:
    if len(node.inputs) != 2 or not alike(node):
        return None
    a, b = (of(tensor) for tensor in node.inputs)
    other = (b.least, b.most) if node.op == "ADD" else (b.most, b.least)
    return Bounds(binary_values(node, a.least, other[0]), binary_values(node, a.most, other[1]))


def alike(node: Node) -> bool:
    """Whether all its tensors are computed and of one shape."""
    tensors = (*node.inputs, *node.outputs)
    return all(t is not None and t.data is None and t.shape == tensors[0].shape for t in tensors)


def _of_join(node: Node, of: Of) -> Bounds | None:
    if not joins_channels(node):
        return None
    parts = [of(tensor) for tensor in node.inputs]
    return Bounds(
        np.concatenate([part.least for part in parts]),
        np.concatenate([part.most for part in parts]),
    )


def joins_channels(node: Node) -> bool:
    """Whether a CONCATENATION puts computed tensors side by side along the last axis."""
    tensors = (*node.inputs, *node.outputs)
    if any(t is None or t.data is not None for t in tensors):
        return False
    rank = len(node.outputs[0].shape)
    sizes = sum(t.shape[-1] for t in node.inputs)
    along = int(node.options["axis"]) in (-1, rank - 1) and sizes == node.outputs[0].shape[-1]
    return along and all(t.shape[:-1] == node.outputs[0].shape[:-1] for t in tensors)


def _of_shape(node: Node, of: Of) -> Bounds | None:
    same = node.inputs[0].shape[-1] == node.outputs[0].shape[-1]
    return of(node.inputs[0]) if same else None


def _of_pad(node: Node, of: Of) -> Bounds | None:
    if not pads_pixels(node):
        return None
    source, zero = of(node.inputs[0]), zero_point_of(node.outputs[0])
    return Bounds(np.minimum(source.least, zero), np.maximum(source.most, zero))


def pads_pixels(node: Node) -> bool:
    """Whether a PAD leaves the channels as they are."""
    amounts = node.inputs[1].data if len(node.inputs) == 2 and node.inputs[1] else None
    rank = len(node.inputs[0].shape)
    return (
        amounts is not None
        and amounts.size == 2 * rank
        and not amounts.reshape(rank, 2)[-1].any()
        and node.inputs[0].shape[-1] == node.outputs[0].shape[-1]
    )


TABLES = ("LOGISTIC", "TANH", "RELU", "RELU6", "LEAKY_RELU", "HARD_SWISH", "ABS", "QUANTIZE")
_RULES: dict[str, Callable[[Node, Of], Bounds | None]] = {
    **dict.fromkeys(RESULTS_AXIS, _of_layer),
    **dict.fromkeys(TABLES, _of_table),
    "AVERAGE_POOL_2D": _of_pool,
    "MAX_POOL_2D": _of_pool,
    "ADD": _of_sum,
    "SUB": _of_sum,
    "CONCATENATION": _of_join,
    "RESHAPE": _of_shape,
    "PAD": _of_pad,
}
