"""int8's rounding in training: the forward pass rounds, the gradient passes as if it did not.

The straight-through estimator of Y. Bengio, N. Léonard, A. Courville, "Estimating or propagating
gradients through stochastic neurons", arXiv 1308.3432, with the learned steps of S. Esser et al.,
"Learned step size quantization", ICLR 2020: values are step * round(x / step), so that the step has
the gradient round(x / step) - x / step where nothing is clipped.
"""

from __future__ import annotations

import math

import keras
from keras import ops

from kd_edge.models.grid import STEPS, Grid

# Of the grid's own step and of a weight's: what learning may make of it.
_NARROWEST, _WIDEST = 0.25, 4.0
_INT8_LOW = -128
# Of a step: more than float gets wrong, less than a mean of thousands of integers is off a half.
_SLACK = 1e-4


def half_away(values, slack: float = 0.0):
    """Nearest integers, halves away from zero, as integer kernels round a mean.

    Args:
        values: any shape. The gradient is that of the values themselves.
        slack: what float may be wrong by below a half that is one.
    """
    rounded = ops.sign(values) * ops.floor(ops.abs(values) + (0.5 + slack))
    return values + ops.stop_gradient(rounded - values)


def weight_steps(kernel, *, bits: int, axes: tuple[int, ...], narrower=1.0):
    """Steps with which the largest magnitude is 2^(bits - 1) - 1 of them; no gradient to it.

    Args:
        kernel: any shape. axes: those that share one step.
        narrower: part of the largest magnitude that the steps reach; (0, 1], for each or for all.

    Returns:
        the kernel's shape with 1 on those axes, in its unit.
    """
    largest = ops.max(ops.abs(kernel), axis=axes, keepdims=True)
    reach = ops.stop_gradient(ops.where(largest > 0, largest, ops.ones_like(largest)))
    return reach * narrower / (2 ** (bits - 1) - 1)


def round_weights(kernel, steps, *, bits: int):
    """Weights as whole steps, alike far to both sides; rounded again they stay as they are.

    Args:
        kernel: any shape. steps: as `weight_steps` gives them.
    """
    most = 2 ** (bits - 1) - 1
    return half_away(ops.clip(kernel / steps, -most, most)) * steps


class RoundingGrid(Grid):
    """A `Grid` whose values are rounded to it.

    Args:
        learned: the step is trained, with the zero point where it is.
        rounds: False passes values on, to find their range.
    """

    def __init__(self, *, learned: bool = False, rounds: bool = True, **kwargs):
        super().__init__(**kwargs)
        self.learned = learned
        self.rounds = rounds

    def build(self, input_shape):
        if self.learned and not self.built:
            self.stretch = self.add_weight(shape=(), initializer="ones", name="stretch")

    @property
    def now(self):
        """The step, as learned."""
        if not self.learned:
            return self.step
        return self.step * ops.clip(self.stretch, _NARROWEST, _WIDEST)

    def call(self, inputs):
        if not self.rounds:
            return inputs
        integers = ops.clip(inputs / self.now + self.zero, 0, STEPS) + _INT8_LOW
        return (half_away(integers, _SLACK) - (self.zero + _INT8_LOW)) * self.now

    def get_config(self):
        return {**super().get_config(), "learned": self.learned, "rounds": self.rounds}


def requantised(values, shift):
    """Sums times a multiplier as integer kernels round them: to its 31 bits, then to whole steps.

    The multiplier is a fraction from 1/2 to 1, in 31 bits, and a shift to the right. The product
    with the fraction is rounded to whole numbers before the shift, and again behind it, in TFLite
    Micro's `MultiplyByQuantizedMultiplier`. A small shift shows in the result: int4 weights have
    one, and short means.

    Args:
        values: (..., channels) steps, sums times the multiplier. shift: (channels,) or a number.

    Returns:
        (..., channels) whole numbers.
    """
    finer = ops.stop_gradient(2.0 ** ops.maximum(shift, 0.0))
    return half_away(half_away(values * finer) / finer)


def shift_of(multiplier):
    """Places that a multiplier of any shape, > 0, shifts to the right, beside its fraction."""
    return -(ops.floor(ops.log2(multiplier)) + 1)


class RoundedMean(keras.layers.GlobalAveragePooling2D):
    """A mean as the int8 kernel computes it, to whole steps.

    Args:
        source, target: give the `RoundingGrid` of what the layer takes, and of what it gives.
    """

    def __init__(self, *, source, target, **kwargs):
        super().__init__(**kwargs)
        self._source, self._target = source, target

    def call(self, inputs):
        values, target = super().call(inputs), self._target()
        if not target.rounds:
            return values
        count = inputs.shape[1] * inputs.shape[2]
        shift = shift_of(self._source().now / target.now) + math.floor(math.log2(count))
        return requantised(values / target.now, shift) * target.now


class RoundedWeights(keras.layers.Wrapper):
    """A layer that computes as its int8 kernel does: with rounded weights and bias, to whole steps.

    Args:
        layer: with a `kernel`. bits: of a weight. axes: of the kernel that share one step.
        learned: how much of the weights' range the steps reach over is trained.
        source, target: give the `RoundingGrid` of what the layer takes, and of what it gives.
    """

    def __init__(
        self, layer, *, bits: int, axes: tuple[int, ...], learned: bool, source, target, **kwargs
    ):
        super().__init__(layer, **kwargs)
        self.bits = bits
        self.axes = tuple(axes)
        self.learned = learned
        # Functions: grids are layers of the network, not parts of this one.
        self._source, self._target = source, target

    def build(self, input_shape):
        super().build(input_shape)
        self.channels = self.layer.compute_output_shape(input_shape)[-1]
        if self.learned:
            kernel = self.layer.kernel.shape
            shape = [1 if axis in self.axes else size for axis, size in enumerate(kernel)]
            self.narrower = self.add_weight(shape=shape, initializer="ones", name="narrower")

    def rounded(self) -> list:
        """Kernel and bias as the layer computes with them; the kernel alone if it has no bias."""
        kernel, steps = self.layer.kernel.value, self._steps()
        values = [round_weights(kernel, steps, bits=self.bits)]
        if self.layer.use_bias:
            sum_steps = ops.stop_gradient(self._by_channel(steps) * self._source().now)
            values.append(half_away(self.layer.bias.value / sum_steps) * sum_steps)
        return values

    def call(self, inputs):
        variables = [self.layer.kernel, *([self.layer.bias] if self.layer.use_bias else [])]
        with keras.StatelessScope(list(zip(variables, self.rounded(), strict=True))):
            values = self.layer(inputs)
        target = self._target()
        if not target.rounds:
            return values
        multiplier = self._by_channel(self._steps()) * self._source().now / target.now
        return requantised(values / target.now, shift_of(multiplier)) * target.now

    def compute_output_spec(self, inputs):
        return self.layer.compute_output_spec(inputs)

    def get_config(self):
        own = {"bits": self.bits, "axes": self.axes, "learned": self.learned}
        return {**super().get_config(), **own}

    def _steps(self):
        narrower = ops.clip(self.narrower, _NARROWEST, 1.0) if self.learned else 1.0
        kernel = self.layer.kernel.value
        return weight_steps(kernel, bits=self.bits, axes=self.axes, narrower=narrower)

    def _by_channel(self, steps):
        """(channels,) of one each, or one for all."""
        return ops.broadcast_to(ops.reshape(steps, (-1,)), (self.channels,))
