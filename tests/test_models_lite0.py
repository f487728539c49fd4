"""Students that begin as the first blocks of EfficientNet-Lite0: their weights, shapes and cost."""

from __future__ import annotations

import numpy as np
import pytest

keras = pytest.importorskip("keras")


from kd_edge.base.errors import KdEdgeError  # noqa: E402
from kd_edge.models import build_model  # noqa: E402
from kd_edge.models.lite0_weights import PACKAGE, PUBLISHED_RANGE  # noqa: E402


def built(name, shape, n_classes=11, **options):
    shapes = {"image": shape}
    return build_model(name, input_shapes=shapes, n_classes=n_classes, seed=1, options=options)


def answer(model, layer, picture):
    return np.asarray(keras.Model(model.inputs, model.get_layer(layer).output)([picture]))


def pictures(shape, low=0.0, high=1.0):
    return np.random.default_rng(0).uniform(low, high, (2, *shape)).astype("f4")


@pytest.mark.parametrize(
    ("name", "channels", "more"),
    [("lite0-cnn", 1, {}), ("lite0-cnn", 3, {}), ("lite0-unet", 3, {"finest": 2})],
)
def test_with_published_weights_it_sees_what_the_whole_network_sees_there(name, channels, more):
    """Oracle: the same layer of EfficientNet-Lite0, which takes the numbers as they are."""
    pytest.importorskip(PACKAGE)
    shape, (low, high) = (64, 64, channels), PUBLISHED_RANGE
    options = {"weights": "package", "pixel_range": PUBLISHED_RANGE}
    picture = pictures(shape, low, high)
    whole = answer(built("efficientnet-lite0", shape, **options), "block_5_project_norm", picture)
    ours = answer(built(name, shape, blocks=6, **options, **more), "block_5_project_norm", picture)
    np.testing.assert_allclose(ours, whole, atol=2e-3)


def test_a_teacher_s_way_up_ends_at_half_of_the_picture():
    """Oracle: the shape of the last layer with weights; the picture's own behind it."""
    model = built("lite0-unet", (64, 96, 3), blocks=11, finest=2)
    assert model.layers[-2].output.shape == (None, 32, 48, 11)
    assert model.output_shape == (None, 64, 96, 11)


def test_another_range_of_pixels_is_undone_by_the_stem():
    """Oracle: the same picture in the published range, away from the edge, where zeros stand."""
    pytest.importorskip(PACKAGE)
    low, high = PUBLISHED_RANGE
    picture = pictures((64, 64, 3))
    theirs = built("lite0-cnn", (64, 64, 3), weights="package", pixel_range=PUBLISHED_RANGE)
    ours = built("lite0-cnn", (64, 64, 3), weights="package", pixel_range=(0, 1))
    expected = answer(theirs, "stem_relu", low + (high - low) * picture)
    np.testing.assert_allclose(
        answer(ours, "stem_relu", picture)[:, :-1, :-1], expected[:, :-1, :-1], atol=1e-4
    )


def test_a_narrower_block_keeps_its_heaviest_channels_in_their_order():
    """Oracle: the published block, whose other channels are silenced."""
    pytest.importorskip(PACKAGE)
    options = {"blocks": 2, "weights": "package", "pixel_range": PUBLISHED_RANGE}
    picture = pictures((32, 32, 3), *PUBLISHED_RANGE)
    wide = built("lite0-cnn", (32, 32, 3), **options)
    narrow = built("lite0-cnn", (32, 32, 3), expansion=2, **options)
    depthwise, project = (wide.get_layer(f"block_1_{n}") for n in ("depthwise", "project"))
    gamma = wide.get_layer("block_1_depthwise_norm").gamma.numpy()
    weight = np.abs(gamma) * np.abs(project.kernel.numpy()).sum(axis=(0, 1, 3))
    kept = np.sort(np.argsort(weight)[-32:])
    np.testing.assert_array_equal(
        narrow.get_layer("block_1_depthwise").kernel, depthwise.kernel.numpy()[:, :, kept]
    )
    silent = np.setdiff1d(np.arange(96), kept)
    kernel = project.kernel.numpy()
    kernel[:, :, silent] = 0
    project.kernel.assign(kernel)
    name = "block_1_project_norm"
    np.testing.assert_allclose(
        answer(narrow, name, picture), answer(wide, name, picture), atol=1e-3
    )


@pytest.mark.parametrize("shape", [(32, 32, 2), (32, 32, 4)])
def test_published_weights_know_grey_and_colours_alone(shape):
    """Oracle: the error's code."""
    pytest.importorskip(PACKAGE)
    with pytest.raises(KdEdgeError) as caught:
        built("lite0-cnn", shape, weights="package")
    assert caught.value.code == "KD_SHAPE"


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("lite0-unet", {"blocks": 1}),
        ("lite0-unet", {"residual": 9}),
        ("lite0-unet", {"finest": 3}),
        ("lite0-unet", {"finest": 2.0}),
        ("lite0-cnn", {"blocks": 17}),
        ("lite0-cnn", {"expansion": 7}),
        ("lite0-cnn", {"weights": "imagenet"}),
        ("lite0-cnn", {"pixel_range": (1, 0)}),
    ],
)
def test_what_it_cannot_be_is_refused(name, options):
    """Oracle: the error's code."""
    with pytest.raises(KdEdgeError) as caught:
        built(name, (32, 32, 1), **options)
    assert caught.value.code == "KD_RECIPE_VALUE"
