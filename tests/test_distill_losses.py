"""Losses against closed forms, their gradients, and the refusal of probabilities."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

keras = pytest.importorskip("keras")
tf = pytest.importorskip("tensorflow")

from distill_samples import LABELS, batch  # noqa: E402

from kd_edge.base.errors import KdEdgeError  # noqa: E402
from kd_edge.distill.losses import LOSSES, make_loss, weigh_labels  # noqa: E402
from kd_edge.distill.losses.hinton import hinton_loss  # noqa: E402
from kd_edge.distill.losses.logit_mse import logit_mse_loss  # noqa: E402

RNG = np.random.default_rng(0)
STUDENT = RNG.normal(0, 2, (6, 5)).astype("float32")
TEACHER = RNG.normal(0, 4, (6, 5)).astype("float32")


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


ON_LOGITS = {
    "hinton": {"temperature": 2.0},
    "standardised": {"temperature": 2.0},
    "dkd": {"temperature": 2.0, "target_weight": 1.0, "other_weight": 4.0},
    "dist": {"temperature": 2.0, "example_weight": 1.0, "class_weight": 1.0},
    "logit-mse": {},
    "ca-mkd": {"temperature": 2.0},
}


@pytest.mark.parametrize("name", ON_LOGITS)
def test_losses_refuse_probabilities_on_either_side(name):
    """Oracle: a softmax output is refused, its logarithm is not."""
    loss = make_loss(name, ON_LOGITS[name])
    p = softmax(TEACHER, axis=1)
    for pair in ((STUDENT, p), (p, TEACHER), (tf.constant(p), tf.constant(TEACHER))):
        with pytest.raises(KdEdgeError) as caught:
            loss.values(batch(*pair), {})
        assert caught.value.code == "KD_NOT_LOGITS"
    assert np.isfinite(loss.values(batch(np.log(p), TEACHER), {})).all()


@pytest.mark.parametrize("name", ON_LOGITS)
def test_losses_work_inside_a_graph(name):
    """Oracle: the values outside of one."""
    loss = make_loss(name, ON_LOGITS[name])
    inside = tf.function(lambda s, t: loss.values(batch(s, t), {}))
    np.testing.assert_allclose(
        inside(STUDENT, TEACHER), loss.values(batch(STUDENT, TEACHER), {}), rtol=1e-6
    )


@pytest.mark.parametrize("name", ON_LOGITS)
def test_of_pixels_a_loss_is_their_mean(name):
    """Oracle: the loss of every pixel as an example of its own; the classes are the last axis."""
    loss = make_loss(name, ON_LOGITS[name])
    shape = (2, 3, 4, 5)
    student, teacher = RNG.normal(size=shape).astype("f4"), RNG.normal(size=shape).astype("f4")
    truth = RNG.integers(0, 5, shape[:-1])
    each = loss.values(batch(student.reshape(-1, 5), teacher.reshape(-1, 5), truth.ravel()), {})
    ours = loss.values(batch(student, teacher, truth, task="segmentation"), {})
    np.testing.assert_allclose(ours, np.reshape(each, (2, 12)).mean(axis=1), rtol=1e-5)


def published_loss(student, teacher, temperature):
    """What the public segmentation project minimises: (batch,), of (batch, rows, columns, classes).

    Its networks end in a softmax, and `tf.nn.softmax(..., axis=1)` then runs over the rows.
    """
    p, q = (softmax(softmax(x, axis=-1) / temperature, axis=1) for x in (teacher, student))
    return (p * np.log(p / q)).sum(axis=1).mean(axis=(1, 2))


def test_the_published_pixel_wise_loss_teaches_no_class_and_is_refused():
    """Oracle: it is blind to classes that are taken for each other everywhere, ours is not.

    Our guards refuse each of its two steps: probabilities, and a softmax over the rows.
    """
    teacher = np.broadcast_to([4.0, 0.0, -4.0], (2, 6, 4, 3)).astype("f4")
    wrong = teacher[..., ::-1].copy()
    np.testing.assert_allclose(published_loss(wrong, teacher, 2.0), 0, atol=1e-6)
    loss = make_loss("hinton", {"temperature": 2.0})
    right = np.asarray(loss.values(batch(teacher, teacher, task="segmentation"), {}))
    taught = np.asarray(loss.values(batch(wrong, teacher, task="segmentation"), {}))
    assert (taught > right + 5).all()
    logits = RNG.normal(size=teacher.shape).astype("f4")
    for theirs in (softmax(teacher, axis=-1), softmax(softmax(logits, axis=-1), axis=1)):
        for pair in ((logits, theirs), (theirs, logits)):
            with pytest.raises(KdEdgeError) as caught:
                loss.values(batch(*pair, task="segmentation"), {})
            assert caught.value.code == "KD_NOT_LOGITS"


def hard():
    return -log_softmax(STUDENT, axis=1)[np.arange(6), LABELS]


def soft(temperature):
    p, answers = softmax(TEACHER / temperature, axis=1), log_softmax(STUDENT / temperature, axis=1)
    return -(temperature**2) * (p * answers).sum(axis=1)


def test_labels_and_teacher_are_weighed():
    """Oracle: alpha * cross-entropy + (1 - alpha) * T² soft cross-entropy, by scipy."""
    loss = weigh_labels(make_loss("hinton", {"temperature": 3.0}), 0.1)
    ours = loss.values(batch(STUDENT, TEACHER), {})
    np.testing.assert_allclose(ours, 0.1 * hard() + 0.9 * soft(3), rtol=1e-5)
    assert loss.needs_teacher


@pytest.mark.parametrize("temperature", [0.0, -0.5, float("nan")])
def test_a_temperature_that_is_not_positive_is_refused(temperature):
    """Oracle: a division by it, or a turned order, in the closed form."""
    with pytest.raises(KdEdgeError, match="must be positive") as caught:
        hinton_loss(STUDENT, TEACHER, temperature=temperature)
    assert caught.value.code == "KD_RECIPE_VALUE"


@pytest.mark.parametrize(("alpha", "temperature"), [(0.0, 0.5), (1.0, 0.5), (0.5, 1.0)])
def test_the_ends_of_alpha_and_low_temperatures_are_taken(alpha, temperature):
    """Oracle: as above."""
    loss = weigh_labels(make_loss("hinton", {"temperature": temperature}), alpha)
    expected = alpha * hard() + (1 - alpha) * soft(temperature)
    np.testing.assert_allclose(loss.values(batch(STUDENT, TEACHER), {}), expected, rtol=1e-5)


def test_without_a_teacher_the_loss_is_the_cross_entropy():
    """Oracle: scipy.special.log_softmax."""
    loss = weigh_labels(None, None)
    np.testing.assert_allclose(loss.values(batch(STUDENT, None), {}), hard(), rtol=1e-5)
    assert not loss.needs_teacher


@pytest.mark.parametrize(("epoch", "weight"), [(0.0, 0.0), (2.5, 0.5), (5.0, 1.0), (9.0, 1.0)])
def test_weights_of_a_sum_move_with_the_epoch(epoch, weight):
    """Oracle: the closed form of each term, and the line from 0 at the start to 1 at epoch 5."""
    terms = [
        {"loss": "labels", "weight": 2},
        {"loss": "hinton", "temperature": 4.0, "weight": {"start": 0, "end": 1, "epochs": 5}},
    ]
    ours = make_loss("sum", {"terms": terms}).values(batch(STUDENT, TEACHER, epoch=epoch), {})
    np.testing.assert_allclose(ours, 2 * hard() + weight * soft(4), rtol=1e-5)


def test_a_hint_is_the_distance_behind_its_regressor():
    """Oracle: NumPy, with the regressor's own weights; the regressor can be trained."""
    loss = make_loss("fitnets", {"student_layer": "a", "teacher_layer": "b"})
    layers = loss.layers({"a": (1, 4, 3)}, {"b": (1, 4, 5)})
    ours, theirs = RNG.normal(size=(6, 1, 4, 3)), RNG.normal(size=(6, 1, 4, 5))
    told = batch(STUDENT, TEACHER, features=({"a": ours.astype("f4")}, {"b": theirs.astype("f4")}))
    ((kernel, bias),) = (part.get_weights() for part in layers.values())
    expected = ((ours @ kernel + bias - theirs) ** 2).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(loss.values(told, layers), expected, rtol=1e-4)
    assert len([v for part in layers.values() for v in part.trainable_variables]) == 2
    assert (loss.taps().student, loss.taps().teacher) == (("a",), ("b",))
    with pytest.raises(KdEdgeError) as caught:
        loss.layers({"a": (1, 4, 3)}, {"b": (1, 2, 5)})
    assert caught.value.code == "KD_SHAPE"


def test_parts_of_a_sum_are_handed_to_their_own_term():
    """Oracle: two hints with regressors of different widths, and their sum."""
    terms = [
        {"loss": "fitnets", "student_layer": "a", "teacher_layer": "b"},
        {"loss": "fitnets", "student_layer": "a", "teacher_layer": "c", "weight": 3.0},
    ]
    loss = make_loss("sum", {"terms": terms})
    layers = loss.layers({"a": (3,)}, {"b": (5,), "c": (2,)})
    features = {"a": RNG.normal(size=(6, 3)).astype("f4")}
    taught = {n: RNG.normal(size=(6, w)).astype("f4") for n, w in (("b", 5), ("c", 2))}
    ours = loss.values(batch(STUDENT, TEACHER, features=(features, taught)), layers)
    each = [
        ((features["a"] @ p.get_weights()[0] + p.get_weights()[1] - taught[n]) ** 2).mean(axis=1)
        for p, n in zip(layers.values(), ("b", "c"), strict=True)
    ]
    np.testing.assert_allclose(ours, each[0] + 3 * each[1], rtol=1e-4)
    assert loss.taps().teacher == ("b", "c")


@pytest.mark.parametrize(
    ("code", "name", "options", "told"),
    [
        ("KD_UNKNOWN_NAME", "hintn", {"temperature": 2.0}, "did you mean 'hinton'"),
        ("KD_RECIPE_VALUE", "hinton", {}, "temperature"),
        ("KD_RECIPE_VALUE", "hinton", {"temperature": 0.0}, "temperature"),
        ("KD_RECIPE_VALUE", "hinton", {"temperature": -1.0}, "'temperature' of"),
        (
            "KD_RECIPE_VALUE",
            "hinton",
            {"temperature": {"start": 1, "end": 2}},
            "temperature.epochs",
        ),
        (
            "KD_RECIPE_VALUE",
            "hinton",
            {"temperature": {"start": 1, "end": 0, "epochs": 2}},
            "'temperature.end' of",
        ),
        (
            "KD_RECIPE_KEY",
            "hinton",
            {"temperature": {"start": 1, "end": 2, "epoch": 2}},
            "temperature.epoch'",
        ),
        ("KD_RECIPE_KEY", "hinton", {"temperatur": 2.0, "temperature": 1.0}, "'temperature'"),
        ("KD_RECIPE_KEY", "logit-mse", {"temperature": 2.0}, "no option 'temperature'"),
        ("KD_RECIPE_VALUE", "sum", {"terms": []}, "terms"),
        ("KD_RECIPE_VALUE", "sum", {"terms": 3}, "terms"),
        ("KD_RECIPE_KEY", "sum", {"terms": [{"loss": "labels", "wight": 1}]}, "wight"),
        ("KD_UNKNOWN_NAME", "sum", {"terms": [{"loss": "label"}]}, "'labels'"),
        (
            "KD_RECIPE_VALUE",
            "sum",
            {"terms": [{"loss": "labels", "weight": "x"}]},
            "'terms.0.weight'",
        ),
        (
            "KD_RECIPE_VALUE",
            "sum",
            {"terms": [{"loss": "labels", "sample_weight": "teacher-rihgt"}]},
            "'teacher-right'",
        ),
        ("KD_RECIPE_VALUE", "labels", {"smoothing": 1.0}, "smoothing"),
        ("KD_RECIPE_VALUE", "dkd", {"temperature": 2.0, "target_weight": 1.0}, "other_weight"),
        ("KD_RECIPE_VALUE", "crd", {"dimension": 0}, "student_layer"),
    ],
)
def test_options_without_meaning_are_refused(code, name, options, told):
    """Oracle: the error's code, and the option that it names."""
    with pytest.raises(KdEdgeError) as caught:
        make_loss(name, options)
    assert caught.value.code == code
    assert told in caught.value.message


@pytest.mark.parametrize(
    ("loss", "alpha"), [("hinton", None), ("hinton", 1.5), ("hinton", -0.5), (None, 0.1)]
)
def test_an_alpha_without_meaning_is_refused(loss, alpha):
    """Oracle: the error's code."""
    made = loss and make_loss(loss, ON_LOGITS[loss])
    with pytest.raises(KdEdgeError) as caught:
        weigh_labels(made, alpha)
    assert caught.value.code == "KD_RECIPE_VALUE"


def test_every_loss_says_what_it_is():
    """Oracle: its own docstring, which the catalogue of docs/recipes.md is made from."""
    assert set(ON_LOGITS) < set(LOSSES)
    for name, kind in LOSSES.items():
        assert kind.__doc__, name
