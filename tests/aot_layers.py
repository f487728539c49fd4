"""Small int8 models of several layers from the schema, for the plain-C engine's passes."""

from __future__ import annotations

import numpy as np
from tflite_samples import GraphBuilder, options_of

RELU, TANH = 1, 4
VALID = 1
ABSENT = -1


class Layers(GraphBuilder):
    """Layers with random weights; each returns the index of its result, and its shape if new."""

    def __init__(self, seed: int):
        super().__init__()
        self.rng = np.random.default_rng(seed)
        self._scales: dict[int, float] = {}
        self._count = 0

    def value(self, shape, *, scale=0.05, zero_point=3):
        index = self.tensor(self._name("value"), shape, scale=scale, zero_point=zero_point)
        self._scales[index] = scale
        return index

    def conv(self, source, source_shape, filters, kernel, *, activation=0):
        height, width = kernel
        weights, scales = self._weights((filters, height, width, source_shape[3]), filters)
        bias = self._bias(filters, scales * self._scales[source])
        shape = (
            source_shape[0],
            source_shape[1] - height + 1,
            source_shape[2] - width + 1,
            filters,
        )
        result = self.value(shape, scale=0.06, zero_point=-5)
        options = options_of(
            "Conv2DOptions",
            strideW=1,
            strideH=1,
            padding=VALID,
            fusedActivationFunction=activation,
        )
        self.operator("CONV_2D", (source, weights, bias), (result,), options, version=3)
        return result, shape

    def unary(self, name, source, shape, *, scale=1 / 256, zero_point=-128):
        result = self.value(shape, scale=scale, zero_point=zero_point)
        self.operator(name, (source,), (result,))
        return result

    def pool(self, source, shape, width):
        shape = (*shape[:2], shape[2] // width, shape[3])
        result = self.value(shape, scale=self._scales[source], zero_point=-128)
        options = options_of(
            "Pool2DOptions",
            padding=VALID,
            strideW=width,
            strideH=1,
            filterWidth=width,
            filterHeight=1,
        )
        self.operator("AVERAGE_POOL_2D", (source,), (result,), options, version=2)
        return result, shape

    def reshape(self, source, shape, *, zero_point=-128):
        target = self.constant(self._name("shape"), np.array(shape, np.int32))
        result = self.value(shape, scale=self._scales[source], zero_point=zero_point)
        options = options_of("ReshapeOptions", newShape=list(shape))
        self.operator("RESHAPE", (source, target), (result,), options)
        return result

    def lstm(self, source, shape, units, *, zero_point=2):
        batch, steps, channels = shape
        kernels = [self._weights((units, channels), 1, scale=0.03) for _ in range(4)]
        recurrent = [self._weights((units, units), 1)[0] for _ in range(4)]
        biases = [self._bias(units, scales * self._scales[source]) for _, scales in kernels]
        states = (
            self.tensor(
                self._name("hidden"),
                (batch, units),
                scale=1 / 128,
                zero_point=zero_point,
                variable=True,
            ),
            self.tensor(self._name("cell"), (batch, units), "int16", scale=2.0**-12, variable=True),
        )
        result = self.value((batch, steps, units), scale=1 / 128, zero_point=zero_point)
        inputs = (source, *(weights for weights, _ in kernels), *recurrent, *(ABSENT,) * 3)
        inputs += (*biases, *(ABSENT,) * 2, *states, *(ABSENT,) * 4)
        options = options_of("UnidirectionalSequenceLSTMOptions", fusedActivationFunction=TANH)
        self.operator("UNIDIRECTIONAL_SEQUENCE_LSTM", inputs, (result,), options)
        return result, (batch, steps, units)

    def last_step(self, source, shape, *, zero_point=2):
        cuts = [
            self.constant(self._name("cut"), np.array(values, np.int32))
            for values in ([0, -1, 0], [0, 0, 0], [1, 1, 1])
        ]
        result = self.value((shape[0], shape[2]), scale=1 / 128, zero_point=zero_point)
        options = options_of("StridedSliceOptions", beginMask=5, endMask=5, shrinkAxisMask=2)
        self.operator("STRIDED_SLICE", (source, *cuts), (result,), options)
        return result

    def dense(self, source, columns, rows):
        weights, scales = self._weights((rows, columns), 1)
        bias = self._bias(rows, scales * self._scales[source])
        result = self.value((1, rows), scale=0.1, zero_point=7)
        options = options_of("FullyConnectedOptions")
        self.operator("FULLY_CONNECTED", (source, weights, bias), (result,), options, version=4)
        return result

    def _weights(self, shape, scale_count, *, scale=0.01):
        scales = self.rng.uniform(0.5 * scale, scale, scale_count)
        values = self.rng.integers(-127, 128, shape, dtype=np.int8)
        return self.constant(self._name("weights"), values, scale=scales, axis=0), scales

    def _bias(self, count, scales):
        values = self.rng.integers(-2000, 2000, count, dtype=np.int32)
        return self.constant(self._name("bias"), values, scale=scales)

    def _name(self, kind: str) -> str:
        self._count += 1
        return f"{kind}_{self._count}"


def branch_model(*, second_table=False, sequence_is_output=False, batch=1) -> bytes:
    """Per-step convolution, sigmoid and pooling, two LSTMs, last step, dense."""
    graph = Layers(1)
    shape = (batch, 5, 14, 3)
    source = graph.value(shape)
    result, shape = graph.conv(source, shape, 4, (1, 3))
    result = graph.unary("LOGISTIC", result, shape)
    if second_table:
        result = graph.unary("TANH", result, shape, scale=1 / 128, zero_point=0)
        result, shape = graph.conv(result, shape, 2, (1, 2))
        result = graph.unary("LOGISTIC", result, shape)
    result, shape = graph.pool(result, shape, 3)
    shape = (batch, 5, shape[2] * shape[3])
    result = graph.reshape(result, shape)
    result, shape = graph.lstm(result, shape, 6)
    sequence, shape = graph.lstm(result, shape, 7)
    result = graph.dense(graph.last_step(sequence, shape), 7, 4)
    return graph.content((source,), (result, sequence) if sequence_is_output else (result,))


def conv_pad_model(*, pad_is_output=False) -> bytes:
    """PAD of rows and columns before a VALID convolution."""
    graph = Layers(2)
    source = graph.value((1, 4, 6, 3))
    amounts = graph.constant("amounts", np.array([[0, 0], [1, 0], [2, 1], [0, 0]], np.int32))
    padded = graph.value((1, 5, 9, 3))
    graph.operator("PAD", (source, amounts), (padded,), options_of("PadOptions"), version=2)
    result, _ = graph.conv(padded, (1, 5, 9, 3), 5, (2, 3), activation=RELU)
    return graph.content((source,), (result, padded) if pad_is_output else (result,))


def join_model(*, shared=False) -> bytes:
    """Two dense layers joined; `shared` gives the first one to the caller as well."""
    graph = Layers(3)
    source = graph.value((1, 9))
    left, right = graph.dense(source, 9, 5), graph.dense(source, 9, 3)
    whole = graph.value((1, 8), scale=0.1, zero_point=7)
    options = options_of("ConcatenationOptions", axis=-1)
    graph.operator("CONCATENATION", (left, right), (whole,), options, version=2)
    result = graph.dense(whole, 8, 4)
    return graph.content((source,), (result, left) if shared else (result,))
