"""Ensembles of teachers against closed forms; they need no Keras."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import logsumexp, softmax

from kd_edge.base.errors import KdEdgeError
from kd_edge.distill.ensemble import ENSEMBLES, combine

RNG = np.random.default_rng(0)
LOGITS = [RNG.normal(0, scale, (7, 4)).astype("float32") for scale in (1, 2, 5)]
P = np.stack([softmax(x.astype(float), axis=1) for x in LOGITS])


def test_mean_of_logits():
    """Oracle: NumPy."""
    np.testing.assert_allclose(
        combine(LOGITS, method="mean-logits"), np.mean(LOGITS, axis=0), atol=1e-6
    )


def test_mean_of_probabilities():
    """Oracle: the mean of the teachers' softmax."""
    joint = softmax(combine(LOGITS, method="mean-probabilities"), axis=1)
    np.testing.assert_allclose(joint, P.mean(axis=0), atol=1e-6)


def test_weights_by_held_out_accuracy():
    """Oracle: the weighted mean of the teachers' softmax."""
    joint = combine(LOGITS, method="accuracy-weighted", held_out_accuracy=[0.9, 0.6, 0.0])
    expected = (0.9 * P[0] + 0.6 * P[1]) / 1.5
    np.testing.assert_allclose(softmax(joint, axis=1), expected, atol=1e-6)
    alone = combine(LOGITS, method="accuracy-weighted", held_out_accuracy=[0.0, 1.0, 0.0])
    np.testing.assert_allclose(softmax(alone, axis=1), P[1], atol=1e-6)


@pytest.mark.parametrize("method", [name for name in ENSEMBLES if name != "mean-logits"])
def test_where_probabilities_are_averaged_the_answers_are_their_logarithms(method):
    """Oracle: probabilities sum to one."""
    joint = combine(LOGITS, method=method, held_out_accuracy=[0.9, 0.6, 0.3])
    np.testing.assert_allclose(logsumexp(joint, axis=1), 0, atol=1e-6)


def test_weights_by_confidence_of_each_window():
    """Oracle: exp(-entropy) as weights, written out."""
    weights = np.exp((P * np.log(P)).sum(axis=2))
    expected = (weights[:, :, None] * P).sum(axis=0) / weights.sum(axis=0)[:, None]
    joint = softmax(combine(LOGITS, method="confidence"), axis=1)
    np.testing.assert_allclose(joint, expected, atol=1e-6)


@pytest.mark.parametrize("method", ENSEMBLES)
def test_equal_teachers_answer_as_one(method):
    """Oracle: the one teacher's softmax; very large logits stay finite."""
    same = [LOGITS[0] * 100] * 3
    joint = combine(same, method=method, held_out_accuracy=[0.2, 0.3, 0.4])
    assert joint.dtype == np.float32
    assert np.isfinite(joint).all()
    np.testing.assert_allclose(softmax(joint, axis=1), softmax(same[0], axis=1), atol=1e-5)


@pytest.mark.parametrize("method", ENSEMBLES)
def test_probabilities_are_refused(method):
    """Oracle: the error's code."""
    with pytest.raises(KdEdgeError) as caught:
        combine([LOGITS[0], P[1]], method=method, held_out_accuracy=[0.5, 0.5])
    assert caught.value.code == "KD_NOT_LOGITS"
    assert caught.value.message.startswith("the outputs of teacher 2 are")


@pytest.mark.parametrize(
    "accuracy",
    [None, [0.5], [0.5] * 4, [0.5, 0.5, 1.2], [0.5, 0.5, -0.1], [0.0, 0.0, 0.0]],
)
def test_accuracies_that_do_not_fit_are_refused(accuracy):
    """Oracle: the error's code."""
    with pytest.raises(KdEdgeError) as caught:
        combine(LOGITS, method="accuracy-weighted", held_out_accuracy=accuracy)
    assert caught.value.code == "KD_RECIPE_VALUE"


def test_unknown_methods_and_unequal_shapes_are_refused():
    """Oracle: the error's code."""
    with pytest.raises(KdEdgeError) as caught:
        combine(LOGITS, method="mean-logit")
    assert caught.value.code == "KD_UNKNOWN_NAME"
    for logits in ([LOGITS[0], LOGITS[1][:3]], [LOGITS[0][0]] * 2, []):
        with pytest.raises(KdEdgeError) as caught:
            combine(logits, method="mean-logits")
        assert caught.value.code == "KD_SHAPE"
