"""Layers of our own: an LSTM that trains faster, and a Dense over several inputs."""

from __future__ import annotations

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kd_edge")
class FastLSTM(keras.layers.LSTM):
    """`keras.layers.LSTM` with the same weights, settings and answers, unrolled for speed.

    The input projection of all steps is one product, and each step is one product more. In
    training, `dropout` and `recurrent_dropout` draw one mask a window for all four gates and all
    steps (the tied masks of Gal & Ghahramani, NeurIPS 2016, section 4), where
    Keras draws one for each gate; without dropout the two agree in gradients as well.

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
            sequences = self._drop(sequences, sequences[:, :1], cell.dropout)
        projected = ops.matmul(sequences, cell.kernel)
        if cell.use_bias:
            projected = projected + cell.bias
        return self._recur(projected, training)

    def _recur(self, projected, training):
        cell = self.cell
        recur_mask = None
        if training and cell.recurrent_dropout > 0:
            recur_mask = self._mask(projected[:, 0, : self.units], cell.recurrent_dropout)
        hidden = carry = None
        outputs = []
        for step in range(projected.shape[1]):
            z = projected[:, step]
            if hidden is not None:
                fed = hidden if recur_mask is None else hidden * recur_mask
                z = z + ops.matmul(fed, cell.recurrent_kernel)
            # Gates in Keras' order: input, forget, candidate, output.
            both = self.recurrent_activation(z[:, : 2 * self.units])
            candidate = self.activation(z[:, 2 * self.units : 3 * self.units])
            output_gate = self.recurrent_activation(z[:, 3 * self.units :])
            fresh = both[:, : self.units] * candidate
            carry = fresh if carry is None else both[:, self.units :] * carry + fresh
            hidden = output_gate * self.activation(carry)
            outputs.append(hidden)
        return ops.stack(outputs, axis=1) if self.return_sequences else hidden

    def _mask(self, like, rate):
        return keras.random.dropout(ops.ones_like(like), rate, seed=self.cell.seed_generator)

    def _drop(self, values, like, rate):
        return values * self._mask(like, rate)


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
