"""The physics of synthetic signs: what muscles, gravity and movement give, by textbook facts."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal
from scipy.spatial.transform import Rotation
from sign_samples import CLEAN, SMALL, stacked

from kd_edge.signals.simulate import SignSettings, motion, muscles, people, simulate


def power(emg: np.ndarray, settings: SignSettings) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies, and mean power density over everything but the samples."""
    f, density = signal.welch(emg[..., 0], settings.emg_rate_hz, nperseg=1000, axis=-1)
    return f, density.reshape(-1, len(f)).mean(axis=0)


@pytest.fixture(scope="module")
def clean():
    return simulate(CLEAN)


def test_semg_keeps_to_its_band_and_has_its_peak_where_muscle_has(clean):
    """Oracle: Welch's estimate; surface EMG lies between 20 and 450 Hz, mostly at 50 to 150 Hz."""
    f, density = power(stacked(clean, "emg"), CLEAN)
    assert density[(f > 20) & (f < 450)].sum() > 0.97 * density.sum()
    assert density[f < 8].max() < 0.02 * density.max()
    assert density[f > 500].max() < 0.002 * density.max()
    assert 40 < f[density.argmax()] < 150
    median = f[np.searchsorted(np.cumsum(density), density.sum() / 2)]
    assert 60 < median < 150


def test_semg_is_strong_while_signing_and_weak_at_rest(clean):
    """Oracle: the muscles' tone at rest is a fiftieth of full effort, and the arm ends at rest."""
    emg = stacked(clean, "emg")[..., 0]
    middle, end = emg[..., 1000:2000], emg[..., -40:]
    assert 0.05 < np.sqrt(np.mean(middle**2)) < 1.5
    assert np.sqrt(np.mean(end**2)) < 0.15 * np.sqrt(np.mean(middle**2))


def test_firing_is_spiky_in_a_weak_contraction_and_noise_like_in_a_strong_one():
    """Oracle: kurtosis; 3 for Gaussian noise, more for sparse impulses of the same power."""
    draw = np.random.default_rng(0)
    sizes, chances = (part[None] for part in muscles.firings(draw, 30_000))
    silent = np.zeros((1, 1, 30_000), dtype=np.float32)
    hearing = np.eye(1, people.N_MUSCLES)[None]

    def kurtosis(effort: float) -> float:
        activation = np.full(sizes.shape, effort, dtype=np.float32)
        emg = muscles.surface_emg(CLEAN, activation, sizes, chances, hearing, silent)[0, 0]
        return float(np.mean(emg**4) / np.mean(emg**2) ** 2)

    assert 2.8 < kurtosis(1.0) < 4.5
    assert kurtosis(0.02) > 2 * kurtosis(1.0)


def test_an_arm_at_rest_feels_one_g_and_does_not_turn(clean):
    """Oracle: gravity; the last 20 ms lie after every movement."""
    acc, gyr = stacked(clean, "acc"), stacked(clean, "gyr")
    np.testing.assert_allclose(np.linalg.norm(acc[:, :, -3:], axis=-1), 1.0, atol=0.003)
    np.testing.assert_allclose(gyr[:, :, -3:], 0.0, atol=0.5)


def test_gravity_and_movement_both_show_while_signing(clean):
    """Oracle: the magnitude of what is felt leaves 1 g, by less than a blow would."""
    felt = np.linalg.norm(stacked(clean, "acc"), axis=-1)
    assert felt.std() > 0.02
    assert 0.7 < felt.mean() < 1.5


def arm(rate_hz: float):
    person = people.make_subject(SMALL, 0)
    score = people.make_score(SMALL, 1, 0, person)
    times_s = np.arange(round(SMALL.duration_s * rate_hz)) / rate_hz
    draws = [motion.tremor_draws(np.random.default_rng(r)) for r in range(SMALL.n_repetitions)]
    moved = motion.move_arm(times_s, score, np.radians(0.1), np.stack(draws))
    return times_s, score, moved


@pytest.mark.parametrize("segment", ["upper_arm", "forearm"])
def test_the_gyroscope_measures_the_derivative_of_the_orientation(segment):
    """Oracle: the rotation between two close orientations, by SciPy, over the time between them."""
    times_s, _, moved = arm(2000.0)
    attitude = getattr(moved, segment)
    mounting = np.full((SMALL.n_repetitions, 3), 0.3)
    _, gyr = motion.sense(attitude, moved.wrist, mounting)
    mount = Rotation.from_rotvec([0.3, 0.3, 0.3])
    for repetition in range(SMALL.n_repetitions):
        orientation = Rotation.from_matrix(attitude.matrix[repetition]) * mount
        step = orientation[:-2].inv() * orientation[2:]
        rate = np.degrees(step.as_rotvec()) / (times_s[2] - times_s[0])
        np.testing.assert_allclose(gyr[repetition, 1:-1], rate, atol=0.5)
    assert np.abs(gyr).max() > 50


def test_the_accelerometer_measures_gravity_and_the_wrists_acceleration():
    """Oracle: turned back to the world, less gravity, integrated twice, it is the wrist's path."""
    times_s, _, moved = arm(2000.0)
    force, _ = motion.sense(moved.forearm, moved.wrist, np.zeros((SMALL.n_repetitions, 3)))
    world = np.einsum("rtij,rtj->rti", moved.forearm.matrix, force) - [0, 0, 1]
    felt = np.cumsum(np.cumsum(world * motion.GRAVITY_M_S2, axis=1), axis=1) / 2000.0**2
    elbow = moved.upper_arm.matrix @ motion.UPPER_ARM_M
    wrist = elbow + moved.forearm.matrix @ motion.FOREARM_M
    path = wrist - wrist[:, :1] - times_s[:, None] * (wrist[:, 1:2] - wrist[:, :1]) * 2000.0
    np.testing.assert_allclose(felt[:, :-2], path[:, 2:], atol=0.02)
    np.testing.assert_allclose(np.linalg.norm(wrist - elbow, axis=-1), 0.22, atol=1e-9)


def test_minimum_jerk_passes_its_knots_at_rest_and_its_speed_is_its_derivative():
    """Oracle: the values at the knots, and a numerical derivative."""
    times_s = np.arange(0, 2, 1e-4)
    knots_s = np.array([[0.3, 0.9, 1.7]])
    values = np.array([[[1.0], [-2.0], [0.5]]])
    x, speed = (part[0, :, 0] for part in motion.minimum_jerk(times_s, knots_s, values))
    np.testing.assert_allclose(np.interp([0, 0.3, 0.9, 1.7, 2], times_s, x), [1, 1, -2, 0.5, 0.5])
    np.testing.assert_allclose(np.interp(knots_s[0], times_s, speed), 0, atol=1e-6)
    np.testing.assert_allclose(np.gradient(x, times_s), speed, atol=1e-3)


def test_a_sensor_hears_the_muscles_of_its_own_limb_alone():
    """Oracle: sensors 1 and 2 on the forearm, 3 on the upper arm, with the last two muscles."""
    hearing = muscles.pick_up(np.zeros((1, 3)))[0]
    assert (hearing[:2, -2:] == 0).all()
    assert (hearing[2, :-2] == 0).all()
    assert hearing[0, 0] == hearing[2, -2] == 1
