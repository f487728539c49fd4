"""The LSTM of the plain-C engine; the oracle is the TFLite Micro interpreter's every byte."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from aot_harness import check_exact, tflm_answers
from aot_matrix_models import LSTM_CASES, LstmCase, lstm_model
from hypothesis import given, settings
from hypothesis import strategies as st
from tflite_samples import GraphBuilder

from firmware_export.aot.compiler import CompileSettings, compile_model
from firmware_export.aot.sigmoid_table import sigmoid_table
from kd_edge.base.errors import KdEdgeError

_SOME = st.lists(LSTM_CASES, min_size=10, max_size=10)
_ORDINARY = LstmCase(n_input=4, units=5, gain=0.05)


def _models(cases):
    return [lstm_model(case) for case in cases]


def _kernels(case: LstmCase, core: str) -> set[str]:
    layers = compile_model(lstm_model(case), CompileSettings(core=core)).layers
    return {layer.kernel + layer.variant for layer in layers}


@settings(max_examples=4, deadline=None, derandomize=True)
@given(_SOME)
def test_lstms_of_any_size_and_quantisation_answer_as_tflite_micro(cases):
    check_exact(_models(cases), n_windows=5)


@pytest.mark.qemu
@pytest.mark.parametrize("core", ["m4", "m55"])
@settings(max_examples=2, deadline=None, derandomize=True)
@given(cases=_SOME)
def test_so_do_they_on_emulated_cores(core, cases):
    check_exact(_models(cases), core=core, n_windows=5)


@pytest.mark.qemu
@pytest.mark.parametrize(
    "core", ["m4", "m55", *(pytest.param(c, marks=pytest.mark.slow) for c in ("m3", "m7", "m33"))]
)
def test_every_count_of_left_over_columns_and_units_is_exact_on_emulated_cores(core):
    sizes = [(n, 1 + n % 5) for n in range(1, 20)]
    check_exact(
        [lstm_model(LstmCase(n, units, gain=0.02, hidden_zero=3)) for n, units in sizes],
        core=core,
        n_windows=4,
    )


def test_the_dsp_cores_pack_two_rows_in_a_halfword_unless_sums_are_too_large():
    assert _kernels(_ORDINARY, "m4") == {"kd_lstm_packed_s8_dsp"}
    assert _kernels(_ORDINARY, "m55") == {"kd_lstm_s8_mve"}
    assert _kernels(_ORDINARY, "m3") == {"kd_lstm_s8"}
    wide = LstmCase(n_input=600, units=2, weights="ends", input_zero=-128)
    assert _kernels(wide, "m4") == {"kd_lstm_s8"}
    assert _kernels(dataclasses.replace(_ORDINARY, weights="least"), "m4") == {"kd_lstm_s8"}


@pytest.mark.parametrize("op", ["LOGISTIC", "TANH"])
def test_the_table_interpolates_every_16_bit_number_as_tflite_micro(op):
    graph = GraphBuilder()
    x = graph.tensor("x", (1, 1 << 16), "int16", scale=2.0**-12)
    y = graph.tensor("y", (1, 1 << 16), "int16", scale=2.0**-15)
    graph.operator(op, (x,), (y,))
    answered = tflm_answers(graph.content((x,), (y,)), seed=0, n_windows=5)
    table = sigmoid_table().astype(np.int64)
    bits, rounding, offset, right = (9, 512, 1 << 24, 10) if op == "LOGISTIC" else (8, 128, 0, 8)
    for (values,), (expected,) in zip(answered.inputs, answered.outputs, strict=True):
        scaled = 3 * values.astype(np.int64)
        at = np.minimum(np.abs(scaled), 65535 if op == "TANH" else 1 << 20)
        low, high, part = table[at >> bits], table[(at >> bits) + 1], at & ((1 << bits) - 1)
        line = (low << bits) + part * (high - low)
        mine = ((line ^ (scaled >> 63)) + offset + rounding) >> right
        np.testing.assert_array_equal(mine, expected)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"absent": (9,)}, "peephole"),
        ({"absent": (16,)}, "projection"),
        ({"absent": (20,)}, "layer normalisation"),
        ({"cell_scale": 3e-4}, "power of two"),
    ],
)
def test_a_form_that_tflite_micro_lacks_is_refused_by_name(change, reason):
    with pytest.raises(KdEdgeError, match=reason) as caught:
        compile_model(lstm_model(_ORDINARY, **change), CompileSettings())
    assert caught.value.code == "KD_UNSUPPORTED_OP"
    assert "UNIDIRECTIONAL_SEQUENCE_LSTM" in caught.value.where


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"activation": 1}, "activation is RELU"),
        ({"hidden_scale": 1e-10, "gain": 1e-9}, "below 2\\^-30"),
        ({"gain": 1e6}, "leave 32 bits"),
    ],
)
def test_quantisation_without_a_meaning_is_refused(change, reason):
    with pytest.raises(KdEdgeError, match=reason):
        compile_model(lstm_model(dataclasses.replace(_ORDINARY, **change)), CompileSettings())
