"""A wearer's last layer: what it is, how it is written in int8, and whether it is taken."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from head_samples import CLASSES, FEATURES, SCORE_SCALE, SCORE_ZERO, body_and_head

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.flatbuffer import read_tflite
from kd_edge.base.head import find_head
from kd_edge.personalise import Few, Prototypes, as_head, fit_prototypes, judge, learn, scores_of


def people(n_people: int, each: int, *, seed: int):
    """Embeddings whose classes lie apart, and a person's a little elsewhere: values, truth, who."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(2.0, 1.0, (CLASSES, FEATURES))
    moved = rng.normal(0, 0.8, (n_people, CLASSES, FEATURES))
    truth = np.tile(np.repeat(np.arange(CLASSES), each), n_people)
    who = np.repeat(np.arange(n_people), CLASSES * each)
    mixing = rng.normal(0, 0.3, (FEATURES, FEATURES))
    noise = rng.normal(0, 1, (len(truth), FEATURES)) @ mixing
    return (centres[truth] + moved[who, truth] + noise).astype(np.float32), truth, who


def wearer(seed: int, repetitions: int, windows: int = 1) -> Few:
    values, truth, who = people(5, repetitions * windows, seed=seed)
    mine = who == 4
    order = np.arange(mine.sum()) // windows
    return Few(values[mine], truth[mine], order)


@pytest.fixture
def prototypes() -> Prototypes:
    values, truth, who = people(4, 8, seed=3)
    return fit_prototypes(values, truth, who.astype(str), CLASSES)


NOBODY = Few(np.zeros((0, FEATURES), np.float32), np.zeros(0, np.int64), np.zeros(0, np.int64))


def test_without_repetitions_it_is_linear_discriminant_analysis():
    """Oracle: scikit-learn's, whose shrinkage of a half is the same up to one factor."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    values, truth, who = people(1, 30, seed=5)
    head = learn(fit_prototypes(values, truth, who.astype(str), CLASSES), NOBODY)
    covariance = np.mean([np.cov(values[truth == c].T, bias=True) for c in range(CLASSES)], axis=0)
    shrunk = 0.5 * covariance + 0.5 * np.trace(covariance) / FEATURES * np.eye(FEATURES)
    lda = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.5, priors=[1 / CLASSES] * CLASSES)
    lda.fit(values.astype(np.float64), truth)
    expected = np.linalg.solve(shrunk, lda.means_.T).T
    np.testing.assert_allclose(head.weights, 0.5 * expected, rtol=2e-3, atol=1e-3)
    scores = values @ head.weights.T + head.bias
    np.testing.assert_array_equal(scores.argmax(axis=1), lda.predict(values.astype(np.float64)))


def test_a_mean_moves_by_its_repetitions_and_counts_each_once(prototypes):
    """Oracle: the formula; a class is at the place where its score equals its norm's half."""
    few = Few(
        np.array([[4.0] * FEATURES, [8.0] * FEATURES, [1.0] * FEATURES], np.float32),
        np.array([2, 2, 2]),
        np.array([7, 7, 9]),  # two windows of one repetition, and another repetition
    )
    head = learn(prototypes, few)
    within = prototypes.within.astype(np.float64)
    covariance = within + np.trace(within) / FEATURES * np.eye(FEATURES)
    means = head.weights @ covariance
    np.testing.assert_allclose(means[2], (0.5 * prototypes.means[2] + 6.0 + 1.0) / 2.5, rtol=1e-6)
    others = [0, 1, 3, 4]  # no repetition: training's
    np.testing.assert_allclose(means[others], prototypes.means[others], rtol=1e-5)
    np.testing.assert_allclose(head.bias, -0.5 * (head.weights * means).sum(axis=1), rtol=1e-9)


def test_a_few_repetitions_of_someone_else_help(prototypes):
    few = wearer(3, 3)
    later = wearer(3, 9)
    rights = []
    for head in (learn(prototypes, NOBODY), learn(prototypes, few)):
        scores = later.embedding @ head.weights.T + head.bias
        rights.append((scores.argmax(axis=1) == later.truth).mean())
    assert rights[1] > rights[0] + 0.1


def test_an_embedding_that_never_varies_within_a_class_takes_the_plain_distance():
    means = np.eye(CLASSES, FEATURES, dtype=np.float32)
    still = Prototypes(means, np.zeros((FEATURES, FEATURES), np.float32), np.ones(CLASSES, int))
    head = learn(still, NOBODY)
    np.testing.assert_allclose(head.weights, means)


@pytest.mark.parametrize(
    ("values", "truth", "why"),
    [
        (np.zeros((4, 3)), [0, 0, 1, 1], "a class has no window"),
        (np.zeros((3, 2000)), [0, 1, 2], "2000 values"),
    ],
)
def test_training_parts_without_prototypes_say_why(values, truth, why):
    with pytest.raises(ValueError, match=why):
        fit_prototypes(values, np.array(truth), np.array(["a"] * len(truth)), 3)


@pytest.mark.parametrize("by_row", [True, False])
def test_in_int8_it_decides_as_in_real_numbers_and_fills_the_output(prototypes, by_row):
    """Oracle: the layer in real numbers. A score beyond the output range would make ties."""
    old = find_head(read_tflite(body_and_head(by_row=by_row)))
    few, later = wearer(3, 3), wearer(3, 9)
    new = learn(prototypes, few)
    seen = np.concatenate([prototypes.means, few.embedding]).astype(np.float64)
    head = as_head(new, old, seen)
    assert head.weights.dtype == np.int8
    assert head.bias.dtype == np.int32
    assert head.scales.shape == old.scales.shape
    assert (head.output_scale, head.output_zero) == (old.output_scale, old.output_zero)
    real = later.embedding @ new.weights.T + new.bias
    written = scores_of(head, later.embedding)
    assert (written.argmax(axis=1) == real.argmax(axis=1)).mean() > 0.97
    inside = np.rint(scores_of(head, seen) / SCORE_SCALE) + SCORE_ZERO
    assert -128 < inside.min() < inside.max() < 127
    assert inside.max() - inside.min() > 60  # and not squeezed into a few steps


def test_a_layer_that_cannot_be_written_is_refused(prototypes):
    old = find_head(read_tflite(body_and_head()))
    new = learn(prototypes, wearer(3, 1))
    for changes in ({"bias": new.bias * np.nan}, {"weights": new.weights * 1e-30}):
        with pytest.raises(KdEdgeError) as caught:
            as_head(replace(new, **changes), old, prototypes.means.astype(np.float64))
        assert caught.value.code == "KD_DIVERGED"


def judged(built: list[bool], personal: list[bool]):
    """Two layers that are right or wrong on two repetitions of a class, as they are told."""
    n = len(built)
    classes = np.repeat(np.arange(n // 2), 2)
    few = Few(np.arange(n, dtype=np.float32)[:, None], classes, np.arange(n))

    def layer(right: list[bool]):
        def scores(embedding):
            decided = np.zeros((len(embedding), n // 2 + 1))
            for row, value in zip(decided, embedding[:, 0].astype(int), strict=True):
                row[classes[value] if right[value] else n // 2] = 1.0
            return decided

        return scores

    return judge(few, layer(built), lambda rest: layer(personal))


@pytest.mark.parametrize(
    ("built", "personal"), [("0000000000", "1111111100"), ("1100110011", "1111110000"),
                            ("1111111111", "1111111111"), ("1111100000", "0000011111")]
)  # fmt: skip
def test_two_layers_are_compared_by_mcnemars_exact_test(built, personal):
    """Oracle: SciPy's binomial test on the repetitions where they differ."""
    from scipy.stats import binomtest

    old, new = ([each == "1" for each in text] for text in (built, personal))
    found = judged(old, new)
    gained = sum(b and not a for a, b in zip(old, new, strict=True))
    lost = sum(a and not b for a, b in zip(old, new, strict=True))
    assert (found.repetitions, found.built, found.personal) == (len(old), sum(old), sum(new))
    assert (found.gained, found.lost) == (gained, lost)
    expected = (
        binomtest(gained, gained + lost, alternative="greater").pvalue if gained + lost else 1
    )
    assert found.chance == pytest.approx(expected)
    assert found.better is bool(expected < 0.05)


def test_every_repetition_is_held_out_once_and_never_learned_from_then():
    few = Few(np.arange(9.0, dtype=np.float32)[:, None], np.repeat([0, 1, 2], 3), np.arange(9))
    held = []

    def personal(rest):
        def scores(embedding):
            held.extend(embedding[:, 0])
            assert not set(embedding[:, 0]) & set(rest.embedding[:, 0])
            return np.zeros((len(embedding), 3))

        return scores

    judge(few, lambda embedding: np.zeros((len(embedding), 3)), personal)
    assert sorted(held) == list(range(9))


def test_with_one_repetition_of_each_class_nothing_can_be_held_out():
    few = Few(np.zeros((3, 1), np.float32), np.arange(3), np.arange(3))
    found = judge(few, lambda e: np.zeros((len(e), 3)), lambda rest: None)
    assert (found.repetitions, found.chance, found.better) == (0, None, None)


def test_a_class_with_one_repetition_is_learned_and_not_judged():
    few = Few(np.zeros((3, 1), np.float32), np.array([0, 0, 1]), np.arange(3))
    learned = []

    def personal(rest):
        learned.append(set(rest.truth))
        return lambda e: np.zeros((len(e), 2))

    found = judge(few, lambda e: np.zeros((len(e), 2)), personal)
    assert found.repetitions == 2
    assert learned == [{0, 1}, {0, 1}]


def test_windows_of_one_repetition_decide_together():
    """Oracle: the sum of their scores, by hand: 3 - 1 against 1 + 0.5."""
    few = Few(np.array([[0], [1], [2]], np.float32), np.array([0, 0, 0]), np.array([0, 0, 1]))
    table = np.array([[3.0, 1.0], [-1.0, 0.5], [0.0, 1.0]])

    def scores(embedding):
        return table[embedding[:, 0].astype(int)]

    found = judge(few, scores, lambda rest: scores)
    assert (found.repetitions, found.built) == (2, 1)
