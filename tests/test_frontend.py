"""The front end against SciPy and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal

from kd_edge.base.errors import KdEdgeError
from kd_edge.frontend import StreamFrontEnd, apply_stream, design_stream

RATE_HZ = 1e6 / 900  # sEMG of the older Trigno sensor
IMU_RATE_HZ = 1e6 / 6750


def design(source_rate_hz=RATE_HZ, channels=1, **settings):
    names = tuple(f"c{i}" for i in range(channels))
    return design_stream(
        "emg", StreamFrontEnd(**settings), channels=names, source_rate_hz=source_rate_hz
    )


def noise(n=3000, channels=1):
    return np.random.default_rng(7).normal(size=(n, channels))


def tone(frequency_hz, n=3000, rate_hz=RATE_HZ):
    return np.sin(2 * np.pi * frequency_hz * np.arange(n) / rate_hz)[:, None]


def power(x):
    return float(np.mean(x[len(x) // 2 :] ** 2))


def test_band_pass_is_scipys_filter_sample_by_sample():
    """Oracle: SciPy's sosfilt with the state of a constant past."""
    x = noise(channels=2)
    sos = signal.butter(4, [20, 450], "bandpass", fs=RATE_HZ, output="sos")
    state = signal.sosfilt_zi(sos)[:, :, None] * x[0]
    expected = signal.sosfilt(sos, x, axis=0, zi=state)[0]
    found = apply_stream(x, design(channels=2, band_pass_hz=(20, 450)))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_mains_hum_is_notched_and_its_neighbours_are_kept():
    """Oracle: a tone at the notch loses over 30 dB, one an octave away under 0.5 dB."""
    constants = design(notch_hz=(50,))
    assert power(apply_stream(tone(50), constants)) < 1e-3 * power(tone(50))
    assert power(apply_stream(tone(100), constants)) > 0.9 * power(tone(100))


def test_an_envelope_of_a_tone_is_its_mean_rectified_value():
    """Oracle: the mean of |sin| is 2 / pi."""
    envelope = apply_stream(tone(120), design(envelope_hz=5))
    assert envelope[1500:].mean() == pytest.approx(2 / np.pi, rel=0.01)


def test_differences_stand_behind_all_channels_and_grow_with_the_frequency():
    """Oracle: the k-th difference of a tone is a tone, (2 sin(pi f / rate))^k times as large."""
    x = np.concatenate([tone(60), tone(240)], axis=1)
    constants = design(channels=2, envelope_hz=5, differences=2)
    envelopes = apply_stream(x, constants)[1500:].mean(axis=0).reshape(3, 2)
    growth = 2 * np.sin(np.pi * np.array([60, 240]) / RATE_HZ)
    np.testing.assert_allclose(envelopes, 2 / np.pi * growth ** np.arange(3)[:, None], rtol=0.01)
    assert constants.features[1:4] == ("c1", "c0 (1st difference)", "c1 (1st difference)")


def test_differences_of_a_filtered_signal_are_numpys_and_begin_at_rest():
    """Oracle: NumPy's diff behind SciPy's filter; before its first sample nothing moved."""
    x = noise() + 3
    signal_alone = apply_stream(x, design(high_pass_hz=20)).astype(float)
    envelope = design(high_pass_hz=20, envelope_hz=100, differences=2)
    for order in (1, 2):
        taken = np.diff(signal_alone, order, axis=0, prepend=np.repeat(signal_alone[:1], order, 0))
        sos, zi = np.array(envelope.envelope_sos), np.array(envelope.envelope_zi)
        state = zi[:, :, None] * np.abs(taken[:1])
        expected = signal.sosfilt(sos, np.abs(taken), axis=0, zi=state)[0]
        found = apply_stream(x, envelope)[:, order : order + 1]
        np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("causal", [True, False])
def test_decimation_by_two_fifteenths_keeps_a_slow_tone_and_drops_a_fast_one(causal):
    """Oracle: 1111.11 Hz to 148.15 Hz gives 400 samples of 3,000, and 200 Hz lies above half."""
    constants = design(rate_hz=IMU_RATE_HZ, causal=causal)
    assert (constants.up, constants.down) == (2, 15)
    slow, fast = apply_stream(tone(10), constants), apply_stream(tone(200), constants)
    assert slow.shape == (400, 1)
    assert power(slow) == pytest.approx(0.5, rel=0.02)
    assert power(fast) < 1e-4


@pytest.mark.parametrize(("up", "down"), [(1, 2), (2, 15), (3, 7), (1, 64)])
def test_causal_resampling_is_scipys_resample_poly_delayed(up, down):
    """Oracle: SciPy's zero-phase resample_poly; half of the 20 * down + 1 taps are 10 outputs."""
    constants = design(source_rate_hz=1000, rate_hz=1000 * up / down)
    assert (constants.up, constants.down) == (up, down)
    assert constants.rate_hz == pytest.approx(1000 * up / down)
    x = noise(40 * down)
    expected = signal.resample_poly(x, up, down, axis=0)
    found = apply_stream(x, constants)
    assert found.shape == expected.shape == (40 * up, 1)
    np.testing.assert_allclose(found[20 * up :], expected[20 * up - 10 : -10], atol=1e-5)


def test_a_stream_begins_as_if_its_first_sample_had_always_stood_there():
    """Oracle: a constant, which every filter of gain one at 0 Hz leaves as it is."""
    for up, down in ((1, 2), (2, 15), (3, 7)):
        constants = design(source_rate_hz=1000, rate_hz=1000 * up / down)
        np.testing.assert_allclose(apply_stream(np.full((600, 1), 5.0), constants), 5.0, rtol=2e-3)


def test_a_design_normalises_nothing_yet():
    constants = design(channels=3)
    assert (constants.mean, constants.scale) == ((0.0,) * 3, (1.0,) * 3)


def test_a_rate_a_hair_above_the_recordings_is_their_own():
    """Oracle: 50 millionths, as two clocks differ; a thousandth is another rate."""
    assert (design(rate_hz=RATE_HZ * (1 + 5e-5)).up, design(rate_hz=RATE_HZ).down) == (1, 1)
    with pytest.raises(KdEdgeError, match="above the recordings'"):
        design(rate_hz=RATE_HZ * 1.001)


def test_causal_steps_never_look_ahead():
    """Oracle: changing the future changes nothing before it."""
    constants = design(band_pass_hz=(20, 450), notch_hz=(50,), envelope_hz=8, rate_hz=IMU_RATE_HZ)
    x = noise()
    changed = x.copy()
    changed[1500:] += 100
    before, after = apply_stream(x, constants), apply_stream(changed, constants)
    first = int(np.flatnonzero(np.abs(after - before).max(axis=1) > 0)[0])
    assert first >= 1500 * 2 / 15


@pytest.mark.parametrize("settings", [{"high_pass_hz": 20}, {"band_pass_hz": (20, 450)}])
def test_an_offset_makes_no_transient(settings):
    """Oracle: a constant has no power above 0 Hz, from the first sample on."""
    assert np.abs(apply_stream(np.full((500, 1), 5.0), design(**settings))).max() < 1e-4


@pytest.mark.parametrize(
    ("key", "settings"),
    [
        ("band_pass_hz", {"band_pass_hz": (20, 450)}),
        ("band_pass_hz", {"band_pass_hz": (20, 100.5)}),
        ("high_pass_hz", {"high_pass_hz": 150}),
        ("notch_hz", {"notch_hz": (50, 100.5)}),
        ("envelope_hz", {"envelope_hz": 100.5}),
    ],
)
def test_a_frequency_at_or_beyond_half_the_rate_is_refused_by_its_key(key, settings):
    with pytest.raises(KdEdgeError) as caught:
        design(source_rate_hz=201, **settings)
    assert caught.value.where == f"front_end.emg.{key}"
    assert "not below half the sample rate, 100.5 Hz" in caught.value.message


def test_a_frequency_just_below_half_the_rate_is_taken():
    """Oracle: half of 201 Hz is 100.5 Hz."""
    assert design(source_rate_hz=201, notch_hz=(100.4,)).sos


@pytest.mark.parametrize("rate_hz", [2000, 1105])
def test_a_rate_that_cannot_be_reached_is_refused_with_the_nearest(rate_hz):
    with pytest.raises(KdEdgeError) as caught:
        design(rate_hz=rate_hz)
    assert caught.value.code == "KD_RECIPE_VALUE"


def test_a_rate_far_below_is_refused_with_one_that_exists():
    """Oracle: 1000 Hz divided by the largest ratio, 64."""
    with pytest.raises(KdEdgeError) as caught:
        design_stream("emg", StreamFrontEnd(rate_hz=1.0), channels=("a",), source_rate_hz=1000.0)
    assert caught.value.hint == "the nearest is 15.625 Hz (1/64)"
