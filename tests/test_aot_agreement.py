"""What a file says twice and differently is refused; TFLite Micro would follow the other one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from aot_harness import check_exact, tflm_answers
from tflite_samples import GraphBuilder, options_of

from firmware_export.aot.compiler import CompileSettings, compile_model
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.flatbuffer import pack, unpack

CASES = Path(__file__).parent / "cases"
SCALE = {"scale": 0.05, "zero_point": 3}


def refusal(content: bytes) -> KdEdgeError:
    with pytest.raises(KdEdgeError) as caught:
        compile_model(content, CompileSettings())
    assert caught.value.code in ("KD_BAD_TFLITE", "KD_UNSUPPORTED_OP")
    assert caught.value.where.startswith("operator ")
    return caught.value


def one(op, shapes, results, options=None, *, constants=(), dtype="int8") -> bytes:
    """One operator over inputs of these shapes and then constants."""
    graph = GraphBuilder()
    sources = [graph.tensor(f"x{i}", shape, dtype, **SCALE) for i, shape in enumerate(shapes)]
    fixed = [graph.constant(f"c{i}", np.array(v, np.int32)) for i, v in enumerate(constants)]
    made = [graph.tensor(f"y{i}", shape, dtype, **SCALE) for i, shape in enumerate(results)]
    inputs = [*fixed, *sources] if op == "SPLIT" else [*sources, *fixed]
    graph.operator(op, inputs, made, options, version=2)
    return graph.content(sources, made)


def depthwise(multiplier: int) -> bytes:
    graph = GraphBuilder()
    rng = np.random.default_rng(0)
    x = graph.tensor("x", (1, 4, 4, 3), **SCALE)
    weights = graph.constant("w", rng.integers(-99, 99, (1, 2, 2, 6), np.int8), scale=0.01, axis=3)
    y = graph.tensor("y", (1, 4, 4, 6), scale=0.1)
    options = options_of("DepthwiseConv2DOptions", strideW=1, strideH=1, depthMultiplier=multiplier)
    graph.operator("DEPTHWISE_CONV_2D", (x, weights), (y,), options, version=3)
    return graph.content((x,), (y,))


def test_a_depth_multiplier_that_the_shapes_bear_out_is_exact():
    check_exact([depthwise(2)])


@pytest.mark.parametrize("stated", [0, 1, 3, -2, 6])
def test_another_depth_multiplier_is_refused_by_name(stated):
    error = refusal(depthwise(stated))
    assert f"depth_multiplier is {stated}" in error.message


def test_the_small_file_that_says_no_multiplier_is_refused():
    error = refusal((CASES / "depthwise_mult2_says0.tflite").read_bytes())
    assert "depth_multiplier is 0" in error.message


def pack_model(count: int) -> bytes:
    return one("PACK", [(2, 3)] * 3, [(3, 2, 3)], options_of("PackOptions", valuesCount=count))


def unpack_model(count: int) -> bytes:
    return one("UNPACK", [(3, 4)], [(4,)] * 3, options_of("UnpackOptions", num=count))


@pytest.mark.parametrize("model", [pack_model, unpack_model])
def test_parts_are_counted_as_the_option_says(model):
    check_exact([model(3)])
    for count in (0, 2):
        assert "3" in refusal(model(count)).message


def test_a_split_has_even_parts_or_names_their_sizes():
    options = options_of("SplitOptions", numSplits=2)
    check_exact([one("SPLIT", [(2, 6)], [(2, 3), (2, 3)], options, constants=[[1]])])
    uneven = one("SPLIT", [(2, 6)], [(2, 2), (2, 4)], options, constants=[[1]])
    assert "(2, 2) and (2, 4)" in refusal(uneven).message
    sizes = one("SPLIT_V", [(2, 6)], [(2, 2), (2, 4)], constants=[[2, 4], [1]])
    check_exact([sizes])


def squeeze(dims, shape, result) -> bytes:
    return one("SQUEEZE", [shape], [result], options_of("SqueezeOptions", squeezeDims=dims))


def test_squeeze_drops_the_axes_that_its_option_names():
    check_exact(
        [
            squeeze([0, 2], (1, 3, 1, 2), (3, 2)),
            squeeze([-2], (1, 3, 1, 2), (1, 3, 2)),
            squeeze(None, (1, 3, 1, 2), (3, 2)),
        ]
    )
    for dims, result in (([1], (3, 2)), ([0], (3, 2)), ([7], (3, 2)), ([], (6,))):
        assert "squeeze_dims" in refusal(squeeze(dims, (1, 3, 1, 2), result)).message


def test_expand_dims_adds_the_axis_that_its_constant_names():
    def model(axis, result, dtype="int8"):
        return one("EXPAND_DIMS", [(3, 2)], [result], constants=[axis], dtype=dtype)

    check_exact([model([1], (3, 1, 2)), model(-1, (3, 2, 1)), model([0], (1, 3, 2))])
    for axis, result in (
        ([0], (3, 1, 2)),
        ([5], (3, 2, 1)),
        ([-9], (1, 3, 2)),
        ([0, 1], (1, 3, 2)),
    ):
        assert "axis" in refusal(model(axis, result)).message
    assert "int32" in refusal(model([0], (1, 3, 2), "int32")).message


def edited(content: bytes, change) -> bytes:
    model = unpack(content)
    change(model.subgraphs[0])
    return pack(model)


def test_options_of_another_operator_are_not_taken_for_its_own():
    """Oracle: TFLite Micro reads no options then; strides of 0, an activation of none."""

    def change(graph):
        from ai_edge_litert import schema_py_generated as schema

        operator = graph.operators[0]
        kept = operator.builtinOptions
        operator.builtinOptions = schema.Pool2DOptionsT(
            strideW=kept.strideW, strideH=kept.strideH, fusedActivationFunction=1
        )
        operator.builtinOptionsType = schema.BuiltinOptions.Pool2DOptions

    error = refusal(edited(depthwise(2), change))
    assert "Pool2DOptions" in error.message


@pytest.mark.parametrize("op", ["RELU", "ADD", "CONCATENATION", "SOFTMAX", "MEAN"])
def test_an_output_that_no_kernel_writes_is_refused(op):
    shapes, options, constants = {
        "RELU": ([(1, 4)], None, ()),
        "ADD": ([(1, 4), (1, 4)], options_of("AddOptions"), ()),
        "CONCATENATION": ([(1, 4), (1, 4)], options_of("ConcatenationOptions", axis=0), ()),
        "SOFTMAX": ([(1, 4)], options_of("SoftmaxOptions", beta=1.0), ()),
        "MEAN": ([(1, 4)], options_of("ReducerOptions", keepDims=True), ([0],)),
    }[op]
    result = (2, 4) if op == "CONCATENATION" else (1, 4)
    error = refusal(one(op, shapes, [result, result], options, constants=constants))
    assert "2 outputs" in error.message


def test_more_parts_than_tflite_micro_joins_are_refused():
    def model(count):
        options = options_of("ConcatenationOptions", axis=1)
        return one("CONCATENATION", [(1, 2)] * count, [(1, 2 * count)], options)

    check_exact([model(10)])
    with pytest.raises(KdEdgeError):
        tflm_answers(model(11), seed=0, n_windows=3)
    assert "11 inputs" in refusal(model(11)).message


@pytest.mark.parametrize("axis", [2, -3, 7])
def test_a_join_along_an_axis_that_is_not_there_is_refused(axis):
    options = options_of("ConcatenationOptions", axis=axis)
    assert (
        f"axis {axis}" in refusal(one("CONCATENATION", [(1, 2), (1, 2)], [(1, 4)], options)).message
    )


def test_a_whole_that_is_larger_than_its_parts_is_refused():
    """Each part computed for the join alone, so that they could be computed in place."""
    graph = GraphBuilder()
    x = graph.tensor("x", (1, 4), **SCALE)
    parts = [graph.tensor(f"p{i}", (1, 4), **SCALE) for i in range(2)]
    whole = graph.tensor("whole", (1, 9), **SCALE)
    for part in parts:
        graph.operator("RELU", (x,), (part,))
    graph.operator("CONCATENATION", parts, (whole,), options_of("ConcatenationOptions", axis=1))
    assert "(1, 9)" in refusal(graph.content((x,), (whole,))).message


def padded_conv(*, amounts=((0, 0), (1, 1), (1, 1), (0, 0)), value=None, rows=6) -> bytes:
    """PAD before a VALID convolution; `value` is a third input of the PAD."""
    rng = np.random.default_rng(1)
    graph = GraphBuilder()
    x = graph.tensor("x", (1, 4, 4, 2), **SCALE)
    inputs = [x, graph.constant("amounts", np.array(amounts))]
    if value is not None:
        inputs.append(graph.constant("value", np.array([value], np.int8), **SCALE))
    padded = graph.tensor("padded", (1, rows, 6, 2), **SCALE)
    graph.operator("PAD", inputs, (padded,), options_of("PadOptions"), version=2)
    weights = graph.constant("w", rng.integers(-99, 99, (3, 3, 3, 2), np.int8), scale=0.01)
    y = graph.tensor("y", (1, rows - 2, 4, 3), scale=0.3)
    options = options_of("Conv2DOptions", strideW=1, strideH=1, padding=1)
    graph.operator("CONV_2D", (padded, weights), (y,), options, version=3)
    return graph.content((x,), (y,))


def test_a_pad_with_a_value_of_its_own_is_not_taken_for_zeros():
    amounts = np.array([[0, 0], [1, 1], [1, 1], [0, 0]], np.int32)
    check_exact([padded_conv(amounts=amounts, value=v) for v in (None, 3, 50)])


def test_a_pad_that_contradicts_its_shape_is_refused_before_a_convolution_too():
    amounts = np.array([[0, 0], [1, 1], [1, 1], [0, 0]], np.int32)
    assert "PAD" in refusal(padded_conv(amounts=amounts, rows=7)).message
    assert "int32" in refusal(padded_conv(amounts=amounts.astype(np.int64))).message


def test_a_shape_of_more_axes_than_tflite_micro_keeps_is_refused():
    assert "7 axes" in refusal(one("RELU", [(1,) * 6 + (4,)], [(1,) * 6 + (4,)])).message


def test_a_bias_quantised_along_axis_3_of_its_one_compiles_as_if_along_its_only_one():
    """Oracle: converters of 2020 wrote so, and TFLite Micro does not look at it."""
    graph = GraphBuilder()
    rng = np.random.default_rng(2)
    scales = rng.uniform(0.005, 0.01, 3)
    x, y = graph.tensor("x", (1, 4, 4, 2), scale=0.1), graph.tensor("y", (1, 4, 4, 3), scale=0.2)
    weights = graph.constant("w", rng.integers(-99, 99, (3, 1, 1, 2), np.int8), scale=scales)
    bias = graph.constant("b", rng.integers(-99, 99, 3, np.int32), scale=scales * 0.1, axis=3)
    options = options_of("Conv2DOptions", strideW=1, strideH=1)
    graph.operator("CONV_2D", (x, weights, bias), (y,), options, version=3)
    check_exact([graph.content((x,), (y,))])


def dense(bias_scale: float | None, *, by_row: bool = False) -> bytes:
    """A dense layer whose products of input and weight have the scale 0.0005."""
    graph = GraphBuilder()
    x, y = (graph.tensor(name, (1, 4), **SCALE) for name in "xy")
    scales = [0.01] * 4 if by_row else 0.01
    weights = graph.constant("w", np.arange(16, dtype=np.int8).reshape(4, 4), scale=scales)
    bias = graph.constant("b", np.arange(4, dtype=np.int32), scale=bias_scale)
    options = options_of("FullyConnectedOptions")
    graph.operator("FULLY_CONNECTED", (x, weights, bias), (y,), options, version=4)
    return graph.content((x,), (y,))


def test_biases_of_another_scale_than_the_products_are_refused():
    """Oracle: TFLite Micro asks for it where the weights have one scale, and there alone."""
    check_exact([dense(0.0005), dense(0.0014), dense(None), dense(1.0, by_row=True)])
    for scale in (0.0016, 1.0):
        with pytest.raises(KdEdgeError):
            tflm_answers(dense(scale), seed=0, n_windows=3)
        assert "biases have the scale" in refusal(dense(scale)).message
