"""Convolutions of the plain-C engine; the oracle is the TFLite Micro interpreter's every byte."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from aot_harness import check_exact, tflm_answers
from aot_machines import MACHINES
from aot_models import OperatorModel, Quantised
from aot_tiny_models import kws01
from aot_window_models import Case, cases, fits, model
from hypothesis import given, settings
from hypothesis import strategies as st
from tflite_samples import options_of

from firmware_export.aot.compiler import CompileSettings, compile_model
from firmware_export.aot.lower.conv_layout import packed_stream, quad_stream, row_stream
from firmware_export.aot.lower.conv_quantisation import (
    Narrowing,
    fits_packed,
    settled,
    sum_bounds,
)
from firmware_export.aot.schedule import item_calls
from firmware_export.boards import find_board
from firmware_export.boards.on_board import run_on_board
from kd_edge.base.errors import KdEdgeError

_SETTINGS = settings(max_examples=3, deadline=None, derandomize=True)


def _on(*cores: str):
    """Cores to run on: this machine, or an emulated board."""
    return pytest.mark.parametrize(
        "core", [c if c == "host" else pytest.param(c, marks=pytest.mark.qemu) for c in cores]
    )


def _some(op: str, **limits):
    return st.lists(cases(op, **limits).filter(fits), min_size=12, max_size=12)


def _kernels(case: Case, core: str) -> set[str]:
    compiled = compile_model(model(case), CompileSettings(core=core))
    return {call.kernel for call in item_calls(compiled.schedule.items)}


@_on("host", "m4", "m55")
@pytest.mark.parametrize("op", ["CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV"])
def test_convolutions_of_any_shape_answer_as_tflite_micro(op, core):
    @_SETTINGS
    @given(_some(op))
    def check(drawn):
        check_exact([model(case) for case in drawn], core=core, n_windows=6)

    check()


_ROW = Case(op="CONV_2D", source=(1, 2, 200, 3), kernel=(1, 4), channels=3, zero_points=(-102, 10))
_SIGNALS = (
    replace(_ROW, logistic=True),  # more pixels than fit one tile of widened input
    replace(_ROW, padding="SAME", strides=(1, 3)),
    replace(_ROW, kernel=(1, 9), padding="SAME", channels=24, strides=(1, 4)),
    replace(_ROW, source=(1, 1, 40, 21), kernel=(1, 7), channels=2, logistic=True),
    replace(_ROW, source=(2, 1, 5, 2), channels=4, activation="RELU6"),
    replace(_ROW, source=(1, 9, 9, 5), kernel=(3, 3), channels=7, padding="SAME"),
    replace(_ROW, source=(1, 1, 7, 130), kernel=(1, 1), channels=1),
)


@_on("host", "m3", "m4", "m7", "m33", "m55")
def test_the_forms_that_signal_models_have_answer_as_tflite_micro(core):
    check_exact([model(case) for case in _SIGNALS], core=core)


_IMAGE = Case(op="CONV_2D", source=(1, 5, 5, 3), kernel=(3, 3), channels=5, padding="SAME")
# What a Helium kernel of four pixels and 16 bytes leaves a rest of: output pixels, bytes of a
# window, windows collected at a time, and those in place at a row's end.
_RESTS = (
    *(replace(_IMAGE, source=(1, 1, n, 3), seed=n, zero_points=(-128, 127)) for n in range(1, 6)),
    replace(_IMAGE, source=(1, 5, 7, 1), channels=8, logistic=True, seed=16),
    replace(_IMAGE, source=(1, 9, 4, 2), channels=3, strides=(2, 1), zero_points=(127, -128)),
    replace(_IMAGE, source=(2, 4, 5, 5), dilation=(2, 2), channels=4, activation="RELU6", seed=4),
    replace(_IMAGE, source=(1, 6, 5, 12), kernel=(3, 5), channels=2, gain=20.0, seed=5),
    replace(_IMAGE, source=(1, 3, 3, 16), kernel=(1, 1), channels=17, seed=8),
    replace(_IMAGE, source=(1, 3, 11, 20), kernel=(1, 2), padding="VALID", logistic=True, seed=12),
    replace(_IMAGE, source=(1, 9, 9, 33), kernel=(1, 1), strides=(2, 2), seed=21),
    replace(_IMAGE, op="TRANSPOSE_CONV", source=(1, 3, 7, 4), strides=(2, 2), padding="VALID"),
)


# Pairs of windows on cores with the DSP extension: rows of whole words, and of every rest.
_PAIRS = tuple(
    replace(_IMAGE, source=(2, 4, 9, deep), kernel=(2, columns), channels=3, seed=deep)
    for deep, columns in ((4, 2), (1, 5), (2, 3), (1, 7), (3, 3), (1, 2), (1, 1))
)


@_on("m4", "m55")
def test_every_pixel_and_byte_that_fours_and_pairs_leave_is_computed(core):
    check_exact([model(case) for case in (*_RESTS, *_PAIRS)], core=core)


_WHOLE = replace(_IMAGE, op="DEPTHWISE_CONV_2D", channels=1, padding="VALID")
_WHOLE_INPUTS = (
    replace(_WHOLE, source=(2, 3, 5, 9), kernel=(3, 5), zero_points=(-128, 127)),
    replace(_WHOLE, source=(1, 1, 1, 4), kernel=(1, 1), activation="RELU6"),
    replace(_WHOLE, source=(1, 25, 1, 7), kernel=(25, 1), logistic=True),
)


@_on("m4")
def test_a_depthwise_window_that_is_the_whole_input_answers_as_tflite_micro(core):
    check_exact([model(case) for case in _WHOLE_INPUTS], core=core)


# What lanes of 16 leave a rest of: windows of fewer values, of some and of none more.
_LANES = tuple(
    replace(_IMAGE, source=(1, 1, pixels, deep), kernel=(1, 1), channels=channels, seed=deep)
    for pixels, deep, channels in (
        *((2, 1, 1), (3, 7, 6), (4, 8, 5), (5, 9, 4), (2, 12, 3), (3, 15, 4), (4, 16, 5)),
        *((5, 17, 3), (1, 31, 9), (6, 32, 2), (7, 47, 6)),
    )
)


@pytest.mark.parametrize("core", MACHINES)
def test_vectors_of_phones_and_computers_compute_every_pixel_and_value(core):
    """Pixels go by two, channels by four, values by 16."""
    check_exact([model(case) for case in (*_RESTS, *_SIGNALS, *_LANES)], core=core)


def test_few_channels_along_a_row_go_to_the_row_kernel_and_others_do_not():
    assert _kernels(_SIGNALS[0], "m4") >= {"kd_conv_s8_row"}
    assert _kernels(_SIGNALS[2], "m4") == {"kd_conv_s8"}
    assert _kernels(_SIGNALS[5], "m4") == {"kd_conv_s8"}
    assert _kernels(_SIGNALS[0], "m55") >= {"kd_conv_s8"}
    assert _kernels(replace(_ROW, source=(1, 2, 9, 4), groups=2, channels=4), "m4") == {
        "kd_conv_s8_general"
    }


_CLAMPED = tuple(
    replace(case, clamped=0.4, seed=seed, activation=activation)
    for seed, activation in enumerate(("NONE", "RELU", "RELU6"))
    for case in (
        replace(_ROW, source=(1, 6, 7, 9), kernel=(3, 3), channels=11, padding="SAME"),
        replace(_ROW, op="DEPTHWISE_CONV_2D", source=(1, 6, 7, 9), kernel=(3, 3), channels=1),
        replace(_ROW, source=(1, 1, 40, 8), kernel=(1, 3), channels=5, logistic=True),
    )
)


@_on("host", "m4", "m55")
def test_channels_with_clamped_biases_answer_as_tflite_micro(core):
    check_exact([model(case) for case in _CLAMPED], core=core)


_DEPTHWISE = Case(op="DEPTHWISE_CONV_2D", source=(1, 7, 150, 6), kernel=(3, 3), padding="SAME")
_TILED = tuple(
    replace(_DEPTHWISE, zero_points=(-128, 5), seed=seed, **values)
    for seed, values in enumerate(
        (
            {},  # a row of input does not fit the scratch
            {"strides": (2, 3), "kernel": (5, 4)},
            {"source": (1, 60, 9, 5), "activation": "RELU6"},  # nor do all rows
            {"source": (2, 40, 1, 7), "kernel": (10, 1), "dilation": (3, 1)},  # goes as a row
            {"source": (1, 40, 1, 4), "kernel": (5, 1), "strides": (2, 1), "padding": "VALID"},
            {"source": (1, 30, 40, 4), "kernel": (2, 3), "dilation": (5, 6)},
            {"source": (1, 1, 500, 4), "kernel": (1, 300), "padding": "VALID"},
        )
    )
)


@_on("host", "m4", "m55")
def test_depthwise_convolutions_computed_in_tiles_answer_as_tflite_micro(core):
    check_exact([model(case) for case in _TILED], core=core)


def test_a_clamped_bias_keeps_no_layer_from_the_faster_kernels():
    """The general kernel takes eight times as many instructions."""
    kernels = {kernel for case in _CLAMPED for kernel in _kernels(case, "m4")}
    assert kernels == {"kd_conv_s8", "kd_depthwise_s8", "kd_conv_s8_row"}


def test_only_channels_whose_result_never_changes_lose_their_weights():
    """The first channel's sums reach one step beyond what the clamp hides."""
    weights = np.full((3, 4), 100, np.int8)
    largest = 4 * 100 * 127
    narrowing = replace(
        _narrowing(3),
        multiplier=np.full(3, 1 << 30, np.int32),
        shift=np.full(3, -1, np.int32),
        bias=np.array([-4 * 128 - largest + 4, -4 * 128 - largest, 1 << 30], np.int32),
    )
    rows, settled_narrowing = settled(weights, narrowing)
    assert rows.any(axis=1).tolist() == [True, False, False]
    assert settled_narrowing.bias.tolist() == [narrowing.bias[0], 4 * -128, 4 * 127]
    wrapping = replace(narrowing, shift=np.full(3, 1, np.int32))
    assert settled(weights, wrapping)[0].any(axis=1).tolist() == [False, False, True]


def _narrowing(channels: int, *, in_zero: int = 0, shift: int = -3) -> Narrowing:
    return Narrowing(
        multiplier=np.arange(channels, dtype=np.int32) + (1 << 30),
        shift=np.full(channels, shift, np.int32) - np.arange(channels, dtype=np.int32),
        bias=np.arange(channels, dtype=np.int32) * 7 - 9,
        in_zero=in_zero,
        out_zero=0,
        low=-128,
        high=127,
        table=None,
    )


def _one_window(weights: np.ndarray, in_zero: int) -> bytes:
    """A convolution whose one window is the whole input."""
    graph = OperatorModel()
    source = graph.input(Quantised((1, 1, 1, weights.shape[1]), 0.02, in_zero))
    result = graph.output(Quantised((1, 1, 1, len(weights)), 900.0, 3))
    filters = weights.reshape(len(weights), 1, 1, -1)
    options = options_of("Conv2DOptions", strideH=1, strideW=1, padding=1)
    graph.operator("CONV_2D", (source, graph.constant(filters, scale=0.01)), (result,), options)
    return graph.content()


@pytest.mark.qemu
def test_sums_at_the_very_limit_of_the_packed_arithmetic_are_exact():
    """With a zero point of -128, 258 weights of 127 reach 8,355,330 of 8,388,607; 260 go beyond."""
    inside, beyond = (np.full((3, n), 127, np.int8) for n in (258, 260))
    inside[1] *= -1
    beyond[2] *= -1
    assert fits_packed(inside, _narrowing(3, in_zero=-128))
    assert not fits_packed(beyond, _narrowing(3, in_zero=-128))
    check_exact([_one_window(inside, -128), _one_window(beyond, -128)], core="m4")


_GENERAL = Case(op="CONV_2D", source=(1, 7, 6, 9), kernel=(3, 3), channels=7, padding="SAME")
_GENERALS = tuple(
    replace(_GENERAL, seed=16 * i + 5, zero_points=(-128, 3), **values)  # a weight is -128
    for i, values in enumerate(
        (
            {},
            {"kernel": (1, 1), "channels": 5},
            {"dilation": (2, 3), "kernel": (4, 3)},
            {"strides": (2, 3), "padding": "VALID", "source": (2, 9, 11, 4)},
            {"groups": 3, "channels": 6},
            {"source": (1, 1, 2, 3), "kernel": (5, 7), "dilation": (3, 2)},
        )
    )
)


@_on("host", "m3", "m4", "m55")
def test_the_general_kernel_answers_as_tflite_micro_wherever_a_window_lies(core):
    check_exact([model(case) for case in _GENERALS], core=core)


def test_those_forms_are_the_general_kernels():
    assert {kernel for case in _GENERALS for kernel in _kernels(case, "m4")} == {
        "kd_conv_s8_general"
    }


def test_weights_of_minus_128_and_upward_shifts_are_left_to_the_general_kernel():
    weights = np.full((2, 4), 5, np.int8)
    assert fits_packed(weights, _narrowing(2))
    assert not fits_packed(weights, _narrowing(2, shift=1))
    weights[1, 2] = -128
    assert not fits_packed(weights, _narrowing(2))


@given(st.integers(0, 10**6), st.integers(-128, 127))
@settings(max_examples=20, deadline=None, derandomize=True)
def test_no_input_leaves_the_bounds_of_its_sums(seed, in_zero):
    rng = np.random.default_rng(seed)
    weights = rng.integers(-128, 128, (3, 9), dtype=np.int8)
    x = rng.choice([-128, 127], (50, 9)) - in_zero
    sums = weights.astype(np.int64) @ x.T
    least, most = sum_bounds(weights, in_zero)
    assert (sums.min(axis=1) >= least).all()
    assert (sums.max(axis=1) <= most).all()
    worst = np.where(weights > 0, -128, 127) - in_zero
    np.testing.assert_array_equal((weights * worst).sum(axis=1), least)


@pytest.mark.parametrize("channels", [1, 2, 5])
@pytest.mark.parametrize("window", [1, 6, 7])
def test_both_packed_streams_hold_every_weight_where_the_kernel_takes_it(channels, window):
    """The oracle takes the words apart as SMLAD and SXTB16 see them."""
    weights = np.random.default_rng(3).integers(-127, 128, (channels, window), dtype=np.int8)
    for stream, order in ((packed_stream, (0, 2, 1, 3)), (row_stream, (0, 1, 2, 3))):
        padding = 4 if stream is packed_stream else 2
        columns = -(-window // padding) * padding
        groups = stream(weights, _narrowing(channels)).reshape(-1, 5 + columns // 2)
        halves = groups[:, :-5] if stream is packed_stream else groups[:, 5:]
        halves = np.ascontiguousarray(halves).view(np.int16).astype(np.int64)
        low = halves.astype(np.int8).astype(np.int64)
        first, second = (halves - low) >> 8, low
        places = [4 * (i // 4) + order[i % 4] for i in range(columns)]
        wanted = np.zeros((2 * len(halves), columns), np.int64)
        wanted[:channels, :window] = weights
        np.testing.assert_array_equal(first, wanted[0::2][:, places])
        np.testing.assert_array_equal(second, wanted[1::2][:, places])


def test_a_stream_begins_with_doubled_biases_multipliers_and_shifts():
    narrowing = _narrowing(4)
    header = quad_stream(np.zeros((2, 4), np.int8), narrowing)[:9]
    np.testing.assert_array_equal(header[:4], 2 * narrowing.bias)
    np.testing.assert_array_equal(header[4:8], narrowing.multiplier)
    assert header[8] == 0x05040302  # right shifts 3, 4, 5, 6, less one


def test_a_computed_filter_is_refused_with_its_place():
    graph = OperatorModel()
    source = graph.input(Quantised((1, 1, 5, 2), 0.1))
    filters = graph.input(Quantised((3, 1, 2, 2), 0.1))
    result = graph.output(Quantised((1, 1, 4, 3), 0.1))
    options = options_of("Conv2DOptions", strideH=1, strideW=1, padding=1)
    graph.operator("CONV_2D", (source, filters), (result,), options)
    with pytest.raises(KdEdgeError, match="weights or biases are computed") as raised:
        compile_model(graph.content(), CompileSettings())
    assert "operator 0" in raised.value.where


@pytest.mark.qemu
@pytest.mark.parametrize(
    ("core", "board", "most"),
    [("m4", "qemu-an386", 4_000_000), ("m55", "qemu-an547", 1_700_000)],
)
def test_a_keyword_spotter_takes_far_fewer_instructions_than_with_cmsis_nn(
    core, board, most, tmp_path
):
    """TFLite Micro with CMSIS-NN was measured to take 7.7 M on the M4F; the same answers here."""
    content = kws01()
    compiled = compile_model(content, CompileSettings(core=core))
    answers = tflm_answers(content, seed=1, n_windows=4)
    (run,), _ = run_on_board(find_board(board), [(compiled, answers.inputs)], tmp_path)
    for mine, theirs in zip(run.outputs, answers.outputs, strict=True):
        np.testing.assert_array_equal(mine[0], theirs[0])
    assert max(run.instructions) < most
