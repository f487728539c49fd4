"""Models by name: the seeds' parameter counts and mathematics, our own students' shapes."""

from __future__ import annotations

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from keras import layers  # noqa: E402

from kd_edge.base.errors import KdEdgeError  # noqa: E402
from kd_edge.models import MODELS, build_model, model_options  # noqa: E402
from kd_edge.models.blocks import common_strides  # noqa: E402

SINGLE = {"fused": (10, 40, 21)}
IMAGE = {"image": (64, 64, 1)}
OF_IMAGES = (
    *("image-cnn", "unet", "small-unet", "efficientnet-b0", "efficientnet-lite0"),
    *(
        "lite0-cnn",
        "lite0-unet",
        "seed-tumor-student",
        "resnet",
        "densenet",
        "googlenet",
        "picking-cnn",
    ),
)
MULTI = {"emg": (10, 300, 3), "acc": (10, 40, 9), "gyr": (10, 40, 9)}
OWN = ["tcn", "ds-cnn", "tcn-residual", "conv-teacher"]


def build(name, shapes=SINGLE, n_classes=50, seed=1, **options):
    return build_model(name, input_shapes=shapes, n_classes=n_classes, seed=seed, options=options)


def windows(shapes, n=3):
    rng = np.random.default_rng(2)
    return [rng.normal(size=(n, *shape)).astype("float32") for shape in shapes.values()]


def trainable(model):
    return sum(int(np.prod(v.shape)) for v in model.trainable_variables)


def test_seed_models_have_the_seeds_parameters():
    """Oracle: the counts that the seed projects print."""
    assert build("seed-single-teacher").count_params() == 139_666
    assert build("seed-single-student").count_params() == 34_306
    assert trainable(build("seed-multi-expert-teacher", MULTI)) == 693_170
    assert build("seed-multi-expert-student", MULTI).count_params() == 168_432


def reference_branch(given, model, name, filters, units, kernel, pool):
    """The seeds' own form of a branch, layer by layer with the weights of ours."""

    def apply(layer, x, ours):
        y = layer(x)
        arrays = model.get_layer(f"{name}_{ours}").get_weights()
        layer.set_weights([w[0] if w.ndim == 4 else w for w in arrays])
        return y

    x = given
    for index, width in enumerate(filters):
        conv = layers.TimeDistributed(layers.Conv1D(width, kernel, activation="sigmoid"))
        x = apply(conv, x, f"conv_{index}")
        x = layers.TimeDistributed(layers.AveragePooling1D(pool))(x)
    x = layers.TimeDistributed(layers.Flatten())(x)
    x = apply(layers.LSTM(units, return_sequences=True), x, "lstm_0")
    x = apply(layers.LSTM(units), x, "lstm_1")
    return apply(layers.BatchNormalization(), x, "norm")


@pytest.mark.parametrize(
    ("name", "shapes", "sizes"),
    [
        ("seed-single-teacher", SINGLE, ((12, 24), 100, 7, 3)),
        ("seed-single-student", SINGLE, ((2, 4), 50, 7, 3)),
        ("seed-multi-expert-student", MULTI, ((2, 4), 50, 4, 2)),
    ],
)
def test_seed_models_are_the_time_distributed_models(name, shapes, sizes):
    """Oracle: TimeDistributed(Conv1D), keras.layers.LSTM, Concatenate and Dense, same weights."""
    model = build(name, shapes)
    rng = np.random.default_rng(5)
    model.set_weights([w + rng.uniform(0, 0.2, w.shape) for w in model.get_weights()])
    inputs = [keras.Input(shape) for shape in shapes.values()]
    ends = [reference_branch(i, model, key, *sizes) for i, key in zip(inputs, shapes, strict=True)]
    joined = ends[0] if len(ends) == 1 else layers.Concatenate()(ends)
    dense = layers.Dense(50)
    plain = keras.Model(inputs, dense(joined))
    *kernels, bias = model.get_layer("logits").get_weights()
    dense.set_weights([np.concatenate(kernels), bias])
    x = windows(shapes)
    assert plain.count_params() == model.count_params()
    assert np.abs(np.asarray(model(x)) - np.asarray(plain(x))).max() < 1e-5


def test_seed_models_cut_whole_windows_into_steps():
    """Oracle: the same samples given in steps."""
    whole = build("seed-single-student", {"fused": (400, 21)})
    steps = build("seed-single-student")
    (x,) = windows(SINGLE)
    answer = whole([x.reshape(3, 400, 21)])
    np.testing.assert_allclose(answer, steps([x]), atol=1e-6)


@pytest.mark.parametrize("shapes", [SINGLE, MULTI, {"one": (333, 5)}, {"a": (50, 1), "b": (7, 2)}])
@pytest.mark.parametrize("name", OWN)
def test_own_models_take_one_or_several_inputs(name, shapes):
    """Oracle: the contract: inputs named in order, one output 'logits' that is not a softmax."""
    model = build(name, shapes, n_classes=7)
    assert [i.name for i in model.inputs] == list(shapes)
    assert model.layers[-1].name == "logits"
    answers = np.asarray(model(windows(shapes)))
    assert answers.shape == (3, 7)
    assert np.abs(answers.sum(axis=1) - 1).max() > 1e-3


@pytest.mark.parametrize("name", ["tcn", "ds-cnn"])
def test_students_are_smaller_than_the_seeds(name):
    """Oracle: the seed student's 34,306 parameters; widths that suit SIMD kernels."""
    model = build(name)
    assert model.count_params() < 25_000
    convolutions = [x for x in model.layers if isinstance(x, layers.Conv2D)]
    assert {x.filters % 4 for x in convolutions} == {0}


# Empty until they are fitted: test_models_trees.py has their seeds.
GROWN = {"extra-trees"}


@pytest.mark.parametrize("name", MODELS)
def test_same_seed_gives_the_same_weights(name):
    """Oracle: equality, and another seed differs."""
    shapes = IMAGE if name in OF_IMAGES else SINGLE
    one, same, other = (build(name, shapes, n_classes=3, seed=s).get_weights() for s in (4, 4, 5))
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    differs = not all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    assert differs is (name not in GROWN)


@pytest.mark.parametrize("name", MODELS)
def test_models_survive_a_keras_file(name, tmp_path):
    """Oracle: the answers before saving."""
    shapes = IMAGE if name in OF_IMAGES else MULTI
    model = build(name, shapes, n_classes=4)
    model.save(tmp_path / "m.keras")
    x = windows(shapes)
    loaded = keras.models.load_model(tmp_path / "m.keras", compile=False)
    np.testing.assert_allclose(loaded(x), model(x), atol=1e-6)


def test_options_reach_the_model():
    """Oracle: fewer channels, fewer parameters; `model_options` lists what a builder takes."""
    assert build("tcn", width=8).count_params() < build("tcn").count_params()
    assert build("seed-single-student", units=8, filters=[4, 8]).count_params() < 34_306
    assert model_options("tcn")["width"] == 24


@pytest.mark.parametrize(
    ("code", "name", "options"),
    [
        ("KD_UNKNOWN_NAME", "tnc", {}),
        ("KD_RECIPE_KEY", "tcn", {"widht": 8}),
        ("KD_RECIPE_VALUE", "tcn", {"width": 0}),
        ("KD_RECIPE_VALUE", "tcn", {"dropout": 1.5}),
        ("KD_RECIPE_VALUE", "tcn", {"stem_stride": "four"}),
        ("KD_SHAPE", "seed-single-student", {"kernel": 39}),
    ],
)
def test_wrong_names_and_options_are_refused(code, name, options):
    """Oracle: the error's code."""
    with pytest.raises(KdEdgeError) as caught:
        build(name, **options)
    assert caught.value.code == code


def test_a_wrong_name_shows_the_nearest():
    """Oracle: the words of the message."""
    with pytest.raises(KdEdgeError, match="did you mean 'tcn'"):
        build("tcnn")
    with pytest.raises(KdEdgeError, match="did you mean 'width'"):
        build("tcn", widht=8)


@pytest.mark.parametrize(
    ("name", "shapes", "n_classes"),
    [
        ("tcn", {}, 3),
        ("tcn", {"x": (40,)}, 3),
        ("tcn", {"x": (40, 3)}, 1),
        ("seed-single-student", {"x": (401, 3)}, 3),
    ],
)
def test_shapes_that_do_not_fit_are_refused(name, shapes, n_classes):
    """Oracle: the error's code."""
    with pytest.raises(KdEdgeError) as caught:
        build(name, shapes, n_classes)
    assert caught.value.code == "KD_SHAPE"


@pytest.mark.parametrize(
    "lengths",
    [{"a": 400}, {"a": 3000, "b": 400}, {"a": 4296, "b": 296}, {"a": 400, "b": 100, "c": 200}],
)
def test_common_strides_bring_inputs_to_one_length(lengths):
    """Oracle: 'same' convolutions give ceil(length / stride) samples."""
    strides = common_strides(lengths, 4)
    assert len({-(-length // strides[name]) for name, length in lengths.items()}) == 1


def test_lengths_without_common_strides_are_refused():
    """Oracle: by hand, strides 1 to 4 of 96 samples give 96, 48, 32, 24; none of 97 does."""
    with pytest.raises(KdEdgeError) as caught:
        common_strides({"a": 96, "b": 97}, 1)
    assert caught.value.code == "KD_SHAPE"
