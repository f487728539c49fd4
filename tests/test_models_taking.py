"""Layers that a student takes from its teacher. Oracles: the teacher's own weights and answers."""

from __future__ import annotations

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from keras import layers  # noqa: E402

from kd_edge.base.errors import KdEdgeError  # noqa: E402
from kd_edge.models import build_model  # noqa: E402
from kd_edge.models.taking import take_layers  # noqa: E402


def network(name, *, seed, channels=1, classes=2, width=3):
    """Two convolutions, the first with a normalisation, whose statistics tell where it is from."""
    keras.utils.set_random_seed(seed)
    image = keras.Input((8, 8, channels))
    x = layers.BatchNormalization(name="first_norm")(layers.Conv2D(4, 3, name="first")(image))
    x = layers.ReLU(name="relu")(x)
    x = layers.Conv2D(width, 3, name="second")(x)
    x = layers.Dense(classes, name="logits")(layers.GlobalAveragePooling2D(name="mean")(x))
    made = keras.Model(image, x, name=name)
    mean = made.get_layer("first_norm").moving_mean
    mean.assign(np.full(mean.shape, seed))
    return made


def same(student, teacher, layer):
    theirs = teacher.get_layer(layer).get_weights()
    return all(map(np.array_equal, student.get_layer(layer).get_weights(), theirs))


def test_layers_of_one_name_and_size_begin_alike_and_others_stay():
    student, teacher = network("small", seed=1, width=2), network("large", seed=2)
    before = student.get_layer("second").get_weights()
    assert take_layers(student, teacher) == ("first", "first_norm")
    assert same(student, teacher, "first")
    assert same(student, teacher, "first_norm")
    assert all(map(np.array_equal, before, student.get_layer("second").get_weights()))


def test_a_normalisation_stays_where_the_layer_before_it_does():
    student, teacher = network("grey", seed=1), network("coloured", seed=2, channels=3)
    assert take_layers(student, teacher) == ("second", "logits")
    np.testing.assert_array_equal(student.get_layer("first_norm").moving_mean, np.ones(4))


def test_models_without_a_layer_in_common_are_refused():
    teacher = network("large", seed=2)
    shapes = {"image": (8, 8, 1)}
    student = build_model("image-cnn", input_shapes=shapes, n_classes=3, seed=1, options={})
    with pytest.raises(KdEdgeError, match="no layer of 'image_cnn' has the name") as caught:
        take_layers(student, teacher)
    assert caught.value.code == "KD_RECIPE_VALUE"


def test_first_blocks_answer_as_the_whole_network_does_there():
    """Oracle: the whole network's sixth block; coloured pictures in its own range."""
    shapes, options = {"image": (32, 32, 3)}, {"pixel_range": (-127 / 128, 1.0)}
    teacher = build_model(
        "efficientnet-lite0",
        input_shapes=shapes,
        n_classes=2,
        seed=1,
        options=options,
    )
    student = build_model(
        "lite0-cnn", input_shapes=shapes, n_classes=2, seed=2, options={"blocks": 6}
    )
    assert "logits" not in take_layers(student, teacher)
    picture = np.random.default_rng(0).uniform(-1, 1, (2, 32, 32, 3)).astype("f4")

    def sixth(model):
        end = model.get_layer("block_5_project_norm").output
        return np.asarray(keras.Model(model.inputs, end)([picture]))

    np.testing.assert_allclose(sixth(student), sixth(teacher), atol=1e-4)
