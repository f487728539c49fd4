"""Operators that compute, drawn at random onto a model under construction."""

from __future__ import annotations

from math import prod

import numpy as np
from aot_drawing import LIMITS, MOST_VALUES, Draw, Value
from tflite_samples import options_of

_ABSENT = -1
_TANH = 4


def _window(size: int, kernel: int, stride: int, step: int, *, same: bool) -> int:
    reach = (kernel - 1) * step + 1
    return -(-size // stride) if same else (size - reach + stride) // stride


def _geometry(draw: Draw, source: Value, *, dilated: bool):
    """Kernel, strides, dilation, padding and the rows and columns that they leave; None if none."""
    rng = draw.rng
    kernel = [rng.randint(1, 3), rng.randint(1, 4)]
    strides = [rng.randint(1, 2), rng.randint(1, 3)]
    steps = [rng.choice((1, 1, 2)) if dilated else 1 for _ in range(2)]
    same = rng.random() < 0.5
    sizes = [
        _window(*of, same=same)
        for of in zip(source.shape[1:3], kernel, strides, steps, strict=True)
    ]
    return (kernel, strides, steps, same, sizes) if min(sizes) > 0 else None


def conv(draw: Draw) -> None:
    source = draw.source(4)
    found = source and _geometry(draw, source, dilated=True)
    if not found:
        return
    kernel, strides, steps, same, sizes = found
    depthwise = draw.rng.random() < 0.5
    depth = source.shape[3]
    multiplier = draw.rng.randint(1, 2)
    channels = depth * multiplier if depthwise else draw.rng.randint(1, 6)
    shape = (1, *kernel, channels) if depthwise else (channels, *kernel, depth)
    gain = 10 ** draw.rng.uniform(-3, -1)
    weights, scales = draw.weights(shape, 3 if depthwise else 0, channels, gain)
    count = prod(kernel) * (1 if depthwise else depth)
    result = draw.make(
        (source.shape[0], *sizes, channels),
        like=source,
        scale=draw.summed(source, gain, count),
        zero=draw.zero(source.dtype),
    )
    common = {
        "strideH": strides[0],
        "strideW": strides[1],
        "dilationHFactor": steps[0],
        "dilationWFactor": steps[1],
        "padding": 0 if same else 1,
        "fusedActivationFunction": draw.activation(),
    }
    name, more = (
        ("DepthwiseConv2D", {"depthMultiplier": multiplier}) if depthwise else ("Conv2D", {})
    )
    options = options_of(f"{name}Options", **common, **more)
    op = "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D"
    inputs = (source.index, weights, *draw.bias(source, scales, channels))
    draw.add(op, inputs, [result], options, version=3)


def transpose_conv(draw: Draw) -> None:
    source = draw.source(4)
    if source is None or source.shape[0] != 1:
        return
    rng = draw.rng
    kernel, strides = (rng.randint(1, 3), rng.randint(1, 3)), (rng.randint(1, 2), rng.randint(1, 2))
    channels, same = rng.randint(1, 4), rng.random() < 0.5
    sizes = [
        n * s if same else (n - 1) * s + k
        for n, s, k in zip(source.shape[1:3], strides, kernel, strict=True)
    ]
    if prod(sizes) * channels > MOST_VALUES:
        return
    gain = 10 ** rng.uniform(-3, -1)
    weights, scales = draw.weights((channels, *kernel, source.shape[3]), 0, channels, gain)
    shape = (1, *sizes, channels)
    result = draw.make(
        shape,
        like=source,
        scale=draw.summed(source, gain, source.shape[3]),
        zero=draw.zero(source.dtype),
    )
    options = options_of(
        "TransposeConvOptions",
        strideH=strides[0],
        strideW=strides[1],
        padding=0 if same else 1,
        fusedActivationFunction=draw.activation(),
    )
    inputs = (draw.numbers(shape), weights, source.index, *draw.bias(source, scales, channels))
    draw.add("TRANSPOSE_CONV", inputs, [result], options, version=3)


def dense(draw: Draw) -> None:
    source = draw.source()
    columns, rows = source.shape[-1], draw.rng.randint(1, 7)
    gain = 10 ** draw.rng.uniform(-3, -1)
    weights, scales = draw.weights((rows, columns), 0, rows, gain)
    keep = draw.rng.random() < 0.5
    batches = prod(source.shape[:-1])
    result = draw.make(
        (*source.shape[:-1], rows) if keep else (batches, rows),
        like=source,
        scale=draw.summed(source, gain, columns),
        zero=draw.zero(source.dtype),
    )
    options = options_of(
        "FullyConnectedOptions", keepNumDims=keep, fusedActivationFunction=draw.activation()
    )
    inputs = (source.index, weights, *(draw.bias(source, scales, rows) or [_ABSENT]))
    draw.add("FULLY_CONNECTED", inputs, [result], options, version=4)


def lstm(draw: Draw) -> None:
    source = draw.source(3)
    if source is None or 1 not in source.shape[:2]:
        return
    time_major = source.shape[0] != 1 or (source.shape[1] == 1 and draw.rng.random() < 0.3)
    columns, units = source.shape[2], draw.rng.randint(1, 6)
    narrow = source.dtype == "int8"
    gate = draw.rng.choice((3e-3, 0.02, 0.1)) * 2.0**-12 / (1 if narrow else 128)
    hidden_scale = draw.rng.choice((1 / 128, 1 / 200, 0.02)) / (1 if narrow else 256)

    def matrix(n: int, scale: float) -> int:
        values = draw.np.integers(-127, 128, (units, n), dtype=np.int8)
        return draw.constant(values, scale=scale * draw.rng.uniform(0.7, 1.0))

    kernels = [matrix(columns, gate / source.scale) for _ in range(4)]
    recurrent = [matrix(units, gate / hidden_scale) for _ in range(4)]
    numbers = draw.np.integers(-3000, 3000, (4, units)).astype(np.int32 if narrow else np.int64)
    biases = [draw.constant(row, scale=gate) for row in numbers]
    quantised = {"scale": hidden_scale, "zero_point": draw.zero(source.dtype)}
    hidden = draw.graph.tensor("hidden", (1, units), source.dtype, variable=True, **quantised)
    cell = draw.graph.tensor(
        "cell", (1, units), "int16", scale=2.0 ** -draw.rng.randint(8, 14), variable=True
    )
    result = draw.make(
        (*source.shape[:2], units), like=source, scale=hidden_scale, zero=quantised["zero_point"]
    )
    inputs = (
        *(source.index, *kernels, *recurrent, *(_ABSENT,) * 3, *biases),
        *(*(_ABSENT,) * 2, hidden, cell, *(_ABSENT,) * 4),
    )
    options = options_of(
        "UnidirectionalSequenceLSTMOptions",
        fusedActivationFunction=_TANH,
        cellClip=draw.rng.choice((0.0, 0.7, 10.0)),
        timeMajor=time_major,
    )
    draw.add("UNIDIRECTIONAL_SEQUENCE_LSTM", inputs, [result], options, version=3)


# --- value by value ---


def pool(draw: Draw) -> None:
    source = draw.source(4)
    found = source and _geometry(draw, source, dilated=False)
    if not found:
        return
    kernel, strides, _, same, sizes = found
    result = draw.make((source.shape[0], *sizes, source.shape[3]), like=source)
    options = options_of(
        "Pool2DOptions",
        strideH=strides[0],
        strideW=strides[1],
        filterHeight=kernel[0],
        filterWidth=kernel[1],
        padding=0 if same else 1,
        fusedActivationFunction=draw.activation(),
    )
    draw.add(
        draw.rng.choice(("AVERAGE_POOL_2D", "MAX_POOL_2D")), (source.index,), [result], options
    )


def binary(draw: Draw) -> None:
    """ADD, SUB, MUL, MAXIMUM or MINIMUM with another tensor, itself or a constant."""
    a = draw.source()
    op = draw.rng.choice(("ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM"))
    alike = op in ("MAXIMUM", "MINIMUM")
    others = [v for v in draw.values if v.dtype == a.dtype and _broadcast(a.shape, v.shape)]
    if draw.rng.random() < 0.4:
        shape = draw.rng.choice(((1,), a.shape[-1:], a.shape))
        values = draw.np.integers(*LIMITS[a.dtype], shape).astype(a.dtype)
        b = Value(0, shape, a.dtype, a.scale if alike else draw.scale(a.dtype), a.zero)
        b = Value(draw.constant(values, **b.quantised), *list(vars(b).values())[1:])
    else:
        b = draw.rng.choice(others)
    operands = [a, b] if draw.rng.random() < 0.7 else [b, a]
    shape = _broadcast(a.shape, b.shape)
    if prod(shape) > MOST_VALUES:
        return
    scale = a.scale * b.scale * 40 if op == "MUL" else 1.5 * max(a.scale, b.scale)
    if op == "MUL" and a.dtype == "int16":
        scale *= 128
    result = (
        draw.make(shape, like=a)
        if alike
        else draw.make(
            shape, like=a, scale=scale * draw.rng.uniform(0.6, 2), zero=draw.zero(a.dtype)
        )
    )
    kind = {"ADD": "Add", "SUB": "Sub", "MUL": "Mul"}.get(op)
    options = kind and options_of(f"{kind}Options", fusedActivationFunction=draw.activation())
    draw.add(op, [v.index for v in operands], [result], options)


def _broadcast(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...] | None:
    try:
        return np.broadcast_shapes(a, b)
    except ValueError:
        return None


def unary(draw: Draw) -> None:
    source = draw.source()
    narrow = source.dtype == "int8"
    op = draw.rng.choice(
        ("LOGISTIC", "TANH", "RELU", "RELU6", "LEAKY_RELU", "QUANTIZE", "SOFTMAX")
        + (("HARD_SWISH", "ABS") if narrow else ())
    )
    fixed = {
        "LOGISTIC": (1 / 256, -128) if narrow else (1 / 32768, 0),
        "SOFTMAX": (1 / 256, -128) if narrow else (1 / 32768, 0),
        "TANH": (1 / 128, 0) if narrow else (1 / 32768, 0),
        "RELU6": (source.scale, source.zero),
    }
    scale, zero = fixed.get(
        op, (source.scale * draw.rng.uniform(0.5, 2.0), draw.zero(source.dtype))
    )
    options = None
    if op == "LEAKY_RELU":
        options = options_of("LeakyReluOptions", alpha=draw.rng.choice((0.1, 0.5, -0.3, 1.5)))
    elif op == "SOFTMAX":
        options = options_of("SoftmaxOptions", beta=draw.rng.choice((1.0, 1.0, 0.5, 2.0)))
    result = draw.make(source.shape, like=source, scale=scale, zero=zero)
    draw.add(op, (source.index,), [result], options)


def other_type(draw: Draw) -> None:
    """QUANTIZE to the other integer type, or DEQUANTIZE to an end of the model."""
    source = draw.source()
    if draw.rng.random() < 0.4:
        result = draw.make(source.shape, like=source, dtype="float32")
        draw.add("DEQUANTIZE", (source.index,), [result])
        return
    dtype = "int16" if source.dtype == "int8" else "int8"
    scale = source.scale / 128 if dtype == "int16" else source.scale * 128
    result = draw.make(source.shape, scale=scale, zero=draw.zero(dtype), dtype=dtype)
    draw.add("QUANTIZE", (source.index,), [result])


def reduce(draw: Draw) -> None:
    source = draw.source()
    rank = len(source.shape)
    axes = draw.rng.sample(range(rank), draw.rng.randint(1, rank))
    keep = draw.rng.random() < 0.5
    shape = [1 if i in axes else n for i, n in enumerate(source.shape) if keep or i not in axes]
    op = draw.rng.choice(("MEAN", "SUM"))
    scale = source.scale * draw.rng.uniform(0.5, 2.0)
    scale *= 1 if op == "MEAN" else np.sqrt(prod(source.shape[a] for a in axes))
    result = draw.make(shape or (1,), like=source, scale=scale, zero=draw.zero(source.dtype))
    if not shape:
        return
    signed = [a - rank if draw.rng.random() < 0.3 else a for a in axes]
    options = options_of("ReducerOptions", keepDims=keep)
    draw.add(op, (source.index, draw.numbers(signed)), [result], options)


def arg_max(draw: Draw) -> None:
    source = draw.source()
    if source.dtype != "int8" or len(source.shape) < 2:
        return
    axis = draw.rng.randrange(len(source.shape))
    shape = source.shape[:axis] + source.shape[axis + 1 :]
    result = draw.make(shape, dtype="int32", scale=1.0, zero=0)
    draw.add("ARG_MAX", (source.index, draw.numbers([axis])), [result], options_of("ArgMaxOptions"))
