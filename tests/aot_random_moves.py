"""Operators that move values, drawn at random onto a model under construction."""

from __future__ import annotations

from math import prod

import numpy as np
from aot_drawing import LIMITS, MOST_VALUES, Draw
from tflite_samples import options_of


def reshape(draw: Draw) -> None:
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


def squeeze(draw: Draw) -> None:
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


def concatenation(draw: Draw) -> None:
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
    if prod(shape) > MOST_VALUES:
        return
    signed = axis - len(shape) if draw.rng.random() < 0.3 else axis
    options = options_of("ConcatenationOptions", axis=signed)
    draw.add("CONCATENATION", [v.index for v in parts], [draw.make(shape, like=a)], options)


def split(draw: Draw) -> None:
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


def cut(draw: Draw) -> None:
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


def transpose(draw: Draw) -> None:
    source = draw.source()
    order = draw.rng.sample(range(len(source.shape)), len(source.shape))
    result = draw.make([source.shape[axis] for axis in order], like=source)
    draw.add("TRANSPOSE", (source.index, draw.numbers(order)), [result])


def pad(draw: Draw) -> None:
    source = draw.source()
    rank = len(source.shape)
    inner = range(1, 3) if rank == 4 and draw.rng.random() < 0.7 else range(rank)
    amounts = [[draw.rng.randint(0, 2) if i in inner else 0 for _ in "ab"] for i in range(rank)]
    shape = [n + sum(more) for n, more in zip(source.shape, amounts, strict=True)]
    if prod(shape) > MOST_VALUES:
        return
    inputs = [source.index, draw.numbers(amounts)]
    op = "PAD"
    if draw.rng.random() < 0.3:
        op = draw.rng.choice(("PAD", "PADV2"))
        value = np.array([draw.rng.randint(*LIMITS[source.dtype])], source.dtype)
        inputs.append(draw.constant(value, **source.quantised))
    draw.add(op, inputs, [draw.make(shape, like=source)], options_of("PadOptions"))


def resize(draw: Draw) -> None:
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
    if prod(shape) <= MOST_VALUES:
        result = draw.make(shape, like=source)
        draw.add(op, (source.index, draw.numbers(size)), [result], options)
