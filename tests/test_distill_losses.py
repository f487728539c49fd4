"""Losses against closed forms, their gradients, and the refusal of probabilities."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

keras = pytest.importorskip("keras")
tf = pytest.importorskip("tensorflow")

from kd_edge.base.errors import KdEdgeError  # noqa: E402
from kd_edge.distill.losses import LOSSES, hinton_loss, logit_mse_loss  # noqa: E402
from kd_edge.distill.objective import correct, make_objective, pack_targets  # noqa: E402

RNG = np.random.default_rng(0)
STUDENT = RNG.normal(0, 2, (6, 5)).astype("float32")
TEACHER = RNG.normal(0, 4, (6, 5)).astype("float32")
LABELS = np.array([0, 1, 2, 3, 4, 0])


def gradient(loss, student, teacher):
    s, t = tf.constant(student), tf.constant(teacher)
    with tf.GradientTape() as tape:
        tape.watch([s, t])
        total = tf.reduce_sum(loss(s, t))
    return tape.gradient(total, [s, t])


@pytest.mark.parametrize("temperature", [1.0, 3.0, 10.0])
def test_hinton_loss_is_its_closed_form(temperature):
    """Oracle: scipy.special."""
    p = softmax(TEACHER / temperature, axis=1)
    expected = -(temperature**2) * (p * log_softmax(STUDENT / temperature, axis=1)).sum(axis=1)
    ours = hinton_loss(STUDENT, TEACHER, temperature=temperature)
    np.testing.assert_allclose(ours, expected, rtol=1e-5)


@pytest.mark.parametrize("temperature", [1.0, 5.0])
def test_hinton_gradient_is_its_closed_form(temperature):
    """Oracle: T (softmax(s / T) - softmax(t / T)), Hinton et al. 2015 equation 2 times T²."""
    ours, to_teacher = gradient(
        lambda s, t: hinton_loss(s, t, temperature=temperature), STUDENT, TEACHER
    )
    expected = temperature * (
        softmax(STUDENT / temperature, axis=1) - softmax(TEACHER / temperature, axis=1)
    )
    np.testing.assert_allclose(ours, expected, atol=1e-5)
    assert to_teacher is None


def test_hinton_gradient_keeps_its_size_at_high_temperature():
    """Oracle: the limit for large T, (s - t - their means' difference) / classes, without a T."""
    difference = STUDENT - TEACHER
    limit = (difference - difference.mean(axis=1, keepdims=True)) / 5
    for temperature in (100.0, 400.0):
        ours, _ = gradient(
            lambda s, t, T=temperature: hinton_loss(s, t, temperature=T), STUDENT, TEACHER
        )
        np.testing.assert_allclose(ours, limit, atol=3.0 / temperature * 5)


def test_hinton_loss_is_least_for_the_teacher_itself():
    """Oracle: cross-entropy is least at equality, and its gradient is zero there."""
    ours, _ = gradient(lambda s, t: hinton_loss(s, t, temperature=2.0), TEACHER, TEACHER)
    np.testing.assert_allclose(ours, 0, atol=1e-6)


def test_logit_mse_loss_is_its_closed_form():
    """Oracle: NumPy."""
    expected = ((STUDENT - TEACHER) ** 2).mean(axis=1)
    np.testing.assert_allclose(logit_mse_loss(STUDENT, TEACHER), expected, rtol=1e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_losses_refuse_probabilities_on_either_side(name):
    """Oracle: a softmax output is refused, its logarithm is not."""
    settings = {"temperature": 2.0} if name == "hinton" else {}
    p = softmax(TEACHER, axis=1)
    for pair in ((STUDENT, p), (p, TEACHER), (tf.constant(p), tf.constant(TEACHER))):
        with pytest.raises(KdEdgeError) as caught:
            LOSSES[name](*pair, **settings)
        assert caught.value.code == "KD_NOT_LOGITS"
    assert np.isfinite(LOSSES[name](np.log(p), TEACHER, **settings)).all()


@pytest.mark.parametrize("name", LOSSES)
def test_losses_work_inside_a_graph(name):
    """Oracle: the values outside of one."""
    settings = {"temperature": 2.0} if name == "hinton" else {}
    inside = tf.function(lambda s, t: LOSSES[name](s, t, **settings))
    np.testing.assert_allclose(
        inside(STUDENT, TEACHER), LOSSES[name](STUDENT, TEACHER, **settings), rtol=1e-6
    )


def test_objective_weighs_labels_and_teacher():
    """Oracle: alpha * cross-entropy + (1 - alpha) * T² soft cross-entropy, by scipy."""
    objective = make_objective(loss="hinton", temperature=3.0, alpha=0.1)
    hard = -log_softmax(STUDENT, axis=1)[np.arange(6), LABELS]
    soft = -9 * (softmax(TEACHER / 3, axis=1) * log_softmax(STUDENT / 3, axis=1)).sum(axis=1)
    ours = objective(pack_targets(LABELS, TEACHER), STUDENT)
    np.testing.assert_allclose(ours, 0.1 * hard + 0.9 * soft, rtol=1e-5)


@pytest.mark.parametrize("temperature", [0.0, -0.5, float("nan")])
def test_a_temperature_that_is_not_positive_is_refused(temperature):
    """Oracle: a division by it, or a turned order, in the closed form."""
    with pytest.raises(KdEdgeError, match="must be positive") as caught:
        hinton_loss(STUDENT, TEACHER, temperature=temperature)
    assert caught.value.code == "KD_RECIPE_VALUE"


@pytest.mark.parametrize(("alpha", "temperature"), [(0.0, 0.5), (1.0, 0.5), (0.5, 1.0)])
def test_the_ends_of_alpha_and_low_temperatures_are_taken(alpha, temperature):
    """Oracle: as above."""
    objective = make_objective(loss="hinton", temperature=temperature, alpha=alpha)
    hard = -log_softmax(STUDENT, axis=1)[np.arange(6), LABELS]
    soft = hinton_loss(STUDENT, TEACHER, temperature=temperature)
    ours = objective(pack_targets(LABELS, TEACHER), STUDENT)
    np.testing.assert_allclose(ours, alpha * hard + (1 - alpha) * soft, rtol=1e-5)


@pytest.mark.parametrize("teacher", [None, TEACHER])
def test_an_answer_is_right_where_its_largest_logit_is_the_labels(teacher):
    """Oracle: NumPy."""
    expected = STUDENT.argmax(axis=1) == LABELS
    assert 0 < expected.sum() < 6
    np.testing.assert_array_equal(correct(pack_targets(LABELS, teacher), STUDENT), expected)


def test_objective_without_teacher_is_the_cross_entropy():
    """Oracle: scipy.special.log_softmax."""
    objective = make_objective(loss=None, temperature=None, alpha=None)
    hard = -log_softmax(STUDENT, axis=1)[np.arange(6), LABELS]
    np.testing.assert_allclose(objective(pack_targets(LABELS, None), STUDENT), hard, rtol=1e-5)


@pytest.mark.parametrize(
    ("code", "settings"),
    [
        ("KD_UNKNOWN_NAME", {"loss": "hintn", "temperature": 2.0, "alpha": 0.1}),
        ("KD_RECIPE_VALUE", {"loss": "hinton", "temperature": None, "alpha": 0.1}),
        ("KD_RECIPE_VALUE", {"loss": "hinton", "temperature": 0.0, "alpha": 0.1}),
        ("KD_RECIPE_VALUE", {"loss": "hinton", "temperature": 2.0, "alpha": None}),
        ("KD_RECIPE_VALUE", {"loss": "hinton", "temperature": -1.0, "alpha": 0.1}),
        ("KD_RECIPE_VALUE", {"loss": "hinton", "temperature": 2.0, "alpha": 1.5}),
        ("KD_RECIPE_VALUE", {"loss": "hinton", "temperature": 2.0, "alpha": -0.5}),
        ("KD_RECIPE_VALUE", {"loss": "logit-mse", "temperature": 2.0, "alpha": 0.1}),
        ("KD_RECIPE_VALUE", {"loss": None, "temperature": None, "alpha": 0.1}),
    ],
)
def test_settings_without_meaning_are_refused(code, settings):
    """Oracle: the error's code."""
    with pytest.raises(KdEdgeError) as caught:
        make_objective(**settings)
    assert caught.value.code == code
