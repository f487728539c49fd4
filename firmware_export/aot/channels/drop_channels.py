"""Channels that have one value for every input vanish: their readers' biases take them in."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from firmware_export.aot.channels.bounds import Bounds, bounds_of
from firmware_export.aot.channels.kept import kept_channels
from firmware_export.aot.channels.layers import RESULTS_AXIS, Layer, layer_of
from firmware_export.aot.graph import Graph, Node
from kd_edge.base.flatbuffer import Tensor


def drop_channels(graph: Graph) -> Graph:
    """Drop what is computed for constant channels, and the weights that multiply them.

    A channel goes from a tensor if everything that reads it can do without: a convolution or dense
    layer adds its products to the bias, others drop it from their results as well.
    """
    bounds = bounds_of(graph)
    kept = kept_channels(graph, bounds)
    kept = {index: channels for index, channels in kept.items() if not channels.all()}
    if not kept:
        return graph
    work = _Dropping(kept, bounds, graph.next_index)
    items = tuple(work.node(node) for node in graph.items)
    wholes = tuple(work.tensor(tensor) for tensor in graph.wholes)
    return replace(graph, items=items, wholes=wholes, next_index=work.next_index)


@dataclass
class _Dropping:
    kept: dict[int, np.ndarray]
    bounds: dict[int, Bounds]
    next_index: int
    made: dict[int, Tensor] = field(default_factory=dict)

    def tensor(self, tensor: Tensor | None) -> Tensor | None:
        """The tensor without the channels that go."""
        if tensor is None or tensor.index not in self.kept:
            return tensor
        if tensor.index not in self.made:
            shape = (*tensor.shape[:-1], int(self.kept[tensor.index].sum()))
            self.made[tensor.index] = replace(tensor, index=self._fresh(), shape=shape)
        return self.made[tensor.index]

    def node(self, node: Node) -> Node:
        if not {t.index for t in (*node.inputs, *node.outputs) if t is not None} & self.kept.keys():
            return node
        inputs = tuple(self.tensor(t) for t in node.inputs)
        outputs = tuple(self.tensor(t) for t in node.outputs)
        layer = layer_of(node)
        if layer is not None:
            inputs = (inputs[0], *self._constants(node, layer))
        return replace(node, inputs=inputs, outputs=outputs)

    def _constants(self, node: Node, layer: Layer) -> tuple[Tensor, Tensor]:
        """Weights and biases of the results that stay, over the channels that stay."""
        source, weights, bias = (*node.inputs, None)[:3]
        rows = self._kept(node.outputs[0])
        axis = RESULTS_AXIS[node.op]
        data, own = np.compress(rows, weights.data, axis=axis), layer.bias
        if node.op != "DEPTHWISE_CONV_2D":
            columns = self._kept(source)
            wide = columns if data.ndim == 4 else columns[layer.channels[0]]
            data, own = data[..., wide], own + self._folded(source, layer)
        made = replace(
            weights,
            index=self._fresh(),
            shape=data.shape,
            data=np.ascontiguousarray(data),
            **_selected(weights, rows, axis),
        )
        added = own[rows].astype(np.int32)
        like = bias or Tensor(0, f"{weights.name} bias", (), "int32", (), (), None, None, False)
        biases = replace(
            like, index=self._fresh(), shape=added.shape, data=added, **_selected(like, rows, 0)
        )
        return made, biases

    def _folded(self, source: Tensor, layer: Layer) -> np.ndarray:
        """int64 (results,): the products of the channels that go."""
        if source.index not in self.kept:
            return np.zeros(len(layer.bias), np.int64)
        value = self.bounds[source.index].least - layer.in_zero
        gone = np.where(self.kept[source.index], 0, value)
        return (layer.matrix * gone[layer.channels]).sum(axis=1)

    def _kept(self, tensor: Tensor) -> np.ndarray:
        return self.kept.get(tensor.index, np.ones(tensor.shape[-1], bool))

    def _fresh(self) -> int:
        self.next_index += 1
        return self.next_index - 1


def _selected(tensor: Tensor, rows: np.ndarray, axis: int) -> dict[str, object]:
    """Scales and zero points of the slices that stay; a single one stays as it is."""
    if len(tensor.scales) <= 1:
        return {}
    chosen = np.flatnonzero(rows).tolist()
    scales, zeros = ([values[i] for i in chosen] for values in (tensor.scales, tensor.zero_points))
    several = len(chosen) > 1
    return {
        "scales": tuple(scales),
        "zero_points": tuple(zeros),
        "quantized_axis": axis if several else None,
    }
