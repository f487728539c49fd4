"""Accuracy, its intervals, macro-F1 and groups; LDA and random forest baselines."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix, f1_score

from kd_edge.base.errors import KdEdgeError
from kd_edge.examples import Examples, Groups
from kd_edge.measure.baselines import BASELINES, run_baseline
from kd_edge.measure.features import window_features
from kd_edge.tasks.accuracy import measure_accuracy
from kd_edge.tasks.intervals import (
    accuracy_interval,
    difference_interval,
    exact_interval,
    wilson,
)


def window_set(labels, recordings=None, subjects=None, inputs=None, n_classes=None) -> Examples:
    labels = np.asarray(labels)
    n = len(labels)
    recordings = np.arange(n) if recordings is None else np.asarray(recordings)
    n_classes = n_classes or int(labels.max(initial=0)) + 1
    return Examples(
        inputs=inputs or {},
        truth=labels,
        groups=replace(
            Groups.each([f"r{i}" for i in range(n)], subject="S1"),
            recording=recordings,
            **({} if subjects is None else {"subject": np.asarray(subjects)}),
        ),
        class_names=tuple(f"c{i}" for i in range(n_classes)),
    )


def scores_of(predicted, n_classes):
    return np.eye(n_classes)[predicted]


@pytest.mark.parametrize(("right", "n"), [(0, 26), (17, 26), (26, 26), (1, 1), (640, 702)])
def test_wilson_is_scipy_s(right, n):
    """Oracle: scipy.stats.binomtest's Wilson interval."""
    expected = binomtest(right, n).proportion_ci(method="wilson")
    assert wilson(right / n, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_one_window_a_recording_gives_wilson_s_interval():
    """Oracle: scipy; 20 of 26 right."""
    right = np.arange(26) < 20
    interval = accuracy_interval(right, np.arange(26))
    expected = binomtest(20, 26).proportion_ci(method="wilson")
    assert (interval.method, interval.level) == ("Wilson", 0.95)
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high))


def test_windows_of_one_recording_are_not_counted_as_independent():
    """Oracle: the normal approximation over recordings, whose accuracies are the trials here."""
    rng = np.random.default_rng(0)
    each = rng.integers(0, 11, 60)
    right = np.concatenate([np.arange(10) < k for k in each])
    interval = accuracy_interval(right, np.repeat(np.arange(60), 10))
    assert interval.method == "bootstrap over recordings"
    half = 1.96 * np.std(each / 10) / math.sqrt(60)
    assert interval.high - interval.low == pytest.approx(2 * half, rel=0.1)
    naive = binomtest(int(right.sum()), 600).proportion_ci(method="wilson")
    assert interval.high - interval.low > 1.5 * (naive.high - naive.low)
    assert interval == accuracy_interval(right, np.repeat(np.arange(60), 10))  # seeded


@pytest.mark.parametrize("fraction", [1.0, 0.5])
def test_recordings_that_are_all_alike_do_not_make_an_interval_without_width(fraction):
    """Oracle: Wilson over 8 recordings, though there are 80 windows."""
    right = np.tile(np.arange(10) < 10 * fraction, 8)
    interval = accuracy_interval(right, np.repeat(np.arange(8), 10))
    assert (interval.low, interval.high) == wilson(fraction, 8)
    assert interval.high - interval.low > 0.3


def test_accuracy_macro_f1_and_confusion_are_scikit_learns():
    """Oracle: sklearn.metrics, over the classes that the part holds (class 3 has no window)."""
    rng = np.random.default_rng(1)
    labels = rng.choice([0, 1, 2, 4], 200)
    predicted = np.where(rng.random(200) < 0.7, labels, rng.integers(0, 5, 200))
    found = measure_accuracy(scores_of(predicted, 5), window_set(labels, n_classes=5))
    assert found.accuracy == np.mean(labels == predicted)
    expected = f1_score(labels, predicted, labels=[0, 1, 2, 4], average="macro")
    assert found.macro_f1 == pytest.approx(expected)
    np.testing.assert_array_equal(
        found.confusion, confusion_matrix(labels, predicted, labels=range(5))
    )
    assert [g.name for g in found.per_class] == ["c0", "c1", "c2", "c4"]
    assert found.class_names == ("c0", "c1", "c2", "c3", "c4")


def test_groups_hold_their_own_windows_and_intervals():
    """Oracle: counted by hand: 3 of 4 for Ada, 0 of 2 for Bob."""
    labels, predicted = [0, 0, 1, 1, 0, 1], [0, 0, 1, 0, 1, 0]
    subjects = ["Ada"] * 4 + ["Bob"] * 2
    found = measure_accuracy(scores_of(predicted, 2), window_set(labels, subjects=subjects))
    ada, bob = found.per_subject
    assert (ada.name, ada.n_windows, ada.accuracy) == ("Ada", 4, 0.75)
    assert (bob.name, bob.n_windows, bob.accuracy) == ("Bob", 2, 0.0)
    assert (ada.interval.low, ada.interval.high) == wilson(0.75, 4)
    assert [(g.name, g.n_windows, g.accuracy) for g in found.per_class] == [
        ("c0", 3, pytest.approx(2 / 3)),
        ("c1", 3, pytest.approx(1 / 3)),
    ]
    assert (found.n_windows, found.n_recordings) == (6, 6)


@pytest.mark.parametrize(
    ("scores", "labels", "code"),
    [
        (np.zeros((0, 2)), [], "KD_EMPTY_PART"),
        (np.zeros((2, 3)), [0, 1], "KD_SHAPE"),
        (np.array([[0.0, np.nan], [1, 0]]), [0, 1], "KD_DIVERGED"),
    ],
)
def test_scores_that_mean_nothing_are_refused(scores, labels, code):
    """Oracle: the contract."""
    with pytest.raises(KdEdgeError) as caught:
        measure_accuracy(scores, window_set(np.array(labels, int), n_classes=2))
    assert caught.value.code == code


def test_features_of_one_segment_are_what_their_names_say():
    """Oracle: worked by hand on five samples, -2 -1 0 1 7, mean 1: signs - - - (+0) +."""
    signal = np.array([-2, -1, 0, 1, 7], np.float32).reshape(1, 5, 1)
    windows = window_set([0], inputs={"emg": signal})
    found = window_features(windows, rate_hz={"emg": 10.0})
    deviation = math.sqrt((9 + 4 + 1 + 0 + 36) / 5)
    expected = [11 / 5, math.sqrt(55 / 5), 9, 1, 1, deviation]
    np.testing.assert_allclose(found, [expected], rtol=1e-6)


def test_segments_follow_the_rate_and_steps_are_joined_in_time():
    """Oracle: 2 s at 50 Hz are 4 segments of half a second; 6 features x 3 channels each."""
    rng = np.random.default_rng(2)
    flat = rng.normal(size=(3, 100, 3)).astype(np.float32)
    steps = flat.reshape(3, 10, 10, 3)
    found = [
        window_features(window_set([0, 0, 0], inputs={"emg": a}), rate_hz=r)
        for a, r in ((flat, {"emg": 50.0}), (steps, {"emg": 50.0}), (steps, None))
    ]
    assert found[0].shape == (3, 4 * 6 * 3)
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])
    fast = window_features(window_set([0, 0, 0], inputs={"emg": flat}), rate_hz={"emg": 400.0})
    assert fast.shape == (3, 6 * 3)


def signs(n_each: int, seed: int) -> Examples:
    """Three classes that differ in amplitude and offset."""
    rng = np.random.default_rng(seed)
    labels = np.repeat([0, 1, 2], n_each)
    emg = rng.normal(size=(len(labels), 40, 2)) * np.array([1, 2, 4])[labels][:, None, None]
    acc = rng.normal(size=(len(labels), 10, 1)) + labels[:, None, None]
    return window_set(labels, inputs={"emg": emg.astype("f4"), "acc": acc.astype("f4")})


@pytest.mark.parametrize("name", ["lda", "random-forest"])
def test_baselines_learn_what_is_there_and_nothing_more(name):
    """Oracle: classes that differ plainly are told apart; shuffled labels stay near chance."""
    train, test = signs(30, 0), signs(20, 1)
    shuffled = np.random.default_rng(3).permutation(train.truth)
    found = run_baseline(name, train, {"a": test, "b": test}, rate_hz=None, seed=0)
    assert list(found) == ["a", "b"]
    assert found["a"] == found["b"]
    assert found["a"].accuracy > 0.9
    nonsense = window_set(shuffled, inputs=train.inputs)
    assert run_baseline(name, nonsense, {"a": test}, rate_hz=None, seed=0)["a"].accuracy < 0.65


def test_the_random_forest_is_seeded():
    """Oracle: the same call twice."""
    train, test = signs(6, 0), signs(20, 1)
    runs = [
        run_baseline("random-forest", train, {"t": test}, rate_hz=None, seed=5) for _ in range(2)
    ]
    assert runs[0] == runs[1]


def test_a_class_that_training_lacked_is_never_predicted():
    """Oracle: the confusion's column of that class."""
    train, test = signs(10, 0), signs(10, 1)
    train = train.take(np.flatnonzero(train.truth != 1))
    found = run_baseline("lda", train, {"t": test}, rate_hz=None, seed=0)["t"]
    assert [row[1] for row in found.confusion] == [0, 0, 0]
    assert found.accuracy <= 2 / 3


def test_baselines_refuse_one_class_and_unknown_names():
    """Oracle: the stable codes."""
    assert set(BASELINES) == {"lda", "random-forest"}
    one = signs(4, 0).take(np.arange(4))
    for name, train, code in (("lda", one, "KD_ONE_CLASS"), ("ldaa", one, "KD_UNKNOWN_NAME")):
        with pytest.raises(KdEdgeError) as caught:
            run_baseline(name, train, {}, rate_hz=None, seed=0)
        assert caught.value.code == code


def test_an_exact_interval_is_that_of_the_closed_form():
    """Oracle: none of n fails: the lower end is (2.5 %)^(1/n); and it is never too narrow."""
    found = exact_interval(256, 256)
    assert found.low == pytest.approx(0.025 ** (1 / 256))
    assert found.high == 1.0
    n, p = 40, 0.99
    outside = sum(
        math.comb(n, k) * p**k * (1 - p) ** (n - k)
        for k in range(n + 1)
        if not exact_interval(k, n).low <= p <= exact_interval(k, n).high
    )
    assert outside <= 0.05


def test_a_difference_of_paired_answers_has_bonett_and_prices_interval():
    """Oracle: worked by hand. 100 windows, 6 that the left alone has right, 1 the right alone:
    (7 - 2) / 102 ± 1.96 sqrt((9/102 - (5/102)²) / 102)."""
    left, right = np.ones(100, bool), np.ones(100, bool)
    right[:6] = False
    left[6] = False
    found = difference_interval(left, right, np.arange(100))
    assert found.low == pytest.approx(5 / 102 - 0.05686, abs=1e-4)
    assert found.high == pytest.approx(5 / 102 + 0.05686, abs=1e-4)
    turned = difference_interval(right, left, np.arange(100))
    assert (turned.low, turned.high) == (-found.high, -found.low)


def test_a_difference_over_recordings_of_several_windows_draws_recordings():
    """Oracle: all windows of one recording of ten are lost: the interval is that of 1 in 10 such
    recordings, far wider than 10 of 100 independent windows would give."""
    recordings = np.repeat(np.arange(10), 10)
    left, right = np.ones(100, bool), recordings != 3
    found = difference_interval(left, right, recordings)
    assert found.method == "bootstrap over recordings"
    assert found.low == 0.0
    assert found.high == pytest.approx(0.3)


def test_windows_that_are_right_in_part_draw_recordings_too():
    """Oracle: the normal approximation of a mean of 200 differences."""
    rng = np.random.default_rng(0)
    left, right = rng.uniform(0.5, 1, 200), rng.uniform(0.4, 0.9, 200)
    found = difference_interval(left, right, np.arange(200))
    assert found.method == "bootstrap over recordings"
    apart = left - right
    half = 1.96 * apart.std() / math.sqrt(200)
    assert (found.low, found.high) == pytest.approx(
        (apart.mean() - half, apart.mean() + half), abs=4e-3
    )


def test_sides_that_differ_by_one_part_everywhere_have_an_interval_around_it():
    """Oracle: as wide as where no window of ten differs."""
    part = np.full(10, 0.75)
    found = difference_interval(part, part - 0.25, np.arange(10))
    alike = difference_interval(part, part, np.arange(10))
    assert found.low == pytest.approx(0.25 + alike.low)
    assert found.high - found.low == pytest.approx(alike.high - alike.low)
    assert alike.high > 0.1
