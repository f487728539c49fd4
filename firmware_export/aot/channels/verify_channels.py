"""That layers without constant channels add up to what they did."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firmware_export.aot.channels.bounds import Bounds, bounds_of
from firmware_export.aot.channels.kept import kept_channels
from firmware_export.aot.channels.layers import layer_of
from firmware_export.aot.graph import Graph, Node
from firmware_export.aot.verify import Fault, facts, verify
from kd_edge.base.flatbuffer import Tensor

_TRIES = 3  # random inputs of each layer


@dataclass(frozen=True, eq=False)
class _Known:
    """Bounds, and the channels that stay, of the graph of before."""

    bounds: dict[int, Bounds]
    kept: dict[int, np.ndarray]

    def stays(self, tensor: Tensor) -> np.ndarray:
        """bool (channels,)."""
        return self.kept.get(tensor.index, np.ones(tensor.shape[-1], bool))


def verify_channels(before: Graph, after: Graph, name: str) -> None:
    """Check a graph whose constant channels were dropped.

    It is whole, has the same operators in the same order, and tensors that differ from those of
    before by fewer channels at most. Each layer of weights gives the same sums as before for
    random inputs in whose constant channels their values stand.

    Raises:
        KdEdgeError KD_INTERNAL: as `verify_pass`.
    """
    verify(after, name)
    if after is before:
        return
    fault = Fault(name)
    bounds = bounds_of(before)
    known = _Known(bounds, kept_channels(before, bounds))
    old, new = list(before.nodes()), list(after.nodes())
    if [n.place for n in old] != [n.place for n in new]:
        fault("the model", "its operators are not those of before")
    ports = zip((*before.inputs, *before.outputs), (*after.inputs, *after.outputs), strict=True)
    for was, now in ports:
        if facts(was) != facts(now):
            fault("the model", "an input or output is another one", now)
    for was, now in zip(old, new, strict=True):
        _check_node(fault, was, now)
        _check_constants(fault, was, now, known)


def _check_node(fault: Fault, was: Node, now: Node) -> None:
    if (was.op, was.options) != (now.op, now.options) or len(was.outputs) != len(now.outputs):
        fault(now.place, "its operator or options have changed")
    # A layer may have got biases behind its weights.
    inputs = zip(was.inputs, now.inputs, strict=False)
    for old, new in (*inputs, *zip(was.outputs, now.outputs, strict=True)):
        if old is new or old is None or old.data is not None:
            continue
        alike = (old.dtype, old.scales, old.zero_points) == (new.dtype, new.scales, new.zero_points)
        if not alike or old.shape[:-1] != new.shape[:-1] or new.shape[-1] > old.shape[-1]:
            fault(now.place, "one of its tensors is not what it was", new)


def _check_constants(fault: Fault, was: Node, now: Node, known: _Known) -> None:
    """Constants are those of before, or sum up to the same."""
    of_before = {id(tensor) for tensor in was.inputs}
    others = [t for t in now.inputs if t and t.data is not None and id(t) not in of_before]
    if not others:
        return
    old, new = layer_of(was), layer_of(now)
    if old is None or new is None:
        fault(now.place, "it has another constant", others[0])
    source, result = was.inputs[0], was.outputs[0]
    of, rng = known.bounds[source.index], np.random.default_rng(0)
    for _ in range(_TRIES):
        x = np.where(of.constant, of.least, rng.integers(-128, 128, source.shape[-1]))
        sums = old.sums(x, x, padded=False)[0][known.stays(result)]
        mine = x[known.stays(source)]
        if not np.array_equal(sums, new.sums(mine, mine, padded=False)[0]):
            fault(now.place, "its sums are not what they were", others[0])
