"""Synthetic signs: their physics, their randomness, and that every setting does what it says."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from scipy import signal
from sign_samples import CLEAN, SMALL, stacked

from kd_edge.base.errors import KdEdgeError
from kd_edge.signals import checks
from kd_edge.signals.simulate import SignSettings, muscles, people, simulate


@pytest.fixture(scope="module")
def small():
    return simulate(SMALL)


@pytest.fixture(scope="module")
def clean():
    return simulate(CLEAN)


def test_the_defaults_have_the_size_of_the_seeds_set():
    """Oracle: the seed projects' description."""
    settings = SignSettings()
    assert settings.n_recordings == 5000
    assert settings.duration_s == pytest.approx(2.7)
    assert settings.emg_rate_hz == pytest.approx(1111.1111, abs=1e-4)
    assert settings.imu_rate_hz == pytest.approx(148.1481, abs=1e-4)


def test_a_recording_holds_three_streams_a_sensor_and_says_what_it_is(small):
    """Oracle: the settings."""
    assert len(small) == 24
    assert all(r.synthetic and "synthetic" in r.source for r in small)
    assert len({r.source for r in small}) == 24
    assert {r.label for r in small} == {"sign 01", "sign 02", "sign 03"}
    assert {r.subject for r in small} == {"S1", "S2"}
    first = small[0]
    assert [(s.modality, s.unit) for s in first.streams] == [
        ("emg", "mV"),
        ("acc", "g"),
        ("gyr", "deg/s"),
    ] * 3
    assert [s.samples.shape for s in first.streams[:3]] == [(3000, 1), (400, 3), (400, 3)]
    names = [name for s in first.streams for name in s.channels]
    assert len(set(names)) == len(names) == 21


def test_no_check_finds_fault_with_them(small):
    """Oracle: the checks that every reader's recordings pass through."""
    checks.check(small)


def test_trials_are_in_order_of_time_within_each_session():
    """Oracle: 5 repetitions dealt out to 2 sessions are 3 and 2."""
    made = simulate(replace(SMALL, n_signs=1, n_subjects=1, n_repetitions=5, n_sessions=2))
    assert [(r.session, r.trial) for r in made] == [
        ("day 1", 1),
        ("day 1", 2),
        ("day 1", 3),
        ("day 2", 1),
        ("day 2", 2),
    ]
    assert [r.started for r in made] == sorted(r.started for r in made)


def test_the_same_settings_give_the_same_recordings_and_another_seed_others(small):
    """Oracle: digests of the samples."""
    again = simulate(SMALL)
    other = simulate(replace(SMALL, seed=12))
    assert [r.content_sha256 for r in again] == [r.content_sha256 for r in small]
    assert not {r.content_sha256 for r in other} & {r.content_sha256 for r in small}
    assert len({r.content_sha256 for r in small}) == len(small)


def test_fewer_signs_subjects_and_repetitions_are_a_part_of_the_whole(small):
    """Oracle: digests of the samples, by name."""
    whole = {r.source: r.content_sha256 for r in small}
    part = simulate(replace(SMALL, n_signs=2, n_subjects=1, n_repetitions=3))
    assert len(part) == 6
    assert all(whole[r.source] == r.content_sha256 for r in part)


def test_progress_counts_up_to_the_total():
    seen = []
    simulate(SMALL, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(4 * batch, 24) for batch in range(1, 7)]


@pytest.mark.parametrize("bits", [16, 10])
def test_samples_are_whole_counts_of_the_converter(bits):
    """Oracle: count * lsb in single precision, between the converter's ends."""
    made = simulate(replace(SMALL, n_signs=1, n_subjects=1, n_repetitions=2, bits=bits))
    for stream in (s for r in made for s in r.streams):
        counts = np.rint(stream.samples.astype(np.float64) / stream.lsb)
        np.testing.assert_array_equal((counts * stream.lsb).astype(np.float32), stream.samples)
        assert counts.min() >= -(2 ** (bits - 1))
        assert counts.max() <= 2 ** (bits - 1) - 1
        assert len(np.unique(counts)) > 20
    assert made[0].streams[1].lsb == 8 / 2**bits


def test_the_converter_clips_at_its_full_scale():
    """Oracle: ±4 g and ±500 deg/s; a tremor of 5° at 10 Hz is far beyond."""
    made = simulate(replace(SMALL, n_signs=1, n_subjects=1, n_repetitions=1, tremor_deg=5.0))
    gyr = stacked(made, "gyr")
    assert gyr.max() == np.float32(32767 / 65.5)
    assert gyr.min() == np.float32(-32768 / 65.5)


def test_repetitions_without_any_variation_move_alike(clean):
    """Oracle: equality; only the muscles' firing is still random."""
    gyr, emg = stacked(clean, "gyr"), stacked(clean, "emg")
    np.testing.assert_array_equal(gyr[0], gyr[1])
    assert not np.array_equal(emg[0], emg[1])


def line_at(emg: np.ndarray, settings: SignSettings, hertz: float) -> float:
    """Amplitude of a sinusoid in each channel, mean over channels."""
    times_s = np.arange(emg.shape[2]) / settings.emg_rate_hz
    wave = np.exp(-2j * np.pi * hertz * times_s)
    return float(np.abs(2 * (emg[..., 0] * wave).mean(axis=-1)).mean())


@pytest.mark.parametrize("hertz", [50.0, 60.0])
def test_hum_is_a_line_at_the_mains_frequency(clean, hertz):
    """Oracle: the amplitude asked for, on the mean over sensors, and nothing 10 Hz further."""
    settings = replace(CLEAN, hum_mv=0.2, hum_hz=hertz)
    more = stacked(simulate(settings), "emg") - stacked(clean, "emg")
    assert line_at(more, settings, hertz) == pytest.approx(0.2, rel=0.2)
    assert line_at(more, settings, hertz + 10) < 0.002


def test_dropout_silences_all_streams_of_a_sensor_for_its_time():
    """Oracle: 0.2 s of exact zeros, at one time, in every stream of every sensor."""
    made = simulate(replace(SMALL, dropout=1.0, dropout_s=0.2))
    assert len(made) == SMALL.n_recordings
    for recording in made:
        spans = []
        for stream in recording.streams:
            zero = np.flatnonzero((stream.samples == 0).all(axis=1))
            longest = max(np.split(zero, np.flatnonzero(np.diff(zero) > 1) + 1), key=len)
            assert len(longest) / stream.rate_hz == pytest.approx(0.2, abs=0.01)
            spans.append(longest[0] / stream.rate_hz)
        for sensor in range(3):
            np.testing.assert_allclose(
                spans[3 * sensor : 3 * sensor + 3], spans[3 * sensor], atol=0.01
            )


def test_no_dropout_leaves_no_gap(clean):
    """Oracle: gravity, which no sensor that works fails to feel."""
    assert (np.linalg.norm(stacked(clean, "acc"), axis=-1) > 0.2).all()


def test_electrode_shift_changes_which_muscles_a_sensor_hears_in_another_session():
    """Oracle: the mix within a session is one, without a shift it is one over all sessions."""
    still = replace(CLEAN, n_sessions=2)
    moved = replace(still, electrode_shift_mm=25.0)

    def mixes(settings: SignSettings) -> np.ndarray:
        person = people.make_subject(settings, 0)
        return muscles.pick_up(people.make_wear(settings, 0, person).sensor_angle)

    np.testing.assert_array_equal(mixes(still)[0], mixes(still)[3])
    np.testing.assert_array_equal(mixes(moved)[0], mixes(moved)[1])
    assert np.abs(mixes(moved)[0] - mixes(moved)[3]).max() > 0.1
    assert not np.array_equal(stacked(simulate(moved), "emg"), stacked(simulate(still), "emg"))


def test_tremor_adds_its_own_band_to_the_gyroscope(clean):
    """Oracle: Welch's estimate; 0.2° at 10 Hz is about 12 deg/s a joint."""
    settings = replace(CLEAN, tremor_deg=0.2)
    more = stacked(simulate(settings), "gyr") - stacked(clean, "gyr")
    f, density = signal.welch(more, settings.imu_rate_hz, nperseg=400, axis=2)
    density = density.mean(axis=(0, 1, 3))
    assert density[(f > 6) & (f < 14)].sum() > 0.9 * density.sum()
    assert 5 < more.std() < 30


def test_gyroscope_drift_is_an_offset_and_a_slow_change(clean):
    """Oracle: a straight line, to the converter's step."""
    settings = replace(CLEAN, gyro_drift_deg_s=5.0)
    more = (stacked(simulate(settings), "gyr") - stacked(clean, "gyr"))[0, 0, :, 0]
    line = np.polyval(np.polyfit(np.arange(400), more, 1), np.arange(400))
    np.testing.assert_allclose(more, line, atol=1.1 / 65.5)
    assert np.abs(more).max() > 0.5


def test_fatigue_changes_the_semg_with_every_repetition(clean):
    """Oracle: (1 + fatigue) to the repetition's power."""
    settings = replace(CLEAN, fatigue=0.1)
    tired = np.sqrt((stacked(simulate(settings), "emg") ** 2).mean(axis=(1, 2, 3)))
    fresh = np.sqrt((stacked(clean, "emg") ** 2).mean(axis=(1, 2, 3)))
    np.testing.assert_allclose((tired / fresh)[:4], 1.1 ** np.arange(4), rtol=0.01)


def test_a_slip_is_a_performance_of_another_sign_of_the_family():
    """Oracle: with slips alone, a repetition moves exactly as another sign's does."""
    settings = replace(CLEAN, n_signs=people.FAMILY_SIZE, n_subjects=1)
    right = {r.label: r for r in simulate(settings)}
    for recording in simulate(replace(settings, slips=1.0))[:4]:
        same = [
            label
            for label, other in right.items()
            if np.array_equal(other.streams[2].samples, recording.streams[2].samples)
        ]
        assert len(same) == 1
        assert same != [recording.label]


def spread(settings: SignSettings, key) -> float:
    """Mean square distance of the accelerometers of recordings that differ in `key`."""
    made = simulate(settings)
    groups = {}
    for recording, acc in zip(made, stacked(made, "acc"), strict=True):
        groups.setdefault(key(recording), []).append(acc)
    return float(np.var([np.mean(group, axis=0) for group in groups.values()], axis=0).mean())


def test_similar_signs_lie_nearer_to_each_other():
    """Oracle: variance between signs falls as their common share rises."""
    few = replace(CLEAN, n_signs=5, n_subjects=1, n_repetitions=1, subject_variation=0.0)
    same, near, far = (
        spread(replace(few, similarity=s), lambda r: r.label) for s in (1.0, 0.9, 0.1)
    )
    assert same == 0
    assert 0 < near < 0.5 * far


def test_subjects_differ_as_much_as_they_are_told_to():
    """Oracle: with no variation, nothing but noise tells two subjects apart."""
    few = replace(CLEAN, n_signs=1, n_subjects=4, n_repetitions=1)
    alike, varied = (
        spread(replace(few, subject_variation=v), lambda r: r.subject) for v in (0.0, 1.0)
    )
    assert alike == 0
    assert varied > 0.001


@pytest.mark.parametrize("name", ["remount_deg", "session_gain"])
def test_sessions_differ_by_how_sensors_are_put_on(name):
    """Oracle: equal within a session, different between two."""
    settings = replace(CLEAN, n_signs=1, n_subjects=1, n_sessions=2, **{name: 0.5})
    wear = people.make_wear(settings, 0, people.make_subject(settings, 0))
    value = wear.mounting if name == "remount_deg" else wear.gain
    np.testing.assert_array_equal(value[0], value[1])
    assert np.abs(value[1] - value[2]).max() > 1e-4


@pytest.mark.parametrize(
    "name",
    [
        "posture_jitter_rad",
        "timing_jitter_s",
        "effort_jitter",
        "acc_noise_g",
        "gyro_noise_deg_s",
        "emg_noise_mv",
    ],
)
def test_every_jitter_and_noise_changes_the_stream_it_belongs_to(clean, name):
    """Oracle: the same recordings without it."""
    modality = {"acc": "acc", "gyr": "gyr", "eff": "emg", "emg": "emg"}.get(name[:3], "acc")
    noisy = stacked(simulate(replace(CLEAN, **{name: 0.1})), modality)
    difference = (noisy - stacked(clean, modality)).std()
    assert difference > 0.005
    if "noise" in name:
        assert difference == pytest.approx(0.1, rel=0.05)


@pytest.mark.parametrize("setting", fields(SignSettings), ids=lambda f: f.name)
def test_a_value_out_of_range_or_of_another_kind_is_refused_by_name(setting):
    low, high = setting.metadata["range"]
    for value in (low - 1, high + 1, float("nan"), "much", True, None):
        with pytest.raises(KdEdgeError) as caught:
            SignSettings(**{setting.name: value})
        assert caught.value.code == "KD_RECIPE_VALUE"
        assert setting.name in caught.value.message
        assert caught.value.where == f"dataset.options.{setting.name}"


@pytest.mark.parametrize("change", [{"emg_samples": 2000}, {"emg_samples": 600, "imu_samples": 80}])
def test_streams_of_different_or_too_short_times_are_refused(change):
    with pytest.raises(KdEdgeError, match="lasts") as caught:
        SignSettings(**change)
    assert caught.value.code == "KD_RECIPE_VALUE"
