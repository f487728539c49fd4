"""A selector from a recipe: whom it learns to pick, out of sample, and what it gives."""

from __future__ import annotations

import numpy as np
import pytest

from kd_edge.base.errors import ExitStatus, KdEdgeError
from kd_edge.cli import run
from kd_edge.distill.selector import best_students
from kd_edge.examples import Examples, Groups
from kd_edge.pipeline.bundle import load_manifest
from kd_edge.pipeline.kept_windows import load_windows
from kd_edge.pipeline.selection.crossing import _without, deal, places
from kd_edge.pipeline.selection.picking import _check_telling
from kd_edge.recipe import parse_recipe, to_toml
from kd_edge.report.json import from_json
from kd_edge.runtimes.interpreter import model_inputs, one_window
from kd_edge.runtimes.registry import open_interpreter
from kd_edge.splits import Fold, SplitPart

RECIPE = """
name = "picked-digits"
[dataset]
reader = "digits"
[images]
size = [8, 8]
channels = "grey"
range = [-1.0, 1.0]
resize = "stretch"
[[split.test]]
kind = "random"
fraction = 0.2
[split.validation]
kind = "random"
fraction = 0.2
[[students]]
name = "wide"
model = "image-cnn"
options = { width = 8, blocks = 1 }
epochs = 2
learning_rate = 0.004
distill = false
[[students]]
name = "deep"
model = "image-cnn"
options = { width = 4, blocks = 2 }
epochs = 2
learning_rate = 0.006
distill = false
[augmentation]
copies = 1
noise = 0.05
[conversion]
formats = ["float32", "int8"]
calibration_windows = 16
max_drop_points = 100.0
[proof]
parity_windows = 16
min_agreement = 0.1
latency_runs = 20
[firmware]
golden_vectors = 6
[product]
name = "picked"
rule = "selector"
models = ["wide", "deep"]
"""
SELECTOR = """
[selector]
model = "picking-cnn"
options = { width = 4 }
epochs = 2
folds = 2
"""


def test_the_student_to_whom_the_label_is_most_probable_is_picked():
    """Oracle: by hand. The half tells on which the probabilities differ most, if they do at all."""
    probable = np.array([[0.9, 0.30, 0.02, 0.40], [0.1, 0.35, 0.03, 0.51], [0.7, 0.3, 0.01, 0.5]])
    picks = best_students(-np.log(probable))
    np.testing.assert_array_equal(picks.best, [0, 1, 1, 1])
    np.testing.assert_array_equal(picks.telling, [True, False, False, True])
    assert not best_students(np.ones((2, 3))).telling.any()


def test_students_that_say_the_same_leave_a_selector_nothing_to_learn():
    """Oracle: the error; with eight examples that tell it passes."""
    probable = np.full((2, 20), 0.5)
    probable[0, :7] = 0.6
    with pytest.raises(KdEdgeError, match="fewer than 8 of 20") as caught:
        _check_telling(best_students(-np.log(probable)))
    assert caught.value.code == "KD_EMPTY_PART"
    probable[0, 7] = 0.6
    _check_telling(best_students(-np.log(probable)))


def test_whole_people_are_dealt_into_shares_of_nearly_one_size():
    """Oracle: by hand: 5, then 4, 4 + 3, 5 + 2, and 2 more: no share is a person larger."""
    units = list("aaaaabbbbcccddee")
    shares = deal(units, 2, seed=1)
    assert sorted(np.bincount(shares)) == [7, 9]
    assert all(len({s for u, s in zip(units, shares, strict=True) if u == unit}) == 1
               for unit in "abcde")  # fmt: skip
    with pytest.raises(KdEdgeError) as caught:
        deal(["a", "b"], 3, seed=1)
    assert caught.value.code == "KD_EMPTY_PART"


def test_an_example_is_found_again_in_the_part_that_it_was_taken_from():
    """Oracle: the examples' own values, in recordings of several windows."""
    owners = [3, 3, 1, 1, 1, 3, 2]
    whole = examples_of(owners, np.arange(7.0))
    part = whole.take(np.array([0, 1, 5, 6]))
    other = part.take(np.array([3, 0, 1, 2]))
    at = places(whole, other)
    np.testing.assert_array_equal(whole.inputs["x"][at], other.inputs["x"])


def examples_of(owners, values):
    names = tuple(str(i) for i in range(4))
    blank = np.full(len(owners), "")
    return Examples(
        inputs={"x": values[:, None, None].astype(np.float32)},
        truth=np.zeros(len(owners), np.int64),
        class_names=("a", "b"),
        groups=Groups(np.array(owners), blank, blank, blank, names),
        synthetic=True,
    )


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("", "selector"),
        (SELECTOR.replace("folds = 2", "folds = 1"), "selector.folds"),
        (SELECTOR + 'name = "wide"', "selector.name"),
        (SELECTOR + 'inputs = ["sound"]', "selector.inputs"),
        (SELECTOR + 'teachers = ["wide"]', "selector.teachers"),
        (SELECTOR.replace("epochs = 2", ""), "selector"),
    ],
)
def test_a_selector_that_does_not_fit_is_told_by_its_key(text, key):
    with pytest.raises(KdEdgeError) as caught:
        parse_recipe(RECIPE + text)
    assert caught.value.code == "KD_RECIPE_VALUE"
    assert key in caught.value.where


def test_a_recipe_with_a_selector_is_written_and_read_again():
    recipe = parse_recipe(RECIPE + SELECTOR)
    assert parse_recipe(to_toml(recipe)) == recipe
    without = RECIPE.partition("[product]")[0]
    assert "selector" not in parse_recipe(without).to_json()


def test_a_selector_without_its_rule_is_refused():
    with pytest.raises(KdEdgeError, match="only a product with the rule 'selector'"):
        parse_recipe(RECIPE.partition("[product]")[0] + SELECTOR)


@pytest.fixture(scope="module")
def picked(tmp_path_factory, cache, converter):
    pytest.importorskip("sklearn")
    folder = tmp_path_factory.mktemp("picked")
    (folder / "recipe.toml").write_text(RECIPE + SELECTOR)
    assert run(["build", str(folder / "recipe.toml"), "--out", str(folder / "out")]) == 0
    return folder / "out"


def test_a_build_ships_students_and_the_selector_that_it_trained(picked):
    """Oracle: each model alone in TFLite Micro, and the selector's largest score by hand."""
    manifest = load_manifest(picked)
    report = from_json((picked / "report.json").read_text())
    assert manifest.composition.members == ("wide", "deep", "selector")
    part = report.parts[0].name
    windows = load_windows(picked / "bench.npz", manifest).parts[part]
    said = {}
    for name in manifest.composition.members:
        session = open_interpreter("tflm", picked / manifest.model(name).format("int8").file)
        arrays = model_inputs(session, windows)
        said[name] = np.array(
            [session.run(one_window(arrays, i))[0][0] for i in range(len(windows))]
        )
    assert said["selector"].shape[1] == 2
    who = said["selector"].argmax(axis=1)
    decided = np.where(who == 0, said["wide"].argmax(axis=1), said["deep"].argmax(axis=1))
    row = next(r for r in report.rows if (r.model, r.runtime) == ("picked", "tflm"))
    assert row.accuracy[part].accuracy == pytest.approx(np.mean(decided == windows.truth))
    ways = {
        way.name: next(f for f in way.figures if f.part == part) for way in report.selection.ways
    }
    assert ways["picked"].value == pytest.approx(row.accuracy[part].accuracy)
    sizes = {r.model: r.size for r in report.rows if (r.format, r.runtime) == ("int8", "tflm")}
    runs = np.where(who == 0, sizes["wide"].macs, sizes["deep"].macs) + sizes["selector"].macs
    assert ways["picked"].macs == pytest.approx(runs.mean())
    (parity,) = [p for p in report.parity if p.kind == "engines"]
    assert (parity.model, parity.max_steps) == ("picked", 0)


def test_a_share_is_learned_by_nobody_who_answers_it():
    """Oracle: sets; the share is the only test part, and the validation part stays as it is."""
    train = SplitPart("train", "train", "train", np.arange(3, 12), None, 0)
    validation = SplitPart("validation", "validation", "random", np.arange(3), None, 0)
    whole = Fold("whole", train, validation, ())
    for place, held in enumerate((np.array([3, 5, 8]), np.array([4, 6, 7, 9, 10, 11]))):
        fold = _without(whole, held, place)
        learned = set(fold.train.indices.tolist()) | set(fold.validation.indices.tolist())
        (answered,) = fold.tests
        assert set(answered.indices.tolist()) == set(held.tolist())
        assert not learned & set(held.tolist())
        assert learned | set(held.tolist()) == set(range(12))


def test_the_students_that_a_selector_learned_from_saw_other_shares(picked):
    """Oracle: the files of both shares' students: other weights than those that ship."""
    shipped = (picked / "wide.keras").read_bytes()
    crossed = [(picked / f".work/cross-{i}/wide.keras").read_bytes() for i in (1, 2)]
    assert len({shipped, *crossed}) == 3


def test_a_second_build_trains_nothing_again(picked, capfd):
    recipe = picked.parent / "recipe.toml"
    assert run(["build", str(recipe), "--out", str(picked)]) == ExitStatus.OK
    err = capfd.readouterr().err
    assert "work  train" not in err
