"""Tables of int8 operators against the TFLite Micro interpreter, for all 256 inputs of each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from aot_models import OperatorModel, Quantised, nodes_of
from fixed_point import multiply_by_quantized_multiplier
from tflite_samples import options_of

from firmware_export.aot import fixedpoint
from firmware_export.aot.tables import table_of
from kd_edge.base.errors import KdEdgeError
from kd_edge.runtimes.registry import open_interpreter

CODES = np.arange(-128, 128, dtype=np.int8)
N_CASES = 60


def random_case(rng, op):
    """Scales and zero points of input and output, as the operator allows them."""
    scale_in, scale_out = 10 ** rng.uniform(-3.5, 1.0, 2)
    zero_in, zero_out = (int(z) for z in rng.choice([-128, -7, 0, 41, 127], 2))
    if op == "LOGISTIC":
        return scale_in, zero_in, 1 / 256, -128
    if op == "TANH":
        return scale_in, zero_in, 1 / 128, 0
    if op == "HARD_SWISH":
        scale_out = scale_in * 10 ** rng.uniform(-2.0, 0.7)
    return scale_in, zero_in, scale_out, zero_out


def unary_model(op, cases, options=None):
    model = OperatorModel()
    for scale_in, zero_in, scale_out, zero_out in cases:
        source = model.input(Quantised((1, 256), scale_in, zero_in))
        result = model.output(Quantised((1, 256), scale_out, zero_out))
        model.operator(op, (source,), (result,), options)
    return model.content()


def assert_tables_are_tflm_s(tmp_path, content):
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    session = open_interpreter("tflm", path)
    expected = session.run([CODES.reshape(spec.shape) for spec in session.inputs])
    nodes = nodes_of(content)
    for node, answer in zip(nodes, expected, strict=True):
        scales = [(t.scales, t.zero_points) for t in (*node.inputs, *node.outputs)]
        np.testing.assert_array_equal(table_of(node), answer.reshape(-1), err_msg=str(scales))


UNARY = ("LOGISTIC", "TANH", "RELU", "RELU6", "HARD_SWISH", "QUANTIZE", "ABS")


@pytest.mark.parametrize("op", UNARY)
def test_a_table_holds_what_tflite_micro_computes(op, tmp_path):
    rng = np.random.default_rng(3)
    cases = [random_case(rng, op) for _ in range(N_CASES)]
    assert_tables_are_tflm_s(tmp_path, unary_model(op, cases))


@pytest.mark.parametrize(
    ("op", "scale_in", "scale_out"),
    [
        ("ABS", 0.0002675, 0.0004494),
        ("HARD_SWISH", 0.099627, 0.097587),
    ],
)
def test_scales_are_divided_in_double_precision(op, scale_in, scale_out, tmp_path):
    """Scales whose quotient in single precision gives another table."""
    cases = [(scale_in, 0, scale_out, 0)]
    assert_tables_are_tflm_s(tmp_path, unary_model(op, cases))


@pytest.mark.parametrize("alpha", [0.0, 0.01, 0.3, 1.0, 1.7, -0.2])
def test_leaky_relu_takes_any_slope_below_zero(alpha, tmp_path):
    rng = np.random.default_rng(4)
    cases = [random_case(rng, "LEAKY_RELU") for _ in range(12)]
    options = options_of("LeakyReluOptions", alpha=alpha)
    assert_tables_are_tflm_s(tmp_path, unary_model("LEAKY_RELU", cases, options))


@pytest.mark.parametrize("op", ["ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM"])
@pytest.mark.parametrize("constant_first", [False, True])
def test_an_operator_with_one_constant_is_a_table(op, constant_first, tmp_path):
    rng = np.random.default_rng(5)
    model = OperatorModel()
    kind = {"ADD": "AddOptions", "SUB": "SubOptions", "MUL": "MulOptions"}.get(op)
    for i in range(24):
        scale, other, result_scale = 10 ** rng.uniform(-2.5, 0.5, 3)
        zeros = [int(z) for z in rng.integers(-128, 128, 3)]
        source = model.input(Quantised((1, 256), scale, zeros[0]))
        value = rng.integers(-128, 128, (1, 1) if i % 2 else ()).astype(np.int8)
        fixed = model.constant(value, scale=other, zero_point=zeros[1])
        result = model.output(Quantised((1, 256), result_scale, zeros[2]))
        options = options_of(kind, fusedActivationFunction=i % 4) if kind else None
        operands = (fixed, source) if constant_first else (source, fixed)
        model.operator(op, operands, (result,), options)
    assert_tables_are_tflm_s(tmp_path, model.content())


@pytest.mark.parametrize("op", ["RELU6", "ADD"])
def test_a_limit_far_beyond_the_type_cuts_nothing_off(op):
    """Six is 600 million steps."""
    model = OperatorModel()
    tiny = Quantised((1, 256), 1e-8, 0)
    operands = [model.input(tiny)]
    options = None
    if op == "ADD":
        operands.append(model.constant(np.zeros((1,), np.int8), scale=1e-8))
        options = options_of("AddOptions", fusedActivationFunction=3)
    model.operator(op, operands, (model.output(tiny),), options)
    (node,) = nodes_of(model.content())
    np.testing.assert_array_equal(table_of(node), np.maximum(CODES, 0))


def test_a_table_behind_a_table_is_one_table():
    (node,) = nodes_of(unary_model("RELU", [(0.1, 3, 0.1, -5)]))
    mirrored = CODES[::-1]
    folded = replace(node, table=mirrored, before_table=node.outputs[0])
    np.testing.assert_array_equal(table_of(folded), -1 - table_of(node))


@pytest.mark.parametrize(
    ("op", "case"),
    [
        ("LOGISTIC", (0.1, 0, 1 / 256, 0)),  # TFLite Micro takes the zero point -128 alone
        ("LOGISTIC", (3e-9, 0, 1 / 256, -128)),  # shifts by a negative amount there
        ("HARD_SWISH", (1.0, 0, 0.005, 0)),  # TFLite Micro: output_multiplier_exponent <= 0
    ],
)
def test_what_tflite_micro_refuses_is_refused(op, case):
    (node,) = nodes_of(unary_model(op, [case]))
    with pytest.raises(KdEdgeError) as caught:
        table_of(node)
    assert caught.value.code == "KD_UNSUPPORTED_OP"
    assert op in caught.value.message


def test_an_operator_on_two_computed_tensors_is_no_table():
    model = OperatorModel()
    operands = [model.input(Quantised((1, 4), 0.1)) for _ in range(2)]
    model.operator(
        "ADD", operands, (model.output(Quantised((1, 4), 0.1)),), options_of("AddOptions")
    )
    (node,) = nodes_of(model.content())
    assert table_of(node) is None


@pytest.mark.parametrize("shift", [-31, -7, 0, 3, 30])
def test_requantisation_of_arrays_equals_that_of_numbers(shift):
    rng = np.random.default_rng(6)
    values = rng.integers(-(1 << 31) >> max(shift, 0), (1 << 31) >> max(shift, 0), 200)
    multiplier = 1_518_500_250
    expected = [multiply_by_quantized_multiplier(int(v), multiplier, shift) for v in values]
    np.testing.assert_array_equal(fixedpoint.requantize(values, multiplier, shift), expected)


@pytest.mark.parametrize("bits", [4, 5])
def test_fixed_point_functions_are_near_the_real_ones(bits):
    a = np.linspace(-(1 << 31) + 1, (1 << 31) - 1, 4001).astype(np.int64)
    real = a * 2.0 ** (bits - 31)
    below = a[a <= 0]
    for mine, truth in (
        (fixedpoint.logistic(a, bits), 1 / (1 + np.exp(-real))),
        (fixedpoint.tanh(a, bits), np.tanh(real)),
        (fixedpoint.exp_of_negative(below, bits), np.exp(real[a <= 0])),
    ):
        np.testing.assert_allclose(mine / 2.0**31, truth, atol=2e-7)
