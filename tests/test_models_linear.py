"""LDA and prototypes as Dense layers. Oracles: scikit-learn's classifiers on NumPy's statistics."""

from __future__ import annotations

import numpy as np
import pytest
from aot_harness import check_exact
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.neighbors import NearestCentroid

from kd_edge.base.errors import KdEdgeError
from kd_edge.convert.tflite import to_tflite
from kd_edge.models import build_model, model_options
from kd_edge.models.embedding import embedding_of
from kd_edge.models.fitted import FITTED, fit_model

pytest.importorskip("keras")

SHAPES = {"emg": (50, 4), "imu": (25, 3)}
N_CLASSES = 5


def windows(n=300, seed=0, classes=N_CLASSES):
    """Classes that differ in level, strength and speed of some channels."""
    rng = np.random.default_rng(seed)
    truth = np.arange(n) % classes
    inputs = {}
    for name, (samples, channels) in SHAPES.items():
        of_class = np.random.default_rng(len(name))
        level = of_class.normal(0, 0.5, (classes, channels))[truth][:, None]
        strength = of_class.uniform(0.5, 1.5, (classes, channels))[truth][:, None]
        inputs[name] = (level + strength * rng.normal(size=(n, samples, channels))).astype("f4")
    return inputs, truth


def build(name, body=None, **options):
    return build_model(
        name, input_shapes=SHAPES, n_classes=N_CLASSES, seed=1, options=options, body=body
    )


def embed(network, inputs):
    return np.asarray(embedding_of(network)(list(inputs.values())))


def fitted(name, inputs, truth, body=None, **options):
    network = build(name, body, **options)
    fit_model(name, network, embed(network, inputs), truth, seed=0, options=options)
    return network


def answers(network, inputs):
    return np.asarray(network(list(inputs.values())))


def statistics_of(x, segments):
    """(n, samples, channels) -> (n, features) as the model's docstring says."""
    n = len(x)
    x = x[:, x.shape[1] % segments :].reshape(n, segments, -1, x.shape[-1]).astype(float)
    mean = x.mean(axis=2)
    found = [
        mean,
        np.abs(x).mean(axis=2),
        np.abs(x - mean[:, :, None]).mean(axis=2) / 2,
        np.abs(np.diff(x, axis=2)).mean(axis=2),
    ]
    return np.concatenate([each.reshape(n, -1) for each in found], axis=1)


def test_the_vector_is_statistics_brought_to_one_scale():
    inputs, truth = windows()
    network = fitted("lda", inputs, truth, segments=3)
    vectors = embed(network, inputs)
    plain = np.concatenate([statistics_of(x, 3) for x in inputs.values()], axis=1)
    correlation = [np.corrcoef(a, b)[0, 1] for a, b in zip(vectors.T, plain.T, strict=True)]
    assert min(correlation) > 0.999
    assert np.abs(vectors.mean(axis=0)).max() < 0.3
    assert np.abs(vectors.std(axis=0) - 1).max() < 0.3


@pytest.mark.parametrize(
    ("shrinkage", "priors", "classes"),
    [("auto", "training", 5), (0.2, "equal", 5), ("auto", "training", 2), ("auto", "equal", 2)],
)
def test_lda_has_scikit_learns_probabilities(shrinkage, priors, classes):
    inputs, truth = windows(120, classes=classes)
    truth[:40] = 0  # priors that are not equal
    network = fitted("lda", inputs, truth, shrinkage=shrinkage, priors=priors)
    vectors = embed(network, inputs).astype(float)
    oracle = LinearDiscriminantAnalysis(
        solver="lsqr",
        shrinkage=shrinkage,
        priors=[1 / classes] * classes if priors == "equal" else None,
    ).fit(vectors, truth)
    logits = answers(network, inputs)[:, :classes].astype(float)
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    expected = oracle.predict_proba(vectors)
    np.testing.assert_allclose(odds / odds.sum(axis=1, keepdims=True), expected, atol=2e-3)


def test_euclidean_prototypes_are_the_nearest_centroids():
    inputs, truth = windows()
    network = fitted("prototype", inputs, truth)
    vectors = embed(network, inputs)
    expected = NearestCentroid().fit(vectors, truth).predict(vectors)
    assert np.array_equal(answers(network, inputs).argmax(axis=1), expected)


def test_cosine_prototypes_are_the_nearest_in_angle():
    inputs, truth = windows()
    body = build_model("tcn", input_shapes=SHAPES, n_classes=9, seed=2, options={"blocks": 1})
    network = fitted("prototype", inputs, truth, body, distance="cosine")
    vectors = embed(network, inputs)
    means = np.stack([vectors[truth == each].mean(axis=0) for each in range(N_CLASSES)])
    lengths = np.linalg.norm(vectors, axis=1)[:, None] * np.linalg.norm(means, axis=1)
    expected = (vectors @ means.T / lengths).argmax(axis=1)
    assert np.array_equal(answers(network, inputs).argmax(axis=1), expected)


@pytest.mark.parametrize("name", FITTED)
def test_a_body_gives_its_embedding_and_keeps_its_weights(name):
    inputs, truth = windows()
    body = build_model("tcn", input_shapes=SHAPES, n_classes=9, seed=2, options={"blocks": 1})
    before = embed(body, inputs)
    network = fitted(name, inputs, truth, body)
    np.testing.assert_array_equal(embed(network, inputs), before)
    np.testing.assert_array_equal(embed(body, inputs), before)
    assert np.mean(answers(network, inputs).argmax(axis=1) == truth) > 0.6  # of an untrained body


@pytest.mark.parametrize("name", FITTED)
def test_a_class_that_training_lacks_is_never_the_answer(name):
    inputs, truth = windows()
    kept = truth != 3
    network = fitted(name, {k: x[kept] for k, x in inputs.items()}, truth[kept])
    given = answers(network, inputs)
    assert np.isfinite(given).all()
    assert not np.any(given.argmax(axis=1) == 3)


@pytest.mark.parametrize("name", FITTED)
def test_one_class_alone_is_refused(name):
    inputs, truth = windows()
    with pytest.raises(KdEdgeError) as caught:
        fitted(name, inputs, 0 * truth)
    assert caught.value.code == "KD_ONE_CLASS"


def test_a_channel_that_stands_still_spoils_nothing():
    inputs, truth = windows()
    inputs["imu"][:, :, 1] = 0.25
    network = fitted("lda", inputs, truth)
    assert np.isfinite(answers(network, inputs)).all()


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("lda", {"segments": 0}, "segments"),
        ("lda", {"statistics": ["mean", "rms"]}, "statistics"),
        ("lda", {"shrinkage": 1.5}, "shrinkage"),
        ("lda", {"shrinkage": "a lot"}, "shrinkage"),
        ("lda", {"priors": "equals"}, "did you mean 'equal'"),
        ("prototype", {"distance": "angle"}, "distance"),
    ],
)
def test_options_out_of_range_are_refused(name, options, told):
    with pytest.raises(KdEdgeError, match=told) as caught:
        build(name, **options)
    assert caught.value.code == "KD_RECIPE_VALUE"


def test_options_of_windows_do_not_go_with_a_body():
    body = build_model("tcn", input_shapes=SHAPES, n_classes=9, seed=2, options={"blocks": 0})
    with pytest.raises(KdEdgeError, match="stands on another's embedding"):
        build("lda", body, segments=2)
    assert "body" not in model_options("lda")


def test_a_window_of_one_sample_has_no_statistics():
    with pytest.raises(KdEdgeError, match="too short") as caught:
        build_model("lda", input_shapes={"x": (1, 3)}, n_classes=2, seed=0, options={})
    assert caught.value.code == "KD_SHAPE"


@pytest.fixture(scope="module")
def in_int8(tmp_path_factory, converter):
    """Kind -> a fitted network and its int8 file."""
    folder = tmp_path_factory.mktemp("linear")
    inputs, truth = windows()
    body = build_model("tcn", input_shapes=SHAPES, n_classes=9, seed=2, options={"blocks": 1})
    made = {}
    for name, network in {
        "lda": fitted("lda", inputs, truth),
        "prototype": fitted("prototype", inputs, truth, body),
    }.items():
        network.save(folder / f"{name}.keras")
        made[name] = (
            network,
            to_tflite(
                folder / f"{name}.keras",
                folder / f"{name}.tflite",
                fmt="int8",
                input_order=tuple(SHAPES),
                calibration={key: x[:100] for key, x in inputs.items()},
            ).path,
        )
    return made


def test_int8_forms_answer_bit_for_bit_in_plain_c(in_int8):
    check_exact([path.read_bytes() for _, path in in_int8.values()], n_windows=5)
