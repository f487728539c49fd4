"""Losses made for a class a pixel: structured ones, and labels of rare classes that weigh more."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

keras = pytest.importorskip("keras")

from distill_samples import batch  # noqa: E402
from logit_samples import RNG, STUDENT  # noqa: E402

from kd_edge.base.errors import KdEdgeError  # noqa: E402
from kd_edge.base.pixels import NO_CLASS  # noqa: E402
from kd_edge.distill.batch import Mixed  # noqa: E402
from kd_edge.distill.losses import make_loss, weigh_labels, weights_of_classes  # noqa: E402
from kd_edge.distill.losses.channel_wise import channel_wise_loss  # noqa: E402
from kd_edge.distill.losses.pair_wise import pair_wise_loss  # noqa: E402
from kd_edge.examples import Examples, Groups  # noqa: E402


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_channel_wise_compares_the_places_of_each_channel(temperature):
    """Oracle: SciPy's softmax over all places of an image, channel by channel."""
    ours, theirs = RNG.normal(0, 3, (2, 2, 3, 4, 5)).astype("f4")
    p, q = (softmax(x.reshape(2, 12, 5) / temperature, axis=1) for x in (theirs, ours))
    expected = temperature**2 * (p * np.log(p / q)).sum(axis=1).mean(axis=1)
    told = channel_wise_loss(ours, theirs, temperature=temperature)
    np.testing.assert_allclose(told, expected, rtol=1e-4)
    np.testing.assert_allclose(
        channel_wise_loss(theirs + 7, theirs, temperature=temperature), 0, atol=1e-4
    )


def test_pair_wise_compares_the_cosines_of_all_pairs_of_patches():
    """Oracle: NumPy, patch by patch; the last column fills no patch."""
    ours, theirs = RNG.normal(size=(2, 4, 7, 5)), RNG.normal(size=(2, 4, 7, 9))

    def cosines(features):
        nodes = np.array([
            features[r : r + 2, c : c + 2].mean(axis=(0, 1)) for r in (0, 2) for c in (0, 2, 4)
        ])  # fmt: skip
        nodes /= np.linalg.norm(nodes, axis=1, keepdims=True)
        return nodes @ nodes.T

    expected = [((cosines(a) - cosines(b)) ** 2).mean() for a, b in zip(ours, theirs, strict=True)]
    told = pair_wise_loss(ours.astype("f4"), theirs.astype("f4"), patch=2)
    np.testing.assert_allclose(told, expected, rtol=1e-4)
    along_time = pair_wise_loss(ours[:, 0].astype("f4"), 3 * ours[:, 0].astype("f4"), patch=1)
    np.testing.assert_allclose(along_time, 0, atol=1e-6)
    gone = np.zeros((2, 4, 7, 5), "f4")
    assert np.isfinite(pair_wise_loss(gone, theirs.astype("f4"), patch=2)).all()


@pytest.mark.parametrize(
    ("name", "options", "shapes"),
    [
        ("channel-wise", {"temperature": 1.0}, ((4, 6, 3), (4, 3, 3))),
        ("channel-wise", {"temperature": 1.0}, ((8,), (8,))),
        ("pair-wise", {"patch": 1}, ((8,), (8,))),
        ("pair-wise", {"patch": 5}, ((4, 6, 3), (4, 6, 3))),
    ],
)
def test_layers_without_common_places_are_refused(name, options, shapes):
    """Oracle: the error's code."""
    loss = make_loss(name, {"student_layer": "s", "teacher_layer": "t", **options})
    with pytest.raises(KdEdgeError) as caught:
        loss.layers({"s": shapes[0]}, {"t": shapes[1]})
    assert caught.value.code == "KD_SHAPE"


def test_channel_wise_brings_other_channels_to_the_teachers_number():
    """Oracle: the closed form of the projected features; the projection is trained."""
    options = {"student_layer": "s", "teacher_layer": "t", "temperature": 2.0}
    loss = make_loss("channel-wise", options)
    ours, theirs = RNG.normal(size=(2, 4, 6, 3)).astype("f4"), RNG.normal(size=(2, 4, 6, 5))
    made = loss.layers({"s": ours.shape[1:]}, {"t": theirs.shape[1:]})
    (projection,) = made.values()
    told = batch(ours[..., 0], ours[..., 0], features=({"s": ours}, {"t": theirs.astype("f4")}))
    expected = channel_wise_loss(projection(ours), theirs.astype("f4"), temperature=2.0)
    np.testing.assert_allclose(loss.values(told, made), expected, rtol=1e-5)
    assert loss.layers({"s": (4, 6, 5)}, {"t": (4, 6, 5)}) == {}


@pytest.mark.parametrize("balance", [0.5, 1.0])
def test_balanced_labels_weigh_rare_classes_more(balance):
    """Oracle: NumPy; with full balance every class weighs as much in all."""
    truth = np.array([[0, 0, NO_CLASS], [0, 2, 0]])
    training = Examples(
        inputs={"x": np.zeros((2, 1))}, truth=truth, groups=Groups.each(["a", "b"]),
        class_names=("a", "b", "c", "d", "e"),
    )  # fmt: skip
    weights = weights_of_classes(training, balance, {})
    in_all = np.array([4 * weights[0], weights[2]])
    np.testing.assert_allclose(in_all / in_all[1], [4 ** (1 - balance), 1])
    assert in_all.sum() == pytest.approx(5)
    assert weights[1] == weights[3] == 0
    assert weights_of_classes(training, 0.0, {}) is None
    chosen = weights_of_classes(training, balance, {"c": 3.0, "b": 9.0})
    assert chosen[2] / chosen[0] == pytest.approx(3 * weights[2] / weights[0])
    assert np.sum(np.multiply(chosen, [4, 0, 1, 0, 0])) == pytest.approx(5)
    assert weights_of_classes(training, 0.0, {"c": 3.0})[:3] == pytest.approx((5 / 7, 0, 15 / 7))

    s = STUDENT.reshape(2, 3, 5)
    each = -np.take_along_axis(log_softmax(s, axis=2), np.maximum(truth, 0)[..., None], 2)[..., 0]
    each = each * np.take(weights, np.maximum(truth, 0))
    ours = weigh_labels(None, None, 0.0, weights).values(
        batch(s, None, truth, task="segmentation"), {}
    )
    np.testing.assert_allclose(ours, [each[0, :2].mean(), each[1].mean()], rtol=1e-5)
    one_each = weigh_labels(None, None, 0.0, weights).values(batch(s[0], None, truth[1]), {})
    hard = -log_softmax(s[0], axis=1)[np.arange(3), truth[1]]
    np.testing.assert_allclose(one_each, hard * np.take(weights, truth[1]), rtol=1e-5)


def test_the_balance_of_labels_is_the_teachers_as_well():
    """Oracle: SciPy, pixel by pixel; what has no class counts as before."""
    truth, weights = np.array([[0, 4, NO_CLASS], [1, 1, 3]]), (0.5, 1.0, 2.0, 3.0, 4.0)
    ours, theirs = RNG.normal(0, 3, (2, 2, 3, 5)).astype("f4")
    each = -(softmax(theirs, axis=2) * log_softmax(ours, axis=2)).sum(axis=2)
    each *= np.where(truth == NO_CLASS, 1.0, np.take(weights, np.maximum(truth, 0)))
    told = batch(ours, theirs, truth, task="segmentation")
    hinton = make_loss("hinton", {"temperature": 1.0})
    balanced = weigh_labels(hinton, 0.0, 0.0, weights).values(told, {})
    np.testing.assert_allclose(balanced, each.mean(axis=1), rtol=1e-5)
    labels = weigh_labels(None, None, 0.0, weights).values(told, {})
    terms = [{"loss": "hinton", "temperature": 1.0}, {"loss": "labels", "weight": 3.0}]
    inside = make_loss("sum", {"terms": terms}).balanced(weights).values(told, {})
    np.testing.assert_allclose(inside, balanced + 3 * labels, rtol=1e-5)
    other = np.flip(truth, axis=0)
    mixed = batch(ours, theirs, truth, task="segmentation", mixed=Mixed(other, np.float32(0.25)))
    alone = batch(ours, theirs, other, task="segmentation")
    loss = hinton.balanced(weights)
    expected = 0.75 * loss.values(told, {}) + 0.25 * loss.values(alone, {})
    np.testing.assert_allclose(loss.values(mixed, {}), expected, rtol=1e-5)


def test_a_loss_keeps_its_own_weights_of_classes():
    """Oracle: the loss with those weights and no others."""
    own = make_loss("hinton", {"temperature": 1.0, "class_weights": [1.0, 0.0, 0.0, 0.0, 0.0]})
    assert own.balanced((1.0, 1.0, 1.0, 1.0, 1.0)) == own


@pytest.mark.parametrize(("name", "more"), [("labels", {}), ("hinton", {"temperature": 1.0})])
def test_weights_of_other_classes_are_refused(name, more):
    """Oracle: the error's code."""
    loss = make_loss(name, {"class_weights": [1.0, 2.0], **more})
    loss.check_classes(2)
    with pytest.raises(KdEdgeError, match="class_weights has 2 numbers") as caught:
        loss.check_classes(5)
    assert caught.value.code == "KD_RECIPE_VALUE"


def test_the_public_project_s_loss_hardly_tells_a_student_that_answers_the_opposite(
    pytestconfig, monkeypatch
):
    """Oracle: NumPy, both softmaxes; and the divergence over the classes, which does tell.

    The benchmark's teacher and data are the recipe's, so that what results have trained is taken.
    """
    monkeypatch.syspath_prepend(pytestconfig.rootpath / "benchmarks")
    from seed_segmentation import WAYS, PublishedRows, recipe_of

    from kd_edge.recipe import load_recipe

    ours = 5 * RNG.normal(size=(1, 6, 4, 3)).astype("f4")
    theirs = -ours
    told = keras.ops.convert_to_numpy(
        PublishedRows(temperature=3.0).values(batch(ours, theirs, np.zeros((1, 6, 4), int)), None)
    )
    p, q = (softmax(softmax(x, axis=-1) / 3, axis=1) for x in (theirs, ours))
    np.testing.assert_allclose(told, (p * np.log(p / q)).sum(-1).mean((1, 2)), rtol=1e-3)
    apart = (softmax(theirs, -1) * (log_softmax(theirs, -1) - log_softmax(ours, -1))).sum(-1)
    assert told.max() < apart.mean() / 100
    recipe = load_recipe(pytestconfig.rootpath / "recipes" / "camvid.toml")
    for way, distillation in WAYS.items():
        asked = recipe_of(way, None)
        assert asked.distillation.alpha == distillation["alpha"]
        assert [t.name for t in asked.teachers] == ["u-net"]
        assert asked.teachers[0] in recipe.teachers
        assert (asked.dataset, asked.split) == (recipe.dataset, recipe.split)
        assert (asked.images, asked.augmentation) == (recipe.images, recipe.augmentation)
        assert [s.epochs for s in asked.students] == [
            s.epochs for s in recipe.students if s.name == "half"
        ]
