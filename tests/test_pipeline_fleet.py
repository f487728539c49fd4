"""Every fold and seed of a recipe. Oracle: the same models, one by one."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from test_pipeline_trial import Told, dense, recipe

import kd_edge
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.files import sha256_file
from kd_edge.distill.losses import LOSSES
from kd_edge.examples import Examples, Groups
from kd_edge.models import MODELS
from kd_edge.models.keras_start import load_keras
from kd_edge.pipeline import fleet as fleet_module
from kd_edge.pipeline import together
from kd_edge.recipe.tables import Augmentation

pytest.importorskip("tensorflow")
pytest.importorskip("jax")


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    """Two seeds of two folds, trained together; the cache is this file's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        MODELS.add(dense, name="dense")
        out = tmp_path_factory.mktemp("fleet")
        yield kd_edge.train_fleet(recipe(), seeds=[1, 2], folds=["S1", "S3"], out=out), out
        MODELS.remove("dense")


def test_a_fleet_has_a_trial_for_every_seed_and_fold(fleet):
    """Oracle: the recipe, and the files."""
    trained, out = fleet
    assert trained.road == "together on JAX"
    assert [(t.seed, t.held_out) for t in trained.trials] == [
        (1, "S1"),
        (1, "S3"),
        (2, "S1"),
        (2, "S3"),
    ]
    one = trained.trials[1]
    assert one.fold == "without S3"
    assert list(one.students[0].figures) == ["unseen person", "random split"]
    assert one.students[0].file == out / "seed-1" / "S3" / "student.keras"
    assert load_keras(one.students[0].file).count_params() == one.students[0].parameters
    files = {m.file for t in trained.trials for m in (*t.students, *t.teachers)}
    assert len({sha256_file(file) for file in files}) == 8


def test_a_fleet_has_the_figures_of_models_trained_one_by_one(fleet):
    """Oracle: the trainer. Nothing of this recipe is random but the start and the order, which
    are the same: what differs is rounding. Two windows may lie on the edge."""
    alone = kd_edge.train_fleet(recipe(), seeds=[1, 2], folds=["S1", "S3"], one_by_one=True)
    assert (alone.road, alone.why) == ("one by one on TensorFlow", "")
    for ours, theirs in zip(fleet[0].trials, alone.trials, strict=True):
        assert (ours.seed, ours.fold) == (theirs.seed, theirs.fold)
        for model, same in zip(ours.students, theirs.students, strict=True):
            assert same.file is None
            for part, figure in model.figures.items():
                assert abs(figure.value - same.figures[part].value) <= 2.01 / figure.n_windows


def test_teachers_in_a_folder_that_is_named_from_here_are_asked_in_each_step(fleet, monkeypatch):
    """The child works in a folder of its own. Oracle: the student's file."""
    monkeypatch.chdir(fleet[1])
    augmented = recipe().model_copy(update={"augmentation": Augmentation(copies=1, gain=0.1)})
    trained = kd_edge.train_fleet(augmented, seeds=[1], folds=["S1"], out="from here")
    assert trained.road == "together on JAX"
    assert trained.trials[0].students[0].file.is_file()


def test_a_fleet_goes_on_where_it_was_interrupted(fleet, tmp_path):
    """Oracle: the watch. The first call dies between the teachers and the students; the second one
    trains what is missing, and another folder has the store's models."""

    class Dies(Told):
        def epoch(self, progress) -> None:
            if progress.model.startswith("student"):
                raise KeyboardInterrupt
            super().epoch(progress)

    asked = {"seeds": [2, 3], "folds": ["S1"]}
    with pytest.raises(KeyboardInterrupt):
        kd_edge.train_fleet(recipe(), **asked, out=tmp_path / "a", watch=Dies())
    told = Told()
    again = kd_edge.train_fleet(recipe(), **asked, out=tmp_path / "b", watch=told)
    assert dict(told.epochs) == {"student, 1 together": 1}
    old = fleet[0].trials[2]
    assert again.trials[0].students[0].figures == old.students[0].figures
    assert again.trials[0].students[0].file.read_bytes() == old.students[0].file.read_bytes()


def test_what_a_fleet_cannot_do_is_refused_by_name(fleet, monkeypatch):
    class Mine(LOSSES["labels"]):
        pass

    mine = recipe('loss = "hinton"\ntemperature = 3.0', 'loss = "mine"')
    LOSSES.add(Mine, name="mine")
    try:
        with pytest.raises(KdEdgeError, match="the loss 'mine'") as caught:
            kd_edge.train_fleet(mine, seeds=[1], folds=["S1"])
    finally:
        LOSSES.remove("mine")
    assert caught.value.code == "KD_FLEET_REFUSED"
    taking = recipe('name = "student"', 'name = "student"\nlayers_from = "emg-expert"')
    examples = Examples(
        inputs={"emg": np.zeros((1, 2, 3, 1))}, truth=np.zeros(1, int),
        groups=Groups.each(["r"], subject="S1"), class_names=("a", "b"),
    )  # fmt: skip
    with pytest.raises(KdEdgeError, match="the key 'layers_from' of student"):
        together.check_together(taking, examples)
    # A key that somebody adds to recipes and a fleet does not follow yet.
    monkeypatch.setattr(together, "_MODEL_KEYS", together._MODEL_KEYS - {"batch_size"})
    with pytest.raises(KdEdgeError, match="the key 'batch_size' of emg-expert"):
        kd_edge.train_fleet(recipe(), seeds=[1], folds=["S1"])


def test_what_a_fleet_refuses_is_trained_one_by_one_and_other_errors_stand():
    """Oracle: what was asked for, and what was told."""
    asked, told = [], []

    def train(one_by_one, code="KD_FLEET_REFUSED"):
        asked.append(one_by_one)
        if not one_by_one:
            raise KdEdgeError(code, "no")
        return "trained"

    watch = SimpleNamespace(note=told.append)
    assert fleet_module.by_either_road(train, watch) == "trained"
    assert asked == [None, True]
    assert told == ["trains one by one: no"]
    assert fleet_module.by_either_road(train, watch, one_by_one=True) == "trained"
    assert asked == [None, True, True]
    with pytest.raises(KdEdgeError, match="no"):
        fleet_module.by_either_road(lambda alone: train(alone, "KD_FLEET_CRASH"), watch)
    assert asked[3:] == [None]


def test_without_jax_models_are_trained_one_by_one_and_the_result_says_so(fleet, monkeypatch):
    """Oracle: the error's code, and the reason in the result."""
    find = fleet_module.importlib.util.find_spec
    monkeypatch.setattr(
        fleet_module.importlib.util, "find_spec", lambda n: None if n == "jax" else find(n)
    )
    with pytest.raises(KdEdgeError) as caught:
        kd_edge.train_fleet(recipe(), seeds=[1], one_by_one=False)
    assert caught.value.code == "KD_MISSING_PACKAGE"
    assert "kd-edge[fleets]" in caught.value.hint
    trained = kd_edge.train_fleet(recipe(), seeds=[1], folds=["S1"])
    assert trained.road == "one by one on TensorFlow"
    assert "'jax', which is not installed" in trained.why


def test_seeds_and_folds_that_there_are_not_are_refused():
    for seeds in ([], [1, 1]):
        with pytest.raises(KdEdgeError, match="each once") as caught:
            kd_edge.train_fleet(recipe(), seeds=seeds)
        assert caught.value.code == "KD_USAGE"
    with pytest.raises(KdEdgeError, match="no fold holds out 'S9'"):
        kd_edge.train_fleet(recipe(), seeds=[1], folds=["S9"], cache=False)
