"""Ensembles of teachers against closed forms; they need no Keras."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import logsumexp, softmax

from kd_edge.base.errors import KdEdgeError
from kd_edge.distill.ensemble import ENSEMBLES, Dropped, choose, combine
from kd_edge.tasks import find_task

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


CLASSIFICATION = find_task("classification")
TRUTH = np.arange(12) % 3


def sure_of(classes, size):
    """Logits of a teacher that answers those classes."""
    return (size * np.eye(3)[classes] - 1).astype("float32")


# Right about all; about all but the last four, weakly; wrong about all, and very sure of it.
GOOD = sure_of(TRUTH, 4)
WEAK = sure_of(np.where(np.arange(12) < 8, TRUTH, (TRUTH + 1) % 3), 1)
HARMFUL = sure_of((TRUTH + 1) % 3, 9)


def test_a_teacher_that_makes_the_others_wrong_is_dropped():
    """Oracle: by hand: with the third teacher none of 12 is right, without it all are."""
    asked = {"task": CLASSIFICATION, "method": "mean-logits"}
    chosen = choose([GOOD, WEAK, HARMFUL], TRUTH, drop=True, **asked)
    assert chosen.kept == (0, 1)
    assert chosen.accuracies == (1.0, 8 / 12)
    assert chosen.dropped == (Dropped(2, 0.0, 1.0),)
    everybody = choose([GOOD, WEAK, HARMFUL], TRUTH, drop=False, **asked)
    assert (everybody.kept, everybody.dropped) == ((0, 1, 2), ())
    assert everybody.accuracies == (1.0, 8 / 12, 0.0)


def test_harmful_teachers_are_dropped_though_leaving_out_one_of_them_alone_helps_nothing():
    """Oracle: by hand: any of the three, or all, outvotes the one that is right."""
    half = np.where(np.arange(12) < 6, TRUTH, (TRUTH + 2) % 3)
    asked = {"task": CLASSIFICATION, "method": "mean-logits", "drop": True}
    chosen = choose([sure_of(half, 20), GOOD, HARMFUL, HARMFUL], TRUTH, **asked)
    assert chosen.kept == (1,)
    assert [(out.teacher, out.with_it, out.without_it) for out in chosen.dropped] == [
        (0, 0.5, 1.0),
        (2, 0.0, 1.0),
        (3, 0.0, 1.0),
    ]


def test_all_are_kept_where_they_are_better_together_than_those_that_were_added_one_by_one():
    """Oracle: by hand: either of two louder ones alone would overrule the best with more errors."""
    wrong = ([0, 1, 2], [3, 4, 5, 6], [7, 8, 9, 10])
    answers = [np.where(np.isin(np.arange(12), w), (TRUTH + 1) % 3, TRUTH) for w in wrong]
    said = [sure_of(classes, size) for classes, size in zip(answers, (3, 4, 4), strict=True)]
    chosen = choose(said, TRUTH, task=CLASSIFICATION, method="mean-logits", drop=True)
    assert chosen.kept == (0, 1, 2)
    assert chosen.dropped == ()


def test_a_teacher_that_changes_no_decision_is_kept():
    """Oracle: nothing gets better without it; the last one is never dropped."""
    asked = {"task": CLASSIFICATION, "method": "mean-probabilities", "drop": True}
    assert choose([GOOD, WEAK], TRUTH, **asked).kept == (0, 1)
    assert choose([HARMFUL], TRUTH, **asked).kept == (0,)
    assert choose([HARMFUL, HARMFUL], TRUTH, **asked).kept == (0, 1)


def test_teachers_of_pixels_are_chosen_alike():
    """Oracle: the same answers as a mask of two by three pixels."""
    shaped = [x.reshape(2, 2, 3, 3) for x in (GOOD, WEAK, HARMFUL)]
    chosen = choose(
        shaped,
        TRUTH.reshape(2, 2, 3),
        task=find_task("segmentation"),
        method="mean-logits",
        drop=True,
    )
    assert (chosen.kept, chosen.accuracies) == ((0, 1), (1.0, 8 / 12))
