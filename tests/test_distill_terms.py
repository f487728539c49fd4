"""Terms of a loss: temperatures over time, smoothed labels, weights of examples, mixed examples."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

keras = pytest.importorskip("keras")
tf = pytest.importorskip("tensorflow")

from distill_samples import LABELS, batch  # noqa: E402
from logit_samples import STUDENT, TEACHER  # noqa: E402

from kd_edge.distill.batch import Mixed  # noqa: E402
from kd_edge.distill.losses import make_loss, weigh_labels  # noqa: E402
from kd_edge.distill.losses.hinton import hinton_loss  # noqa: E402
from kd_edge.distill.losses.sample_weights import SAMPLE_WEIGHTS  # noqa: E402
from kd_edge.distill.losses.schedule import Ramp  # noqa: E402


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ("linear", [4.0, 3.25, 2.5, 1.0, 1.0]),
        ("cosine", [4.0, 1 + 3 * (1 + np.cos(np.pi / 4)) / 2, 2.5, 1.0, 1.0]),
    ],
)
def test_a_temperature_may_fall_over_the_epochs(shape, expected):
    """Oracle: the line or the half cosine by hand, and the loss at each fixed temperature."""
    ramp = {"start": 4.0, "end": 1.0, "epochs": 8, "shape": shape}
    loss = make_loss("hinton", {"temperature": ramp})
    inside = tf.function(lambda epoch: loss.values(batch(STUDENT, TEACHER, epoch=epoch), {}))
    for epoch, temperature in zip((0.0, 2.0, 4.0, 8.0, 11.5), map(float, expected), strict=True):
        fixed = hinton_loss(STUDENT, TEACHER, temperature=temperature)
        np.testing.assert_allclose(inside(tf.constant(epoch)), fixed, rtol=1e-5)
        assert float(Ramp(**ramp).at(epoch)) == pytest.approx(temperature)


def test_smoothed_labels_are_its_formula():
    """Oracle: cross-entropy to (1 - ε) one-hot + ε / classes, by SciPy."""
    smooth = 0.9 * np.eye(5)[LABELS] + 0.1 / 5
    expected = -(smooth * log_softmax(STUDENT, axis=1)).sum(axis=1)
    loss = make_loss("labels", {"smoothing": 0.1})
    np.testing.assert_allclose(loss.values(batch(STUDENT, None), {}), expected, rtol=1e-5)
    weighed = weigh_labels(make_loss("logit-mse", {}), 1.0, smoothing=0.1)
    np.testing.assert_allclose(weighed.values(batch(STUDENT, TEACHER), {}), expected, rtol=1e-5)
    alone = weigh_labels(None, None, smoothing=0.1)
    assert not alone.needs_teacher
    np.testing.assert_allclose(alone.values(batch(STUDENT, None), {}), expected, rtol=1e-5)


def weights_by_hand():
    p = softmax(TEACHER.astype(float), axis=1)
    own = np.arange(6), LABELS
    ours = -log_softmax(STUDENT.astype(float), axis=1)[own]
    right = (TEACHER.argmax(axis=1) == LABELS).astype(float)
    return {
        "teacher-right": right,
        "teacher-wrong": 1 - right,
        "teacher-certainty": 1 + (p * np.log(p)).sum(axis=1) / np.log(5),
        "teacher-truth": p[own],
        "student-behind": 1 - np.exp(-ours / -np.log(p[own])),
    }


@pytest.mark.parametrize("name", SAMPLE_WEIGHTS)
def test_a_term_may_weigh_each_example(name):
    """Oracle: the weights by hand, in double precision, times the loss; they have no gradient."""
    terms = [{"loss": "logit-mse", "weight": 2.0, "sample_weight": name}]
    loss = make_loss("sum", {"terms": terms})
    assert loss.needs_teacher
    plain = 2 * ((STUDENT - TEACHER) ** 2).mean(axis=1)
    weights = weights_by_hand()[name]
    np.testing.assert_allclose(
        loss.values(batch(STUDENT, TEACHER), {}), weights * plain, rtol=1e-3, atol=1e-5
    )
    student = tf.constant(STUDENT)
    with tf.GradientTape() as tape:
        tape.watch(student)
        values = loss.values(batch(student, TEACHER), {})
    expected = weights[:, None] * 4 * (STUDENT - TEACHER) / 5
    np.testing.assert_allclose(tape.gradient(values, student), expected, rtol=1e-3, atol=1e-5)


def test_a_label_that_is_weighed_by_its_teacher_needs_one():
    """Oracle: `Conditional teacher-student learning`: teachers where right, labels where wrong."""
    terms = [
        {"loss": "labels", "sample_weight": "teacher-wrong"},
        {"loss": "logit-mse", "sample_weight": "teacher-right"},
    ]
    loss = make_loss("sum", {"terms": terms})
    right = weights_by_hand()["teacher-right"]
    assert 0 < right.sum() < 6
    hard = -log_softmax(STUDENT, axis=1)[np.arange(6), LABELS]
    soft = ((STUDENT - TEACHER) ** 2).mean(axis=1)
    np.testing.assert_allclose(
        loss.values(batch(STUDENT, TEACHER), {}), np.where(right, soft, hard), rtol=1e-5
    )
    assert make_loss("sum", {"terms": terms[:1]}).needs_teacher


def test_a_mixed_example_has_both_truths_by_their_shares():
    """Oracle: the losses to each truth, weighed by hand."""
    other, share = np.roll(LABELS, -1), np.linspace(0, 0.5, 6).astype("f4")
    mixed = Mixed(other, share)
    for name, options in (
        ("labels", {}),
        ("labels", {"smoothing": 0.1}),
        ("dkd", {"temperature": 2.0, "target_weight": 1.0, "other_weight": 4.0}),
    ):
        loss = make_loss(name, options)
        one, two = (
            np.asarray(loss.values(batch(STUDENT, TEACHER, truth), {})) for truth in (LABELS, other)
        )
        ours = loss.values(batch(STUDENT, TEACHER, mixed=mixed), {})
        np.testing.assert_allclose(ours, (1 - share) * one + share * two, rtol=1e-5)
