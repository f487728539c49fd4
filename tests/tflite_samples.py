"""Small `.tflite` models made by hand from the schema, without TensorFlow, and windows for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from kd_edge.base.flatbuffer import pack, pack_int4
from kd_edge.examples import Examples, Groups

EMG_SHAPE, ACC_SHAPE, N_CLASSES = (4, 12, 3), (2,), 5
LSTM_SHAPE, LSTM_UNITS, LSTM_CLASSES = (6, 3), 4, 3


class GraphBuilder:
    """Tensors and operators of one subgraph, in the order they are added."""

    def __init__(self):
        self._graph = schema.SubGraphT()
        self._graph.tensors, self._graph.operators = [], []
        self._buffers = [schema.BufferT()]
        self._codes = []

    def tensor(
        self, name, shape, dtype="int8", *, scale=None, zero_point=0, axis=0, variable=False
    ):
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.isVariable = name.encode(), list(shape), variable
        tensor.type = getattr(schema.TensorType, dtype.upper())
        if scale is not None:
            scales = np.atleast_1d(scale)
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = [float(s) for s in scales]
            tensor.quantization.zeroPoint = [zero_point] * len(scales)
            tensor.quantization.quantizedDimension = axis
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def constant(self, name, array, **quantisation):
        return self._constant(name, array.shape, array.dtype.name, array.tobytes(), quantisation)

    def constant_int4(self, name, array, **quantisation):
        """Values from -8 to 7."""
        return self._constant(name, array.shape, "int4", pack_int4(array).tobytes(), quantisation)

    def _constant(self, name, shape, dtype, content, quantisation):
        index = self.tensor(name, shape, dtype, **quantisation)
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(content, np.uint8)
        self._buffers.append(buffer)
        self._graph.tensors[index].buffer = len(self._buffers) - 1
        return index

    def operator(self, name, inputs, outputs, options=None, *, version=1):
        code = schema.OperatorCodeT()
        code.builtinCode = getattr(schema.BuiltinOperator, name)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)  # where newer operators do not fit
        code.version = version
        self._codes.append(code)
        operator = schema.OperatorT()
        operator.opcodeIndex = len(self._codes) - 1
        operator.inputs, operator.outputs = list(inputs), list(outputs)
        if options is not None:
            kind = type(options).__name__.removesuffix("T")
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
            operator.builtinOptions = options
        self._graph.operators.append(operator)

    def content(self, inputs, outputs) -> bytes:
        model = schema.ModelT()
        model.version, model.operatorCodes, model.buffers = 3, self._codes, self._buffers
        self._graph.inputs, self._graph.outputs = list(inputs), list(outputs)
        model.subgraphs = [self._graph]
        return pack(model)

    def write(self, path: Path, inputs, outputs) -> Path:
        path.write_bytes(self.content(inputs, outputs))
        return path


def options_of(kind: str, **values):
    options = getattr(schema, f"{kind}T")()
    for name, value in values.items():
        setattr(options, name, value)
    return options


def _weights():
    """int8 weights and int32 biases of every layer, and the scale of each output channel."""
    rng = np.random.default_rng(5)
    shapes = {
        "conv": (4, 1, 5, 3),
        "depthwise": (1, 1, 3, 4),
        "dense_emg": (N_CLASSES, 96),
        "dense_acc": (N_CLASSES, 2),
    }
    channels = {"conv": 4, "depthwise": 4, "dense_emg": 1, "dense_acc": 1}
    return {
        name: (
            rng.integers(-127, 128, shape, dtype=np.int8),
            rng.integers(-200, 200, 4 if "dense" not in name else N_CLASSES, dtype=np.int32),
            rng.uniform(0.008, 0.012, channels[name]),
        )
        for name, shape in shapes.items()
    }


# Tensor -> scale and zero point, wide enough for standard normal inputs.
_SCALES = {
    "emg": (0.03, 3),
    "acc": (0.025, -4),
    "conv_out": (0.06, -128),
    "depthwise_out": (0.08, 2),
    "dense_emg_out": (0.7, 7),
    "dense_acc_out": (0.03, 0),
    "logits": (0.7, 5),
}


class _ConvGraph(GraphBuilder):
    """Activations and layers by name, of a float model or of the int8 one that it stands for."""

    def __init__(self, *, quantised: bool):
        super().__init__()
        self._quantised = quantised

    def activation(self, name, shape):
        if not self._quantised:
            return self.tensor(name, shape, "float32")
        scale, zero_point = _SCALES[name]
        return self.tensor(name, shape, scale=scale, zero_point=zero_point)

    def layer(self, name, source, axis):
        weights, bias, scales = _weights()[name]
        bias_scales = _SCALES[source][0] * scales
        if self._quantised:
            return (
                self.constant(name, weights, scale=scales, axis=axis),
                self.constant(f"{name}_bias", bias, scale=bias_scales),
            )
        along = np.expand_dims(scales, [i for i in range(weights.ndim) if i != axis])
        return (
            self.constant(name, (weights * along).astype(np.float32)),
            self.constant(f"{name}_bias", (bias * bias_scales).astype(np.float32)),
        )


def write_conv_model(path: Path, *, quantised: bool) -> Path:
    """Two inputs: emg through two convolutions and a dense layer, acc through a dense layer; added.

    The float model has the dequantised weights of the int8 one.
    """
    graph = _ConvGraph(quantised=quantised)
    activation, layer = graph.activation, graph.layer
    emg, acc = activation("emg", (1, *EMG_SHAPE)), activation("acc", (1, *ACC_SHAPE))
    conv = activation("conv_out", (1, 4, 6, 4))
    graph.operator(
        "CONV_2D",
        (emg, *layer("conv", "emg", 0)),
        (conv,),
        options_of("Conv2DOptions", strideW=2, strideH=1, fusedActivationFunction=1),
        version=3,
    )
    depthwise = activation("depthwise_out", (1, 4, 6, 4))
    graph.operator(
        "DEPTHWISE_CONV_2D",
        (conv, *layer("depthwise", "conv_out", 3)),
        (depthwise,),
        options_of("DepthwiseConv2DOptions", strideW=1, strideH=1, depthMultiplier=1),
        version=3,
    )
    dense_emg = activation("dense_emg_out", (1, N_CLASSES))
    graph.operator(
        "FULLY_CONNECTED",
        (depthwise, *layer("dense_emg", "depthwise_out", 0)),
        (dense_emg,),
        options_of("FullyConnectedOptions"),
        version=4,
    )
    dense_acc = activation("dense_acc_out", (1, N_CLASSES))
    graph.operator(
        "FULLY_CONNECTED",
        (acc, *layer("dense_acc", "acc", 0)),
        (dense_acc,),
        options_of("FullyConnectedOptions"),
        version=4,
    )
    logits = activation("logits", (1, N_CLASSES))
    graph.operator("ADD", (dense_emg, dense_acc), (logits,), options_of("AddOptions"), version=2)
    return graph.write(path, (emg, acc), (logits,))


def write_lstm_model(path: Path) -> Path:
    """`float_lstm_model` as a file."""
    path.write_bytes(float_lstm_model())
    return path


def float_lstm_model() -> bytes:
    """float32: one fused LSTM and a dense layer over its flattened sequence."""
    rng = np.random.default_rng(6)
    graph = GraphBuilder()
    steps, channels = LSTM_SHAPE

    def constant(name, *shape):
        return graph.constant(name, rng.normal(0, 0.6, shape).astype(np.float32))

    emg = graph.tensor("emg", (1, *LSTM_SHAPE), "float32")
    kernels = [constant(f"kernel_{g}", LSTM_UNITS, channels) for g in "ifgo"]
    recurrent = [constant(f"recurrent_{g}", LSTM_UNITS, LSTM_UNITS) for g in "ifgo"]
    biases = [constant(f"bias_{g}", LSTM_UNITS) for g in "ifgo"]
    states = [
        graph.tensor(name, (1, LSTM_UNITS), "float32", variable=True) for name in ("hidden", "cell")
    ]
    sequence = graph.tensor("sequence", (1, steps, LSTM_UNITS), "float32")
    absent = -1
    graph.operator(
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
        (
            *(emg, *kernels, *recurrent),
            *(absent,) * 3,
            *biases,
            *(absent,) * 2,
            *states,
            *(absent,) * 4,
        ),
        (sequence,),
        options_of("UnidirectionalSequenceLSTMOptions", fusedActivationFunction=4),  # tanh
    )
    logits = graph.tensor("logits", (1, LSTM_CLASSES), "float32")
    graph.operator(
        "FULLY_CONNECTED",
        (
            sequence,
            constant("dense", LSTM_CLASSES, steps * LSTM_UNITS),
            constant("dense_bias", LSTM_CLASSES),
        ),
        (logits,),
        options_of("FullyConnectedOptions"),
    )
    return graph.content((emg,), (logits,))


def conv_windows(n: int, *, seed: int = 1) -> Examples:
    """Standard normal windows for `write_conv_model`, inputs in another order than the model's."""
    rng = np.random.default_rng(seed)
    return _examples(
        {
            "acc": rng.normal(size=(n, *ACC_SHAPE)).astype(np.float32),
            "emg": rng.normal(size=(n, *EMG_SHAPE)).astype(np.float32),
        },
        N_CLASSES,
    )


def lstm_windows(n: int, *, seed: int = 2) -> Examples:
    """Standard normal windows for `write_lstm_model`."""
    rng = np.random.default_rng(seed)
    return _examples({"emg": rng.normal(size=(n, *LSTM_SHAPE)).astype(np.float32)}, LSTM_CLASSES)


def _examples(inputs: dict[str, np.ndarray], n_classes: int) -> Examples:
    n = len(next(iter(inputs.values())))
    return Examples(
        inputs=inputs,
        truth=np.arange(n) % n_classes,
        groups=Groups.each([f"r{i}" for i in range(n)], subject="S1"),
        class_names=tuple("ABCDEFG"[:n_classes]),
    )
