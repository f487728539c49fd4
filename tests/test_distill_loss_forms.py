"""Losses of recent papers against their formulas, written out in NumPy."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from scipy.special import log_softmax, softmax
from scipy.stats import pearsonr, zscore

keras = pytest.importorskip("keras")
tf = pytest.importorskip("tensorflow")

from distill_samples import LABELS, batch  # noqa: E402
from logit_samples import RNG, STUDENT, TEACHER  # noqa: E402

from kd_edge.base.errors import KdEdgeError  # noqa: E402
from kd_edge.base.pixels import NO_CLASS  # noqa: E402
from kd_edge.distill.batch import Outputs  # noqa: E402
from kd_edge.distill.losses import make_loss  # noqa: E402
from kd_edge.distill.losses.attention import attention_loss  # noqa: E402
from kd_edge.distill.losses.crd import contrastive_loss  # noqa: E402
from kd_edge.distill.losses.dist import dist_loss  # noqa: E402
from kd_edge.distill.losses.dkd import dkd_loss  # noqa: E402
from kd_edge.distill.losses.hinton import hinton_loss  # noqa: E402
from kd_edge.distill.losses.rkd import angle_loss, distance_loss  # noqa: E402
from kd_edge.distill.losses.standardised import standardised_loss  # noqa: E402

TEACHER[:3] += 6 * np.eye(5, dtype="f4")[:3]  # right about the first three
# Vectors of the examples, of other widths on each side, far from the origin.
OURS = (RNG.normal(0, 1, (6, 4)) + 20).astype("float32")
THEIRS = RNG.normal(0, 3, (6, 9)).astype("float32")


def decoupled(temperature, target_weight, other_weight, truth=LABELS):
    """DKD of probabilities, as the paper writes it."""
    losses = []
    for s, t, k in zip(
        softmax(STUDENT.astype(float) / temperature, axis=1),
        softmax(TEACHER.astype(float) / temperature, axis=1),
        truth,
        strict=True,
    ):
        rest = np.arange(5) != k
        target = t[k] * np.log(t[k] / s[k]) + (1 - t[k]) * np.log((1 - t[k]) / (1 - s[k]))
        ours, theirs = s[rest] / (1 - s[k]), t[rest] / (1 - t[k])
        others = (theirs * np.log(theirs / ours)).sum()
        losses.append(temperature**2 * (target_weight * target + other_weight * others))
    return np.array(losses)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_dkd_is_its_formula(temperature):
    """Oracle: the paper's formula on probabilities, in double precision."""
    options = {"temperature": temperature, "target_weight": 0.5, "other_weight": 8.0}
    ours = dkd_loss(STUDENT, TEACHER, LABELS, **options)
    np.testing.assert_allclose(ours, decoupled(*options.values()), rtol=1e-4)


def test_dkd_with_the_teachers_own_weights_is_plain_distillation():
    """Oracle: the paper's decomposition, KL = target part + (1 - p_true) * other part."""
    one = {"temperature": 3.0, "target_weight": 1.0, "other_weight": 0.0}
    other = one | {"target_weight": 0.0, "other_weight": 1.0}
    p = softmax(TEACHER / 3, axis=1)
    entropy = -9 * (p * np.log(p)).sum(axis=1)
    left = 1 - p[np.arange(6), LABELS]
    together = dkd_loss(STUDENT, TEACHER, LABELS, **one) + left * dkd_loss(
        STUDENT, TEACHER, LABELS, **other
    )
    plain = hinton_loss(STUDENT, TEACHER, temperature=3.0) - entropy
    np.testing.assert_allclose(together, plain, rtol=1e-4, atol=1e-4)


def test_dkd_stays_finite_where_probabilities_round_to_0_and_1():
    """Oracle: finite values and gradients at logits of ±1000."""
    far = tf.constant(np.eye(5, dtype="f4")[[0, 1, 2, 3, 4, 4]] * 2000 - 1000)
    with tf.GradientTape() as tape:
        tape.watch(far)
        loss = dkd_loss(far, -far, LABELS, temperature=1.0, target_weight=1.0, other_weight=8.0)
    assert np.isfinite(loss).all()
    assert np.isfinite(tape.gradient(loss, far)).all()


def test_pixels_without_a_class_do_not_count():
    """Oracle: the mean over the other pixels, of DKD and of smoothed labels."""
    truth = np.array([[0, NO_CLASS, 2], [3, 4, 0]])
    s, t = STUDENT.reshape(2, 3, 5), TEACHER.reshape(2, 3, 5)
    told = batch(s, t, truth, task="segmentation")
    each = decoupled(2.0, 1.0, 4.0, np.maximum(truth, 0).ravel()).reshape(2, 3)
    dkd = make_loss("dkd", {"temperature": 2.0, "target_weight": 1.0, "other_weight": 4.0})
    np.testing.assert_allclose(
        dkd.values(told, {}), [each[0, [0, 2]].mean(), each[1].mean()], rtol=1e-4
    )
    log_p = log_softmax(s, axis=2)
    hard = -np.take_along_axis(log_p, np.maximum(truth, 0)[:, :, None], 2)[:, :, 0]
    each = 0.8 * hard - 0.2 * log_p.mean(axis=2)
    smooth = make_loss("labels", {"smoothing": 0.2}).values(told, {})
    np.testing.assert_allclose(smooth, [each[0, [0, 2]].mean(), each[1].mean()], rtol=1e-5)


@pytest.mark.parametrize("weights", [(1.0, 0.0), (0.0, 1.0), (2.0, 0.5)])
def test_dist_is_pearsons_correlation_both_ways(weights):
    """Oracle: scipy.stats.pearsonr of every example, and of every class."""
    s, t = softmax(STUDENT / 2, axis=1), softmax(TEACHER / 2, axis=1)
    examples = np.array([1 - pearsonr(a, b)[0] for a, b in zip(s, t, strict=True)])
    classes = np.mean([1 - pearsonr(a, b)[0] for a, b in zip(s.T, t.T, strict=True)])
    ours = dist_loss(
        STUDENT, TEACHER, temperature=2.0, example_weight=weights[0], class_weight=weights[1]
    )
    np.testing.assert_allclose(
        ours, 4 * (weights[0] * examples + weights[1] * classes), rtol=1e-4, atol=1e-5
    )


def test_dist_of_one_example_has_no_gradient_from_the_classes():
    """Oracle: nothing varies over a batch of one: a correlation of 0, and a gradient of 0."""
    one = tf.constant(STUDENT[:1])
    with tf.GradientTape() as tape:
        tape.watch(one)
        loss = dist_loss(one, TEACHER[:1], temperature=1.0, example_weight=0.0, class_weight=1.0)
    np.testing.assert_allclose(loss, [1.0])
    np.testing.assert_array_equal(tape.gradient(loss, one), np.zeros((1, 5)))


def test_standardised_logits_are_z_scores():
    """Oracle: scipy.stats.zscore, and the plain loss of what it gives."""
    expected = hinton_loss(
        zscore(STUDENT.astype(float), axis=1),
        zscore(TEACHER.astype(float), axis=1),
        temperature=2.0,
    )
    ours = standardised_loss(STUDENT, TEACHER, temperature=2.0)
    np.testing.assert_allclose(ours, expected, rtol=1e-4)
    scaled = standardised_loss(STUDENT * 7 + 3, TEACHER / 5 - 1, temperature=2.0)
    np.testing.assert_allclose(scaled, ours, rtol=1e-4)
    assert np.isfinite(standardised_loss(np.ones_like(STUDENT), TEACHER, temperature=2.0)).all()


def test_attention_compares_maps_of_length_one():
    """Oracle: NumPy, over two axes of places; a layer that is dead everywhere has no attention."""
    ours = RNG.normal(size=(6, 2, 3, 4)).astype("f4")
    theirs = RNG.normal(size=(6, 2, 3, 7)).astype("f4")

    def attention(x):
        a = (x**2).sum(axis=3).reshape(6, 6)
        return a / np.linalg.norm(a, axis=1, keepdims=True)

    expected = ((attention(ours) - attention(theirs)) ** 2).mean(axis=1)
    np.testing.assert_allclose(attention_loss(ours, theirs), expected, rtol=1e-4)
    np.testing.assert_allclose(attention_loss(5 * ours, theirs), expected, rtol=1e-4)
    dead = tf.zeros((1, 2, 3, 4))
    with tf.GradientTape() as tape:
        tape.watch(dead)
        loss = attention_loss(dead, theirs[:1])
    np.testing.assert_allclose(loss, [1 / 6], rtol=1e-5)
    np.testing.assert_array_equal(tape.gradient(loss, dead), np.zeros((1, 2, 3, 4)))


def test_attention_needs_places_that_agree():
    """Oracle: the error's code."""
    loss = make_loss("attention", {"student_layer": "a", "teacher_layer": "b"})
    assert loss.layers({"a": (1, 4, 3)}, {"b": (1, 4, 5)}) == {}
    for shapes in ({"a": (1, 4, 3)}, {"b": (1, 2, 3)}), ({"a": (3,)}, {"b": (5,)}):
        with pytest.raises(KdEdgeError) as caught:
            loss.layers(*shapes)
        assert caught.value.code == "KD_SHAPE"


def huber(x):
    return np.where(np.abs(x) < 1, x**2 / 2, np.abs(x) - 0.5)


def test_rkd_distances_are_its_formula():
    """Oracle: every pair in a loop, in double precision."""

    def distances(f):
        d = np.array([[np.linalg.norm(a - b) for b in f] for a in f.astype(float)])
        return d / (d.sum() / 30)

    expected = huber(distances(OURS) - distances(THEIRS)).sum(axis=1) / 5
    np.testing.assert_allclose(distance_loss(OURS, THEIRS), expected, rtol=1e-3)


def test_rkd_angles_are_its_formula():
    """Oracle: every triplet in a loop, in double precision."""

    def cosine(f, i, j, k):
        a, b = f[i].astype(float) - f[j], f[k].astype(float) - f[j]
        return a @ b / np.linalg.norm(a) / np.linalg.norm(b)

    expected = np.zeros(6)
    for i, j, k in itertools.permutations(range(6), 3):
        expected[j] += huber(cosine(OURS, i, j, k) - cosine(THEIRS, i, j, k)) / 20
    np.testing.assert_allclose(angle_loss(OURS, THEIRS), expected, rtol=1e-3)


def test_rkd_asks_for_nothing_that_a_move_a_turn_or_a_scale_changes():
    """Oracle: distances in units of their mean, and angles, stay under a similarity."""
    turn, _ = np.linalg.qr(RNG.normal(size=(9, 9)))
    alike = (3 * THEIRS @ turn + 5).astype("f4")
    for loss in (distance_loss, angle_loss):
        np.testing.assert_allclose(loss(alike, THEIRS), 0, atol=1e-6)


@pytest.mark.parametrize("loss", [distance_loss, angle_loss])
@pytest.mark.parametrize("n", [1, 2, 4])
def test_rkd_gradients_are_finite_in_small_batches_and_for_equal_examples(loss, n):
    """Oracle: no root and no quotient at 0; equal examples lie at a distance of 0."""
    same = tf.constant(np.tile(OURS[:1], (n, 1)))
    with tf.GradientTape() as tape:
        tape.watch(same)
        values = loss(same, THEIRS[:n])
    assert np.isfinite(values).all()
    assert np.isfinite(tape.gradient(values, same)).all()


def test_crd_is_its_formula():
    """Oracle: the softmax over an example and the negatives, written out."""

    def unit(x):
        return x / np.linalg.norm(x, axis=1, keepdims=True)

    theirs = THEIRS[:, :4]
    similar = unit(OURS.astype(float)) @ unit(theirs.astype(float)).T / 0.5
    expected = []
    for i in range(6):
        told_from = [j for j in range(6) if j == i or LABELS[j] != LABELS[i]]
        place = told_from.index(i)
        both = [similar[i, told_from], similar[told_from, i]]
        expected.append(-np.mean([log_softmax(row)[place] for row in both]))
    ours = contrastive_loss(OURS, theirs, LABELS, temperature=0.5)
    np.testing.assert_allclose(ours, expected, rtol=1e-4)


def test_crd_of_pixels_tells_all_other_examples_apart():
    """Oracle: the loss of examples that all have classes of their own."""
    pixels = np.zeros((6, 2, 2), int)
    ours = contrastive_loss(OURS, THEIRS[:, :4], pixels, temperature=0.5)
    alone = contrastive_loss(OURS, THEIRS[:, :4], np.arange(6), temperature=0.5)
    np.testing.assert_allclose(ours, alone, rtol=1e-6)


def test_losses_of_layers_are_means_over_the_teachers_and_train_their_own_parts():
    """Oracle: each teacher alone; the projections' shapes."""
    taps = {"student_layer": "a", "teacher_layer": "b"}
    features = ({"a": RNG.normal(size=(6, 2, 3)).astype("f4")}, {"b": THEIRS})
    second = {"b": RNG.normal(size=(6, 9)).astype("f4")}
    for name, options in (
        ("rkd", {"distance_weight": 25.0, "angle_weight": 50.0}),
        ("crd", {"dimension": 7, "temperature": 0.1}),
    ):
        loss = make_loss(name, options | taps)
        layers = loss.layers({"a": (2, 3)}, {"b": (9,)})
        told = batch(STUDENT, TEACHER, features=features, others=(second,))
        alone = [
            loss.values(batch(STUDENT, TEACHER, features=(features[0], theirs)), layers)
            for theirs in (features[1], second)
        ]
        np.testing.assert_allclose(loss.values(told, layers), np.mean(alone, axis=0), rtol=1e-5)
        shapes = [layer.kernel.shape for layer in layers.values()]
        assert shapes == ([(6, 7), (9, 7)] if name == "crd" else [])


@pytest.mark.parametrize("n", [1, 2, 3])
def test_each_teacher_weighs_by_how_near_it_is_to_the_label(n):
    """Oracle: the paper's formula by NumPy and SciPy; one teacher alone is plain distillation."""
    said = [TEACHER, STUDENT[::-1].copy(), RNG.normal(0, 4, TEACHER.shape).astype("f4")][:n]
    told = batch(STUDENT, TEACHER)
    told = dataclasses.replace(
        told, taught=told.taught._replace(teachers=tuple(Outputs(t, {}) for t in said))
    )
    ours = make_loss("ca-mkd", {"temperature": 3.0}).values(told, {})
    hard = np.stack([-log_softmax(t, axis=1)[np.arange(6), LABELS] for t in said])
    weights = np.ones((1, 6)) if n == 1 else (1 - softmax(hard, axis=0)) / (n - 1)
    answers = log_softmax(STUDENT / 3, axis=1)
    each = np.stack([-9 * (softmax(t / 3, axis=1) * answers).sum(axis=1) for t in said])
    np.testing.assert_allclose(weights.sum(axis=0), 1, rtol=1e-6)
    np.testing.assert_allclose(ours, (weights * each).sum(axis=0), rtol=1e-4)


IN_A_STEP = {
    "ca-mkd": {"temperature": 2.0},
    "dkd": {"temperature": 2.0, "target_weight": 1.0, "other_weight": 4.0},
    "dist": {"temperature": 2.0, "example_weight": 1.0, "class_weight": 1.0},
    "standardised": {"temperature": {"start": 4.0, "end": 1.0, "epochs": 3}},
    "attention": {},
    "rkd": {"distance_weight": 1.0, "angle_weight": 2.0},
    "crd": {"dimension": 3, "temperature": 0.1},
    "labels": {"smoothing": 0.1},
}


@pytest.mark.parametrize("task", ["classification", "segmentation"])
@pytest.mark.parametrize("name", IN_A_STEP)
def test_losses_work_in_a_graph_that_does_not_know_how_large_its_batches_are(name, task):
    """Oracle: the values outside of the graph; gradients are finite."""
    taps = {"student_layer": "a", "teacher_layer": "b"}
    takes_layers = name in ("attention", "rkd", "crd")
    loss = make_loss(name, IN_A_STEP[name] | (taps if takes_layers else {}))
    layers = loss.layers({"a": (3, 2, 4)}, {"b": (3, 2, 7)})
    pixels = () if task == "classification" else (3, 2)
    student, teacher = (RNG.normal(size=(6, *pixels, 5)).astype("f4") for _ in range(2))
    ours, theirs = (RNG.normal(size=(6, 3, 2, width)).astype("f4") for width in (4, 7))
    truth = RNG.integers(0, 5, (6, *pixels))

    def values(s, a, t, b, y):
        return loss.values(batch(s, t, y, 1.5, ({"a": a}, {"b": b}), task=task), layers)

    given = [tf.constant(x) for x in (student, ours, teacher, theirs, truth)]
    anything = [tf.TensorSpec([None, *x.shape[1:]], x.dtype) for x in given]

    @tf.function(input_signature=anything, autograph=False)
    def step(s, a, t, b, y):
        with tf.GradientTape() as tape:
            tape.watch([s, a])
            told = values(s, a, t, b, y)
        return told, tape.gradient(told, a if takes_layers else s)

    told, gradient = step(*given)
    assert told.shape == (6,)
    np.testing.assert_allclose(told, values(*given), rtol=1e-4, atol=1e-6)
    assert np.isfinite(gradient).all()
    assert np.abs(gradient).max() > 0
