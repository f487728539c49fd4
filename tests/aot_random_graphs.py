"""Random models of several operators, from a seed: what the plain-C engine is compared on."""

from __future__ import annotations

import random
from dataclasses import dataclass
from math import prod

import numpy as np
from tflite_samples import GraphBuilder, options_of

_ABSENT = -1
_TANH = 4
_MOST_VALUES = 2000  # of a tensor: TFLite Micro and sanitized C take long over large ones
_LIMITS = {"int8": (-128, 127), "int16": (-32768, 32767)}


@dataclass(frozen=True)
class Value:
    """A tensor that later operators may read."""

    index: int
    shape: tuple[int, ...]
    dtype: str
    scale: float
    zero: int

    @property
    def quantised(self) -> dict:
        return {"scale": self.scale, "zero_point": self.zero}


def random_graph(seed: int) -> bytes:
    """The file's bytes: one or two inputs, two to nine operators, one to three outputs."""
    draw = _Draw(seed)
    for _ in range(draw.rng.choice((1, 1, 2))):
        draw.input()
    wanted, tries = draw.rng.randint(2, 9), 0
    while draw.n_operators < wanted and tries < 60:
        tries += 1
        draw.rng.choice(_OPERATORS)(draw)
    return draw.content()


class _Draw:
    """A model under construction, with the tensors that are there to be read."""

    def __init__(self, seed: int):
        self.rng = random.Random(seed)
        self.np = np.random.default_rng(seed)
        self.graph = GraphBuilder()
        self.values: list[Value] = []
        self.inputs: list[int] = []
        self.ends: list[int] = []  # tensors that nothing reads on, of other types
        self.dtype = self.rng.choice(("int8", "int8", "int8", "int16"))
        self.n_operators = 0

    # --- tensors ---

    def scale(self, dtype: str) -> float:
        return 10 ** self.rng.uniform(-2.3, -0.7) / (1 if dtype == "int8" else 128)

    def zero(self, dtype: str) -> int:
        return 0 if dtype == "int16" else self.rng.choice((0, -128, 127, self.rng.randint(-99, 99)))

    def make(self, shape, *, like: Value | None = None, scale=None, zero=None, dtype=None) -> Value:
        """A computed tensor; quantised as another one, as stated, or anyhow."""
        dtype = dtype or (like.dtype if like else self.dtype)
        scale = scale or (like.scale if like else self.scale(dtype))
        zero = zero if zero is not None else like.zero if like else self.zero(dtype)
        index = self.graph.tensor(
            f"t{len(self.values)}", shape, dtype, scale=scale, zero_point=zero
        )
        return Value(index, tuple(shape), dtype, float(np.float32(scale)), zero)

    def input(self) -> None:
        shape = self.rng.choice(
            (
                (1, self.rng.randint(1, 6), self.rng.randint(1, 7), self.rng.randint(1, 5)),
                (1, self.rng.randint(1, 6), self.rng.randint(1, 6)),
                (1, self.rng.randint(1, 12)),
            )
        )
        self.values.append(self.make(shape))
        self.inputs.append(self.values[-1].index)

    def source(self, rank: int | None = None) -> Value | None:
        """One of the tensors, mostly a late one."""
        fitting = [v for v in self.values if rank in (None, len(v.shape))]
        return self.rng.choice(fitting[-3:]) if fitting else None

    def constant(self, values, **quantisation) -> int:
        return self.graph.constant("c", np.asarray(values), **quantisation)

    def numbers(self, values, dtype=np.int32) -> int:
        return self.constant(np.array(values, dtype))

    def add(self, op: str, inputs, results: list[Value], options=None, version=2) -> None:
        self.graph.operator(op, inputs, [r.index for r in results], options, version=version)
        self.values += [r for r in results if r.dtype in _LIMITS]
        self.ends += [r.index for r in results if r.dtype not in _LIMITS]
        self.n_operators += 1

    def activation(self) -> int:
        return self.rng.choice((0, 0, 0, 1, 2, 3))

    def content(self) -> bytes:
        computed = [v.index for v in self.values if v.index not in self.inputs]
        ends = computed[-1:] or self.inputs[:1]
        more = [*computed, *self.inputs, *self.ends]
        ends += self.rng.sample(more, min(len(more), self.rng.choice((0, 0, 1, 2))))
        return self.graph.content(self.inputs, list(dict.fromkeys([*ends, *self.ends[-1:]])))

    # --- layers with weights ---

    def weights(self, shape, axis: int, channels: int, gain: float) -> tuple[int, np.ndarray]:
        """int8 weights, of one scale or one for each channel."""
        count = self.rng.choice((1, channels))
        scales = gain * self.np.uniform(0.5, 1.0, count)
        values = self.np.integers(-127, 128, shape, dtype=np.int8)
        return self.constant(values, scale=scales, axis=axis), scales

    def bias(self, source: Value, scales, channels: int) -> list[int]:
        if self.rng.random() < 0.3:
            return []
        kind = np.int32 if source.dtype == "int8" else np.int64
        values = self.np.integers(-3000, 3000, channels).astype(kind)
        return [self.constant(values, scale=np.asarray(scales) * source.scale)]

    def summed(self, source: Value, gain: float, count: int) -> float:
        """A scale at which sums of `count` products fill an output of the source's type."""
        return source.scale * gain * 73 * np.sqrt(count) * self.rng.uniform(0.5, 3.0)


def _window(size: int, kernel: int, stride: int, step: int, *, same: bool) -> int:
    reach = (kernel - 1) * step + 1
    return -(-size // stride) if same else (size - reach + stride) // stride


def _geometry(draw: _Draw, source: Value, *, dilated: bool):
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


def conv(draw: _Draw) -> None:
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


def transpose_conv(draw: _Draw) -> None:
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
    if prod(sizes) * channels > _MOST_VALUES:
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


def dense(draw: _Draw) -> None:
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


def lstm(draw: _Draw) -> None:
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


def pool(draw: _Draw) -> None:
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


def binary(draw: _Draw) -> None:
    """ADD, SUB, MUL, MAXIMUM or MINIMUM with another tensor, itself or a constant."""
    a = draw.source()
    op = draw.rng.choice(("ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM"))
    alike = op in ("MAXIMUM", "MINIMUM")
    others = [v for v in draw.values if v.dtype == a.dtype and _broadcast(a.shape, v.shape)]
    if draw.rng.random() < 0.4:
        shape = draw.rng.choice(((1,), a.shape[-1:], a.shape))
        values = draw.np.integers(*_LIMITS[a.dtype], shape).astype(a.dtype)
        b = Value(0, shape, a.dtype, a.scale if alike else draw.scale(a.dtype), a.zero)
        b = Value(draw.constant(values, **b.quantised), *list(vars(b).values())[1:])
    else:
        b = draw.rng.choice(others)
    operands = [a, b] if draw.rng.random() < 0.7 else [b, a]
    shape = _broadcast(a.shape, b.shape)
    if prod(shape) > _MOST_VALUES:
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


def unary(draw: _Draw) -> None:
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


def other_type(draw: _Draw) -> None:
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


def reduce(draw: _Draw) -> None:
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


def arg_max(draw: _Draw) -> None:
    source = draw.source()
    if source.dtype != "int8" or len(source.shape) < 2:
        return
    axis = draw.rng.randrange(len(source.shape))
    shape = source.shape[:axis] + source.shape[axis + 1 :]
    result = draw.make(shape, dtype="int32", scale=1.0, zero=0)
    draw.add("ARG_MAX", (source.index, draw.numbers([axis])), [result], options_of("ArgMaxOptions"))


# --- values moved ---


def reshape(draw: _Draw) -> None:
    source = draw.source()
    n = prod(source.shape)
    steps = draw.rng.choice([d for d in range(1, n + 1) if n % d == 0])
    last = draw.rng.choice([d for d in range(1, n // steps + 1) if n // steps % d == 0])
    shape = draw.rng.choice(
        ((1, n), (1, steps, n // steps), (1, steps, n // steps // last, last), (1, 1, n))
    )
    result = draw.make(shape, like=source)
    options = options_of("ReshapeOptions", newShape=list(shape))
    more = (draw.numbers(shape),) if draw.rng.random() < 0.7 else ()
    draw.add("RESHAPE", (source.index, *more), [result], options)


def squeeze(draw: _Draw) -> None:
    source = draw.source()
    ones = [i for i, n in enumerate(source.shape) if n == 1]
    if draw.rng.random() < 0.5 and len(source.shape) < 4:
        axis = draw.rng.randint(0, len(source.shape))
        shape = (*source.shape[:axis], 1, *source.shape[axis:])
        result = draw.make(shape, like=source)
        draw.add("EXPAND_DIMS", (source.index, draw.numbers([axis])), [result])
    elif ones and len(source.shape) > 2:
        axis = draw.rng.choice(ones)
        shape = [n for i, n in enumerate(source.shape) if i != axis]
        result = draw.make(shape, like=source)
        options = options_of("SqueezeOptions", squeezeDims=[axis])
        draw.add("SQUEEZE", (source.index,), [result], options)


def concatenation(draw: _Draw) -> None:
    a = draw.source()
    if draw.rng.random() < 0.3 and len(a.shape) < 4:
        axis = draw.rng.randint(0, len(a.shape))
        shape = (*a.shape[:axis], 2, *a.shape[axis:])
        options = options_of("PackOptions", axis=axis, valuesCount=2)
        alike = [v for v in draw.values if v.shape == a.shape and v.dtype == a.dtype]
        b = draw.rng.choice(alike)
        draw.add("PACK", (a.index, b.index), [draw.make(shape, like=a)], options)
        return
    axis = draw.rng.randrange(len(a.shape))
    parts = [
        v
        for v in draw.values
        if (v.dtype, v.scale, v.zero) == (a.dtype, a.scale, a.zero)
        and v.shape[:axis] == a.shape[:axis]
        and v.shape[axis + 1 :] == a.shape[axis + 1 :]
        and len(v.shape) == len(a.shape)
    ]
    parts = [a, *draw.rng.choices(parts, k=draw.rng.randint(1, 2))]
    size = sum(v.shape[axis] for v in parts)
    shape = (*a.shape[:axis], size, *a.shape[axis + 1 :])
    if prod(shape) > _MOST_VALUES:
        return
    signed = axis - len(shape) if draw.rng.random() < 0.3 else axis
    options = options_of("ConcatenationOptions", axis=signed)
    draw.add("CONCATENATION", [v.index for v in parts], [draw.make(shape, like=a)], options)


def split(draw: _Draw) -> None:
    source = draw.source()
    axis = draw.rng.randrange(len(source.shape))
    n = source.shape[axis]
    before, behind = source.shape[:axis], source.shape[axis + 1 :]
    kind = draw.rng.choice(("SPLIT", "SPLIT_V", "UNPACK"))
    if kind == "UNPACK" and 1 <= n <= 4 and len(source.shape) > 1:
        parts = [draw.make(before + behind, like=source) for _ in range(n)]
        options = options_of("UnpackOptions", num=n, axis=axis)
        draw.add("UNPACK", (source.index,), parts, options)
    elif kind == "SPLIT" and n % 2 == 0:
        parts = [draw.make((*before, n // 2, *behind), like=source) for _ in range(2)]
        options = options_of("SplitOptions", numSplits=2)
        draw.add("SPLIT", (draw.numbers([axis]), source.index), parts, options)
    elif kind == "SPLIT_V" and n > 1:
        first = draw.rng.randint(1, n - 1)
        sizes = [first, n - first]
        parts = [draw.make((*before, size, *behind), like=source) for size in sizes]
        inputs = (source.index, draw.numbers(sizes), draw.numbers([axis]))
        draw.add("SPLIT_V", inputs, parts, options_of("SplitVOptions", numSplits=2))


def cut(draw: _Draw) -> None:
    """SLICE, or STRIDED_SLICE with masks, negative indices and strides."""
    source = draw.source()
    rng = draw.rng
    if rng.random() < 0.4:
        begins = [rng.randrange(n) for n in source.shape]
        sizes = [rng.randint(1, n - at) for n, at in zip(source.shape, begins, strict=True)]
        said = [
            -1 if at + size == n and rng.random() < 0.5 else size
            for n, at, size in zip(source.shape, begins, sizes, strict=True)
        ]
        inputs = (source.index, draw.numbers(begins), draw.numbers(said))
        draw.add("SLICE", inputs, [draw.make(sizes, like=source)], options_of("SliceOptions"))
        return
    lists, masks, shape = ([], [], []), [0, 0, 0], []
    for axis, n in enumerate(source.shape):
        begin, end = rng.randint(-n, n - 1), rng.randint(-n, n)
        stride = rng.choice((1, 1, 1, 2, -1, -2))
        shrink = axis > 0 and rng.random() < 0.2
        from_start, to_end = rng.random() < 0.5, rng.random() < 0.5
        if shrink:
            stride, from_start, shape_at = 1, False, None
        else:
            shape_at = len(
                range(n)[None if from_start else begin : None if to_end else end : stride]
            )
            if shape_at == 0:
                from_start = to_end = True
                shape_at = len(range(n)[::stride])
            shape.append(shape_at)
        for values, value in zip(lists, (begin, end, stride), strict=True):
            values.append(value)
        for i, bit in enumerate((from_start, to_end, shrink)):
            masks[i] |= bit << axis
    options = options_of(
        "StridedSliceOptions", beginMask=masks[0], endMask=masks[1], shrinkAxisMask=masks[2]
    )
    inputs = (source.index, *map(draw.numbers, lists))
    draw.add("STRIDED_SLICE", inputs, [draw.make(shape, like=source)], options)


def transpose(draw: _Draw) -> None:
    source = draw.source()
    order = draw.rng.sample(range(len(source.shape)), len(source.shape))
    result = draw.make([source.shape[axis] for axis in order], like=source)
    draw.add("TRANSPOSE", (source.index, draw.numbers(order)), [result])


def pad(draw: _Draw) -> None:
    source = draw.source()
    rank = len(source.shape)
    inner = range(1, 3) if rank == 4 and draw.rng.random() < 0.7 else range(rank)
    amounts = [[draw.rng.randint(0, 2) if i in inner else 0 for _ in "ab"] for i in range(rank)]
    shape = [n + sum(more) for n, more in zip(source.shape, amounts, strict=True)]
    if prod(shape) > _MOST_VALUES:
        return
    inputs = [source.index, draw.numbers(amounts)]
    op = "PAD"
    if draw.rng.random() < 0.3:
        op = draw.rng.choice(("PAD", "PADV2"))
        value = np.array([draw.rng.randint(*_LIMITS[source.dtype])], source.dtype)
        inputs.append(draw.constant(value, **source.quantised))
    draw.add(op, inputs, [draw.make(shape, like=source)], options_of("PadOptions"))


def resize(draw: _Draw) -> None:
    source = draw.source(4)
    if source is None:
        return
    size = [draw.rng.randint(1, 9), draw.rng.randint(1, 9)]
    shape = (source.shape[0], *size, source.shape[3])
    bilinear = source.dtype == "int8" and draw.rng.random() < 0.5
    kind = "ResizeBilinear" if bilinear else "ResizeNearestNeighbor"
    aligned = draw.rng.random() < 0.3
    half = not (bilinear and aligned) and draw.rng.random() < 0.3
    options = options_of(f"{kind}Options", alignCorners=aligned, halfPixelCenters=half)
    op = "RESIZE_BILINEAR" if bilinear else "RESIZE_NEAREST_NEIGHBOR"
    if prod(shape) <= _MOST_VALUES:
        result = draw.make(shape, like=source)
        draw.add(op, (source.index, draw.numbers(size)), [result], options)


# Layers that models are made of come more often.
_OPERATORS = (
    *(conv, conv, conv, dense, dense, lstm, lstm, lstm, pool, binary, binary, binary),
    *(unary, unary, unary, transpose_conv, other_type, reduce, arg_max, reshape, reshape, reshape),
    *(squeeze, concatenation, split, cut, transpose, pad, pad, resize),
)
