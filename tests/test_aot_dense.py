"""Dense layers of the plain-C engine; the oracle is the TFLite Micro interpreter's every byte."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from aot_harness import check_exact
from aot_matrix_models import DENSE_CASES, DenseCase, dense_model
from aot_models import OperatorModel, Quantised, some
from hypothesis import given, settings
from tflite_samples import options_of

from firmware_export.aot.compiler import CompileSettings, compile_model
from firmware_export.aot.layout import blocks_of_rows, folded_bias, pack_rows, packs
from kd_edge.base.errors import KdEdgeError

_SOME = some(DENSE_CASES, 14)
_ORDINARY = DenseCase(columns=7, rows=5)


@settings(max_examples=3, deadline=None, derandomize=True)
@given(_SOME)
def test_dense_layers_of_any_size_and_quantisation_answer_as_tflite_micro(cases):
    check_exact([dense_model(case) for case in cases], n_windows=5)


@pytest.mark.qemu
@pytest.mark.parametrize("core", ["m4", "m55"])
@settings(max_examples=1, deadline=None, derandomize=True)
@given(cases=_SOME)
def test_so_do_they_on_emulated_cores(core, cases):
    check_exact([dense_model(case) for case in cases], core=core, n_windows=5)


def test_the_dsp_cores_pack_two_rows_in_a_halfword_unless_sums_are_too_large():
    def kernel(case):
        return compile_model(dense_model(case), CompileSettings(core="m4")).layers[0].kernel

    assert kernel(_ORDINARY) == "kd_fc_packed_s8"
    assert kernel(dataclasses.replace(_ORDINARY, weights="least")) == "kd_fc_s8"
    assert kernel(DenseCase(600, 3, weights="ends", input_zero=-128)) == "kd_fc_s8"
    assert kernel(dataclasses.replace(_ORDINARY, gain=1.7)) == "kd_fc_s8"  # shifts to the left


@pytest.mark.parametrize("core", ["host", pytest.param("m4", marks=pytest.mark.qemu)])
def test_a_layer_is_clamped_before_a_table_looks_it_up(core):
    graph, rng = OperatorModel(), np.random.default_rng(5)
    weights = graph.constant(rng.integers(-127, 128, (10, 20), dtype=np.int8), scale=0.01)
    source = graph.input(Quantised((2, 20), 0.05, -3))
    made = graph.inner(Quantised((2, 10), 0.09, 5))
    options = options_of("FullyConnectedOptions", fusedActivationFunction=3)
    graph.operator("FULLY_CONNECTED", (source, weights), (made,), options)
    graph.operator("LOGISTIC", (made,), (graph.output(Quantised((2, 10), 1 / 256, -128)),))
    check_exact([graph.content()], core=core)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (dense_model(_ORDINARY, weights_zero=3), "zero point"),
        (dense_model(dataclasses.replace(_ORDINARY, gain=1e6)), "leave 32 bits"),
        (dense_model(dataclasses.replace(_ORDINARY, activation=4)), "TANH"),
    ],
)
def test_what_tflite_micro_does_not_compute_is_refused(model, reason):
    with pytest.raises(KdEdgeError, match=reason) as caught:
        compile_model(model, CompileSettings())
    assert caught.value.code == "KD_UNSUPPORTED_OP"


# --- the layout alone; the oracle is numpy's matrix product ---


def _widened(x: np.ndarray) -> np.ndarray:
    """int64 (words, 2): halfwords of the columns in the order that kd_widen_s8() states."""
    padded = np.zeros(max(4, len(x) + len(x) % 2), np.int64)
    padded[: len(x)] = x
    whole = len(padded) // 4 * 4
    fours = padded[:whole].reshape(-1, 4)[:, [0, 2, 1, 3]].reshape(-1, 2)
    return np.concatenate([fours, padded[whole:].reshape(-1, 2)])


def _signed(values: np.ndarray, bits: int) -> np.ndarray:
    half = 1 << (bits - 1)
    return ((values + half) & ((1 << bits) - 1)) - half


def _four_sums(words: np.ndarray, x: np.ndarray) -> np.ndarray:
    """What kd_dot_packed() makes of one block, instruction by instruction."""
    sums = _signed(words[:4].astype(np.int64), 32)
    inputs = _widened(x)
    groups = len(inputs) // 2 * 2
    weights = words[4:].astype(np.int64)
    pairs = weights[: 2 * groups].reshape(-1, 2, 2).transpose(1, 0, 2).reshape(2, -1)
    tail = weights[2 * groups :].reshape(-1, 2).T
    for pair, row in enumerate(np.concatenate([pairs, tail], axis=1)):
        halves = _signed(np.stack([row & 0xFFFF, row >> 16], axis=1), 16)
        lower = _signed(np.stack([row & 0xFF, row >> 16 & 0xFF], axis=1), 8)
        sums[2 * pair] += (halves * inputs).sum()
        sums[2 * pair + 1] += (lower * inputs).sum()
    sums = _signed(sums, 32)
    upper = _signed(sums[0::2] - sums[1::2], 32) >> 8
    return np.stack([upper, sums[1::2]], axis=1).reshape(-1)


@pytest.mark.parametrize("columns", [*range(1, 14), 50, 257])
def test_packed_rows_multiply_to_the_matrix_product(columns):
    rng = np.random.default_rng(columns)
    weights = rng.integers(-127, 128, (6, columns)).astype(np.int8)
    bias = rng.integers(-9000, 9000, 6)
    x = rng.integers(-128, 128, columns)
    folded = folded_bias(weights, bias, 5)
    packed = pack_rows(blocks_of_rows(weights), blocks_of_rows(folded))
    mine = np.concatenate([_four_sums(block, x) for block in packed])
    np.testing.assert_array_equal(mine[:6], weights.astype(np.int64) @ (x - 5) + bias)
    np.testing.assert_array_equal(mine[6:], 0)


def test_rows_pack_up_to_24_bits_and_without_the_weight_below_the_converters_range():
    ones = np.ones((1, 1), np.int8)
    limit = 1 << 23
    assert packs(ones, np.array([-limit]), np.array([limit - 1]))
    assert not packs(ones, np.array([-limit - 1]), np.array([0]))
    assert not packs(ones, np.array([0]), np.array([limit]))
    assert not packs(np.full((1, 1), -128, np.int8), np.array([0]), np.array([0]))
