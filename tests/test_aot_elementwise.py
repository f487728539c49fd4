"""ADD, SUB, MUL, MAXIMUM, MINIMUM, tables and type changes against the TFLite Micro interpreter."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from aot_harness import check_exact, tflm_answers
from aot_models import OperatorModel, Quantised, nodes_of
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes
from tflite_samples import options_of

from firmware_export.aot.compiler import CompileSettings, compile_model
from firmware_export.aot.cores import CORES
from firmware_export.aot.lower import LOWERINGS
from firmware_export.aot.operator_table import OPERATORS
from firmware_export.boards import find_board
from firmware_export.boards.on_board import run_on_board
from kd_edge.base.errors import KdEdgeError

BINARY = ("ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM")
OPTIONS = {"ADD": "AddOptions", "SUB": "SubOptions", "MUL": "MulOptions"}
few = settings(max_examples=5, derandomize=True, deadline=None, phases=[Phase.generate])
scales = st.floats(2.0**-10, 2.0, width=32)
zero_points = st.integers(-128, 127)


def quantised(draw, shape, dtype="int8"):
    if dtype == "int16":
        return Quantised(tuple(shape), draw(scales) / 256, 0, dtype)
    return Quantised(tuple(shape), draw(scales), draw(zero_points), dtype)


def add_operand(draw, model, of, *, constant):
    if not constant:
        return model.input(of)
    seed = draw(st.integers(0, 1000))
    limits = np.iinfo(of.dtype)
    values = np.random.default_rng(seed).integers(limits.min, limits.max + 1, of.shape, of.dtype)
    return model.constant(values, scale=of.scale, zero_point=of.zero_point)


def add_binary(draw, model, dtype="int8"):
    """One operator on two shapes that broadcast, one of them a constant now and then."""
    op = draw(st.sampled_from(BINARY))
    shapes = draw(mutually_broadcastable_shapes(num_shapes=2, max_dims=5, max_side=4))
    fixed = draw(st.sampled_from([None, None, 0, 1]))
    given = [quantised(draw, shape, dtype) for shape in shapes.input_shapes]
    operands = [add_operand(draw, model, of, constant=i == fixed) for i, of in enumerate(given)]
    made = quantised(draw, shapes.result_shape, dtype)
    if op == "MUL" and dtype == "int16":
        # A product of 16-bit values is never shifted up: its result's scale is no finer.
        made = replace(made, scale=max(made.scale, given[0].scale * given[1].scale))
    result = model.output(made)
    kind = OPTIONS.get(op)
    activation = draw(st.integers(0, 3))
    options = options_of(kind, fusedActivationFunction=activation) if kind else None
    model.operator(op, operands, (result,), options)


@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_operators_on_two_tensors_of_any_shapes_that_broadcast_are_exact(dtype):
    @given(st.data())
    @few
    def run(data):
        model = OperatorModel()
        for _ in range(10):
            add_binary(data.draw, model, dtype)
        check_exact([model.content()], n_windows=5)

    run()


def large_sums() -> bytes:
    """ADD and SUB of 792 values: either operand the larger one, broadcast, activated, looked up."""
    model, whole = OperatorModel(), (1, 9, 8, 11)
    cases = [
        ("ADD", 0.05, 0.05, 0.07, whole, 0),
        ("ADD", 0.01, 0.9, 0.6, whole, 1),
        ("SUB", 0.9, 0.01, 0.6, whole, 3),
        ("SUB", 0.03, 0.8, 0.4, (9, 1, 11), 0),
        ("ADD", 0.03, 0.04, 0.002, (1, 1, 1, 1), 2),
        ("ADD", 1.0, 1.0, 3e-6, whole, 0),  # the sum is not shifted right at all
    ]
    for name, a_scale, b_scale, scale, other, activation in cases:
        operands = (
            model.input(Quantised(whole, a_scale, 3)),
            model.input(Quantised(other, b_scale, -128)),
        )
        result = model.output(Quantised(whole, scale, -9))
        options = options_of(OPTIONS[name], fusedActivationFunction=activation)
        model.operator(name, operands, (result,), options)
        table = model.inner(Quantised(whole, scale, -9))
        model.operator(name, operands[::-1] if other == whole else operands, (table,), options)
        last = model.output(Quantised(whole, 1 / 256, -128))
        model.operator("LOGISTIC", (table,), (last,))
    return model.content()


@pytest.mark.parametrize("core", ["host", pytest.param("m4", marks=pytest.mark.qemu)])
def test_sums_of_many_values_are_exact_by_a_table_of_terms(core):
    (compiled,) = check_exact([large_sums()], core=core, n_windows=6)
    assert {layer.kernel for layer in compiled.layers} == {"kd_sum_table_s8"}


@pytest.mark.qemu
def test_a_sum_of_many_values_takes_a_sixth_of_the_instructions():
    """It was 77 a value; the few calls around it are in the count."""
    content = same_shape_model("ADD", (1, 40, 100))
    compiled = compile_model(content, CompileSettings(core="m4"))
    answers = tflm_answers(content, seed=0, n_windows=4)
    with tempfile.TemporaryDirectory() as folder:
        models = [(compiled, answers.inputs)]
        (run,), _ = run_on_board(find_board("qemu-an386"), models, Path(folder))
    assert max(run.instructions) < 14 * 4000


def same_shape_model(op, shape=(1, 6, 5), other=None):
    model = OperatorModel()
    operands = [model.input(Quantised(s, 0.05, 3)) for s in (shape, other or shape)]
    result = model.output(Quantised(shape, 0.07, -9))
    kind = OPTIONS.get(op)
    model.operator(op, operands, (result,), options_of(kind) if kind else None)
    return model.content()


@pytest.mark.parametrize("core", ["m4", "m55"])
def test_they_are_exact_on_emulated_cores(core):
    models = [same_shape_model(op) for op in BINARY]
    models += [same_shape_model("ADD", (1, 4, 3), (3,)), same_shape_model("MUL", (2, 4, 3), (4, 1))]
    check_exact(models, core=core)


def add_sums(model, *, logistic):
    """ADD and SUB over rows of every length that vectors leave a rest of, with extreme shifts."""
    scales = [(0.05, 0.05, 0.07), (0.05, 1e-4, 0.05), (1e-3, 0.04, 0.3), (0.05, 0.05, 1.5e-7)]
    points = [(0, 0, 0), (-128, 127, -128), (127, -128, 127), (-128, -128, -5)]
    for i, count in enumerate((1, 2, 3, 4, 5, 7, 16, 33)):
        (a, b, c), zeros = scales[i % 4], points[i // 2 % 4]
        operands = [
            model.input(Quantised((1, count), scale, zero))
            for scale, zero in zip((a, b), zeros, strict=False)
        ]
        result = Quantised((1, count), c, zeros[2])
        op = "SUB" if i % 3 == 2 else "ADD"
        options = options_of(OPTIONS[op], fusedActivationFunction=i % 2)
        between = model.inner(result) if logistic else model.output(result)
        model.operator(op, operands, (between,), options)
        if logistic:
            squashed = model.output(Quantised((1, count), 1 / 256, -128))
            model.operator("LOGISTIC", (between,), (squashed,))


@pytest.mark.parametrize("core", ["host", pytest.param("m55", marks=pytest.mark.qemu)])
def test_sums_of_rows_of_any_length_are_exact(core):
    models = []
    for logistic in (False, True):
        model = OperatorModel()
        add_sums(model, logistic=logistic)
        models.append(model.content())
    models += [
        same_shape_model("ADD", (1, 3, 37), other) for other in ((37,), (1, 1, 1), (1, 3, 1))
    ]
    check_exact(models, core=core)


def test_a_table_behind_an_operator_is_folded_into_it():
    model = OperatorModel()
    for op in ("ADD", "SUB", "MUL"):
        operands = [model.input(Quantised((1, 3, 40), 0.05, 3)) for _ in range(2)]
        between = model.inner(Quantised((1, 3, 40), 0.06, 7))
        model.operator(op, operands, (between,), options_of(OPTIONS[op]))
        model.operator(
            "LOGISTIC", (between,), (model.output(Quantised((1, 3, 40), 1 / 256, -128)),)
        )
    (compiled,) = check_exact([model.content()])
    assert {node.op for node in compiled.graph.nodes()} == {"ADD", "SUB", "MUL"}


def test_unary_operators_on_inputs_are_tables_in_c():
    model = OperatorModel()
    cases = {
        "LOGISTIC": ((0.05, 4), (1 / 256, -128)),
        "TANH": ((0.03, -4), (1 / 128, 0)),
        "RELU": ((0.05, 4), (0.04, -128)),
        "RELU6": ((0.05, -100), (0.05, -100)),
        "HARD_SWISH": ((0.05, 4), (0.04, -100)),
        "LEAKY_RELU": ((0.05, 4), (0.04, -10)),
        "ABS": ((0.05, 4), (0.04, -128)),
        "QUANTIZE": ((0.05, 4), (0.07, 12)),
    }
    for op, (source, result) in cases.items():
        options = options_of("LeakyReluOptions", alpha=0.2) if op == "LEAKY_RELU" else None
        tensors = (
            model.input(Quantised((1, 300), *source)),
            model.output(Quantised((1, 300), *result)),
        )
        model.operator(op, tensors[:1], tensors[1:], options)
    check_exact([model.content()])


def wide_model(op, cases, options=None):
    model = OperatorModel()
    for scale_in, scale_out in cases:
        source = model.input(Quantised((1, 900), scale_in, 0, "int16"))
        result = model.output(Quantised((1, 900), scale_out, 0, "int16"))
        model.operator(op, (source,), (result,), options)
    return model.content()


@pytest.mark.parametrize("op", ["LOGISTIC", "TANH"])
def test_logistic_and_tanh_of_any_int16_scale_are_exact(op):
    """2^-12 and 2^-11 have a way of their own in TFLite Micro, and what is near a power of two."""
    powers = [2.0**-12, 2.0**-11, 2.0**-12 * 1.0003, 2.0**-13, 2.0**-9]
    any_scale = 10 ** np.random.default_rng(7).uniform(-6, 0.3, 8)
    cases = [(scale, 2.0**-15) for scale in (*powers, *any_scale)]
    check_exact([wide_model(op, cases)])


@pytest.mark.parametrize(
    ("op", "alpha"), [("RELU", None), ("RELU6", None), *(("LEAKY_RELU", a) for a in (0.3, -0.2))]
)
def test_rectifiers_of_any_int16_scale_are_exact(op, alpha):
    options = options_of("LeakyReluOptions", alpha=alpha) if alpha else None
    rng = np.random.default_rng(9)
    cases = 10 ** rng.uniform(-5, -2, (6, 2))
    check_exact([wide_model(op, [*cases, (3e-4, 3e-4)], options)])


# --- QUANTIZE and DEQUANTIZE ---


_FINER = {"int16": 1 / 256, "int32": 1e-6}
_ZEROS = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767), "int32": (-9, 9)}


def conversions_model(rng, *, pairs_each=3) -> bytes:
    """QUANTIZE and DEQUANTIZE between all types of the table, with any scales and zero points."""
    model = OperatorModel()
    for op in ("QUANTIZE", "DEQUANTIZE"):
        for row in OPERATORS[op].types.computed * pairs_each:
            tensors = []
            types = row.split(" -> ") * (1 if "->" in row else 2)
            for make, dtype in zip((model.input, model.output), types, strict=True):
                scale = 10 ** rng.uniform(-3, 0) * _FINER.get(dtype, 1)
                zero_point = int(rng.integers(*_ZEROS[dtype])) if dtype in _ZEROS else 0
                quantisation = (scale, zero_point) if dtype != "float32" else (None, 0)
                tensors.append(make(Quantised((1, 200), *quantisation, dtype)))
            model.operator(op, tensors[:1], tensors[1:])
    return model.content()


@pytest.mark.parametrize("core", ["host", pytest.param("m3", marks=pytest.mark.qemu)])
def test_quantize_and_dequantize_between_all_types_are_exact(core):
    content = conversions_model(np.random.default_rng(8))
    check_exact([content], core=core, n_windows=8 if core == "host" else 3)


def test_floats_halfway_between_two_integers_round_away_from_zero():
    """The interpreter rounds 0.5 steps away from zero; 0.25 is a power of two, so they occur."""
    steps = np.arange(-40, 41, dtype=np.float32) / 8
    model = OperatorModel()
    source = model.constant(steps)
    model.operator("QUANTIZE", (source,), (model.output(Quantised((81,), 0.25, 0)),))
    other = model.input(Quantised((1,), 1.0))
    model.operator("RELU", (other,), (model.output(Quantised((1,), 1.0)),))
    check_exact([model.content()])


# --- refusals ---


def refusal_of(content) -> KdEdgeError:
    (node,) = nodes_of(content)
    with pytest.raises(KdEdgeError) as caught:
        LOWERINGS[node.op](node, CORES["host"])
    assert caught.value.code == "KD_UNSUPPORTED_OP"
    assert node.op in caught.value.message
    return caught.value


def binary_model(op, a, b, result, **options):
    model = OperatorModel()
    operands = [model.input(a), model.input(b)]
    model.operator(op, operands, (model.output(result),), options_of(OPTIONS[op], **options))
    return model.content()


int8 = Quantised((1, 4), 0.1)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        # TFLite Micro ends the process: its output multiplier must be below 1.
        (binary_model("ADD", int8, int8, Quantised((1, 4), 1e-8)), "far below"),
        (binary_model("SUB", int8, int8, Quantised((1, 4), 1e-8)), "far below"),
        # There the product wraps around.
        (binary_model("MUL", int8, int8, Quantised((1, 4), 1e-8)), "far below"),
        # TFLite Micro leaves out a fused TANH (4) without a word.
        (binary_model("ADD", int8, int8, int8, fusedActivationFunction=4), "TANH"),
        (binary_model("ADD", int8, Quantised((1, 3), 0.1), int8), "broadcast"),
        (binary_model("ADD", int8, int8, Quantised((1, 5), 0.1)), r"(1, 5)"),
        (binary_model("MUL", int8, int8, Quantised((1, 4))), "scale"),
        (binary_model("ADD", *[Quantised((1, 4), None, 0, "int32")] * 3), "int32"),
        (binary_model("ADD", *[Quantised((1, 4), 0.1, 5, "int16")] * 3), "zero point"),
        (binary_model("MUL", *[Quantised((1, 4), 4.0, 0, "int16")] * 3), "far below"),
        (
            wide_model("LEAKY_RELU", [(0.1, 0.1)], options_of("LeakyReluOptions", alpha=np.inf)),
            "inf",
        ),
        (wide_model("HARD_SWISH", [(0.1, 0.1)]), "for int8"),
        (wide_model("LOGISTIC", [(0.1, 0.1)]), "1/32768"),
        (wide_model("LOGISTIC", [(30.0, 2.0**-15)]), "above"),
    ],
)
def test_what_tflite_micro_does_not_compute_is_refused(content, says):
    assert says in refusal_of(content).message
