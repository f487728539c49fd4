"""Augmentation: what it changes, and what it leaves alone."""

from __future__ import annotations

import numpy as np

from kd_edge.distill.augment import augment
from kd_edge.windows import WindowSet


def windows(n=6):
    ramp = np.arange(40, dtype="float32")
    emg = ramp[None, :, None] + 1000 * np.arange(n)[:, None, None] + np.zeros((n, 40, 3))
    imu = ramp[None, :20, None] + 1000 * np.arange(n)[:, None, None] + np.zeros((n, 20, 2))
    return WindowSet(
        inputs={
            "emg": emg.astype("float32"),
            "imu": imu.astype("float32").reshape(n, 4, 5, 2),
        },
        labels=np.arange(n) % 2,
        recordings=np.arange(n),
        subjects=np.array([f"S{i}" for i in range(n)]),
        class_names=("a", "b"),
        recording_names=tuple(f"r{i}" for i in range(n)),
    )


def changed(**settings):
    plain = {"copies": 2, "gain": 0.0, "offset": 0.0, "shift_samples": 0, "seed": 1}
    return augment(windows(), **(plain | settings))


def test_originals_come_first_and_copies_keep_their_labels():
    """Oracle: the windows that went in."""
    before, after = windows(), changed(copies=3, gain=0.3, offset=0.2, shift_samples=3)
    assert len(after) == 24
    assert after.inputs["imu"].shape == (24, 4, 5, 2)
    np.testing.assert_array_equal(after.inputs["emg"][:6], before.inputs["emg"])
    np.testing.assert_array_equal(after.labels, np.tile(before.labels, 4))
    np.testing.assert_array_equal(after.subjects, np.tile(before.subjects, 4))


def test_nothing_asked_for_changes_nothing():
    """Oracle: the windows that went in."""
    np.testing.assert_array_equal(
        changed().inputs["imu"], np.tile(windows().inputs["imu"], (3, 1, 1, 1))
    )
    assert len(changed(copies=0)) == 6


def test_gain_is_one_factor_a_channel_and_window():
    """Oracle: the ratio to the original is constant in time and differs between channels."""
    ratio = (
        changed(gain=0.5).inputs["emg"][6:, 1:] / np.tile(windows().inputs["emg"], (2, 1, 1))[:, 1:]
    )
    np.testing.assert_allclose(ratio, np.broadcast_to(ratio[:, :1], ratio.shape), rtol=1e-5)
    assert len(np.unique(ratio[:, 0].round(4))) == 36
    assert 0.3 < np.log(ratio[:, 0]).std() < 0.7


def test_offset_is_one_addend_a_channel_and_window():
    """Oracle: the difference to the original is constant in time."""
    after = changed(offset=0.5).inputs["imu"][6:].reshape(12, 20, 2)
    added = after - np.tile(windows().inputs["imu"].reshape(6, 20, 2), (2, 1, 1))
    np.testing.assert_allclose(added, np.broadcast_to(added[:, :1], added.shape), atol=1e-2)
    assert added[:, 0].std() > 0.1


def test_shift_crosses_steps_holds_the_edge_and_keeps_inputs_together():
    """Oracle: a ramp, shifted by hand by what its first unclipped sample tells."""
    after = changed(shift_samples={"emg": 8, "imu": 4}, copies=20)
    start = np.tile(1000 * np.arange(6), 21)[:, None]
    emg = after.inputs["emg"][:, :, 0] - start
    imu = after.inputs["imu"].reshape(-1, 20, 2)[:, :, 0] - start
    emg_shift, imu_shift = 20 - emg[:, 20], 10 - imu[:, 10]
    assert emg_shift.max() > 5
    assert emg_shift.min() < -5
    assert np.abs(emg_shift).max() <= 8
    np.testing.assert_array_equal(emg, np.clip(np.arange(40) - emg_shift[:, None], 0, 39))
    np.testing.assert_array_equal(imu, np.clip(np.arange(20) - imu_shift[:, None], 0, 19))
    assert np.abs(emg_shift / 2 - imu_shift).max() <= 1


def test_same_seed_gives_the_same_copies():
    """Oracle: equality, and another seed differs."""
    one, same, other = (changed(gain=0.3, seed=s).inputs["emg"] for s in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)
