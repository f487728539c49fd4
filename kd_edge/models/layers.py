"""Layers of our own: a faster LSTM, a Dense over several inputs, statistics of segments, trees."""

from __future__ import annotations

import keras
from keras import ops

# Of a class that no tree has seen where a window came: a logarithm of 0 has no end.
LEAST_SHARE = 1e-4


@keras.saving.register_keras_serializable(package="kd_edge")
class FastLSTM(keras.layers.LSTM):
    """`keras.layers.LSTM` with the same weights, settings and answers, laid out for speed.

    The input projection of all steps is one product, and the steps are unrolled with one product
    each. Without dropout the gradients are the parent's as well. With it, one mask a window serves
    all four gates and all steps (the tied masks of Gal & Ghahramani, NeurIPS 2016), where the
    parent draws a mask for each gate: the same rates, twice the speed.

    Inputs: (batch, steps, features) with a fixed number of steps; (batch, units) or, with
    `return_sequences`, (batch, steps, units). What the short path leaves out (masks, states given
    or returned, `stateful`, `go_backwards`) is computed by the parent class.
    """

    def call(self, sequences, initial_state=None, mask=None, training=False):
        plain = initial_state is None and mask is None and sequences.shape[1] is not None
        if not plain or self.stateful or self.go_backwards or self.return_state:
            return super().call(sequences, initial_state, mask=mask, training=training)
        cell = self.cell
        if training and cell.dropout > 0:
            sequences = sequences * self._mask(sequences[:, :1], cell.dropout)
        projected = ops.matmul(sequences, cell.kernel)
        if cell.use_bias:
            projected = projected + cell.bias
        recurrent_mask = None
        if training and cell.recurrent_dropout > 0:
            recurrent_mask = self._mask(projected[:, 0, : self.units], cell.recurrent_dropout)
        return self._recur(projected, recurrent_mask)

    def _recur(self, projected, recurrent_mask):
        kernel = self.cell.recurrent_kernel
        hidden = carry = None
        outputs = []
        # unstack and split have cheap gradients; those of slices would add up padded copies.
        for step in ops.unstack(projected, num=projected.shape[1], axis=1):
            z = step
            if hidden is not None:
                fed = hidden if recurrent_mask is None else hidden * recurrent_mask
                z = step + ops.matmul(fed, kernel)
            admit, keep, candidate, show = ops.split(z, 4, axis=1)
            fresh = self.recurrent_activation(admit) * self.activation(candidate)
            carry = fresh if carry is None else self.recurrent_activation(keep) * carry + fresh
            hidden = self.recurrent_activation(show) * self.activation(carry)
            outputs.append(hidden)
        return ops.stack(outputs, axis=1) if self.return_sequences else hidden

    def _mask(self, like, rate):
        """Zeros, and ones scaled by 1 / (1 - rate), in the shape of `like`."""
        return keras.random.dropout(ops.ones_like(like), rate, seed=self.cell.seed_generator)


@keras.saving.register_keras_serializable(package="kd_edge")
class FusionDense(keras.layers.Layer):
    """Dense over the concatenation of several inputs, as a sum of one product for each.

    The mathematics and the number of parameters of Concatenate + Dense. In int8 it becomes
    FULLY_CONNECTED and ADD, each with its own scale: a concatenation would force one scale on all
    inputs, and the converter then mis-scales LSTM outputs without a word.

    Args:
        units: width of the output.

    Inputs: list of (batch, features_i); output: (batch, units).
    """

    def __init__(self, units: int, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        fan_in = sum(shape[-1] for shape in input_shape)
        # Glorot uniform (Glorot & Bengio 2010) of the whole matrix, not of its parts.
        limit = (6.0 / (fan_in + self.units)) ** 0.5
        self.kernels = [
            self.add_weight(
                shape=(shape[-1], self.units),
                name=f"kernel_{index}",
                initializer=keras.initializers.RandomUniform(-limit, limit),
            )
            for index, shape in enumerate(input_shape)
        ]
        self.bias = self.add_weight(shape=(self.units,), name="bias", initializer="zeros")

    def call(self, inputs):
        total = ops.matmul(inputs[0], self.kernels[0]) + self.bias
        for value, kernel in zip(inputs[1:], self.kernels[1:], strict=True):
            total = total + ops.matmul(value, kernel)
        return total

    def compute_output_shape(self, input_shape):
        return (input_shape[0][0], self.units)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable(package="kd_edge")
class SegmentStatistic(keras.layers.Layer):
    """One statistic of each channel in each segment.

    'mean'; 'magnitude', the mean absolute value; 'length', the mean absolute step from one sample
    to the next; 'deviation', the mean of what lies above the segment's mean, which is half the mean
    absolute deviation, since deviations add up to 0.

    Args:
        kind: one of these four.

    Inputs: (batch, segments, samples, channels); output: (batch, segments, 1, channels).
    """

    def __init__(self, kind: str, **kwargs):
        super().__init__(**kwargs)
        self.kind = kind

    def call(self, x):
        if self.kind == "magnitude":
            x = ops.absolute(x)
        elif self.kind == "length":
            x = ops.absolute(x[:, :, 1:] - x[:, :, :-1])
        elif self.kind == "deviation":
            x = ops.relu(x - ops.mean(x, axis=2, keepdims=True))
        return ops.mean(x, axis=2, keepdims=True)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:2], 1, input_shape[3])

    def get_config(self):
        return {**super().get_config(), "kind": self.kind}


@keras.saving.register_keras_serializable(package="kd_edge")
class TreeShares(keras.layers.Layer):
    """What many decision trees answer together: the logarithm of their mean shares of classes.

    A tree asks one feature after the other whether it is above a threshold. Its weights are
    tables of all trees' nodes: feature, threshold, the node that follows (not above, above), and
    the classes' shares of the training windows that came there. A leaf follows itself.

    Args:
        trees: how many.
        nodes: the most of one tree.
        depth: questions that the longest way to a leaf asks.
        classes: width of the output.

    Inputs: (batch, features); output: (batch, classes), logits whose softmax are the mean shares.
    """

    def __init__(self, trees: int, nodes: int, depth: int, classes: int, **kwargs):
        super().__init__(**kwargs)
        self.trees, self.nodes, self.depth, self.classes = trees, nodes, depth, classes

    def build(self, input_shape):
        del input_shape

        def table(name: str, *shape: int, dtype: str = "int32"):
            size = (self.trees * self.nodes, *shape)
            return self.add_weight(
                shape=size, name=name, dtype=dtype, initializer="zeros", trainable=False
            )

        self.feature, self.follows = table("feature"), table("follows", 2)
        self.threshold = table("threshold", dtype="float32")
        self.shares = table("shares", self.classes, dtype="float32")

    def call(self, vectors):
        roots = ops.arange(self.trees, dtype="int32") * self.nodes
        at = ops.zeros_like(vectors[:, :1], dtype="int32") + roots
        for _ in range(self.depth):
            asked = ops.take_along_axis(vectors, ops.take(self.feature, at), axis=1)
            above = asked > ops.take(self.threshold, at)
            follows = ops.take(self.follows, at, axis=0)
            at = ops.where(above, follows[..., 1], follows[..., 0])
        shares = ops.mean(ops.take(self.shares, at, axis=0), axis=1)
        return ops.log(ops.maximum(shares, LEAST_SHARE))

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.classes)

    def get_config(self):
        own = {name: getattr(self, name) for name in ("trees", "nodes", "depth", "classes")}
        return {**super().get_config(), **own}
