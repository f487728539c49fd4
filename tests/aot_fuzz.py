"""Small int8 models of many operators, and ways to break their files."""

from __future__ import annotations

import random

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from tflite_samples import GraphBuilder, options_of

from kd_edge.base.flatbuffer import pack, unpack

STEPS, UNITS = 4, 5


def lstm_model(units: int = UNITS, width: int = 8) -> bytes:
    """Convolution by step, LSTM, its last step, a dense layer: as the converter writes them."""
    rng = np.random.default_rng(3)
    graph = GraphBuilder()

    def constant(name, *shape, dtype=np.int8, scale=0.01):
        low, high = (-100, 100) if dtype == np.int8 else (-500, 500)
        return graph.constant(name, rng.integers(low, high, shape, dtype=dtype), scale=scale)

    signals = graph.tensor("signals", (1, STEPS, width, 2), scale=0.04, zero_point=2)
    conv = graph.tensor("conv", (1, STEPS, width - 2, 1), scale=0.05, zero_point=-3)
    kernel = constant("kernel", 1, 1, 3, 2)
    bias = constant("bias", 1, dtype=np.int32, scale=0.0004)
    graph.operator(
        "CONV_2D",
        (signals, kernel, bias),
        (conv,),
        options_of("Conv2DOptions", strideW=1, strideH=1, padding=1),
        version=3,
    )
    rows = graph.tensor("rows", (1, STEPS, width - 2), scale=0.05, zero_point=-3)
    shape = graph.constant("shape", np.array([1, STEPS, width - 2], np.int32))
    graph.operator("RESHAPE", (conv, shape), (rows,), options_of("ReshapeOptions"))
    weights = [constant(f"w_{gate}", units, width - 2) for gate in "ifco"]
    recurrent = [constant(f"r_{gate}", units, units) for gate in "ifco"]
    biases = [constant(f"b_{gate}", units, dtype=np.int32, scale=0.0005) for gate in "ifco"]
    hidden = graph.tensor("hidden", (1, units), scale=1 / 128, zero_point=1, variable=True)
    cell = graph.tensor("cell", (1, units), "int16", scale=2.0**-11, variable=True)
    sequence = graph.tensor("sequence", (1, STEPS, units), scale=1 / 128, zero_point=1)
    absent = (-1,)
    graph.operator(
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
        (
            *(rows, *weights, *recurrent, *absent * 3),
            *(*biases, *absent * 2, hidden, cell, *absent * 4),
        ),
        (sequence,),
        options_of("UnidirectionalSequenceLSTMOptions", fusedActivationFunction=4, cellClip=10.0),
        version=3,
    )
    last = graph.tensor("last", (1, units), scale=1 / 128, zero_point=1)
    ends = [np.array(v, np.int32) for v in ([0, -1, 0], [0, 0, 0], [1, 1, 1])]
    graph.operator(
        "STRIDED_SLICE",
        (sequence, *(graph.constant(f"slice{i}", values) for i, values in enumerate(ends))),
        (last,),
        options_of("StridedSliceOptions", beginMask=5, endMask=7, shrinkAxisMask=2),
        version=2,
    )
    logits = graph.tensor("logits", (1, 3), scale=0.1, zero_point=4)
    dense = constant("dense", 3, units)
    dense_bias = constant("dense_bias", 3, dtype=np.int32, scale=0.01 / 128)
    graph.operator(
        "FULLY_CONNECTED",
        (last, dense, dense_bias),
        (logits,),
        options_of("FullyConnectedOptions"),
        version=4,
    )
    return graph.content((signals,), (logits,))


def image_model() -> bytes:
    """Padding, convolution with a folded activation, pooling, joins, splits and softmax."""
    rng = np.random.default_rng(4)
    graph = GraphBuilder()
    image = graph.tensor("image", (1, 6, 6, 2), scale=0.05, zero_point=-2)
    padded = graph.tensor("padded", (1, 8, 8, 2), scale=0.05, zero_point=-2)
    amounts = graph.constant("amounts", np.array([[0, 0], [1, 1], [1, 1], [0, 0]], np.int32))
    graph.operator("PAD", (image, amounts), (padded,), options_of("PadOptions"))
    scales = rng.uniform(0.005, 0.01, 4)
    kernel = graph.constant(
        "kernel", rng.integers(-99, 99, (4, 3, 3, 2), dtype=np.int8), scale=scales
    )
    bias = graph.constant(
        "bias", rng.integers(-99, 99, 4, dtype=np.int32), scale=scales * np.float32(0.05)
    )
    conv = graph.tensor("conv", (1, 6, 6, 4), scale=0.06, zero_point=3)
    graph.operator(
        "CONV_2D",
        (padded, kernel, bias),
        (conv,),
        options_of("Conv2DOptions", strideW=1, strideH=1, padding=1),
        version=3,
    )
    active = graph.tensor("active", (1, 6, 6, 4), scale=1 / 256, zero_point=-128)
    graph.operator("LOGISTIC", (conv,), (active,))
    product = graph.tensor("product", (1, 6, 6, 4), scale=0.06, zero_point=1)
    graph.operator("MUL", (active, conv), (product,), options_of("MulOptions"), version=2)
    pooled = graph.tensor("pooled", (1, 3, 3, 4), scale=0.06, zero_point=1)
    graph.operator(
        "MAX_POOL_2D",
        (product,),
        (pooled,),
        options_of("Pool2DOptions", strideW=2, strideH=2, filterWidth=2, filterHeight=2),
        version=2,
    )
    halves = [graph.tensor(f"half{i}", (1, 3, 3, 2), scale=0.06, zero_point=1) for i in range(2)]
    axis = graph.constant("axis", np.array(3, np.int32))
    graph.operator(
        "SPLIT", (axis, pooled), halves, options_of("SplitOptions", numSplits=2), version=2
    )
    joined = graph.tensor("joined", (1, 6, 3, 2), scale=0.06, zero_point=1)
    graph.operator(
        "CONCATENATION", halves, (joined,), options_of("ConcatenationOptions", axis=1), version=2
    )
    turned = graph.tensor("turned", (1, 2, 3, 6), scale=0.06, zero_point=1)
    order = graph.constant("order", np.array([0, 3, 2, 1], np.int32))
    graph.operator("TRANSPOSE", (joined, order), (turned,), options_of("TransposeOptions"))
    means = graph.tensor("means", (1, 6), scale=0.05, zero_point=0)
    axes = graph.constant("axes", np.array([1, 2], np.int32))
    graph.operator("MEAN", (turned, axes), (means,), options_of("ReducerOptions"), version=2)
    chances = graph.tensor("chances", (1, 6), scale=1 / 256, zero_point=-128)
    graph.operator("SOFTMAX", (means,), (chances,), options_of("SoftmaxOptions", beta=1.0))
    return graph.content((image,), (chances,))


def broken_bytes(content: bytes, seed: int) -> bytes:
    """The file with bytes flipped, cut, put in, doubled or zeroed."""
    rng = random.Random(seed)
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 8))):
        kind = rng.choice(("flip", "flip", "flip", "cut", "insert", "double", "zero", "word"))
        at = rng.randrange(max(len(data), 1))
        if kind == "flip" and data:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == "cut":
            del data[at:]
        elif kind == "insert":
            data[at:at] = rng.randbytes(rng.randrange(1, 9))
        elif kind == "double":
            data[at:at] = data[at : at + rng.randrange(1, 64)]
        elif kind == "zero":
            size = rng.randrange(1, 32)
            data[at : at + size] = bytes(size)
        else:
            word = rng.choice((0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, len(data)))
            data[at : at + 4] = word.to_bytes(4, "little")
    return bytes(data)


def broken_structure(content: bytes, seed: int) -> bytes:
    """The file, whole as a flatbuffer, with one to three of its figures changed."""
    rng = random.Random(seed)
    model = unpack(content)
    for _ in range(rng.choice((1, 1, 2, 3))):
        rng.choice(_CHANGES)(model, rng)
    return pack(model)


def odd_structure(content: bytes, seed: int) -> bytes:
    """The file with one figure changed, of the kinds after which a model may still run."""
    rng = random.Random(seed)
    model = unpack(content)
    rng.choice(_ODDITIES)(model, rng)
    return pack(model)


def _tensor(model, rng):
    return rng.choice(model.subgraphs[0].tensors)


def _size(rng) -> int:
    return rng.choice((0, 1, 2, 3, 5, 7, 64, 255, 65536, 2**20, 2**31 - 1, -1))


def _change_shape(model, rng) -> None:
    tensor = _tensor(model, rng)
    shape = list(tensor.shape) if tensor.shape is not None else []
    kind = rng.choice(("size", "more", "less", "none", "swap"))
    if kind == "size" and shape:
        shape[rng.randrange(len(shape))] = _size(rng)
    elif kind == "more":
        shape.insert(rng.randrange(len(shape) + 1), _size(rng))
    elif kind == "less" and shape:
        del shape[rng.randrange(len(shape))]
    elif kind == "swap":
        rng.shuffle(shape)
    tensor.shape = None if kind == "none" else shape


def _change_type(model, rng) -> None:
    _tensor(model, rng).type = rng.choice(
        [v for k, v in vars(schema.TensorType).items() if k.isupper()]
    )


def _change_quantisation(model, rng) -> None:
    of = _tensor(model, rng).quantization
    if of is None or of.scale is None or not len(of.scale):
        return
    kind = rng.choice(("scale", "zero point", "axis", "fewer", "none"))
    if kind == "scale":
        values = (0.0, -1.0, float("nan"), float("inf"), 1e-30, 1e30, 1e-45, 1.0)
        of.scale = [rng.choice(values)] * len(of.scale)
    elif kind == "zero point" and of.zeroPoint is not None:
        of.zeroPoint = [rng.choice((-129, 128, 1000, -(2**40), 2**62, 7))] * len(of.zeroPoint)
    elif kind == "axis":
        of.quantizedDimension = rng.choice((-1, 0, 1, 3, 9))
    elif kind == "fewer":
        of.scale = list(of.scale)[:-1]
    else:
        of.scale, of.zeroPoint = None, None


def _change_buffer(model, rng) -> None:
    filled = [b for b in model.buffers if b.data is not None and len(b.data)]
    if not filled:
        return
    buffer = rng.choice(filled)
    data = np.asarray(buffer.data, np.uint8)
    kind = rng.choice(("cut", "longer", "none", "values", "values"))
    if kind == "cut":
        data = data[: rng.randrange(len(data))]
    elif kind == "longer":
        data = np.concatenate([data, data])
    elif kind == "values":
        words = rng.choice((b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\xff\xff\xff\xff", b"\2\0\0\0"))
        data = np.resize(np.frombuffer(words, np.uint8), len(data))
    buffer.data = None if kind == "none" else data


def _change_references(model, rng) -> None:
    graph = model.subgraphs[0]
    operator = rng.choice(graph.operators)
    holder, name = rng.choice(
        ((operator, "inputs"), (operator, "outputs"), (graph, "inputs"), (graph, "outputs"))
    )
    given = getattr(holder, name)
    values = [] if given is None else list(given)
    kind = rng.choice(("other", "other", "other", "less", "more", "none"))
    index = rng.choice((-1, rng.randrange(len(graph.tensors)), rng.randrange(len(graph.tensors))))
    if kind == "other" and values:
        values[rng.randrange(len(values))] = index
    elif kind == "less" and values:
        del values[rng.randrange(len(values))]
    elif kind == "more":
        values.append(index)
    setattr(holder, name, None if kind == "none" else values)


def _change_options(model, rng) -> None:
    operator = rng.choice(model.subgraphs[0].operators)
    options = operator.builtinOptions
    if options is None or rng.random() < 0.1:
        operator.builtinOptions, operator.builtinOptionsType = None, 0
        return
    fields = [name for name, value in vars(options).items() if isinstance(value, int | float)]
    if fields:
        name = rng.choice(fields)
        small = (0, 1, 2, 3, 5, 7, 100, 127, -1)
        value = rng.choice(small)
        is_flag = isinstance(getattr(options, name), bool)
        setattr(options, name, bool(value) if is_flag else value)


def _change_operator(model, rng) -> None:
    code = rng.choice(model.operatorCodes)
    code.builtinCode = code.deprecatedBuiltinCode = rng.choice(
        [c.builtinCode for c in model.operatorCodes] + [0, 3, 14, 34, 39, 53, 70, 88, 98, 102]
    )


def _change_order(model, rng) -> None:
    rng.shuffle(model.subgraphs[0].operators)


def _change_variable(model, rng) -> None:
    tensor = _tensor(model, rng)
    tensor.isVariable = not tensor.isVariable


_CHANGES = (
    *(_change_shape, _change_shape, _change_type, _change_quantisation, _change_buffer),
    *(_change_references, _change_options, _change_operator, _change_order, _change_variable),
)


def _use_a_state(model, rng) -> None:
    """A variable tensor becomes an output too, or what some operator reads."""
    graph = model.subgraphs[0]
    states = [i for i, tensor in enumerate(graph.tensors) if tensor.isVariable]
    if not states:
        _change_options(model, rng)
    elif rng.random() < 0.5:
        graph.outputs = [*map(int, graph.outputs), rng.choice(states)]
    else:
        operator = rng.choice(graph.operators)
        values = [int(i) for i in operator.inputs]
        values[rng.randrange(len(values))] = rng.choice(states)
        operator.inputs = values


_ODDITIES = (
    *(_change_options,) * 5,
    *(_use_a_state,) * 2,
    *(_change_quantisation, _change_buffer, _change_references, _change_references),
    *(_change_shape, _change_type, _change_variable, _change_order),
)
