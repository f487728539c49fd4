"""Which channels stay: those whose value depends on the input, and those that a reader needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firmware_export.aot.channels.bounds import (
    TABLES,
    Bounds,
    alike,
    channelled,
    joins_channels,
    pads_pixels,
)
from firmware_export.aot.channels.layers import layer_of
from firmware_export.aot.graph import Graph, Node
from kd_edge.base.flatbuffer import Tensor


@dataclass(frozen=True, eq=False)
class _Link:
    """Channels of a source and of a result that stay or go together, pair by pair."""

    source: int
    result: int
    source_channels: np.ndarray
    result_channels: np.ndarray


def kept_channels(graph: Graph, bounds: dict[int, Bounds]) -> dict[int, np.ndarray]:
    """Index -> bool (channels,), no unit, of every int8 tensor that can lose channels.

    One channel of each stays at least.
    """
    kept = {index: ~of.constant for index, of in bounds.items()}
    for tensor in (*graph.inputs, *graph.outputs):
        _keep_all(kept, tensor)
    links = []
    for node in graph.nodes():
        links += _links(node, kept, bounds)
    while True:
        before = {index: channels.copy() for index, channels in kept.items()}
        for link in links:
            _join(link, kept)
        for channels in kept.values():
            channels[0] |= not channels.any()
        if all((channels == before[index]).all() for index, channels in kept.items()):
            return kept


def _keep_all(kept: dict[int, np.ndarray], tensor: Tensor) -> None:
    if tensor.index in kept:
        kept[tensor.index][:] = True


def _join(link: _Link, kept: dict[int, np.ndarray]) -> None:
    source, result = kept[link.source], kept[link.result]
    either = source[link.source_channels] | result[link.result_channels]
    np.logical_or.at(source, link.source_channels, either)
    np.logical_or.at(result, link.result_channels, either)


def _links(node: Node, kept: dict[int, np.ndarray], bounds: dict[int, Bounds]) -> list[_Link]:
    """What ties the channels of its tensors; all that it cannot do without is kept at once."""
    result = node.outputs[0]
    layer = layer_of(node) if channelled(node) else None
    if layer is not None and result.index in kept and node.inputs[0].index in kept:
        source = node.inputs[0]
        if node.op == "DEPTHWISE_CONV_2D":
            whole = np.arange(result.shape[-1])
            return [_Link(source.index, result.index, layer.channels[:, 0], whole)]
        if layer.padded:
            # Beyond the input a channel counts as its zero point.
            of = bounds[source.index]
            kept[source.index] |= ~(of.constant & (of.least == layer.in_zero))
        return []
    sources = _channel_by_channel(node)
    tensors = [t for t in (*node.inputs, *node.outputs) if t is not None]
    known = {t.index for t in (*sources, result)} <= kept.keys()
    if not sources or not known:
        for tensor in tensors:
            _keep_all(kept, tensor)
        return []
    first, links = 0, []
    for source in sources:
        channels = np.arange(source.shape[-1])
        at = channels + first if node.op == "CONCATENATION" else channels
        first += source.shape[-1]
        links.append(_Link(source.index, result.index, channels, at))
    return links


def _channel_by_channel(node: Node) -> tuple[Tensor, ...]:
    """The computed inputs, if each channel of the result comes from the same one of theirs."""
    if not channelled(node):
        return ()
    same = node.inputs[0].shape[-1] == node.outputs[0].shape[-1]
    holds = {
        **dict.fromkeys(TABLES, len(node.inputs) == 1 and same),
        **dict.fromkeys(("AVERAGE_POOL_2D", "MAX_POOL_2D", "RESHAPE"), same),
        **dict.fromkeys(("ADD", "SUB"), len(node.inputs) == 2 and alike(node)),
        "CONCATENATION": node.op == "CONCATENATION" and joins_channels(node),
        "PAD": node.op == "PAD" and pads_pixels(node),
    }
    if not holds.get(node.op, False):
        return ()
    return tuple(t for t in node.inputs if t is not None and t.data is None)
