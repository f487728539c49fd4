"""Augmentations: what they change inside a step, and what they leave alone."""

from __future__ import annotations

import numpy as np
import pytest

keras = pytest.importorskip("keras")
tf = pytest.importorskip("tensorflow")

from kd_edge.base.errors import KdEdgeError  # noqa: E402
from kd_edge.base.front_end import InputChannel  # noqa: E402
from kd_edge.distill.augmentations import (  # noqa: E402
    AUGMENTATIONS,
    Augmenter,
    make_augmentations,
)
from kd_edge.distill.augmentations.record import Draw  # noqa: E402
from kd_edge.distill.augmentations.rotate_axes import vectors_of  # noqa: E402

RATES_HZ = {"emg": 40.0, "imu": 20.0}


def channels(modality, *names, mean=0.0, scale=1.0, rectified=False):
    return tuple(InputChannel(modality, name, mean, scale, rectified) for name in names)


CHANNELS = {
    "emg": channels("emg", "EMG 1", "EMG 2", "EMG 3"),
    "imu": channels("acc", "ACC X", "ACC Y", "ACC Z"),
}
N = 60


def inputs():
    """Ramps in time, each window 1000 above the one before: (n, 40, 3) and (n, 4, 5, 3)."""
    start = 1000 * np.arange(N)[:, None, None]
    emg = np.arange(40.0)[None, :, None] + start + np.zeros((N, 40, 3))
    imu = np.arange(20.0)[None, :, None] + start + np.zeros((N, 20, 3))
    return {"emg": emg.astype("f4"), "imu": imu.astype("f4").reshape(N, 4, 5, 3)}


def changed(tables, which=None, seed=1):
    return augmented(tables, which, seed)[0]


def augmented(tables, which=None, seed=1):
    """The inputs after the changes, and what was mixed into them; example i has truth i."""
    augmenter = Augmenter(make_augmentations(tables), RATES_HZ, seed, CHANNELS)
    which = np.ones(N, bool) if which is None else which
    tensors = {n: tf.constant(x) for n, x in inputs().items()}
    after, _, mixed = augmenter(tensors, tf.range(N), tf.constant(which))
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
    added = (changed({"offset": 50.0 / 25}, seed=3)["imu"] - inputs()["imu"]).reshape(N, 20, 3)
    np.testing.assert_allclose(added, np.broadcast_to(added[:, :1], added.shape), atol=2e-2)
    assert added[:, 0].std() == pytest.approx(2.0, rel=0.25)


def test_shift_crosses_steps_holds_the_edge_and_keeps_inputs_together():
    """Oracle: a ramp, shifted by hand by what its first unclipped sample tells."""
    after = changed({"shift": 0.2})
    start = 1000 * np.arange(N)[:, None]
    emg = after["emg"][:, :, 0] - start
    imu = after["imu"].reshape(N, 20, 3)[:, :, 0] - start
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


def test_a_common_gain_is_one_factor_an_input_and_window():
    """Oracle: the ratio to the original is constant in time and over channels."""
    ratio = changed({"common-gain": 0.5})["emg"][:, 1:] / inputs()["emg"][:, 1:]
    np.testing.assert_allclose(ratio, np.broadcast_to(ratio[:, :1, :1], ratio.shape), rtol=1e-5)
    assert np.log(ratio[:, 0, 0]).std() == pytest.approx(0.5, rel=0.3)


def test_noise_is_a_normal_number_a_value():
    """Oracle: its mean, its deviation, and no correlation from sample to sample or channel."""
    added = changed({"noise": 2.0})["emg"] - inputs()["emg"]
    assert added.mean() == pytest.approx(0, abs=0.1)
    assert added.std() == pytest.approx(2, rel=0.05)
    for a, b in ((added[:, 1:], added[:, :-1]), (added[..., 1:], added[..., :-1])):
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 0.05


def test_dropped_channels_are_0_throughout_and_the_others_as_they_were():
    """Oracle: the windows that went in; the share of channels."""
    after, before = changed({"channel-dropout": 0.25})["imu"], inputs()["imu"]
    gone = (after == 0).all(axis=(1, 2))
    np.testing.assert_array_equal(after, np.where(gone[:, None, None, :], 0, before))
    assert gone.mean() == pytest.approx(0.25, abs=0.1)


def test_a_warp_bends_the_time_of_all_inputs_alike_and_holds_the_ends():
    """Oracle: a ramp tells when each sample was taken: rising, within the speeds asked for, and
    the same at one time of both inputs, which have their own rates."""
    after = changed({"warp": 0.5})
    start = 1000 * np.arange(N)[:, None]
    emg = (after["emg"][:, :, 0] - start) / 40  # s
    imu = (after["imu"].reshape(N, 20, 3)[:, :, 0] - start) / 20
    np.testing.assert_allclose(emg[:, 0], 0, atol=1e-4)
    held = emg >= emg.max() - 1e-4  # past the last sample nothing more is known
    speed = np.diff(emg, axis=1)[~held[:, 1:]] * 40
    assert 0.5 - 0.02 <= speed.min() < 0.8
    assert 1.2 < speed.max() <= 1.5 + 0.02
    assert np.abs(emg - np.arange(40) / 40).max() > 0.03
    both = imu < 0.95 - 1e-4
    np.testing.assert_allclose(emg[:, ::2][both], imu[both], atol=1e-3)


def turned(tables, windows, own, n=200):
    """Many windows that all begin as one, turned each by itself."""
    augmenter = Augmenter(make_augmentations(tables), {}, 1, own)
    many = {name: tf.tile(x[None], (n,) + (1,) * x.ndim) for name, x in windows.items()}
    after, *_ = augmenter(many, tf.zeros(n, "int32"), tf.ones(n, "bool"))
    return {name: np.asarray(x) for name, x in after.items()}


def test_turned_axes_keep_lengths_and_angles_in_the_sensors_own_units():
    """Oracle: norms and inner products of the vectors, before normalisation was undone: 1 g too."""
    rng = np.random.default_rng(0)
    mean, scale = np.array([0.1, -0.2, 0.9]), np.array([2.0, 5.0, 9.0])
    acc = rng.normal(size=(4, 5, 3)) + mean
    own = {
        "imu": tuple(
            InputChannel("acc", f"acc_{axis}", m, s, False)
            for axis, m, s in zip("xyz", mean, scale, strict=True)
        )
    }
    after = turned({"rotate-axes": 0.3}, {"imu": ((acc - mean) * scale).astype("f4")}, own)["imu"]
    back = (after / scale + mean).reshape(-1, 20, 3)
    flat = acc.reshape(20, 3)
    expected = np.broadcast_to(flat @ flat.T, (200, 20, 20))
    np.testing.assert_allclose(back @ back.transpose(0, 2, 1), expected, atol=1e-4)
    # What turned one into the other is a rotation, by an angle of √3 · 0.3 rad in the mean square.
    rotations = np.stack([np.linalg.lstsq(flat, one, rcond=None)[0].T for one in back])
    np.testing.assert_allclose(np.linalg.det(rotations), 1, atol=1e-4)
    angles = np.arccos(np.clip((np.trace(rotations, axis1=1, axis2=2) - 1) / 2, -1, 1))
    assert np.sqrt((angles**2).mean()) == pytest.approx(np.sqrt(3) * 0.3, rel=0.1)


def test_an_accelerometer_and_a_gyroscope_of_one_sensor_turn_alike_and_two_sensors_do_not():
    """Oracle: equal vectors stay equal between acc and gyr of one sensor, and only there."""
    names = [f"{axis} of {sensor}" for sensor in ("left", "right") for axis in "XYZ"]
    own = {
        "both": channels("acc", *names) + channels("gyr", *names),
        "gyr again": channels("gyr", *names[:3]),
        "envelope": channels("mag", *names[:3], rectified=True),
    }
    vector = np.tile(np.array([1.0, 2.0, 3.0], "f4"), 4)[None]
    windows = {"both": vector, "gyr again": vector[:, :3], "envelope": vector[:, :3]}
    after = turned({"rotate-axes": 0.5}, windows, own)
    both = after["both"].reshape(200, 4, 3)
    np.testing.assert_allclose(both[:, :2], both[:, 2:], atol=1e-5)
    np.testing.assert_allclose(both[:, 0], after["gyr again"][:, 0], atol=1e-5)
    assert np.abs(both[:, 0] - both[:, 1]).max(axis=1).min() > 1e-3
    np.testing.assert_array_equal(after["envelope"][:, 0], np.tile([1, 2, 3], (200, 1)))


def test_a_model_that_does_not_take_the_turned_input_is_left_alone():
    """Oracle: the input that went in."""
    for tables in ({"rotate-ring": 0.5}, {"rotate-axes": 0.5}):
        augmenter = Augmenter(make_augmentations(tables), {}, 1, CHANNELS)
        one = "imu" if "rotate-ring" in tables else "emg"
        after, *_ = augmenter({one: inputs()[one]}, np.zeros(N, int), np.ones(N, bool))
        np.testing.assert_array_equal(after[one], inputs()[one])


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (("ACC X", "ACC Y", "ACC Z"), [(0, [0, 1, 2])]),
        (("AccZ", "AccX", "AccY", "AccT"), [(0, [1, 2, 0])]),
        (("x1", "x2", "y1", "y2", "z1", "z2"), [(0, [0, 2, 4]), (1, [1, 3, 5])]),
        (("Rx ext x", "Rx ext y", "Rx ext z"), [(0, [0, 1, 2])]),
        (("ACC X", "ACC Y"), []),
        (("EMG 1", "EMG 2", "EMG 3"), []),
    ],
)
def test_three_channels_are_a_vector_by_their_names(names, found):
    """Oracle: by hand."""
    assert vectors_of(channels("acc", *names)) == found


@pytest.mark.parametrize("turn", [1.0, 3.0, -2.0, 0.25, 7.75])
def test_a_turned_ring_is_rolled_and_between_two_places_interpolated(turn, monkeypatch):
    """Oracle: np.roll, and np.interp around the circle for fractions."""
    rng = np.random.default_rng(0)
    ring, mean, scale = rng.uniform(1, 2, (5, 8)), rng.uniform(0, 1, 8), rng.uniform(1, 3, 8)
    own = {
        "all": (
            *channels("acc", "ACC X"),
            *(
                InputChannel("emg", f"EMG {i}", m, s, True)
                for i, (m, s) in enumerate(zip(mean, scale, strict=True))
            ),
        )
    }
    x = np.concatenate([np.ones((5, 1)), (ring - mean) * scale], axis=1).astype("f4")
    monkeypatch.setattr(Draw, "uniform", lambda draw, *shape: tf.ones((draw.n, *shape)))
    rotate = {"rotate-ring": {"largest": abs(turn)}}
    if turn < 0:
        monkeypatch.setattr(Draw, "uniform", lambda draw, *shape: -tf.ones((draw.n, *shape)))
    after = turned(rotate, {"all": x}, own, n=2)["all"][1]
    at = (np.arange(8) - turn) % 8
    expected = np.stack([np.interp(at, np.arange(9), [*row, row[0]]) for row in ring])
    if turn == round(turn):
        np.testing.assert_allclose(expected, np.roll(ring, round(turn), axis=1))
    np.testing.assert_allclose(after[:, 1:] / scale + mean, expected, atol=1e-5)
    np.testing.assert_array_equal(after[:, 0], 1)


def test_each_ring_of_a_modality_turns_by_itself_within_what_was_asked():
    """Oracle: one electrode of each ring is on: the two that have it tell how far it turned."""
    own = {"x": channels("emg", *(f"EMG {i}" for i in range(8)))}
    on = np.zeros((1, 8), "f4")
    on[0, [1, 5]] = 1
    rotate = {"rotate-ring": {"largest": 0.5, "electrodes": 4}}
    after = turned(rotate, {"x": on}, own)["x"][:, 0].reshape(200, 2, 4)
    np.testing.assert_allclose(after.sum(axis=2), 1, rtol=1e-5)
    far = after[:, :, 2] - after[:, :, 0]
    assert np.abs(far).max() <= 0.5
    assert far.std() == pytest.approx(0.5 / np.sqrt(3), rel=0.15)
    assert abs(np.corrcoef(far[:, 0], far[:, 1])[0, 1]) < 0.3
    with pytest.raises(KdEdgeError) as caught:
        turned({"rotate-ring": {"largest": 0.5, "electrodes": 3}}, {"x": on}, own)
    assert caught.value.code == "KD_RECIPE_VALUE"
    assert "8 channels of 'emg'" in caught.value.message


def test_differences_of_a_ring_turn_with_it():
    """Oracle: one electrode is on, in its signal and in both differences: all turn alike."""
    own = {
        "x": tuple(
            InputChannel("emg", f"EMG {i}", 0.0, 1.0, True, order)
            for order in range(3)
            for i in range(4)
        )
    }
    on = np.zeros((1, 12), "f4")
    on[0, [1, 5, 9]] = 1
    after = turned({"rotate-ring": 0.5}, {"x": on}, own)["x"][:, 0].reshape(200, 3, 4)
    assert (after[:, 0, 2] - after[:, 0, 0]).std() > 0.2
    np.testing.assert_allclose(after[:, 1], after[:, 0], atol=1e-6)
    np.testing.assert_allclose(after[:, 2], after[:, 0], atol=1e-6)


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


def test_swapped_channels_are_the_next_examples_throughout_and_count_by_their_share():
    """Oracle: the windows that went in, and those after them; the shares that are told."""
    which = np.arange(N) % 3 > 0
    after, mixed = augmented({"swap-channels": 0.5}, which)
    share = np.asarray(mixed.share)
    np.testing.assert_array_equal(mixed.truth, np.roll(np.arange(N), -1))
    np.testing.assert_array_equal(share[~which], 0)
    swapped = []
    for name, before in inputs().items():
        np.testing.assert_array_equal(after[name][~which], before[~which])
        time = tuple(range(1, before.ndim - 1))
        own = (after[name] == before).all(axis=time)
        assert (own | (after[name] == np.roll(before, -1, axis=0)).all(axis=time)).all()
        swapped.append(~own[which])
    swapped = np.concatenate(swapped, axis=1)
    np.testing.assert_allclose(share[which], swapped.mean(axis=1), rtol=1e-6)
    assert swapped.mean() == pytest.approx(0.25, abs=0.08)  # chances are even from 0 to 0.5


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
        ("KD_RECIPE_VALUE", {"swap-channels": 0.6}, "largest_share"),
        ("KD_RECIPE_VALUE", {"mix": 0.2, "swap-channels": 0.2}, "mix and swap-channels"),
        ("KD_RECIPE_VALUE", {"warp": 1.0}, "strength"),
        ("KD_RECIPE_VALUE", {"channel-dropout": 1.0}, "share"),
        ("KD_RECIPE_VALUE", {"rotate-ring": {"modality": "emg"}}, "largest"),
        ("KD_RECIPE_KEY", {"rotate_ring": 0.5}, "did you mean 'rotate-ring'"),
    ],
)
def test_augmentations_without_meaning_are_refused(code, tables, told):
    """Oracle: the error's code, and what it names."""
    with pytest.raises(KdEdgeError) as caught:
        make_augmentations(tables)
    assert caught.value.code == code
    assert told in caught.value.message


@pytest.mark.parametrize("name", ["shift", "warp", "rotate-axes", "rotate-ring"])
def test_an_image_has_neither_time_nor_axes_nor_electrodes(name):
    """Oracle: the error's code, and what it names."""
    augmenter = Augmenter(make_augmentations({name: 0.1}), {}, 1)
    with pytest.raises(KdEdgeError) as caught:
        augmenter({"image": np.zeros((2, 4, 4, 1), "f4")}, np.zeros(2, int), np.ones(2, bool))
    assert caught.value.code == "KD_RECIPE_VALUE"
    assert caught.value.where == f"augmentation.{name}"
