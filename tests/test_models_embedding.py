"""The vector before the last layer. Oracle: the layer 'logits' applied to it by hand."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("keras")

from kd_edge.base.errors import KdEdgeError
from kd_edge.models import build_model
from kd_edge.models.embedding import embedding_of

SHAPES = {"emg": (40, 3), "imu": (20, 2)}


def build(name, shapes=SHAPES, **options):
    return build_model(name, input_shapes=shapes, n_classes=4, seed=1, options=options)


def windows(shapes=SHAPES, n=5):
    rng = np.random.default_rng(2)
    return [rng.normal(size=(n, *shape)).astype("float32") for shape in shapes.values()]


@pytest.mark.parametrize(
    ("name", "options"),
    [("tcn", {"blocks": 1}), ("seed-multi-expert-student", {"units": 5, "steps": 2, "pool": 1})],
)
def test_the_last_layer_of_an_embedding_gives_the_logits(name, options):
    network = build(name, **options)
    x = windows()
    vectors = np.asarray(embedding_of(network)(x))
    *kernels, bias = network.get_layer("logits").get_weights()
    assert vectors.ndim == 2
    np.testing.assert_allclose(vectors @ np.concatenate(kernels) + bias, network(x), atol=1e-5)


def test_a_model_of_one_class_a_pixel_has_no_embedding():
    with pytest.raises(KdEdgeError, match="not one vector a window") as caught:
        embedding_of(build("unet", {"image": (8, 8, 1)}))
    assert caught.value.code == "KD_SHAPE"


def test_a_model_without_logits_is_refused():
    with pytest.raises(KdEdgeError, match="no layer 'logits'"):
        embedding_of(embedding_of(build("tcn", blocks=0)))
