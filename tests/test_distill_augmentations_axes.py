"""Augmentations of sensors with axes: turned on the arm."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from augmented import channels, many_changes

from kd_edge.base.front_end import InputChannel
from kd_edge.distill.augmentations.vectors import vectors_of


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
    after = many_changes({"rotate-axes": 0.3}, {"imu": ((acc - mean) * scale).astype("f4")}, own)[
        "imu"
    ]
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
    after = many_changes({"rotate-axes": 0.5}, windows, own)
    both = after["both"].reshape(200, 4, 3)
    np.testing.assert_allclose(both[:, :2], both[:, 2:], atol=1e-5)
    np.testing.assert_allclose(both[:, 0], after["gyr again"][:, 0], atol=1e-5)
    assert np.abs(both[:, 0] - both[:, 1]).max(axis=1).min() > 1e-3
    np.testing.assert_array_equal(after["envelope"][:, 0], np.tile([1, 2, 3], (200, 1)))


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
    vectors = vectors_of(channels("acc", *names))
    assert [(v.modality, v.sensor, list(v.places)) for v in vectors] == [
        ("acc", sensor, places) for sensor, places in found
    ]


def test_a_signals_differences_are_vectors_beside_its_own():
    """Oracle: by hand; the same names twice, of the signal and of its first difference."""
    own = channels("acc", "X", "Y", "Z")
    both = own + tuple(dataclasses.replace(channel, difference=1) for channel in own)
    assert [v.places for v in vectors_of(both)] == [(0, 1, 2), (3, 4, 5)]
