"""Random int8 models of one convolution or pooling each, and strategies that draw them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from aot_models import OperatorModel, Quantised
from hypothesis import strategies as st
from tflite_samples import options_of

_PADDING = {"SAME": 0, "VALID": 1}
_ACTIVATION = {"NONE": 0, "RELU": 1, "RELU_N1_TO_1": 2, "RELU6": 3}


@dataclass(frozen=True)
class Case:
    """One operator; sizes in pixels.

    Attributes:
        source: input shape, NHWC.
        kernel, strides, dilation: rows and columns.
        channels: output channels; for DEPTHWISE_CONV_2D, of each input channel.
        clamped: share of the channels whose bias is 2^30 or -2^30, as the converter clamps it:
            their results are the same for every input.
        gain: logarithm to base 2 of how many output steps a typical sum takes.
        seed: of weights, biases and scales.
    """

    op: str
    source: tuple[int, int, int, int]
    kernel: tuple[int, int]
    strides: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    channels: int = 1
    groups: int = 1
    padding: str = "VALID"
    activation: str = "NONE"
    zero_points: tuple[int, int] = (0, 0)
    per_channel: bool = True
    bias: bool = True
    clamped: float = 0.0
    gain: float = 6.0
    logistic: bool = False
    pad: tuple[int, int, int, int] | None = None
    seed: int = 0


def out_size(size: int, kernel: int, stride: int, step: int, padding: str) -> int:
    """Pixels of the output along one direction, by TensorFlow's rule."""
    if padding == "SAME":
        return -(-size // stride)
    return (size - (kernel - 1) * step - 1 + stride) // stride


def _out_pixels(case: Case) -> tuple[int, int]:
    pad = case.pad or (0, 0, 0, 0)
    sizes = case.source[1] + sum(pad[:2]), case.source[2] + sum(pad[2:])
    if case.op == "TRANSPOSE_CONV":
        whole = zip(sizes, case.strides, case.kernel, strict=True)
        # With SAME, any size that the input's is the rounded-up quotient of is a right one.
        return tuple(
            n * s + max(k - s, 0) if case.padding == "VALID" else n * s - case.seed % s
            for n, s, k in whole
        )
    along = zip(sizes, case.kernel, case.strides, case.dilation, strict=True)
    return tuple(out_size(*one, case.padding) for one in along)


def fits(case: Case) -> bool:
    """Whether the output has a pixel."""
    return min(_out_pixels(case)) > 0


def model(case: Case) -> bytes:
    """The case as a model: input, perhaps PAD, the operator, perhaps LOGISTIC, output."""
    if case.op in ("AVERAGE_POOL_2D", "MAX_POOL_2D"):
        return _pool_model(case)
    rng = np.random.default_rng(case.seed)
    graph = OperatorModel()
    in_scale = float(np.float32(rng.uniform(0.01, 0.1)))
    source = Quantised(case.source, in_scale, case.zero_points[0])
    weights, axis = _weights(case, rng)
    n_out = weights.shape[axis]
    n_scales = n_out if case.per_channel else 1
    scales = rng.uniform(0.002, 0.02, n_scales).astype(np.float32)
    window = weights.size // n_out
    typical = in_scale * scales.mean() * 40 * 74 * np.sqrt(window)
    out_scale = float(np.float32(typical / 2.0**case.gain))
    shape = (case.source[0], *_out_pixels(case), n_out)
    result = Quantised(shape, out_scale, case.zero_points[1])
    at = _padded(graph, graph.input(source), case, source)
    inputs = [at, graph.constant(weights, scale=scales, axis=axis)]
    if case.op == "TRANSPOSE_CONV":
        inputs = [graph.constant(np.array(shape, np.int32)), inputs[1], at]
    if case.bias:
        biases = rng.integers(-3000, 3000, n_out).astype(np.int32)
        far = rng.random(n_out) < case.clamped
        biases[far] = rng.choice([-(1 << 30), 1 << 30], far.sum())
        inputs.append(graph.constant(biases, scale=scales * np.float32(in_scale)))
    if case.logistic:
        last = graph.output(Quantised(shape, 1 / 256, -128))
        middle = graph.inner(result)
        graph.operator(case.op, inputs, (middle,), _options(case))
        graph.operator("LOGISTIC", (middle,), (last,))
    else:
        graph.operator(case.op, inputs, (graph.output(result),), _options(case))
    return graph.content()


def _weights(case: Case, rng) -> tuple[np.ndarray, int]:
    depth = case.source[3]
    if case.op == "DEPTHWISE_CONV_2D":
        shape, axis = (1, *case.kernel, depth * case.channels), 3
    else:
        shape, axis = (case.channels, *case.kernel, depth // case.groups), 0
    weights = np.clip(np.round(rng.normal(0, 45, shape)), -127, 127).astype(np.int8)
    if case.seed % 4 == 0:
        weights[rng.random(shape) < 0.5] = 127
        weights[rng.random(shape) < 0.3] = -127
    if case.seed % 16 == 5:
        weights.flat[0] = -128
    return weights, axis


def _padded(graph: OperatorModel, at: int, case: Case, source: Quantised) -> int:
    if case.pad is None:
        return at
    amounts = np.array([[0, 0], case.pad[:2], case.pad[2:], [0, 0]], np.int32)
    shape = tuple(n + int(a) for n, a in zip(source.shape, amounts.sum(axis=1), strict=True))
    result = graph.inner(replace(source, shape=shape))
    graph.operator("PAD", (at, graph.constant(amounts)), (result,), options_of("PadOptions"))
    return result


def _options(case: Case):
    common = {
        "strideH": case.strides[0],
        "strideW": case.strides[1],
        "padding": _PADDING[case.padding],
    }
    if case.op == "TRANSPOSE_CONV":
        return options_of("TransposeConvOptions", **common)
    common["fusedActivationFunction"] = _ACTIVATION[case.activation]
    if case.op.endswith("POOL_2D"):
        height, width = case.kernel
        return options_of("Pool2DOptions", filterHeight=height, filterWidth=width, **common)
    common |= {"dilationHFactor": case.dilation[0], "dilationWFactor": case.dilation[1]}
    if case.op == "CONV_2D":
        return options_of("Conv2DOptions", **common)
    return options_of("DepthwiseConv2DOptions", depthMultiplier=case.channels, **common)


def _pool_model(case: Case) -> bytes:
    graph = OperatorModel()
    scale = float(np.float32(np.random.default_rng(case.seed).uniform(0.01, 0.2)))
    shape = (case.source[0], *_out_pixels(case), case.source[3])
    source = graph.input(Quantised(case.source, scale, case.zero_points[0]))
    result = graph.output(Quantised(shape, scale, case.zero_points[0]))
    graph.operator(case.op, (source,), (result,), _options(case))
    return graph.content()


_ZERO = st.one_of(st.sampled_from([-128, 0, 127]), st.integers(-128, 127))
_PAIR = st.tuples(st.integers(1, 3), st.integers(1, 3))


@st.composite
def cases(draw, op: str, *, max_depth: int = 9) -> Case:
    """Small cases of one operator; many features at once."""
    kernel = draw(
        st.one_of(
            st.tuples(st.integers(1, 4), st.integers(1, 4)),
            st.tuples(st.just(1), st.integers(1, 9)),
            st.just((1, 1)),
        )
    )
    groups = draw(st.sampled_from([1, 1, 1, 1, 2, 3])) if op == "CONV_2D" else 1
    depth = draw(st.integers(1, max_depth)) * groups
    dilated = op in ("CONV_2D", "DEPTHWISE_CONV_2D") and draw(st.booleans())
    convolution = not op.endswith("POOL_2D")
    case = Case(
        op=op,
        source=(
            draw(st.sampled_from([1, 1, 1, 2])) if op != "TRANSPOSE_CONV" else 1,
            draw(st.integers(1, 9)),
            draw(st.one_of(st.integers(1, 12), st.integers(13, 40))),
            depth,
        ),
        kernel=kernel,
        strides=draw(_PAIR),
        dilation=draw(_PAIR) if dilated else (1, 1),
        channels=_channels(draw, op) * groups,
        groups=groups,
        padding=draw(st.sampled_from(["SAME", "VALID"])),
        activation=draw(st.sampled_from(list(_ACTIVATION))) if op != "TRANSPOSE_CONV" else "NONE",
        zero_points=draw(st.tuples(_ZERO, _ZERO)),
        per_channel=draw(st.booleans()),
        bias=op == "DEPTHWISE_CONV_2D" or draw(st.booleans()),
        gain=draw(st.sampled_from([4.0, 6.0, 6.0, 8.0, 14.0])) if convolution else 6.0,
        logistic=convolution and draw(st.sampled_from([False, False, True])),
        seed=draw(st.integers(0, 10**6)),
    )
    if case.bias and case.gain < 14:  # with more, 2^30 leaves 32 bits on its way
        case = replace(case, clamped=draw(st.sampled_from([0.0, 0.0, 0.3, 1.0])))
    if op in ("CONV_2D", "DEPTHWISE_CONV_2D") and draw(st.booleans()):
        pad = draw(st.tuples(*[st.integers(0, 3)] * 4))
        case = replace(case, pad=pad, padding="VALID")
    return case


def _channels(draw, op: str) -> int:
    if op == "DEPTHWISE_CONV_2D":
        return draw(st.sampled_from([1, 1, 1, 2, 3]))
    return draw(st.integers(1, 9))
