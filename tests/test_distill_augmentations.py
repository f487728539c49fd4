"""Augmentations: what they change inside a step, and what they leave alone."""

from __future__ import annotations

import numpy as np
import pytest

keras = pytest.importorskip("keras")
tf = pytest.importorskip("tensorflow")

from kd_edge.base.errors import KdEdgeError  # noqa: E402
from kd_edge.distill.augmentations import (  # noqa: E402
    AUGMENTATIONS,
    Augmenter,
    make_augmentations,
)

RATES_HZ = {"emg": 40.0, "imu": 20.0}
N = 60


def inputs():
    """Ramps in time, each window 1000 above the one before: (n, 40, 3) and (n, 4, 5, 2)."""
    start = 1000 * np.arange(N)[:, None, None]
    emg = np.arange(40.0)[None, :, None] + start + np.zeros((N, 40, 3))
    imu = np.arange(20.0)[None, :, None] + start + np.zeros((N, 20, 2))
    return {"emg": emg.astype("f4"), "imu": imu.astype("f4").reshape(N, 4, 5, 2)}


def changed(tables, which=None, seed=1):
    return augmented(tables, which, seed)[0]


def augmented(tables, which=None, seed=1):
    """The inputs after the changes, and what was mixed into them; example i has truth i."""
    augmenter = Augmenter(make_augmentations(tables), RATES_HZ, seed)
    which = np.ones(N, bool) if which is None else which
    tensors = {n: tf.constant(x) for n, x in inputs().items()}
    after, mixed = augmenter(tensors, tf.range(N), tf.constant(which))
    return {name: np.asarray(x) for name, x in after.items()}, mixed


def test_only_the_windows_asked_for_are_changed():
    """Oracle: the windows that went in."""
    which = np.arange(N) % 2 == 0
    after = changed({"gain": 0.3, "offset": 0.2, "shift": 0.2}, which)
    for name, before in inputs().items():
        assert after[name].shape == before.shape
        np.testing.assert_array_equal(after[name][~which], before[~which])
        assert (after[name][which] != before[which]).any(axis=tuple(range(1, before.ndim))).all()


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_a_strength_of_zero_changes_nothing(name):
    """Oracle: the windows that went in."""
    for key, before in inputs().items():
        np.testing.assert_array_equal(changed({name: 0.0})[key], before)


def test_gain_is_one_factor_a_channel_and_window():
    """Oracle: the ratio to the original is constant in time; its logarithm's deviation."""
    ratio = changed({"gain": 0.5})["emg"][:, 1:] / inputs()["emg"][:, 1:]
    np.testing.assert_allclose(ratio, np.broadcast_to(ratio[:, :1], ratio.shape), rtol=1e-5)
    assert len(np.unique(ratio[:, 0].round(4))) > 0.9 * 3 * N
    assert np.log(ratio[:, 0]).std() == pytest.approx(0.5, rel=0.25)


def test_offset_is_one_addend_a_channel_and_window():
    """Oracle: the difference to the original is constant in time; its deviation."""
    added = (changed({"offset": 50.0 / 25}, seed=3)["imu"] - inputs()["imu"]).reshape(N, 20, 2)
    np.testing.assert_allclose(added, np.broadcast_to(added[:, :1], added.shape), atol=2e-2)
    assert added[:, 0].std() == pytest.approx(2.0, rel=0.25)


def test_shift_crosses_steps_holds_the_edge_and_keeps_inputs_together():
    """Oracle: a ramp, shifted by hand by what its first unclipped sample tells."""
    after = changed({"shift": 0.2})
    start = 1000 * np.arange(N)[:, None]
    emg = after["emg"][:, :, 0] - start
    imu = after["imu"].reshape(N, 20, 2)[:, :, 0] - start
    emg_shift, imu_shift = 20 - emg[:, 20], 10 - imu[:, 10]
    assert emg_shift.max() > 5
    assert emg_shift.min() < -5
    assert np.abs(emg_shift).max() <= 8
    np.testing.assert_array_equal(emg, np.clip(np.arange(40) - emg_shift[:, None], 0, 39))
    np.testing.assert_array_equal(imu, np.clip(np.arange(20) - imu_shift[:, None], 0, 19))
    assert np.abs(emg_shift / 2 - imu_shift).max() <= 1


def test_each_batch_is_changed_anew_and_the_same_seed_gives_the_same_changes():
    """Oracle: equality and its absence, inside a graph."""
    which = tf.constant(np.ones(N, bool))

    def two_batches(seed):
        augmenter = Augmenter(make_augmentations({"gain": 0.3}), RATES_HZ, seed)
        emg = {"emg": tf.constant(inputs()["emg"])}
        step = tf.function(lambda: augmenter(emg, tf.range(N), which)[0]["emg"])
        return np.stack([step(), step()])

    one, same, other = two_batches(1), two_batches(1), two_batches(2)
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)
    assert not np.array_equal(one[0], one[1])


def test_mixing_joins_an_example_with_the_next_one_of_the_batch_and_tells_its_truth_and_share():
    """Oracle: the windows that went in, joined by the shares that are told."""
    which = np.arange(N) % 3 > 0
    after, mixed = augmented({"mix": 0.5}, which)
    share = np.asarray(mixed.share)
    np.testing.assert_array_equal(mixed.truth, np.roll(np.arange(N), -1))
    np.testing.assert_array_equal(share[~which], 0)
    assert 0 < share[which].min() < 0.1
    assert 0.4 < share[which].max() <= 0.5
    for name, before in inputs().items():
        s = share.reshape((N,) + (1,) * (before.ndim - 1))
        expected = (1 - s) * before + s * np.roll(before, -1, axis=0)
        np.testing.assert_allclose(after[name], expected, rtol=1e-4)
        np.testing.assert_array_equal(after[name][~which], before[~which])


def test_nothing_is_mixed_where_a_recipe_does_not_ask_for_it():
    """Oracle: no share."""
    assert augmented({"gain": 0.1})[1] is None


@pytest.mark.parametrize(
    ("code", "tables", "told"),
    [
        ("KD_RECIPE_KEY", {"gian": 0.2}, "did you mean 'gain'"),
        ("KD_RECIPE_KEY", {"shift_s": 0.2}, "did you mean 'shift'"),
        ("KD_RECIPE_KEY", {"gain": {"deviaton": 0.2}}, "'deviation'"),
        ("KD_RECIPE_VALUE", {"gain": -1.0}, "deviation"),
        ("KD_RECIPE_VALUE", {"gain": "much"}, "deviation"),
        ("KD_RECIPE_VALUE", {"shift": {}}, "largest_s"),
        ("KD_RECIPE_VALUE", {"mix": 0.6}, "largest_share"),
    ],
)
def test_augmentations_without_meaning_are_refused(code, tables, told):
    """Oracle: the error's code, and what it names."""
    with pytest.raises(KdEdgeError) as caught:
        make_augmentations(tables)
    assert caught.value.code == code
    assert told in caught.value.message


def test_an_input_without_time_is_not_shifted():
    """Oracle: the error's code."""
    augmenter = Augmenter(make_augmentations({"shift": 0.1}), {}, 1)
    with pytest.raises(KdEdgeError) as caught:
        augmenter({"image": np.zeros((2, 4, 4, 1), "f4")}, np.zeros(2, int), np.ones(2, bool))
    assert caught.value.code == "KD_RECIPE_VALUE"
