"""The most confident mistakes, with their pictures."""

from __future__ import annotations

import base64
import io
from types import SimpleNamespace

import numpy as np
import PIL.Image
import pytest

from kd_edge.base.pixels import PixelInput
from kd_edge.examples import Examples, Groups
from kd_edge.pipeline.gallery import _mistakes
from kd_edge.pipeline.grad_cam import grad_cam, heated

PIXELS = PixelInput(size=(4, 6), channels="grey", resize="stretch", range=(-1.0, 1.0))
MANIFEST = SimpleNamespace(task="classification", class_names=("cat", "dog"), pixels=PIXELS)


def examples(truth):
    """Picture i is grey 10 i throughout."""
    n = len(truth)
    grey = 10.0 * np.arange(n, dtype="f4")[:, None, None, None] * np.ones((1, 4, 6, 1), "f4")
    groups = Groups.each([f"{i}.png" for i in range(n)])
    return Examples({"image": grey / 127.5 - 1}, np.array(truth), groups, ("cat", "dog"))


def test_mistakes_come_with_the_most_confident_first_and_their_own_picture():
    """Oracle: by hand; a margin of m is a confidence of 1 / (1 + exp(-m))."""
    logits = np.array([[3.0, 0], [2, 0], [0, 1], [4, 0]], "f4")
    found = _mistakes(logits, MANIFEST, examples([0, 1, 0, 1]), "who")
    assert [shown.name for shown in found.shown] == ["3.png", "1.png", "2.png"]
    assert found.shown[0].words == "is dog, taken for cat with a confidence of 98 %"
    assert found.shown[2].words == "is cat, taken for dog with a confidence of 73 %"
    assert found.meaning.startswith("who 3 of 3 mistakes among 4 images")
    (tile,) = found.shown[0].tiles
    with PIL.Image.open(io.BytesIO(base64.b64decode(tile.png))) as picture:
        assert (picture.size, np.unique(np.asarray(picture)).tolist()) == ((6, 4), [30])


def test_twenty_are_shown_at_most_and_none_where_all_is_right():
    logits = np.tile(np.array([[1.0, 0]], "f4"), (30, 1))
    assert len(_mistakes(logits, MANIFEST, examples([1] * 30), "who").shown) == 20
    assert _mistakes(logits, MANIFEST, examples([0] * 30), "who").shown == ()


def test_places_that_speak_for_the_answer_are_painted_beside_the_picture():
    """Oracle: by hand. The left half speaks for every class; 0.6 of it is the colour's red, 255."""
    logits = np.array([[3.0, 0]], "f4")
    halves = np.repeat([[1.0, 1, 1, 0, 0, 0]], 4, axis=0)
    found = _mistakes(
        logits, MANIFEST, examples([1]), "who", lambda pictures, decided: halves[None]
    )
    image, seen = found.shown[0].tiles
    assert (image.title, seen.title) == ("image", "seen in")
    with PIL.Image.open(io.BytesIO(base64.b64decode(seen.png))) as picture:
        reds = np.asarray(picture)[..., 0]
    assert reds[:, :3].tolist() == [[153] * 3] * 4
    assert reds[:, 3:].tolist() == [[0] * 3] * 4
    assert "Grad-CAM" in found.meaning


def test_grad_cam_finds_the_place_that_a_network_looks_at():
    """Oracle: by hand. Class 1 is the mean of the picture and class 0 its opposite, so that only
    bright places speak for class 1, each by how bright it is, and none for class 0."""
    keras = pytest.importorskip("keras")
    pixels = keras.Input((6, 8, 1), name="image")
    maps = keras.layers.Conv2D(1, 1, use_bias=False, name="maps")(pixels)
    logits = keras.layers.Dense(2, use_bias=False)(keras.layers.GlobalAveragePooling2D()(maps))
    network = keras.Model(pixels, logits)
    network.set_weights([np.ones((1, 1, 1, 1)), np.array([[-1.0, 1.0]])])
    picture = np.zeros((1, 6, 8, 1), "f4")
    picture[0, 2, 5], picture[0, 4, 1] = 4, 1
    twice = np.concatenate([picture, picture])
    for_one, for_zero = grad_cam(network, twice, np.array([1, 0]))
    np.testing.assert_allclose(for_one, picture[0, ..., 0] / 4, atol=1e-6)
    assert not for_zero.any()


def test_a_network_without_places_enough_shows_none():
    keras = pytest.importorskip("keras")
    pixels = keras.Input((2, 8, 1))
    maps = keras.layers.Conv2D(1, 1)(pixels)
    network = keras.Model(pixels, keras.layers.GlobalAveragePooling2D()(maps))
    assert grad_cam(network, np.zeros((1, 2, 8, 1), "f4"), np.array([0])) is None


def test_a_picture_without_heat_stays_as_it_is():
    picture = np.arange(72, dtype=np.uint8).reshape(4, 6, 3)
    np.testing.assert_array_equal(heated(picture, np.zeros((2, 2))), picture)
