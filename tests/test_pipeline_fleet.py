"""Every fold and seed of a recipe. Oracle: trials of the same fold and seed, one by one."""

from __future__ import annotations

import pytest
from test_pipeline_trial import Told, dense, recipe

import kd_edge
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.files import sha256_file
from kd_edge.models import MODELS
from kd_edge.models.keras_start import load_keras

pytest.importorskip("tensorflow")


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    """Two seeds of two folds, trained one by one; the cache is this file's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        MODELS.add(dense, name="dense")
        out = tmp_path_factory.mktemp("fleet")
        yield kd_edge.train_fleet(recipe(), seeds=[1, 2], folds=["S1", "S3"], out=out), out
        MODELS.remove("dense")


def test_a_fleet_has_a_trial_for_every_seed_and_fold(fleet):
    """Oracle: `train_and_score` of each."""
    trained, out = fleet
    assert [(t.seed, t.held_out) for t in trained.trials] == [
        (1, "S1"),
        (1, "S3"),
        (2, "S1"),
        (2, "S3"),
    ]
    one = trained.trials[1]
    same = kd_edge.train_and_score(recipe(), seed=1, fold="S3")
    assert one.fold == same.fold == "without S3"
    assert one.students[0].figures == same.students[0].figures
    assert one.students[0].file == out / "seed-1" / "S3" / "student.keras"
    assert load_keras(one.students[0].file).count_params() == one.students[0].parameters
    files = {m.file for t in trained.trials for m in (*t.students, *t.teachers)}
    assert len({sha256_file(file) for file in files}) == 8


def test_a_fleet_goes_on_where_it_was_interrupted(fleet, tmp_path):
    """Oracle: the watch, which is told what is trained; another folder has the store's models."""
    told = Told()
    again = kd_edge.train_fleet(recipe(), seeds=[2, 3], folds=["S1"], out=tmp_path, watch=told)
    assert sum(told.epochs.values()) == 2  # a teacher and a student of seed 3
    old = fleet[0].trials[2]
    assert again.trials[0].students[0].figures == old.students[0].figures


def test_seeds_and_folds_that_there_are_not_are_refused():
    for seeds in ([], [1, 1]):
        with pytest.raises(KdEdgeError, match="each once") as caught:
            kd_edge.train_fleet(recipe(), seeds=seeds)
        assert caught.value.code == "KD_USAGE"
    with pytest.raises(KdEdgeError, match="no fold holds out 'S9'"):
        kd_edge.train_fleet(recipe(), seeds=[1], folds=["S9"], cache=False)
