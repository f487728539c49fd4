"""Pictures moved inside a step: what goes where, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

keras = pytest.importorskip("keras")
tf = pytest.importorskip("tensorflow")

from kd_edge.base.errors import KdEdgeError  # noqa: E402
from kd_edge.distill.augmentations import Augmenter, make_augmentations  # noqa: E402
from kd_edge.distill.augmentations.move_picture import _moved  # noqa: E402

N = 40


def pictures(size=(9, 13)) -> np.ndarray:
    return np.random.default_rng(0).random((N, *size, 2)).astype("f4")


def changed(options, x=None, truth=None, **more):
    augmenter = Augmenter(make_augmentations({"move-picture": options}), {}, seed=1, **more)
    truth = tf.range(N) if truth is None else truth
    x = pictures() if x is None else x
    after, *_ = augmenter({"image": tf.constant(x)}, truth, tf.ones(N, bool))
    return np.asarray(after["image"])


def moved(x, *, degrees=0.0, size=1.0, side=1.0, down=0.0, right=0.0):
    ones = tf.ones(len(x))
    shares = (down * ones, right * ones)
    return np.asarray(_moved(tf.constant(x), np.deg2rad(degrees) * ones, size * ones, side * ones,
                             shares))  # fmt: skip


def test_a_share_of_pictures_is_mirrored_and_the_others_stay():
    """Oracle: NumPy's mirror."""
    x = pictures()
    after = changed({"degrees": 0, "mirror": 0.5})
    mirrored = np.array(
        [np.allclose(a, b[:, ::-1], atol=1e-5) for a, b in zip(after, x, strict=True)]
    )
    same = np.array([np.allclose(a, b, atol=1e-5) for a, b in zip(after, x, strict=True)])
    assert (mirrored ^ same).all()
    assert 10 < mirrored.sum() < 30
    np.testing.assert_allclose(changed({"degrees": 0, "mirror": 1.0}), x[:, :, ::-1], atol=1e-5)


def test_turns_moves_and_zooms_are_those_of_numpy_and_scipy():
    """Oracle: NumPy's quarter turn and roll; SciPy's affine transform of the same matrix."""
    from scipy.ndimage import affine_transform

    square = pictures((9, 9))
    quarter = moved(square, degrees=90)
    np.testing.assert_allclose(quarter, np.rot90(square, axes=(1, 2)), atol=1e-4)
    x = pictures((9, 12))
    shifted = moved(x, down=1 / 9, right=2 / 12)
    np.testing.assert_allclose(shifted[:, 1:, 2:], x[:, :-1, :-2], atol=1e-5)
    zoomed = moved(x, size=1.25)
    middle = np.array([4.0, 5.5])
    expected = affine_transform(
        x[0, :, :, 0].astype(float), np.eye(2) / 1.25, middle - middle / 1.25, order=1
    )
    np.testing.assert_allclose(zoomed[0, :, :, 0], expected, atol=1e-4)


def test_strengths_bound_how_far_a_picture_goes():
    """Oracle: a bright spot in the middle of a large dark picture, and where it is afterwards."""
    x = np.zeros((N, 41, 41, 2), "f4")
    x[:, 20, 20] = 1
    after = changed({"degrees": 10, "shift": 0.1}, x)[..., 0]
    rows, columns = np.mgrid[:41, :41]
    mass = after.sum(axis=(1, 2))
    where = np.stack([(after * g).sum(axis=(1, 2)) / mass - 20 for g in (rows, columns)])
    assert 2.5 < np.abs(where).max() <= 4.1 + 1e-3
    assert where.std(axis=1).min() > 1


def test_what_is_no_picture_is_refused():
    with pytest.raises(KdEdgeError, match="no picture"):
        changed({"degrees": 5}, np.zeros((N, 12, 3), "f4"))


def test_masks_move_with_their_pictures():
    """Oracle: pictures with a channel for each class, and for none; between two they blur."""
    masks = np.kron(np.random.default_rng(2).integers(-1, 4, (N, 4, 5)), np.ones((8, 8), int))
    pictures = np.eye(5, dtype="f4")[masks + 1]
    options = {"degrees": 15, "shift": 0.1, "zoom": 0.2, "mirror": 0.5}
    augmenter = Augmenter(make_augmentations({"move-picture": options}), {}, seed=1)
    which = np.arange(N) % 2 == 0
    moved, truth, _ = augmenter(
        {"image": tf.constant(pictures)}, tf.constant(masks, tf.int16), which
    )
    shown, truth = np.asarray(moved["image"]), np.asarray(truth)
    clear = shown.max(axis=-1) > 0.999
    assert clear.mean() > 0.6
    np.testing.assert_array_equal(truth[clear], shown.argmax(axis=-1)[clear] - 1)
    np.testing.assert_array_equal(truth[~which], masks[~which])
    assert (truth[which] != masks[which]).mean() > 0.2
    assert set(np.unique(truth)) == {-1, 0, 1, 2, 3}
    labels = tf.range(N)
    _, same, _ = augmenter({"image": tf.zeros((N, 8, 8, 1))}, labels, which)
    np.testing.assert_array_equal(same, labels)
