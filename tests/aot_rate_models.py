"""Models of one or two operators in several sizes, for measuring kernels."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from aot_fuzz import image_model, lstm_model
from aot_stream_models import Conv, stack
from tflite_samples import GraphBuilder, options_of


def rate_models() -> list[bytes]:
    """Each int8 operator that has a kernel, small and larger."""
    models = [image_model(), lstm_model()]
    models += [lstm_model(units, width) for units, width in ((16, 20), (32, 70), (50, 148))]
    for size, channels in ((8, 4), (12, 16), (16, 8)):
        models += [_chain(size, channels), _element_wise(size, channels)]
    return models


def stream_models() -> list[tuple[bytes, Fraction]]:
    """Models that keep columns from hop to hop, with their hops."""
    convs = [Conv(5, 2), Conv(3, 2), Conv(3)]
    sizes = ((48, 4), (96, 8), (192, 16))
    return [(stack(convs, samples=n, width=width), Fraction(1, 4)) for n, width in sizes]


def _chain(size: int, channels: int) -> bytes:
    """CONV_2D of several depths, DEPTHWISE_CONV_2D, pools, FULLY_CONNECTED, SOFTMAX."""
    rng = np.random.default_rng(size)
    graph = GraphBuilder()

    def weights(name, *shape, axis=0):
        scales = rng.uniform(0.005, 0.01, shape[axis])
        values = rng.integers(-127, 128, shape, dtype=np.int8)
        bias = rng.integers(-200, 200, shape[axis], dtype=np.int32)
        return (
            graph.constant(name, values, scale=scales, axis=axis),
            graph.constant(
                f"{name}_bias", bias, scale=np.float32(0.05) * scales.astype(np.float32)
            ),
        )

    def tensor(*shape):
        return graph.tensor("t", shape, scale=0.05, zero_point=3)

    image = tensor(1, size, size, 2)
    first, second, third = (tensor(1, size, size, channels) for _ in range(3))
    conv = options_of("Conv2DOptions", strideW=1, strideH=1)
    graph.operator("CONV_2D", (image, *weights("a", channels, 3, 3, 2)), (first,), conv, version=3)
    graph.operator(
        "CONV_2D", (first, *weights("b", channels, 1, 1, channels)), (second,), conv, version=3
    )
    graph.operator(
        "DEPTHWISE_CONV_2D",
        (second, *weights("c", 1, 3, 3, channels, axis=3)),
        (third,),
        options_of("DepthwiseConv2DOptions", strideW=1, strideH=1, depthMultiplier=1),
        version=3,
    )
    half, quarter = size // 2, size // 4
    pool = {"strideW": 2, "strideH": 2, "filterWidth": 2, "filterHeight": 2}
    smaller, smallest = tensor(1, half, half, channels), tensor(1, quarter, quarter, channels)
    graph.operator(
        "AVERAGE_POOL_2D", (third,), (smaller,), options_of("Pool2DOptions", **pool), version=2
    )
    graph.operator(
        "MAX_POOL_2D", (smaller,), (smallest,), options_of("Pool2DOptions", **pool), version=2
    )
    inputs = quarter * quarter * channels
    dense = graph.constant(
        "dense", rng.integers(-127, 128, (10, inputs), dtype=np.int8), scale=0.01
    )
    bias = graph.constant("bias", rng.integers(-99, 99, 10, dtype=np.int32), scale=0.0005)
    logits = tensor(1, 10)
    graph.operator(
        "FULLY_CONNECTED",
        (smallest, dense, bias),
        (logits,),
        options_of("FullyConnectedOptions"),
        version=4,
    )
    chances = graph.tensor("chances", (1, 10), scale=1 / 256, zero_point=-128)
    graph.operator("SOFTMAX", (logits,), (chances,), options_of("SoftmaxOptions", beta=1.0))
    return graph.content((image,), (chances,))


def _element_wise(size: int, channels: int) -> bytes:
    """ADD, MUL, MAXIMUM, LOGISTIC, PAD, TRANSPOSE, MEAN, ARG_MAX and both RESIZEs."""
    graph = GraphBuilder()

    def tensor(*shape, dtype="int8", scale=0.05, zero_point=3):
        return graph.tensor("t", shape, dtype, scale=scale, zero_point=zero_point)

    def numbers(*values):
        return graph.constant("numbers", np.array(values, np.int32))

    shape = (1, size, size, channels)
    a, b, total, product, most = (tensor(*shape) for _ in range(5))
    graph.operator("ADD", (a, b), (total,), options_of("AddOptions"), version=2)
    graph.operator("MUL", (total, b), (product,), options_of("MulOptions"), version=2)
    graph.operator("MAXIMUM", (product, a), (most,), version=2)
    smooth = tensor(*shape, scale=1 / 256, zero_point=-128)
    graph.operator("LOGISTIC", (most,), (smooth,))
    larger = tensor(1, 2 * size, 2 * size, channels, scale=1 / 256, zero_point=-128)
    both = numbers(2 * size, 2 * size)
    graph.operator(
        "RESIZE_NEAREST_NEIGHBOR",
        (smooth, both),
        (larger,),
        options_of("ResizeNearestNeighborOptions"),
        version=2,
    )
    bilinear = tensor(*shape, scale=1 / 256, zero_point=-128)
    graph.operator(
        "RESIZE_BILINEAR",
        (larger, numbers(size, size)),
        (bilinear,),
        options_of("ResizeBilinearOptions"),
        version=2,
    )
    turned = tensor(1, channels, size, size, scale=1 / 256, zero_point=-128)
    graph.operator(
        "TRANSPOSE", (bilinear, numbers(0, 3, 1, 2)), (turned,), options_of("TransposeOptions")
    )
    padded = tensor(1, channels, size + 2, size + 2, scale=1 / 256, zero_point=-128)
    amounts = graph.constant("amounts", np.array([[0, 0], [0, 0], [1, 1], [1, 1]], np.int32))
    graph.operator("PAD", (turned, amounts), (padded,), options_of("PadOptions"))
    means = tensor(1, channels, scale=1 / 256, zero_point=-128)
    graph.operator(
        "MEAN", (padded, numbers(2, 3)), (means,), options_of("ReducerOptions"), version=2
    )
    best = graph.tensor("best", (1,), "int32")
    graph.operator(
        "ARG_MAX", (means, numbers(1)), (best,), options_of("ArgMaxOptions", outputType=2)
    )
    return graph.content((a, b), (best,))
