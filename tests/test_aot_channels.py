"""Constant channels dropped from the plain-C engine's graphs. Oracle: TFLite Micro, every byte."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np
import pytest
from aot_changes import changed, graph_of, nth_input
from aot_harness import check_exact
from aot_models import OperatorModel, Quantised
from tflite_samples import options_of

from firmware_export.aot.channels.drop_channels import drop_channels
from firmware_export.aot.channels.verify_channels import verify_channels
from firmware_export.aot.compiler import CompileSettings, compile_model
from kd_edge.base.errors import KdEdgeError

SAME, VALID = 0, 1
RELU6 = 3
FAR = 1 << 30  # what the converter clamps biases to


class Network(OperatorModel):
    """Layers in a row, of which some channels have a bias that drowns their products."""

    def __init__(self, seed: int = 0, *, pixels=(6, 7), channels: int = 5):
        super().__init__()
        self.rng = np.random.default_rng(seed)
        self.at = Quantised((1, *pixels, channels), 0.04, -7)
        self.index = self.input(self.at)

    def conv(self, far=(), *, count=9, kernel=(1, 1), padding=VALID, bias=True, op="CONV_2D", **of):
        """`far`: signs of the first biases; `of`: activation, zero_point, scales, last."""
        depthwise = op == "DEPTHWISE_CONV_2D"
        deep = self.at.shape[3]
        shape = (1, *kernel, deep * count) if depthwise else (count, *kernel, deep)
        axis = 3 if depthwise else 0
        weights = self.rng.integers(-127, 128, shape, dtype=np.int8)
        n = shape[axis]
        scales = self.rng.uniform(0.002, 0.006, n if of.get("scales", True) else 1)
        constants = [self.constant(weights, scale=scales.astype(np.float32), axis=axis)]
        if bias:
            values = self.rng.integers(-900, 900, n).astype(np.int32)
            values[: len(far)] = np.array(far, np.int64) * FAR
            constants.append(self.constant(values, scale=scales * self.at.scale))
        options = {"strideH": 1, "strideW": 1, "padding": padding}
        options["fusedActivationFunction"] = of.get("activation", RELU6)
        if depthwise:
            made = options_of("DepthwiseConv2DOptions", depthMultiplier=count, **options)
        else:
            made = options_of("Conv2DOptions", **options)
        less = (0, 0) if padding == SAME else (kernel[0] - 1, kernel[1] - 1)
        pixels = (self.at.shape[1] - less[0], self.at.shape[2] - less[1])
        return self._layer(op, constants, (1, *pixels, n), made, of)

    def dense(self, rows=6, **of):
        columns = self.at.shape[-1]
        weights = self.constant(self.rng.integers(-127, 128, (rows, columns), np.int8), scale=0.004)
        made = options_of("FullyConnectedOptions")
        return self._layer("FULLY_CONNECTED", [weights], (*self.at.shape[:-1], rows), made, of)

    def pool(self, op):
        rows, columns = self.at.shape[1:3]
        sizes = {"filterHeight": rows, "filterWidth": columns, "strideH": rows, "strideW": columns}
        options = options_of("Pool2DOptions", padding=VALID, **sizes)
        return self._same(op, [], (1, 1, 1, self.at.shape[3]), options)

    def reshape(self, shape):
        target = self.constant(np.array(shape, np.int32))
        return self._same("RESHAPE", [target], shape, options_of("ReshapeOptions", newShape=shape))

    def pad(self):
        amounts = self.constant(np.array([[0, 0], [1, 1], [1, 1], [0, 0]], np.int32))
        rows, columns, channels = self.at.shape[1:]
        shape = (1, rows + 2, columns + 2, channels)
        return self._same("PAD", [amounts], shape, options_of("PadOptions"))

    def unary(self, op, **of):
        made = Quantised(self.at.shape, of.get("scale", 1 / 256), of.get("zero_point", -128))
        index = self.inner(made)
        self.operator(op, (self.index,), (index,))
        self.at, self.index = made, index
        return self

    def joined(self, op, first, first_of):
        """This and another tensor: ADD, or CONCATENATION along the channels."""
        if op == "ADD":
            options, shape = options_of("AddOptions"), self.at.shape
        else:
            options = options_of("ConcatenationOptions", axis=3)
            shape = (*self.at.shape[:3], first_of.shape[3] + self.at.shape[3])
        made = replace(self.at, shape=shape)
        index = self.inner(made)
        self.operator(op, (first, self.index), (index,), options)
        self.at, self.index = made, index
        return self

    def end(self) -> bytes:
        """The model; its output is a convolution's."""
        return self.conv(count=3, activation=0, last=True).content()

    def _layer(self, op, constants, shape, options, of):
        made = Quantised(tuple(shape), 6 / 255, of.get("zero_point", -128))
        index = self.output(made) if of.get("last") else self.inner(made)
        self.operator(op, (self.index, *constants), (index,), options)
        self.at, self.index = made, index
        return self

    def _same(self, op, constants, shape, options):
        made = replace(self.at, shape=tuple(shape))
        index = self.inner(made)
        self.operator(op, (self.index, *constants), (index,), options)
        self.at, self.index = made, index
        return self


BOTH = (1, -1, -1, 1)
DEPTHWISE = {"op": "DEPTHWISE_CONV_2D", "count": 1, "kernel": (3, 3), "padding": SAME}


def branches(op: str, far, other) -> bytes:
    net = Network(4)
    source, of = net.index, net.at
    net.conv(far)
    first, first_of = net.index, net.at
    net.index, net.at = source, of
    return net.conv(other).joined(op, first, first_of).end()


def shared_by_two() -> bytes:
    """One tensor read by a layer that can do without channels, and by one that cannot."""
    net = Network(6).conv(BOTH, zero_point=-100)
    index, at = net.index, net.at
    net.conv(count=2, last=True)
    net.index, net.at = index, at
    return net.conv(count=2, kernel=(3, 3), padding=SAME, last=True).content()


MODELS = {
    "convolution": Network().conv(BOTH).end(),
    "no bias in the reader": Network(1).conv(BOTH).conv(bias=False).end(),
    "one scale for all channels": Network(2).conv(BOTH, scales=False).end(),
    "padded reader": Network(3).conv(BOTH, zero_point=-90).conv(kernel=(3, 3), padding=SAME).end(),
    "clamped to the zero point": Network(3).conv(BOTH).conv(kernel=(3, 2), padding=SAME).end(),
    "depthwise": Network(5).conv(BOTH).conv(**DEPTHWISE).end(),
    "depthwise, valid": Network(5).conv(BOTH).conv(**DEPTHWISE | {"padding": VALID}).end(),
    "depthwise of two": Network(5).conv(BOTH).conv(**DEPTHWISE | {"count": 2}).end(),
    "depthwise clamped itself": Network(5).conv().conv(BOTH, **DEPTHWISE).end(),
    "pads": Network(7).conv(BOTH).pad().conv(kernel=(3, 3)).end(),
    "mean and dense": Network(8).conv(BOTH).pool("AVERAGE_POOL_2D").reshape((1, 9)).dense(),
    "largest": Network(8).conv(BOTH).pool("MAX_POOL_2D").end(),
    "dense over pixels": Network(8).conv(BOTH).dense().end(),
    "table": Network(9).conv(BOTH, activation=0).unary("LOGISTIC").end(),
    "all channels": Network(10).conv((1, -1, 1), count=3).conv(**DEPTHWISE).end(),
    "sum, both constant": branches("ADD", BOTH, (1, 1, -1, -1)),
    "sum, one constant": branches("ADD", BOTH, ()),
    "side by side": branches("CONCATENATION", BOTH, (-1,)),
    "two readers": shared_by_two(),
    "the result itself": Network(11).conv(BOTH, last=True).content(),
}
MODELS["mean and dense"] = MODELS["mean and dense"].reshape((1, 1, 1, 6)).end()
# Channels that go, of each tensor in turn.
DROPPED = {
    "convolution": [4],
    "padded reader": [2],  # those at the zero point, which padding does not change
    "clamped to the zero point": [2],
    "depthwise, valid": [4, 4],
    "mean and dense": [4, 4, 4, 1, 1],  # of the mean's few values one more row is constant
    "sum, both constant": [4, 4, 4],
    "sum, one constant": [],
    "side by side": [4, 1, 5],
    "the result itself": [],
}


def outputs(graph) -> list[int]:
    return [node.outputs[0].shape[-1] for node in graph.nodes()]


@pytest.mark.parametrize(
    "core", ["host", *(pytest.param(c, marks=pytest.mark.qemu) for c in ("m4", "m55"))]
)
def test_models_with_constant_channels_answer_as_tflite_micro(core):
    check_exact(list(MODELS.values()), core=core, n_windows=6)


@pytest.mark.parametrize("name", DROPPED)
def test_channels_go_if_everything_that_reads_them_can_do_without(name):
    before = graph_of(MODELS[name])
    lost = [a - b for a, b in zip(outputs(before), outputs(drop_channels(before)), strict=True)]
    assert [n for n in lost if n] == [n for n in DROPPED[name] if n]


def test_a_dropped_channel_costs_neither_weights_nor_products():
    compiled = compile_model(MODELS["convolution"], CompileSettings())
    first, second = compiled.layers
    assert (first.macs, second.macs) == (6 * 7 * 5 * 5, 6 * 7 * 5 * 3)
    assert prod(compiled.graph.items[0].inputs[1].shape) == 5 * 5
    (effect,) = [e for e in compiled.effects if e.name == "drop constant channels"]
    assert "4 constant channels" in effect.did


def test_a_model_without_constant_channels_stays_as_it_is():
    graph = graph_of(Network(12).conv().conv(**DEPTHWISE).end())
    assert drop_channels(graph) is graph


def test_a_clamped_bias_that_products_can_reach_is_no_constant_channel():
    """Biases of 9,000 of products that reach tens of thousands."""
    graph = graph_of(Network(13).conv().end())
    near = changed(
        graph, "CONV_2D", inputs=nth_input(2, lambda t: replace(t, data=np.full_like(t.data, 9000)))
    )
    assert drop_channels(near) is near


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (lambda t: replace(t, data=t.data + 1), "sums"),
        (lambda t: replace(t, data=t.data[::-1]), "sums"),
    ],
)
def test_a_bias_that_forgets_a_dropped_channel_is_named(wrong, told):
    before = graph_of(MODELS["depthwise, valid"])
    after = drop_channels(before)
    verify_channels(before, after, "dropping")
    broken = changed(after, "DEPTHWISE_CONV_2D", inputs=nth_input(2, wrong))
    with pytest.raises(KdEdgeError, match=told) as raised:
        verify_channels(before, broken, "dropping")
    assert raised.value.code == "KD_INTERNAL"
    assert "operator 1" in raised.value.where
