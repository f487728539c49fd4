"""The most confident mistakes, with their pictures."""

from __future__ import annotations

import base64
import io
from types import SimpleNamespace

import numpy as np
import PIL.Image

from kd_edge.base.pixels import PixelInput
from kd_edge.examples import Examples, Groups
from kd_edge.pipeline.gallery import _mistakes

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
