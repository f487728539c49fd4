"""A trained student as a network that rounds as its int8 form does, and back again.

Batch normalisation is a part of the weights from the start, as it is in the int8 form: R.
Krishnamoorthi, "Quantizing deep convolutional networks for efficient inference", arXiv 1806.08342,
section 3.2. Rounding in the forward pass with float weights behind it: B. Jacob et al.,
"Quantization and training of neural networks for efficient integer-arithmetic-only inference", CVPR
2018.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import keras
import numpy as np
from keras import layers

from kd_edge.base.errors import KdEdgeError
from kd_edge.distill.quantised.plan import WEIGHTED, Plan, plan_of
from kd_edge.distill.quantised.rounding import RoundedMean, RoundedWeights, RoundingGrid
from kd_edge.models import layers_seeded
from kd_edge.models.grid import Grid, grid_of

# Of the grids: as calibration finds them, or trained with the weights.
RANGES = ("kept", "learned")
WEIGHT_BITS = (8, 4)
# Layers whose weights TFLite Micro takes in 4 bits; a dense one with one step for all of them.
_FOUR_BITS = {
    layers.Conv2D: WEIGHTED[layers.Conv2D],
    layers.DepthwiseConv2D: WEIGHTED[layers.DepthwiseConv2D],
    layers.Dense: (0, 1),
}
_AT_ONCE = 64  # examples that ranges are looked at in
# What a layer has no more: its weights were trained by other values of them.
_OF_TRAINING = ("_regularizer", "_constraint")


def aware_network(
    student: keras.Model,
    calibration: Mapping[str, np.ndarray],
    *,
    weight_bits: int,
    ranges: str,
    seed: int,
) -> keras.Model:
    """The student, to be trained on: it computes in float what its int8 form computes in integers.

    Args:
        student: functional, trained; it stays as it is.
        calibration: input name -> (n, ...) float32, of the training part: the ranges of all values
            on them are those of the int8 form.
        weight_bits: 8 or 4; biases keep 32 bits and values between layers 8.
        ranges: one of `RANGES`.
        seed: of dropout.

    Raises:
        KdEdgeError KD_UNSUPPORTED_OP: a layer that cannot be trained so, by name.
        KD_RECIPE_VALUE: `weight_bits` or `ranges` is another.
    """
    for name, value, known in (
        ("weight_bits", weight_bits, WEIGHT_BITS),
        ("ranges", ranges, RANGES),
    ):
        if value not in known:
            raise KdEdgeError(
                "KD_RECIPE_VALUE", f"{name} is one of {', '.join(map(str, known))}, not {value!r}"
            )
    learned = ranges == "learned"
    plan = plan_of(student)
    made = _Made(plan, weight_bits, learned=learned)
    with layers_seeded(seed):
        network = _through(student, made.operation, made.value)
    made.copy_weights()
    _calibrate(network, calibration)
    return network


def finished(network: keras.Model) -> keras.Model:
    """What `aware_network` gave, trained, as plain layers: weights on their grids, grids stated.

    Its answers are those of the int8 form but for the rounding of values between layers; the
    converter makes that form of it, with these grids.
    """
    made: dict[int, layers.Layer] = {}
    weights: list[tuple[layers.Layer, list]] = []

    def plain(op):
        if id(op) not in made:
            made[id(op)] = _plain(op, weights)
        return made[id(op)]

    model = _through(network, plain, lambda tensor, value: value)
    for layer, values in weights:
        layer.set_weights(values)
    return model


def _plain(op, weights: list) -> layers.Layer:
    if isinstance(op, RoundingGrid):
        step = float(keras.ops.convert_to_numpy(op.now))
        return Grid(step=step, zero=op.zero, name=op.name)
    if isinstance(op, RoundedMean):
        return layers.GlobalAveragePooling2D.from_config(op.get_config())
    if not isinstance(op, RoundedWeights):
        return type(op).from_config(op.get_config())
    layer = type(op.layer).from_config(op.layer.get_config())
    weights.append((layer, [keras.ops.convert_to_numpy(value) for value in op.rounded()]))
    return layer


def _through(model: keras.Model, operation: Callable, value: Callable) -> keras.Model:
    """A model of the same inputs and graph, of other layers.

    Args:
        operation: a layer -> what stands in its place.
        value: (an input's tensor, the new one) -> what the graph goes on with.
    """
    inputs = [keras.Input(tensor.shape[1:], name=tensor.name) for tensor in model.inputs]
    given = [value(old, new) for old, new in zip(model.inputs, inputs, strict=True)]
    output = model._run_through_graph(given, operation_fn=operation)
    return keras.Model(inputs, output, name=model.name)


class _Made:
    """The layers that stand in the student's places."""

    def __init__(self, plan: Plan, weight_bits: int, *, learned: bool):
        self._plan = plan
        self._weight_bits = weight_bits
        self._learned = learned
        self._grids: dict[int, RoundingGrid] = {}
        self._weighted: list[tuple[RoundedWeights, list]] = []

    def operation(self, op) -> Callable:
        """What stands in the place of one layer, with the rounding of what it gives."""
        if id(op) in self._plan.gone:
            return lambda values, **_: values
        layer = self._layer(op)
        if id(op) in self._plan.inner:
            layer = self._apart(op, layer)
        return lambda *values, **_: self.value(op.output, layer(*values))

    def value(self, tensor, new):
        """A value, rounded if it is rounded where it is made."""
        if id(tensor) not in self._plan.rounded:
            return new
        return self._grid(self._plan.group[id(tensor)])(new)

    def _grid(self, number: int) -> RoundingGrid:
        if number not in self._grids:
            step, zero = self._plan.fixed.get(number, (1.0, 0))
            fixed = number in self._plan.fixed
            self._grids[number] = RoundingGrid(
                step=step, zero=zero, learned=self._learned and not fixed, name=f"grid_{number}"
            )
            self._grids[number].fixed = fixed
        return self._grids[number]

    def _apart(self, op, layer) -> Callable:
        """A layer, and its activation behind it: an operator of its own in the int8 form."""
        grid = self._grid(self._plan.inner[id(op)])
        end = layers.Activation(op.activation, name=f"{op.name}_end")
        return lambda values: end(grid(layer(values)))

    def copy_weights(self) -> None:
        """Once the layers are built."""
        for layer, values in self._weighted:
            layer.layer.set_weights(values)

    def _layer(self, op):
        takes, gives = self._plan.takes.get(id(op)), self._plan.gives.get(id(op))
        ends = {"source": partial(self._grid, takes), "target": partial(self._grid, gives)}
        if type(op) is layers.GlobalAveragePooling2D:
            return RoundedMean(**ends, **op.get_config())
        if type(op) not in WEIGHTED:
            return type(op).from_config(op.get_config())
        norm = self._plan.folded.get(id(op))
        config = op.get_config() | {"use_bias": op.use_bias or norm is not None}
        config |= {key: None for key in config if key.endswith(_OF_TRAINING)}
        if id(op) in self._plan.inner:
            config["activation"] = "linear"
        four = self._weight_bits == 4 and type(op) in _FOUR_BITS
        layer = RoundedWeights(
            type(op).from_config(config),
            bits=4 if four else 8,
            axes=_FOUR_BITS[type(op)] if four else WEIGHTED[type(op)],
            learned=self._learned and four,
            **ends,
            name=op.name,
        )
        self._weighted.append((layer, _folded_weights(op, norm)))
        return layer


def _folded_weights(op, norm) -> list[np.ndarray]:
    """Kernel and bias of a layer with its batch normalisation."""
    values = op.get_weights()
    if norm is None:
        return values
    kernel, bias = values if op.use_bias else (values[0], 0.0)
    width = norm.moving_variance.shape[0]
    gamma = norm.gamma.numpy() if norm.scale else np.ones(width, np.float32)
    beta = norm.beta.numpy() if norm.center else np.zeros(width, np.float32)
    factor = gamma / np.sqrt(norm.moving_variance.numpy() + norm.epsilon)
    bias = (bias - norm.moving_mean.numpy()) * factor + beta
    by_channel = factor
    if type(op) is layers.Conv2DTranspose:
        by_channel = factor[:, None]
    elif type(op) is layers.DepthwiseConv2D:
        by_channel = factor.reshape(kernel.shape[2:])
    return [kernel * by_channel, bias]


def _calibrate(network: keras.Model, calibration: Mapping[str, np.ndarray]) -> None:
    """Set each grid to the range of its values, weights rounded and values not.

    The least and the largest value of all examples, as TensorFlow's calibrator takes them.
    """
    grids = [layer for layer in network.layers if isinstance(layer, RoundingGrid)]
    taps = [(grid, t) for grid in grids for n in grid._inbound_nodes for t in n.input_tensors]
    probe = keras.Model(network.inputs, [tensor for _, tensor in taps])
    inputs = [calibration[tensor.name] for tensor in network.inputs]
    ends: dict[int, list[float]] = {id(grid): [0.0, 0.0] for grid in grids}
    for grid in grids:
        grid.rounds = False
    for start in range(0, len(inputs[0]), _AT_ONCE):
        batch = [np.asarray(x[start : start + _AT_ONCE], np.float32) for x in inputs]
        for (grid, _), values in zip(taps, probe(batch, training=False), strict=True):
            seen = keras.ops.convert_to_numpy(values)
            low, high = ends[id(grid)]
            ends[id(grid)] = [min(low, float(seen.min())), max(high, float(seen.max()))]
    for grid in grids:
        grid.rounds = True
        if not grid.fixed:
            grid.step, grid.zero = grid_of(*ends[id(grid)])
