"""Families of image classifiers. Oracle: published counts of parameters, and Keras' gradients."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from eager import without_graphs

from kd_edge.base.errors import KdEdgeError
from kd_edge.models import build_model

keras = pytest.importorskip("keras")

# Of 1,000 classes. Keras' documentation for ResNet50 and DenseNet121; GoogLeNet without its two
# classifiers on the side as its published Caffe model has it.
PUBLISHED = {
    "resnet": ({}, 25_636_712),
    "densenet": ({}, 8_062_504),
    "googlenet": ({"norm": "none"}, 6_998_552),
}
SMALL = {
    "resnet": {"width": 4, "blocks": (1, 1), "stem": "half"},
    "densenet": {"growth": 4, "blocks": (2, 2), "stem": "small"},
    "googlenet": {"width": 0.05, "blocks": 3, "stem": "half"},
    "picking-cnn": {"width": 4},
}


def built(name, n_classes=5, size=32, **options):
    return build_model(
        name,
        input_shapes={"image": (size, size, 3)},
        n_classes=n_classes,
        seed=1,
        options=options,
    )


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_defaults_have_the_published_parameters(name):
    options, count = PUBLISHED[name]
    assert built(name, 1000, 64, **options).count_params() == count


def test_the_seeds_selector_has_one_score_and_its_layers():
    """Oracle: by hand: 3 x 3 convolutions with biases, four numbers a channel to normalise, and one
    score of 4 x 4 x 6 values."""
    channels = (3, 32, 64, 128, 128, 256, 6)
    count = sum(9 * a * b + b + 4 * b for a, b in pairwise(channels))
    network = built("picking-cnn", 2)
    assert network.count_params() == count + 2 * (4 * 4 * 6 + 1)
    assert network.output_shape == (None, 2)


@pytest.mark.parametrize("name", SMALL)
def test_one_step_lowers_the_loss_on_its_own_batch(name):
    """Oracle: the same batch before and after, by Keras."""
    rng = np.random.default_rng(3)
    images, truth = rng.normal(size=(8, 32, 32, 3)).astype(np.float32), np.arange(8) % 5
    with without_graphs():
        network = built(name, **SMALL[name])
        network.compile(
            keras.optimizers.SGD(0.01),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            run_eagerly=True,
        )
        before = float(network.train_on_batch([images], truth))
        after = float(network.train_on_batch([images], truth))
    assert after < before


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_ones_take_a_step(name):
    rng = np.random.default_rng(3)
    images, truth = rng.normal(size=(4, 64, 64, 3)).astype(np.float32), np.arange(4)
    network = built(name, 10, 64)
    before = [variable.numpy().copy() for variable in network.trainable_variables]
    network.compile(
        "sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), run_eagerly=True
    )
    assert np.isfinite(network.train_on_batch([images], truth))
    moved = [
        not np.array_equal(old, new.numpy())
        for old, new in zip(before, network.trainable_variables, strict=True)
    ]
    assert np.mean(moved) > 0.9


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("resnet", {"stem": "tall"}),
        ("densenet", {"growth": 0}),
        ("densenet", {"blocks": (0, 2)}),
        ("googlenet", {"norm": "local"}),
        ("googlenet", {"blocks": 10}),
        ("googlenet", {"width": 0.0}),
    ],
)
def test_options_out_of_range_are_named(name, options):
    with pytest.raises(KdEdgeError) as caught:
        built(name, **options)
    assert caught.value.code == "KD_RECIPE_VALUE"
