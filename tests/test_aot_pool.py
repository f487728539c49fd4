"""Pooling of the plain-C engine; the oracle is the TFLite Micro interpreter's every byte."""

from __future__ import annotations

from dataclasses import replace

import pytest
from aot_harness import check_exact
from aot_models import OperatorModel, Quantised
from aot_window_models import Case, cases, fits, model
from hypothesis import given, settings
from hypothesis import strategies as st
from tflite_samples import options_of

from firmware_export.aot.compiler import CompileSettings, compile_model
from firmware_export.aot.schedule import item_calls
from kd_edge.base.errors import KdEdgeError

_SETTINGS = settings(max_examples=3, deadline=None, derandomize=True)


@pytest.mark.parametrize("core", ["host", pytest.param("m4", marks=pytest.mark.qemu)])
@pytest.mark.parametrize("op", ["AVERAGE_POOL_2D", "MAX_POOL_2D"])
def test_pooling_of_any_shape_answers_as_tflite_micro(op, core):
    @_SETTINGS
    @given(st.lists(cases(op).filter(fits), min_size=12, max_size=12))
    def check(drawn):
        check_exact([model(case) for case in drawn], core=core, n_windows=6)

    check()


@pytest.mark.qemu
@pytest.mark.parametrize("core", ["m4", "m55"])
@pytest.mark.parametrize("op", ["AVERAGE_POOL_2D", "MAX_POOL_2D"])
def test_pools_of_any_count_are_right_with_several_channels_at_a_time(op, core):
    """Whole groups of channels and rests; windows of one value, of 25 x 5 as keyword spotting has
    them, of as many as sums of 16 bits hold and one more, with padding, and of thousands."""
    pools = [
        Case(op, shape, kernel, padding=padding, activation=activation)
        for shape, kernel, padding, activation in (
            ((1, 25, 5, 64), (25, 5), "VALID", "NONE"),
            ((1, 4, 5, 23), (1, 1), "VALID", "NONE"),
            ((2, 7, 6, 18), (3, 4), "SAME", "RELU6"),
            ((1, 15, 17, 7), (15, 17), "VALID", "RELU_N1_TO_1"),
            ((1, 16, 16, 4), (16, 16), "VALID", "NONE"),
            ((1, 6, 7, 3), (2, 3), "SAME", "RELU_N1_TO_1"),
            ((1, 16, 16, 2), (16, 16), "VALID", "NONE"),
            ((1, 5, 4, 2), (2, 2), "SAME", "RELU6"),
            ((1, 50, 100, 5), (50, 100), "VALID", "NONE"),
            ((1, 81, 100, 3), (81, 100), "VALID", "NONE"),
        )
    ]
    check_exact([model(pool) for pool in pools], core=core, n_windows=3)


_PAIRS = Case(op="AVERAGE_POOL_2D", source=(2, 3, 9, 3), kernel=(1, 2), strides=(1, 2))


def test_halving_a_signal_has_a_kernel_of_its_own():
    compiled = check_exact([model(_PAIRS), model(replace(_PAIRS, source=(1, 1, 296, 4)))])
    kernels = {call.kernel for one in compiled for call in item_calls(one.schedule.items)}
    assert kernels == {"kd_avg_pool_s8_pairs"}


@pytest.mark.qemu
def test_helium_halves_signals_of_any_count_of_channels():
    """Vectors of several pixels and of parts of one, each with a rest."""
    counts = ((1, 9), (2, 15), (3, 4), (4, 31), (5, 6), (8, 4), (9, 3), (20, 5))
    cases = [replace(_PAIRS, source=(2, 3, columns, n)) for n, columns in counts]
    compiled = check_exact([model(case) for case in cases], core="m55")
    kernels = {call.kernel for one in compiled for call in item_calls(one.schedule.items)}
    assert kernels == {"kd_avg_pool_s8_pairs"}


@pytest.mark.parametrize(
    "changed", [{"padding": "SAME"}, {"activation": "RELU"}, {"strides": (1, 1)}]
)
def test_halving_with_padding_clamp_or_overlap_goes_to_the_general_kernel(changed):
    (compiled,) = check_exact([model(replace(_PAIRS, **changed, zero_points=(5, 0)))])
    assert {call.kernel for call in item_calls(compiled.schedule.items)} == {"kd_avg_pool_s8"}


def test_a_result_of_another_scale_is_refused():
    graph = OperatorModel()
    source = graph.input(Quantised((1, 1, 4, 2), 0.1))
    result = graph.output(Quantised((1, 1, 2, 2), 0.2))
    options = options_of("Pool2DOptions", filterHeight=1, filterWidth=2, strideH=1, strideW=2)
    options.padding = 1
    graph.operator("MAX_POOL_2D", (source,), (result,), options)
    with pytest.raises(KdEdgeError, match="quantised otherwise than its input"):
        compile_model(graph.content(), CompileSettings())
