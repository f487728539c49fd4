"""Tasks: what an output means, against closed forms; nobody else decides."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import log_softmax

import kd_edge
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.pixels import NO_CLASS
from kd_edge.examples import Examples, Groups
from kd_edge.tasks import TASKS, find_task

RNG = np.random.default_rng(0)
CLASSES = ("road", "sky", "tree")
SHAPES = {"classification": (4, 3), "segmentation": (4, 2, 5, 3)}


def example(name):
    """Logits and truth of four examples."""
    shape = SHAPES[name]
    return RNG.normal(size=shape).astype("f4"), RNG.integers(0, 3, shape[:-1])


def windows(truth):
    n = len(truth)
    return Examples(
        inputs={"image": np.zeros((n, 2, 5, 1), "f4")},
        truth=truth,
        groups=Groups.each([f"r{i}" for i in range(n)]),
        class_names=CLASSES,
    )


@pytest.mark.parametrize("name", TASKS)
def test_the_hard_loss_is_the_mean_cross_entropy(name):
    """Oracle: scipy.special.log_softmax over the classes, never over the rows of an image."""
    pytest.importorskip("keras")
    logits, truth = example(name)
    each = -np.take_along_axis(log_softmax(logits, axis=-1), truth[..., None], -1)[..., 0]
    expected = each.reshape(4, -1).mean(axis=1)
    np.testing.assert_allclose(find_task(name).hard_loss(logits, truth), expected, rtol=1e-5)


@pytest.mark.parametrize("name", TASKS)
def test_what_is_right_in_training_is_what_is_decided_after_it(name):
    """Oracle: NumPy's argmax over the last axis."""
    pytest.importorskip("keras")
    task, (logits, truth) = find_task(name), example(name)
    decided = np.argmax(logits, axis=-1)
    np.testing.assert_array_equal(task.decide(logits), decided)
    expected = (decided == truth).reshape(4, -1).mean(axis=1)
    np.testing.assert_allclose(task.right(logits, truth), expected)
    assert task.share_right(logits, truth) == pytest.approx(expected.mean())
    assert task.agreement(logits, -logits) < task.agreement(logits, 3 * logits) == 1


@pytest.mark.parametrize(
    ("name", "logits", "truth"),
    [
        ("classification", (None, 3), np.zeros((4, 2), int)),
        ("classification", (None, 4), np.zeros(4, int)),
        ("classification", (None, 3), np.full(4, 3)),
        ("classification", (None, 3), np.full(4, -1)),
        ("segmentation", (None, 3), np.zeros(4, int)),
        ("segmentation", (None, 5, 2, 3), np.zeros((4, 2, 5), int)),
        ("segmentation", (None, 2, 5, 3), np.full((4, 2, 5), 3)),
    ],
)
def test_outputs_and_truth_that_do_not_fit_are_refused(name, logits, truth):
    """Oracle: the error's code."""
    with pytest.raises(KdEdgeError) as caught:
        find_task(name).check(logits, truth, 3)
    assert caught.value.code == "KD_SHAPE"


def test_overlap_is_its_closed_form_and_leaves_out_what_has_no_class():
    """Oracle: intersections and unions counted by hand."""
    truth = np.array([[[0, 0, 1, 1, NO_CLASS]], [[0, 1, 1, 1, NO_CLASS]]])
    decided = np.array([[[0, 1, 1, 1, 2]], [[0, 1, 1, 0, 2]]])
    figures = find_task("segmentation").score(np.eye(3)[decided], windows(truth))
    # Class 0: 2 of 4 pixels; class 1: 4 of 6; class 2 is nowhere.
    assert figures.iou == (pytest.approx(2 / 4), pytest.approx(4 / 6), None)
    assert figures.mean_iou == pytest.approx((2 / 4 + 4 / 6) / 2)
    assert figures.pixel_accuracy == pytest.approx(6 / 8)
    assert figures.interval.low <= figures.mean_iou <= figures.interval.high
    assert figures.interval.method == "bootstrap over recordings"


def test_overlap_of_nothing_is_refused():
    """Oracle: the error's code."""
    truth = np.full((2, 2, 5), NO_CLASS)
    with pytest.raises(KdEdgeError) as caught:
        find_task("segmentation").score(np.zeros((2, 2, 5, 3)), windows(truth))
    assert caught.value.code == "KD_EMPTY_PART"


def test_an_unknown_task_is_named_with_the_nearest():
    """Oracle: the error's code and its guess."""
    with pytest.raises(KdEdgeError) as caught:
        find_task("classifcation")
    assert caught.value.code == "KD_UNKNOWN_NAME"
    assert "'classification'" in caught.value.message


# File -> what else has a largest value there.
OTHER_ARGMAX = {
    "base/composition.py": "which model of a product answers",
    "distill/selector.py": "the student to whom the label is most probable",
    "pipeline/selection/figures.py": "the best model of a product",
    "pipeline/selection/ways.py": "which model of a product is surest, or right",
    "pipeline/proposing/seen.py": "the louder of two hums",
    "live/sources/replay.py": "where an even run of samples ends",
    "base/roll.py": "the nearest place of a ring",
    "base/decision.py": "the rule over windows, in whole numbers as on a board",
    "pipeline/personalise.py": "a last layer on given repetitions, before there is a model",
    "personalise/judging.py": "a last layer on repetitions that it was not made from",
}


def test_nobody_but_the_tasks_decides():
    """Oracle: the source: no call of argmax on scores outside of kd_edge/tasks."""
    package = Path(kd_edge.__file__).parent
    paths = [p for p in package.rglob("*.py") if p.parent.name not in ("tasks", "signals")]
    assert len(paths) > 100
    calls = [
        f"{path.relative_to(package)}:{node.lineno}"
        for path in paths
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr == "argmax"
    ]
    assert {call.rpartition(":")[0] for call in calls} == set(OTHER_ARGMAX)


def test_a_class_and_a_subject_have_overlaps_of_their_own():
    """Oracle: counted by hand; the second subject is wrong in one of its two pixels."""
    truth = np.array([[[0, 0, 1, 1, NO_CLASS]], [[0, NO_CLASS, 1, NO_CLASS, NO_CLASS]]])
    decided = np.where(truth == NO_CLASS, 2, truth)
    decided[1, 0, 0] = 1
    of_two = windows(truth)
    groups = replace(of_two.groups, subject=np.array(["A", "B"]))
    figures = find_task("segmentation").score(np.eye(3)[decided], replace(of_two, groups=groups))
    assert figures.confusion == ((2, 1, 0), (0, 3, 0), (0, 0, 0))
    told = [(g.name, g.n_windows, pytest.approx(g.value)) for g in figures.per_class]
    assert told == [(CLASSES[0], 2, 2 / 3), (CLASSES[1], 2, 3 / 4)]
    assert [(g.name, g.value) for g in figures.per_subject] == [("A", 1.0), ("B", 0.25)]
    assert figures.per_class[0].interval.low <= 2 / 3 <= figures.per_class[0].interval.high


def test_pixels_without_class_are_neither_right_nor_wrong():
    """Oracle: counted by hand."""
    truth = np.array([[[0, 1, NO_CLASS, NO_CLASS]], [[1, 1, 1, 1]]])
    decided = np.array([[[0, 0, 0, 0]], [[1, 1, 1, 0]]])
    task = find_task("segmentation")
    assert task.shares_right(np.eye(2)[decided], truth).tolist() == [0.5, 0.75]
    assert task.share_right(np.eye(2)[decided], truth) == 0.625


def test_classes_are_painted_in_colours_of_their_own():
    """Oracle: NumPy's unique rows; black is kept for what has no class."""
    colours = find_task("segmentation").colours(32)
    assert colours.shape == (32, 3)
    assert len(np.unique(colours, axis=0)) == 32
    assert (colours.max(axis=1) > 100).all()
    assert find_task("classification").colours is None


def test_decisions_are_told_in_words():
    """Oracle: the docstrings' examples."""
    assert find_task("classification").told(np.int64(1), ("x", "y")) == "y"
    mask = np.array([[0, 0, 1], [2, 0, NO_CLASS]])
    told = find_task("segmentation").told
    assert told(mask, ("sky", "road", "car")) == "sky 60 %, road 20 %, car 20 %"
    assert told(np.full((2, 2), NO_CLASS), ("sky",)) == "no class"
