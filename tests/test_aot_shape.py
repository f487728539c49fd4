"""Operators that only move values against TFLite Micro, and which of them vanish."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest
from aot_harness import check_exact
from aot_models import OperatorModel, Quantised, nodes_of
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from tflite_samples import options_of

from firmware_export.aot.cores import CORES
from firmware_export.aot.lower import LOWERINGS
from firmware_export.aot.lower.shape import contiguous_view
from kd_edge.base.errors import KdEdgeError

few = settings(max_examples=4, derandomize=True, deadline=None, phases=[Phase.generate])
DTYPES = ("int8", "int8", "int16", "float32")


def of(shape, dtype="int8"):
    return Quantised(tuple(shape), None if dtype == "float32" else 0.1, 0, dtype)


def int32(values):
    return np.array(values, np.int32)


def draw_shape(draw, *, most_axes=4):
    return tuple(draw(st.lists(st.integers(1, 5), min_size=1, max_size=most_axes)))


def add_slice(draw, model, dtype):
    shape = draw_shape(draw, most_axes=5)
    begins = [draw(st.integers(0, n - 1)) for n in shape]
    sizes = [draw(st.integers(1, n - at)) for n, at in zip(shape, begins, strict=True)]
    asked = [
        draw(st.sampled_from([s, -1])) if s == n - at else s
        for s, n, at in zip(sizes, shape, begins, strict=True)
    ]
    wide = draw(st.sampled_from([np.int32, np.int64]))
    inputs = (
        model.input(of(shape, dtype)),
        *(model.constant(np.array(v, wide)) for v in (begins, asked)),
    )
    model.operator("SLICE", inputs, (model.output(of(sizes, dtype)),), options_of("SliceOptions"))


def add_strided_slice(draw, model, dtype):
    shape = draw_shape(draw)
    rank = len(shape)
    begin_mask, end_mask, shrink = (draw(st.integers(0, (1 << rank) - 1)) for _ in range(3))
    begins, ends, steps, index = [], [], [], []
    for axis, n in enumerate(shape):
        dropped = shrink >> axis & 1
        step = 1 if dropped else draw(st.sampled_from([1, 1, 2, 3, -1, -2]))
        begin = draw(st.integers(-n, n - 1))
        if dropped:
            begin_mask &= ~(1 << axis)
        first = None if begin_mask >> axis & 1 else begin
        end = draw(st.integers(-n - 2, n + 2))
        last = None if end_mask >> axis & 1 else end
        if not dropped and not range(n)[first:last:step]:
            begin_mask, end_mask, first, last = (
                begin_mask | 1 << axis,
                end_mask | 1 << axis,
                None,
                None,
            )
        index.append(begin if dropped else slice(first, last, step))
        begins, ends, steps = [*begins, begin], [*ends, end], [*steps, step]
    result = np.empty(shape)[tuple(index)].shape
    options = options_of(
        "StridedSliceOptions", beginMask=begin_mask, endMask=end_mask, shrinkAxisMask=shrink
    )
    inputs = (
        model.input(of(shape, dtype)),
        *(model.constant(int32(v)) for v in (begins, ends, steps)),
    )
    model.operator("STRIDED_SLICE", inputs, (model.output(of(result, dtype)),), options)


def add_split(draw, model, dtype):
    shape = list(draw_shape(draw))
    axis = draw(st.integers(0, len(shape) - 1))
    count = draw(st.integers(1, 3))
    uneven = draw(st.booleans())
    sizes = [draw(st.integers(1, 3)) for _ in range(count)] if uneven else [shape[axis]] * count
    whole = [*shape[:axis], sum(sizes), *shape[axis + 1 :]]
    place = model.constant(int32(axis - draw(st.sampled_from([0, len(shape)]))))
    source = model.input(of(whole, dtype))
    results = [model.output(of([*shape[:axis], n, *shape[axis + 1 :]], dtype)) for n in sizes]
    if uneven:
        inputs = (source, model.constant(int32(sizes)), place)
        model.operator("SPLIT_V", inputs, results, options_of("SplitVOptions", numSplits=count))
    else:
        model.operator(
            "SPLIT", (place, source), results, options_of("SplitOptions", numSplits=count)
        )


def add_unpack(draw, model, dtype):
    shape = draw_shape(draw)
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    rest = [n for i, n in enumerate(shape) if i != axis % len(shape)]
    count = shape[axis]
    options = options_of("UnpackOptions", num=count, axis=axis)
    source = model.input(of(shape, dtype))
    model.operator(
        "UNPACK", (source,), [model.output(of(rest, dtype)) for _ in range(count)], options
    )


def add_transpose(draw, model, dtype):
    shape = draw_shape(draw, most_axes=5)
    order = draw(st.permutations(range(len(shape))))
    inputs = (model.input(of(shape, dtype)), model.constant(int32(order)))
    result = model.output(of([shape[i] for i in order], dtype))
    model.operator("TRANSPOSE", inputs, (result,), options_of("TransposeOptions"))


def add_pad(draw, model, dtype):
    shape = draw_shape(draw, most_axes=5)
    amounts = [[draw(st.integers(0, 2)), draw(st.integers(0, 2))] for _ in shape]
    grown = [n + sum(pair) for n, pair in zip(shape, amounts, strict=True)]
    quantised = Quantised(tuple(grown), of(grown, dtype).scale, -7 if dtype == "int8" else 0, dtype)
    inputs = [model.input(of(shape, dtype)), model.constant(int32(amounts))]
    op = draw(st.sampled_from(["PAD", "PADV2"]))
    if op == "PADV2":
        value = np.array([draw(st.integers(-128, 127))], dtype)
        inputs.append(model.constant(value, scale=quantised.scale, zero_point=quantised.zero_point))
    model.operator(op, inputs, (model.output(quantised),), options_of(f"Pad{op[3:]}Options"))


def add_concatenation(draw, model, dtype):
    shape = list(draw_shape(draw))
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    sizes = [draw(st.integers(1, 3)) for _ in range(draw(st.integers(1, 4)))]
    shapes = []
    for n in [*sizes, sum(sizes)]:
        shape[axis] = n
        shapes.append(tuple(shape))
    inputs = [model.input(of(s, dtype)) for s in shapes[:-1]]
    options = options_of("ConcatenationOptions", axis=axis)
    model.operator("CONCATENATION", inputs, (model.output(of(shapes[-1], dtype)),), options)


def add_pack(draw, model, dtype):
    shape = list(draw_shape(draw, most_axes=3))
    axis = draw(st.integers(-len(shape) - 1, len(shape)))
    count = draw(st.integers(1, 3))
    whole = list(shape)
    whole.insert(axis % (len(shape) + 1), count)
    inputs = [model.input(of(shape, dtype)) for _ in range(count)]
    options = options_of("PackOptions", valuesCount=count, axis=axis)
    model.operator("PACK", inputs, (model.output(of(whole, dtype)),), options)


def add_reshape(draw, model, dtype):
    shape = draw_shape(draw)
    flat = (prod(shape), 1)
    inputs = (model.input(of(shape, dtype)), model.constant(int32(flat)))
    model.operator(
        "RESHAPE", inputs, (model.output(of(flat, dtype)),), options_of("ReshapeOptions")
    )
    axis = (model.input(of(shape, dtype)), model.constant(int32(-1)))
    larger = model.output(of((*shape, 1), dtype))
    model.operator("EXPAND_DIMS", axis, (larger,), options_of("ExpandDimsOptions"))
    source = model.input(of((1, *shape), dtype))
    options = options_of("SqueezeOptions", squeezeDims=[0])
    model.operator("SQUEEZE", (source,), (model.output(of(shape, dtype)),), options)


@pytest.mark.parametrize(
    "add",
    [
        *(add_slice, add_strided_slice, add_split, add_unpack, add_transpose, add_pad),
        *(add_concatenation, add_pack, add_reshape),
    ],
)
def test_any_shape_axis_mask_and_type_is_exact(add):
    @given(st.data())
    @few
    def run(data):
        model = OperatorModel()
        for dtype in DTYPES * 3:
            add(data.draw, model, dtype)
        check_exact([model.content()], n_windows=2)

    run()


def test_they_are_exact_on_an_emulated_core():
    model = OperatorModel()
    source = model.input(of((3, 4, 5)))
    result = model.output(of((5, 3, 4)))
    order = model.constant(int32([2, 0, 1]))
    model.operator("TRANSPOSE", (source, order), (result,), options_of("TransposeOptions"))
    padded = model.output(of((5, 5, 6)))
    amounts = model.constant(int32([[0, 0], [1, 1], [0, 2]]))
    model.operator("PAD", (result, amounts), (padded,), options_of("PadOptions"))
    check_exact([model.content()], core="m4")


# --- what vanishes ---


def sliced(shape, begins, sizes, dtype="int8"):
    model = OperatorModel()
    inputs = (model.input(of(shape, dtype)), *(model.constant(int32(v)) for v in (begins, sizes)))
    model.operator("SLICE", inputs, (model.output(of(sizes, dtype)),), options_of("SliceOptions"))
    return nodes_of(model.content())[0]


@pytest.mark.parametrize(
    ("node", "offsets"),
    [
        (sliced((1, 10, 7), (0, 9, 0), (1, 1, 7)), (63,)),  # the last step
        (sliced((1, 10, 7), (0, 9, 0), (1, 1, 7), "int16"), (126,)),
        (sliced((1, 10, 7), (0, 0, 0), (1, 10, 7)), (0,)),
        (sliced((1, 10, 7), (0, 3, 2), (1, 1, 4)), (23,)),
        (sliced((1, 10, 7), (0, 3, 2), (1, 2, 4)), None),
        (sliced((2, 10, 7), (0, 3, 0), (2, 2, 7)), None),
    ],
)
def test_a_slice_that_is_one_run_of_bytes_is_a_view(node, offsets):
    assert contiguous_view(node) == offsets


def test_the_parts_of_a_split_along_the_first_axis_are_views():
    model = OperatorModel()
    source = model.input(of((1, 6, 4)))
    results = [model.output(of((1, 2, 4))) for _ in range(3)]
    axis = model.constant(int32(1))
    model.operator("SPLIT", (axis, source), results, options_of("SplitOptions", numSplits=3))
    (node,) = nodes_of(model.content())
    assert contiguous_view(node) == (0, 8, 16)
    (compiled,) = check_exact([model.content()])
    assert not list(compiled.graph.nodes())


def test_a_transposition_that_moves_only_axes_of_one_place_is_a_view():
    model = OperatorModel()
    inputs = (model.input(of((1, 6, 1, 4))), model.constant(int32([0, 2, 1, 3])))
    result = model.output(of((1, 1, 6, 4)))
    model.operator("TRANSPOSE", inputs, (result,), options_of("TransposeOptions"))
    assert contiguous_view(nodes_of(model.content())[0]) == (0,)


def test_an_operator_that_computes_is_no_view():
    model = OperatorModel()
    model.operator("RELU", (model.input(of((1, 4))),), (model.output(of((1, 4))),))
    assert contiguous_view(nodes_of(model.content())[0]) is None


# --- refusals ---


def strided(shape, result, begins, ends, steps, **options):
    model = OperatorModel()
    inputs = (model.input(of(shape)), *(model.constant(int32(v)) for v in (begins, ends, steps)))
    chosen = options_of("StridedSliceOptions", **options)
    model.operator("STRIDED_SLICE", inputs, (model.output(of(result)),), chosen)
    return model.content()


def joined(*parts, whole, **options):
    model = OperatorModel()
    inputs = [model.input(part) for part in parts]
    chosen = options_of("ConcatenationOptions", **options)
    model.operator("CONCATENATION", inputs, (model.output(whole),), chosen)
    return model.content()


def padded(amounts, result, dtype="int8", value=None):
    model = OperatorModel()
    inputs = [model.input(of((2, 2), dtype)), model.constant(amounts)]
    if value is not None:
        inputs.append(model.constant(np.array([3], np.int8), scale=value))
    op = "PAD" if value is None else "PADV2"
    model.operator(
        op, inputs, (model.output(of(result, dtype)),), options_of(f"Pad{op[3:]}Options")
    )
    return model.content()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (strided((4,), (2,), [0], [2], [1], newAxisMask=1), "new axis"),
        (strided((4,), (2,), [0], [2], [1], ellipsisMask=1), "ellipsis"),
        (strided((4,), (), [3], [2], [-1], shrinkAxisMask=1), "stride"),
        (strided((4,), (3,), [0], [2], [1]), "(3,)"),
        (joined(of((1, 2)), Quantised((1, 2), 0.2), whole=of((1, 4)), axis=1), "scales"),
        (joined(of((1, 2)), whole=of((1, 2)), axis=1, fusedActivationFunction=1), "activation"),
        (joined(of((1, 2)), of((2, 2)), whole=of((1, 4)), axis=1), "inputs give"),
        (padded(int32([[1, 1], [-1, 0]]), (4, 1)), "paddings"),
        (padded(np.array([[1, 1], [0, 0]], np.int64), (4, 2)), "paddings"),
        (padded(int32([[1, 1], [0, 0]]), (4, 2), value=0.3), "scales"),
        (padded(int32([[1, 1], [0, 0]]), (4, 2), "int64"), "int64"),
    ],
)
def test_what_tflite_micro_does_not_compute_is_refused(content, says):
    (node,) = nodes_of(content)
    with pytest.raises(KdEdgeError) as caught:
        LOWERINGS[node.op](node, CORES["host"])
    assert caught.value.code == "KD_UNSUPPORTED_OP"
    assert says in caught.value.message
