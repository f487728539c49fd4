"""The front end in integers: as near to float64 as int8 can tell, whatever a sensor gives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from front_end_samples import DESIGNS, EMG_HZ, constants_of, noise
from scipy import signal

from firmware_export.front_end import model_front_end
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.fixed import LOG_BITS, fixed_stream, narrowing
from kd_edge.base.fixed_running import log_fixed, log_table
from kd_edge.base.front_end import FrontEndConstants, InputLayout, StreamConstants
from kd_edge.base.roll import RollConstants
from kd_edge.base.running import RunningConstants
from kd_edge.base.tensors import TensorSpec
from kd_edge.examples.raw import from_counts
from kd_edge.examples.single import single_stream
from kd_edge.frontend import StreamFrontEnd, apply_stream, check_constants, design_stream

DEMO = StreamFrontEnd(band_pass_hz=(20, 450), notch_hz=(50,), envelope_hz=8.0, rate_hz=148.148148)
FULL = 32768


def stream_of(settings: StreamFrontEnd, rate_hz: float = EMG_HZ, **changes) -> StreamConstants:
    """One channel, a count a unit, normalised by what noise of full scale becomes."""
    design = design_stream("emg", settings, channels=("a",), source_rate_hz=rate_hz, lsb=1.0)
    y = apply_stream(noise(np.random.default_rng(0), 4000, 1).astype(float), design)
    changes = {"mean": (float(y.mean()),), "scale": (float(1 / y.std()),)} | changes
    return replace(design, **changes)


def deviations_off(stream: StreamConstants, counts: np.ndarray) -> float:
    """How far integers are from float64, in the training part's deviations."""
    exact = apply_stream(from_counts(counts, stream.lsb), stream).astype(np.float64)
    if stream.log_floor:
        exact = np.log(np.maximum(exact, 0) + stream.log_floor)
    exact = (exact - stream.mean) * stream.scale
    found = single_stream(counts, stream, stream.lsb, len(exact), fixed=True)
    return float(np.abs(found - exact).max())


@pytest.mark.parametrize("design", [name for name in DESIGNS if "differences" not in name])
def test_integers_are_within_a_hundredth_of_a_step(design):
    """A step is 3 % of a deviation where int8 spans four of them either way. Oracle: SciPy's
    filters in float64."""
    rng = np.random.default_rng(1)
    for stream in constants_of(*DESIGNS[design], {}).streams:
        counts = noise(rng, 3000, len(stream.channels))
        assert deviations_off(stream, counts) < 0.01 * 4 / 127


def test_quiet_signals_are_as_near():
    """40 counts of noise in place of 6,000. Oracle: as above."""
    stream = stream_of(DEMO)
    stream = replace(stream, mean=(stream.mean[0] / 150,), scale=(stream.scale[0] * 150,))
    counts = np.rint(np.random.default_rng(2).normal(0, 40, (3000, 1))).astype(np.int16)
    assert deviations_off(stream, counts) < 0.05 * 4 / 127


def test_no_input_overflows():
    """The samples of full scale that drive a filter furthest: signs of its impulse response, turned
    round in time; after 0 and after the other end of the range. Oracle: float64."""
    for settings in (
        DEMO,
        StreamFrontEnd(high_pass_hz=20, order=8),
        StreamFrontEnd(notch_hz=(50,)),
    ):
        stream = stream_of(settings)
        impulse = np.zeros(1500)
        impulse[0] = 1
        for sections in range(1, len(stream.sos) + 1):
            response = signal.sosfilt(np.array(stream.sos[:sections]), impulse)
            worst = np.where(response[::-1] > 0, FULL - 1, -FULL).astype(np.int16)
            for first in (0, -FULL, FULL - 1):
                counts = np.concatenate([np.full(300, first, np.int16), worst, -1 - worst])
                assert deviations_off(stream, counts[:, None]) < 0.05 * 4 / 127


def test_what_comes_out_does_not_depend_on_an_offset():
    """Oracle: a band-pass takes it away."""
    stream, rng = stream_of(StreamFrontEnd(band_pass_hz=(20, 450))), np.random.default_rng(3)
    counts = np.rint(rng.normal(0, 300, (2000, 1))).astype(np.int16)
    found = [
        single_stream((counts + offset).astype(np.int16), stream, 1.0, 2000, fixed=True)
        for offset in (0, 30_000)
    ]
    np.testing.assert_array_equal(*found)


def test_logarithms_are_numpys():
    """Oracle: np.log, over the whole range."""
    rng = np.random.default_rng(4)
    u = np.concatenate(
        [np.arange(1, 5000), np.exp(rng.uniform(0, np.log(2**32 - 1), 20_000)), [2**32 - 1]]
    ).astype(np.int64)
    assert np.abs(log_fixed(u) / 2**LOG_BITS - np.log(u)).max() < 5e-5
    table = np.array(log_table()) / 2**LOG_BITS
    np.testing.assert_allclose(table, np.log1p(np.arange(65) / 64), atol=2.0**-LOG_BITS)


@pytest.mark.parametrize(
    ("stream", "why"),
    [
        (stream_of(StreamFrontEnd(high_pass_hz=0.001, order=2)), "rings on too long"),
        (stream_of(StreamFrontEnd(envelope_hz=5.0), log_floor=(1e-6,)), "floor of its logarithm"),
        (stream_of(StreamFrontEnd(), scale=(0.0,)), "normaliser is out of range"),
        (stream_of(StreamFrontEnd(), mean=(1e20,)), "normaliser is out of range"),
        (
            stream_of(StreamFrontEnd(), running=RunningConstants(4, 5, floor=1e-10)),
            "running normaliser",
        ),
    ],
)
def test_what_32_bits_cannot_hold_is_refused_by_name(stream, why):
    with pytest.raises(KdEdgeError, match=why) as caught:
        fixed_stream(stream)
    assert caught.value.code == "KD_PRECISION"
    assert caught.value.where.startswith("front_end.emg")


def test_integers_need_to_know_what_a_count_is():
    with pytest.raises(KdEdgeError) as caught:
        fixed_stream(replace(stream_of(DEMO), lsb=None))
    assert caught.value.code == "KD_COUNTS"


def front_end_of(stream: StreamConstants, samples: int = 400) -> FrontEndConstants:
    layout = InputLayout("x", ("emg",), (samples, len(stream.channels)))
    return FrontEndConstants((stream,), (layout,), fixed=True)


def spec_of(constants: FrontEndConstants) -> tuple[TensorSpec, ...]:
    return (TensorSpec("x", (1, *constants.inputs[0].shape), "int8", 4 / 127, 0),)


def test_a_filter_whose_coefficients_32_bits_blur_is_refused():
    """A slow envelope of a quiet signal. Oracle: float64."""
    quiet = replace(stream_of(StreamFrontEnd(envelope_hz=0.2)), mean=(0.02,), scale=(1e4,))
    constants = front_end_of(quiet)
    with pytest.raises(KdEdgeError, match="int8 steps off") as caught:
        model_front_end(constants, spec_of(constants))
    assert caught.value.code == "KD_PRECISION"
    model_front_end(replace(constants, fixed=False), spec_of(constants))


def test_a_window_too_long_for_a_wearers_sums_is_refused():
    running = RunningConstants(weight_windows=4, memory_windows=5, floor=0.125)
    constants = front_end_of(stream_of(StreamFrontEnd(), running=running), 2**20 + 1)
    with pytest.raises(KdEdgeError, match="windows of up to 1048576"):
        model_front_end(constants, spec_of(constants))


def test_a_step_of_int8_below_the_last_bit_is_refused():
    with pytest.raises(KdEdgeError, match="smaller than its last bits"):
        narrowing(stream_of(DEMO), 1e-9, 0)


def test_a_roll_and_integers_are_refused_together():
    stream = design_stream(
        "acc", StreamFrontEnd(), channels=("x", "y", "z"), source_rate_hz=100.0, lsb=1.0
    )
    layout = InputLayout("x", ("acc",), (50, 3))
    roll = RollConstants("acc", (("acc", 1, 2),), (), memory_windows=5)
    constants = FrontEndConstants((stream,), (layout,), roll=roll, fixed=True)
    with pytest.raises(ValueError, match="computes in integers"):
        check_constants(constants)
    with pytest.raises(KdEdgeError, match="turns samples in float32"):
        model_front_end(constants, spec_of(constants))
