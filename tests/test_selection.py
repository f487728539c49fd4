"""Several models together: a cascade's margin, who answers, and what each way costs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from product_samples import N_CLASSES, product

from kd_edge.base.composition import answer, first_sure, margin, margins
from kd_edge.examples import Examples
from kd_edge.examples.sets import Groups
from kd_edge.pipeline.selection.cascade import all_margins, find_margin, least_steps
from kd_edge.pipeline.selection.said import ask
from kd_edge.pipeline.selection.ways import every_way, expected
from kd_edge.tasks.classification import CLASSIFICATION


@dataclass(frozen=True)
class Models:
    """What models say, made by hand: (models, n)."""

    right: np.ndarray
    steps: np.ndarray


def small_then_large(sure_and_wrong: int) -> Models:
    """The first model is sure of 60 of 100 examples, from 100 steps down to 41, and right of all
    but the least sure ones; of the others it has half. The second is always right."""
    steps = np.concatenate([np.arange(100, 40, -1), np.arange(40, 0, -1)])
    right = np.ones(100)
    right[60:] = np.arange(40) % 2
    right[60 - sure_and_wrong : 60] = 0
    return Models(np.stack([right, np.ones(100)]), np.stack([steps, np.zeros(100)]))


def test_the_margin_is_the_smallest_that_loses_no_more_than_allowed():
    """Oracle: by hand. Without a mistake among the sure 60 the margin is 40 steps: the example of
    40 steps is wrong, and the first of them is 41."""
    found = find_margin(small_then_large(0), [0.5], 0.0)
    assert (found.margin, found.n, found.drop) == (20.5, 100, 0.0)
    assert find_margin(small_then_large(0), [0.5], 0.01).margin == 0.5 * 39
    # Three mistakes at 41, 42 and 43 steps may not be answered by the first model.
    assert find_margin(small_then_large(3), [0.5], 0.0).margin == 0.5 * 44
    assert find_margin(small_then_large(3), [0.5], 0.03).drop == pytest.approx(0.03)


def test_a_margin_below_one_that_loses_more_is_not_taken():
    """Oracle: by hand. At 10 steps gains balance losses, at 30 they do not."""
    right = np.array([[1, 1, 0, 1], [1, 1, 1, 0]], float)
    models = Models(right, np.array([[90, 60, 30, 10], [0, 0, 0, 0]]))
    # With margins to 10 both models have three of four; from 11 to 30 the cascade loses none more
    # than the second model has wrong itself, and at 30 it has two.
    assert find_margin(models, [1.0], 0.0).margin == 31.0
    assert find_margin(models, [1.0], 0.25).margin == 0.0


def test_a_larger_margin_that_loses_more_by_chance_does_not_end_the_search():
    """Oracle: by hand. Of the surest two the first model has one right and the second both: one
    of 100 lost. Of the next two the first has both right and the second none."""
    right = np.ones((2, 100))
    right[0, 0], right[1, 2:4] = 0, 0
    steps = np.stack([np.full(100, 50), np.zeros(100)])
    steps[0, :2], steps[0, 2:4] = 200, 100
    chance = Models(right, steps)
    # 1 of 100 lost, standard error 0.995 of 100.
    assert find_margin(chance, [1.0], 0.0).margin == 201.0
    assert find_margin(chance, [1.0], 0.0001).margin == 0.0
    assert find_margin(chance, [1.0], 0.0001).drop == pytest.approx(-0.01)
    # Surer still, 3 lost and 2 won: 1 of 100 with a standard error of 2.2.
    right[0, 90:93], right[1, 93:95], steps[0, 90:95] = 0, 0, 220
    assert find_margin(Models(right, steps), [1.0], 0.0).margin == 0.0


def test_a_first_model_that_is_always_wrong_is_never_taken_at_its_word():
    models = Models(np.stack([np.zeros(5), np.ones(5)]), np.full((2, 5), 255))
    assert find_margin(models, [0.25], 0.0).margin == 256 * 0.25


def test_a_margin_becomes_whole_steps_rounded_up():
    """Oracle: by hand; 256 steps are never reached."""
    assert [least_steps(m, 0.5) for m in (0.0, 0.1, 0.5, 0.51, 1e9)] == [0, 1, 1, 2, 256]
    assert least_steps(3 * 0.1, 0.1) == 3  # 0.3 / 0.1 is 3.0000000000000004 in floats


def test_every_margin_that_tells_a_difference_is_tried():
    """Oracle: steps of two scales, by hand."""
    tried = all_margins([1.0, 0.4])
    assert tried[0] == 0
    assert {0.4, 0.8, 1.0, 256.0} <= set(tried)
    assert len(tried) == len(np.unique(tried))


def test_margins_and_who_is_sure_first_are_those_of_each_example():
    """Oracle: the same functions, example by example."""
    rng = np.random.default_rng(3)
    scores = rng.integers(-128, 128, (30, 5, 4)).astype(np.int8)
    np.testing.assert_array_equal(margins(scores), [margin(one) for one in scores])
    apart = rng.integers(0, 20, (3, 50))
    expected_who = [
        next((m for m, least in enumerate((8, 12)) if column[m] >= least), 2) for column in apart.T
    ]
    np.testing.assert_array_equal(first_sure(apart, np.array([8, 12])), expected_who)


@pytest.fixture(scope="module")
def examples():
    rng = np.random.default_rng(4)
    n = 60
    return Examples(
        inputs={
            "emg": rng.normal(size=(n, 24)).astype(np.float32),
            "acc": rng.normal(size=(n, 6)).astype(np.float32),
        },
        truth=rng.integers(0, N_CLASSES, n),
        class_names=tuple("abcd"),
        groups=Groups.each([str(i) for i in range(n)]),
        synthetic=True,
    )


INPUTS = {"tiny": ("emg",), "large one": ("acc", "emg"), "Tiny!": ("emg",), "which": ("acc",)}


@pytest.mark.parametrize("rule", ["cascade", "selector", "average"])
def test_every_way_decides_as_the_rule_and_the_oracle_is_best(rule, examples, tmp_path):
    """Oracle: `answer`, window by window, and the best of the models' own answers."""
    made = product(tmp_path, rule)
    said = ask(made.members[:3], INPUTS, examples, CLASSIFICATION)
    picking = (
        ask(made.members[3:], INPUTS, examples, CLASSIFICATION) if rule == "selector" else None
    )
    ways = {way.name: way for way in every_way(made, "ours", said, picking)}
    everyone = [*said.scores, *(picking.scores if picking else ())]
    for i in range(len(examples)):
        scores, who = answer(made.composition, made.common, lambda m, i=i: everyone[m][i : i + 1])
        assert ways["ours"].who[i] == who
        assert ways["ours"].scores[i].argmax() == scores[0].argmax()
    right = {
        name: CLASSIFICATION.shares_right(way.scores, examples.truth) for name, way in ways.items()
    }
    np.testing.assert_array_equal(right["oracle"], said.right.max(axis=0))
    for place, name in enumerate(made.composition.models):
        np.testing.assert_array_equal(right[name], said.right[place])
    assert ways["oracle"].ran is None


def test_an_expected_cost_is_that_of_the_models_that_ran(examples, tmp_path):
    """Oracle: by hand: a cascade runs all models up to the one that answers; a selector two."""
    costs = (1, 10, 100)
    made = product(tmp_path, "cascade")
    said = ask(made.members, INPUTS, examples, CLASSIFICATION)
    way = next(w for w in every_way(made, "ours", said, None) if w.kind == "product")
    assert set(way.who) == {0, 1, 2}
    assert expected(way.ran, costs) == pytest.approx(np.mean(np.array([1, 11, 111])[way.who]))
    assert expected(way.ran, (1, None, 100)) is None
    assert expected(None, costs) is None
