"""int16x8 models in the plain-C engine; the oracle is the TFLite Micro interpreter's every byte."""

from __future__ import annotations

import dataclasses

import pytest
from aot_harness import check_exact, computed
from aot_layers import branch_model, conv_pad_model, join_model
from aot_matrix_models import (
    DENSE_CASES,
    LSTM_CASES,
    DenseCase,
    LstmCase,
    dense_model,
    lstm_model,
)
from aot_models import some
from aot_wide_models import widened
from aot_window_models import Case, cases, fits, model
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from firmware_export.aot.compiler import CompileSettings, compile_model
from kd_edge.base.errors import KdEdgeError

_SETTINGS = settings(max_examples=1, derandomize=True, deadline=None, phases=[Phase.generate])
WINDOWED = (
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
    "TRANSPOSE_CONV",
    "AVERAGE_POOL_2D",
    "MAX_POOL_2D",
)
_CONV = Case("CONV_2D", (1, 4, 6, 3), (2, 3), channels=5)
_DENSE = DenseCase(columns=300, rows=6)
_LSTM = LstmCase(n_input=4, units=5, gain=0.05)
_DEPTHWISE = Case("DEPTHWISE_CONV_2D", (1, 5, 7, 6), (3, 3), padding="SAME")


# Operators -> cases, and what makes a model of each.
_LAYERS = {
    **{op: (cases(op).filter(fits), model) for op in WINDOWED},
    "FULLY_CONNECTED": (DENSE_CASES, dense_model),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": (
        # A finer hidden state is below what TFLite Micro takes, once it is of 16 bits.
        LSTM_CASES.filter(lambda case: case.hidden_scale / 128 > 2.0**-30),
        lstm_model,
    ),
}


def _some(op: str, count: int):
    return some(_LAYERS[op][0], count)


def _models(op: str, drawn, **how) -> list[bytes]:
    return [widened(_LAYERS[op][1](case), **how) for case in drawn]


def _computed(contents: list[bytes]) -> list[bytes]:
    return computed(contents, but="grow beyond")


@pytest.mark.parametrize("op", sorted(_LAYERS))
def test_layers_of_any_shape_and_quantisation_answer_as_tflite_micro(op):
    @_SETTINGS
    @given(_some(op, 16))
    def run(drawn):
        check_exact(_computed(_models(op, drawn)), n_windows=5)

    run()


@pytest.mark.qemu
@pytest.mark.parametrize("core", ["m3", "m4", "m55"])
def test_so_do_they_on_emulated_cores(core):
    @_SETTINGS
    @given(st.tuples(*(_some(op, 2) for op in WINDOWED)))
    def run(drawn):
        contents = [c for op, some in zip(WINDOWED, drawn, strict=True) for c in _models(op, some)]
        for n in range(1, 9):
            contents += _models("FULLY_CONNECTED", [DenseCase(251 + n, n, weights="ends")])
            contents.append(widened(lstm_model(LstmCase(n, 1 + n % 5, gain=0.02))))
        check_exact(_computed(contents), core=core, n_windows=4)

    run()


@pytest.mark.parametrize("op", ["CONV_2D", "FULLY_CONNECTED"])
def test_with_biases_of_32_bits_sums_have_32_bits_and_are_rounded_twice(op):
    @_SETTINGS
    @given(_some(op, 10))
    def run(drawn):
        check_exact(_computed(_models(op, drawn, bias="int32")), n_windows=5)

    run()


def test_a_transposed_convolution_takes_biases_of_16_bits_too():
    case = Case("TRANSPOSE_CONV", (1, 3, 4, 2), (3, 2), (2, 2), channels=3)
    check_exact([widened(model(case), bias="int16")])


def test_a_depthwise_filter_of_many_columns_is_summed_in_64_bits():
    case = Case("DEPTHWISE_CONV_2D", (1, 1, 600, 2), (1, 530), gain=14.0, seed=4)
    compiled = check_exact([widened(model(case))])
    assert compiled[0].layers[0].kernel == "kd_conv_s16"


def test_whole_models_run_step_by_step_and_stream():
    branch = widened(branch_model())
    compiled = check_exact([branch, widened(conv_pad_model()), widened(join_model())])
    assert {layer.times for layer in compiled[0].layers} == {5, 1}
    assert compiled[0].layers[0].times == 5  # the convolution and LOGISTIC before the LSTMs, too
    check_exact([branch], settings={"stream": True})


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (widened(model(_CONV), zero_point=3), "zero point"),
        (widened(dense_model(_DENSE), zero_point=3), "zero point"),
        (widened(lstm_model(_LSTM), zero_point=3), "zero point"),
        (widened(model(_DEPTHWISE), bias="int32"), "int16 int8 int32"),
        (widened(lstm_model(_LSTM), bias="int32"), "not int64"),
        (widened(dense_model(dataclasses.replace(_DENSE, gain=300.0))), "grow beyond"),
        (widened(dense_model(dataclasses.replace(_DENSE, gain=30.0, weights="ends"))), "grow"),
        (widened(lstm_model(dataclasses.replace(_LSTM, gain=1e6))), "grow beyond"),
    ],
)
def test_what_tflite_micro_does_not_compute_is_refused(content, reason):
    with pytest.raises(KdEdgeError, match=reason) as caught:
        compile_model(content, CompileSettings())
    assert caught.value.code == "KD_UNSUPPORTED_OP"
