"""MEAN, SUM, ARG_MAX, SOFTMAX and the resizing operators against the TFLite Micro interpreter."""

from __future__ import annotations

import numpy as np
import pytest
from aot_harness import check_exact
from aot_models import OperatorModel, Quantised, nodes_of
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from tflite_samples import options_of

from firmware_export.aot.cores import CORES
from firmware_export.aot.lower import LOWERINGS
from kd_edge.base.errors import KdEdgeError

few = settings(max_examples=4, derandomize=True, deadline=None, phases=[Phase.generate])
scales = st.floats(2.0**-10, 1.0, width=32)
zero_points = st.integers(-128, 127)


def int32(values):
    return np.array(values, np.int32)


def add_reduction(draw, model, dtype):
    shape = tuple(draw(st.lists(st.integers(1, 7), min_size=1, max_size=4)))
    rank = len(shape)
    over = draw(st.sets(st.integers(0, rank - 1), min_size=1))
    keep = draw(st.booleans())
    result = [1 if i in over else n for i, n in enumerate(shape) if keep or i not in over]
    axes = [axis - draw(st.sampled_from([0, rank])) for axis in over]
    zeros = [draw(zero_points) if dtype == "int8" else draw(st.integers(-9, 9)) for _ in "io"]
    scale = draw(scales)
    # More than this and a sum of int16 does not fit TFLite Micro's 32 bits.
    other = draw(scales) if dtype == "int8" else scale * draw(st.floats(0.3, 9.0))
    source = model.input(Quantised(shape, scale, zeros[0], dtype))
    target = model.output(Quantised(tuple(result), other, zeros[1], dtype))
    inputs = (source, model.constant(int32(axes)))
    op = draw(st.sampled_from(["MEAN", "SUM"]))
    model.operator(op, inputs, (target,), options_of("ReducerOptions", keepDims=keep))


@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_sums_and_means_over_any_axes_are_exact(dtype):
    @given(st.data())
    @few
    def run(data):
        model = OperatorModel()
        for _ in range(14):
            add_reduction(data.draw, model, dtype)
        check_exact([model.content()])

    run()


def add_mean(model, shape, axes, result):
    inputs = (model.input(Quantised(shape, 0.05, 5)), model.constant(int32(axes)))
    target = (model.output(Quantised(result, 0.02, -3)),)
    model.operator("MEAN", inputs, target, options_of("ReducerOptions"))


def add_softmax(model, shape, scale, *, beta=1.0, dtype="int8"):
    source = model.input(Quantised(shape, scale, 11))
    bits = 8 if dtype == "int8" else 16
    result = model.output(Quantised(shape, 2.0**-bits, -(2 ** (bits - 1)), dtype))
    model.operator("SOFTMAX", (source,), (result,), options_of("SoftmaxOptions", beta=beta))


@pytest.mark.parametrize("core", ["host", pytest.param("m4", marks=pytest.mark.qemu)])
@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_softmax_of_any_scale_and_beta_is_exact(dtype, core):
    model = OperatorModel()
    rng = np.random.default_rng(4)
    for depth in (1, 2, 3, 5, 10, 50, 256):
        for _ in range(3):
            scale, beta = 10 ** rng.uniform(-3, 1), 10 ** rng.uniform(-0.5, 0.5)
            add_softmax(model, (2, 3, depth), scale, beta=beta, dtype=dtype)
    check_exact([model.content()], n_windows=12, core=core)


def test_softmax_of_int16_is_exact():
    """The rows hold far and near values alike, so that all of both tables is asked."""
    model = OperatorModel()
    rng = np.random.default_rng(5)
    for depth in (1, 2, 3, 10, 50, 700):
        for _ in range(3):
            scale, beta = 10 ** rng.uniform(-6, -2), 10 ** rng.uniform(-0.5, 0.5)
            source = model.input(Quantised((5, depth), scale, 0, "int16"))
            result = model.output(Quantised((5, depth), 2.0**-15, 0, "int16"))
            options = options_of("SoftmaxOptions", beta=beta)
            model.operator("SOFTMAX", (source,), (result,), options)
    check_exact([model.content()], n_windows=12)


def test_arg_max_takes_the_first_of_equal_values():
    model = OperatorModel()
    for shape, axis in (((1, 50), 1), ((4, 6, 5), 1), ((4, 6, 5), -1), ((4, 6), 0), ((7,), 0)):
        inputs = (model.input(Quantised(shape, 0.1)), model.constant(int32(axis)))
        rest = tuple(n for i, n in enumerate(shape) if i != axis % len(shape))
        result = model.output(Quantised(rest, None, 0, "int32"))
        model.operator("ARG_MAX", inputs, (result,), options_of("ArgMaxOptions", outputType=2))
    check_exact([model.content()])  # its fixed windows hold one value alone


# --- resizing ---


def add_resize(model, op, shape, size, dtype="int8", **options):
    quantisation = {"int8": (0.1, -3), "int16": (0.1, 0), "float32": (None, 0)}[dtype]
    source = model.input(Quantised(shape, *quantisation, dtype))
    result = model.output(Quantised((shape[0], *size, shape[3]), *quantisation, dtype))
    kind = "ResizeBilinearOptions" if op == "RESIZE_BILINEAR" else "ResizeNearestNeighborOptions"
    inputs = (source, model.constant(int32(size)))
    model.operator(op, inputs, (result,), options_of(kind, **options))


PLACES = ({}, {"alignCorners": True}, {"halfPixelCenters": True})


@given(st.data())
@few
def test_resizing_to_any_size_is_exact(data):
    model = OperatorModel()
    for _ in range(8):
        shape = tuple(data.draw(st.integers(1, n)) for n in (2, 9, 9, 3))
        size = [data.draw(st.integers(1, 14)) for _ in range(2)]
        places = data.draw(st.sampled_from(PLACES))
        add_resize(model, "RESIZE_BILINEAR", shape, size, **places)
        dtype = data.draw(st.sampled_from(["int8", "float32", "int16"]))
        add_resize(model, "RESIZE_NEAREST_NEIGHBOR", shape, size, dtype, **places)
    check_exact([model.content()], n_windows=5)


@pytest.mark.parametrize("size", [(8, 12), (2, 3), (4, 6), (1, 1)])
def test_nearest_by_whole_factors_needs_no_tables(size):
    model = OperatorModel()
    add_resize(model, "RESIZE_NEAREST_NEIGHBOR", (1, 4, 6, 3), size)
    (compiled,) = check_exact([model.content()])
    assert "kd_resize_nearest.c" not in compiled.files


def test_they_are_exact_on_an_emulated_core():
    model = OperatorModel()
    add_resize(model, "RESIZE_BILINEAR", (1, 4, 6, 3), (7, 9))
    add_resize(model, "RESIZE_NEAREST_NEIGHBOR", (1, 4, 6, 3), (7, 9))
    add_softmax(model, (1, 50), 0.1)
    add_mean(model, (1, 8, 8, 5), (1, 2), (1, 5))
    check_exact([model.content()], core="m4")


# --- refusals ---


def with_operator(add, *arguments, **options):
    model = OperatorModel()
    add(model, *arguments, **options)
    return model.content()


def softmax_to(scale, zero_point):
    model = OperatorModel()
    tensors = (
        model.input(Quantised((1, 4), 0.1)),
        model.output(Quantised((1, 4), scale, zero_point)),
    )
    model.operator("SOFTMAX", tensors[:1], tensors[1:], options_of("SoftmaxOptions", beta=1.0))
    return model.content()


def mean_of(dtype):
    model = OperatorModel()
    source = model.input(Quantised((1, 4), 0.1, 0, dtype))
    result = model.output(Quantised((1,), 0.1, 0, dtype))
    options = options_of("ReducerOptions")
    model.operator("MEAN", (source, model.constant(int32([1]))), (result,), options)
    return model.content()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (softmax_to(1 / 256, 0), "1/256"),
        (softmax_to(1 / 200, -128), "1/256"),
        (with_operator(add_softmax, (1, 4), 1e-9), "too small"),
        (with_operator(add_softmax, (1, 5000), 0.1), "5000"),
        (with_operator(add_mean, (1, 4, 5), (1,), (1, 4)), "(1, 5)"),
        (with_operator(add_mean, (1, 4, 5), (3,), (1, 5)), "axis 3"),
        (mean_of("uint8"), "uint8"),
        (
            with_operator(
                add_resize,
                "RESIZE_BILINEAR",
                (1, 2, 2, 1),
                (4, 4),
                alignCorners=True,
                halfPixelCenters=True,
            ),
            "half-pixel",
        ),
        # TFLite Micro reads behind the input here.
        (with_operator(add_resize, "RESIZE_BILINEAR", (1, 3, 3, 1), (2000, 3)), "behind"),
        (with_operator(add_resize, "RESIZE_BILINEAR", (1, 3, 3, 1), (4, 4), "float32"), "float32"),
    ],
)
def test_what_tflite_micro_does_not_compute_is_refused(content, says):
    (node,) = nodes_of(content)
    with pytest.raises(KdEdgeError) as caught:
        LOWERINGS[node.op](node, CORES["host"])
    assert caught.value.code == "KD_UNSUPPORTED_OP"
    assert says in caught.value.message
