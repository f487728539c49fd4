"""Layers that a student takes from its teacher. Oracles: the teacher's own weights and answers."""

from __future__ import annotations

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from keras import layers  # noqa: E402

from kd_edge.base.errors import KdEdgeError  # noqa: E402
from kd_edge.models import build_model  # noqa: E402
from kd_edge.models.teacher_layers import take_layers  # noqa: E402


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


def test_the_last_layer_alone_is_none_in_common():
    """Oracle: the error; the last layer fits, on features of its own."""
    made = [
        keras.Sequential([keras.Input((3,)), layers.Dense(2, name="logits")], name=name)
        for name in ("a", "b")
    ]
    with pytest.raises(KdEdgeError, match="beside the last one at most"):
        take_layers(*made)


def test_a_normalisation_of_several_layers_needs_all_of_them():
    """Oracle: behind a concatenation and ReLU stand two layers, one of which is not taken."""

    def joined(channels):
        grey, colour = keras.Input((8, 8, 1)), keras.Input((8, 8, channels))
        both = [layers.Conv2D(2, 3, name="a")(grey), layers.Conv2D(2, 3, name="b")(colour)]
        x = layers.ReLU()(layers.Concatenate()(both))
        x = layers.BatchNormalization(name="norm")(x)
        return keras.Model([grey, colour], layers.Conv2D(2, 1, name="end")(x))

    assert take_layers(joined(3), joined(3)) == ("a", "b", "norm", "end")
    assert take_layers(joined(3), joined(1)) == ("a", "end")


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("pixel_range", [(0, 1), (-1, 1)])
def test_first_blocks_answer_as_the_whole_network_does_there(channels, pixel_range):
    """Oracle: the whole network's sixth block, after it has learnt something, in the same range."""
    shapes, options = {"image": (32, 32, channels)}, {"pixel_range": pixel_range}
    teacher, student = (
        build_model(name, input_shapes=shapes, n_classes=2, seed=seed, options=options)
        for name, seed in (("efficientnet-lite0", 1), ("lite0-cnn", 2))
    )
    for layer in teacher.layers:
        layer.set_weights([1.05 * weight for weight in layer.get_weights()])
    assert "logits" not in take_layers(student, teacher)
    picture = np.random.default_rng(0).uniform(*pixel_range, (2, 32, 32, channels)).astype("f4")

    def sixth(model):
        end = model.get_layer("block_5_project_norm").output
        return np.asarray(keras.Model(model.inputs, end)([picture]))

    np.testing.assert_allclose(sixth(student), sixth(teacher), atol=1e-4)
