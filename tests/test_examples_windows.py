"""Cutting and normalising windows, against closed forms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kd_edge.base.errors import KdEdgeError
from kd_edge.examples import (
    Windowing,
    cut_windows,
    fit_front_end,
    normalise,
)
from kd_edge.frontend import StreamFrontEnd
from kd_edge.signals.recording import Recording, Stream

PLAIN = {"emg": StreamFrontEnd(), "acc": StreamFrontEnd()}


def recording(name="r0", n=1000, rate_hz=100.0, label="a", subject="S1"):
    """One with emg at `rate_hz` counting samples, and acc at half the rate counting backwards."""
    count = np.arange(n, dtype=np.float32)[:, None]
    return Recording(
        streams=(
            Stream("emg", "s1", ("EMG 1", "EMG 2"), np.hstack([count, count + 0.5]), rate_hz, "mV"),
            Stream("acc", "s1", ("ACC X",), -count[: n // 2], rate_hz / 2, "g"),
        ),
        source=name,
        label=label,
        subject=subject,
    )


def settings(**changes):
    return Windowing(**{"length_s": 2.0, "inputs": {"fast": ("emg",), "slow": ("acc",)}, **changes})


def cut(recordings, windows, front_end=PLAIN):
    return cut_windows(recordings, front_end, windows, ("a", "b"))


def test_each_input_is_cut_at_its_own_rate():
    windows, designs = cut([recording()], settings())
    assert windows.input_shapes == {"fast": (200, 2), "slow": (100, 1)}
    np.testing.assert_array_equal(windows.inputs["fast"][0, :, 0], np.arange(200))
    np.testing.assert_array_equal(windows.inputs["slow"][0, :, 0], -np.arange(100))
    assert [d.rate_hz for d in designs] == [100, 50]


def test_hops_cover_the_recording_and_no_window_runs_over_its_end():
    windows, _ = cut([recording()], settings(hop_s=1.0, start_s=0.5))
    starts = windows.inputs["fast"][:, 0, 0]
    np.testing.assert_array_equal(starts, 50 + 100 * np.arange(8))
    assert (windows.groups.recording == 0).all()


def test_steps_cut_a_window_without_moving_a_sample():
    flat, _ = cut([recording()], settings())
    stepped, _ = cut([recording()], settings(steps=10))
    assert stepped.input_shapes == {"fast": (10, 20, 2), "slow": (10, 10, 1)}
    np.testing.assert_array_equal(stepped.inputs["fast"].reshape(1, 200, 2), flat.inputs["fast"])


def test_modalities_of_one_input_are_joined_by_channel_in_the_order_named():
    front_end = {"emg": StreamFrontEnd(rate_hz=50), "acc": StreamFrontEnd()}
    windows, _ = cut([recording()], settings(inputs={"all": ("acc", "emg")}), front_end)
    assert windows.input_shapes == {"all": (100, 3)}
    np.testing.assert_array_equal(windows.inputs["all"][0, :, 0], -np.arange(100))


@pytest.mark.parametrize(
    ("windows", "code"),
    [
        (settings(length_s=11.0), "KD_WINDOW_TOO_LONG"),
        (settings(steps=3), "KD_RECIPE_VALUE"),
        (settings(length_s=0.001), "KD_RECIPE_VALUE"),
        (settings(inputs={"all": ("emg", "acc")}), "KD_RATE_MISMATCH"),
    ],
)
def test_windows_that_do_not_fit_are_refused(windows, code):
    with pytest.raises(KdEdgeError) as caught:
        cut([recording("trial_07.csv")], windows)
    assert caught.value.code == code


def test_a_missing_channel_names_the_nearest_ones():
    front_end = {**PLAIN, "emg": StreamFrontEnd(channels=("EMG 1", "EMG 3"))}
    with pytest.raises(KdEdgeError) as caught:
        cut([recording("trial_07.csv")], settings(), front_end)
    assert caught.value.code == "KD_CHANNEL_MISSING"
    assert "trial_07.csv has no channel 'EMG 3'" in caught.value.message
    assert "did you mean 'EMG" in caught.value.message


def test_a_missing_modality_names_those_that_are_there():
    with pytest.raises(KdEdgeError) as caught:
        cut([recording()], settings(inputs={"x": ("gyr",)}), {"gyr": StreamFrontEnd()})
    assert caught.value.where == "it has acc, emg"


def test_recordings_at_different_rates_are_refused():
    with pytest.raises(KdEdgeError) as caught:
        cut([recording(), recording("odd.csv", rate_hz=120.0)], settings())
    assert caught.value.code == "KD_RATE_MISMATCH"
    assert "odd.csv" in caught.value.message


def test_normalised_training_windows_have_mean_zero_and_deviation_one():
    windows, designs = cut([recording(), recording("r1", label="b")], settings(hop_s=0.5))
    normal = normalise(windows, fit_front_end(windows, designs, PLAIN, settings()))
    assert set(normal.inputs) == {"fast", "slow"}
    for array in normal.inputs.values():
        flat = array.reshape(-1, array.shape[-1])
        np.testing.assert_allclose(flat.mean(axis=0), 0, atol=1e-4)
        np.testing.assert_allclose(flat.std(axis=0), 1, atol=1e-4)


def test_a_channel_that_is_not_normalised_is_left_as_it_is():
    front_end = {"emg": StreamFrontEnd(normalise=False), "acc": StreamFrontEnd()}
    windows, designs = cut([recording()], settings(), front_end)
    normal = normalise(windows, fit_front_end(windows, designs, front_end, settings()))
    np.testing.assert_array_equal(normal.inputs["fast"], windows.inputs["fast"])


def test_the_boards_constants_hold_the_fitted_normaliser():
    windows, designs = cut([recording()], settings())
    constants = fit_front_end(windows, designs, PLAIN, settings())
    emg = constants.streams[0]
    expected = (windows.inputs["fast"][0] - np.array(emg.mean)) * np.array(emg.scale)
    np.testing.assert_allclose(
        normalise(windows, constants).inputs["fast"][0], expected, rtol=1e-5, atol=1e-6
    )
    assert [i.shape for i in constants.inputs] == [(200, 2), (100, 1)]


def shifted(name="late.csv", **starts_s):
    """`recording()` whose streams begin at other times: samples still count from their start."""
    made = recording(name)
    streams = tuple(replace(s, start_s=starts_s.get(s.modality, 0.0)) for s in made.streams)
    return replace(made, streams=streams)


def test_streams_that_begin_at_different_times_are_aligned():
    """Oracle: emg sample k stands at k / 100 s and acc sample k at 0.2 + k / 50 s."""
    windows, _ = cut([shifted(acc=0.2)], settings())
    assert windows.inputs["fast"][0, 0, 0] == 20
    assert windows.inputs["slow"][0, 0, 0] == 0
    windows, _ = cut([shifted(emg=0.2)], settings())
    assert windows.inputs["fast"][0, 0, 0] == 0
    assert windows.inputs["slow"][0, 0, 0] == -10


def test_a_common_start_moves_nothing():
    """Oracle: the same recording with times from 0."""
    late, _ = cut([shifted(emg=12.5, acc=12.5)], settings())
    early, _ = cut([recording()], settings())
    for name in ("fast", "slow"):
        np.testing.assert_array_equal(late.inputs[name], early.inputs[name])


def test_streams_that_share_no_time_are_refused():
    with pytest.raises(KdEdgeError) as caught:
        cut([shifted(acc=11.0)], settings())
    assert caught.value.code == "KD_BAD_SAMPLES"
    assert "late.csv" in caught.value.message


def test_recordings_in_different_units_are_refused_and_both_named():
    volts = recording("volts.csv")
    emg = replace(volts.streams[0], unit="V")
    volts = replace(volts, streams=(emg, volts.streams[1]))
    with pytest.raises(KdEdgeError) as caught:
        cut([recording("millivolts.csv"), volts], settings())
    assert caught.value.code == "KD_UNIT_MISMATCH"
    assert "volts.csv has emg in V" in caught.value.message
    assert "millivolts.csv in mV" in caught.value.message


def test_a_hop_below_one_sample_is_refused():
    """Oracle: the slower of the two streams has 50 samples a second."""
    with pytest.raises(KdEdgeError) as caught:
        cut([recording()], settings(hop_s=0.019))
    assert caught.value.where == "windows.hop_s"
    cut([recording()], settings(hop_s=0.02))


def test_a_modality_that_no_input_takes_is_left_out():
    windows, designs = cut([recording()], settings(inputs={"fast": ("emg",)}))
    assert [design.name for design in designs] == ["emg"]
    assert windows.input_shapes == {"fast": (200, 2)}


def test_the_rate_is_that_of_the_sensors_whose_channels_are_used():
    """Oracle: the second sensor's emg at 50 Hz, whose 100 samples are 2 s."""
    slow = np.arange(500, dtype=np.float32)[:, None]
    made = recording()
    made = replace(made, streams=(*made.streams, Stream("emg", "s2", ("EMG 9",), slow, 50.0, "V")))
    front_end = {"emg": StreamFrontEnd(channels=("EMG 9",))}
    windows, designs = cut([made], settings(inputs={"x": ("emg",)}), front_end)
    assert windows.input_shapes == {"x": (100, 1)}
    assert (designs[0].source_rate_hz, designs[0].unit) == (50.0, "V")


@pytest.mark.parametrize(("stated", "asked", "used"), [(None, 0.5, 0.5), (0.25, None, 0.25)])
def test_the_recipe_says_what_a_count_is_where_recordings_do_not(stated, asked, used):
    first = recording()
    streams = tuple(replace(stream, lsb=stated) for stream in first.streams)
    front_end = {name: replace(step, lsb=asked) for name, step in PLAIN.items()}
    _, constants = cut([replace(first, streams=streams)], settings(), front_end)
    assert {constant.lsb for constant in constants} == {used}
