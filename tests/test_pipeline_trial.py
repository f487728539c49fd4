"""Trials share what they have in common. Oracle: which models the watch is told to be trained.

One recipe of small dense models, trained for an epoch; every figure is real.
"""

from __future__ import annotations

from collections import Counter

import pytest
from build_samples import RECIPE

import kd_edge
from kd_edge.base.errors import KdEdgeError
from kd_edge.distill.reproducible import one_order_of_sums
from kd_edge.models import MODELS
from kd_edge.pipeline.context import prepare
from kd_edge.pipeline.parts import fold_windows
from kd_edge.pipeline.store import user_store
from kd_edge.pipeline.training import FoldTrainer
from kd_edge.pipeline.watch import Watch
from kd_edge.recipe import Recipe, parse_recipe

pytest.importorskip("tensorflow")

TEACHER = RECIPE[RECIPE.index("[[teachers]]") : RECIPE.index('[[teachers]]\nname = "imu')]
SMALL = (
    RECIPE[: RECIPE.index("[[teachers]]")].replace('["S3"]', '"each"')
    + TEACHER.replace("epochs = 4", "epochs = 1").replace("conv-teacher", "dense")
    + '[[students]]\nname = "student"\nmodel = "dense"\nepochs = 1\nbatch_size = 16\n'
    + RECIPE[RECIPE.index("[distillation]") : RECIPE.index("ensemble")]
    + RECIPE[RECIPE.index("[conversion]") :]
)

ALONE = parse_recipe(
    SMALL.replace(SMALL[SMALL.index("[[teachers]]") : SMALL.index("[[students]]")], "")
    .replace("[distillation]", "distill = false\n[distillation]")
    .replace(RECIPE[RECIPE.index("[distillation]") : RECIPE.index("ensemble")], "")
)


def dense(input_shapes, n_classes):
    """A model that is traced and trained in a moment."""
    import keras

    windows = [keras.Input(shape, name=name) for name, shape in input_shapes.items()]
    flat = [keras.layers.Flatten()(window) for window in windows]
    joined = keras.layers.Concatenate()(flat) if len(flat) > 1 else flat[0]
    return keras.Model(windows, keras.layers.Dense(n_classes, name="logits")(joined))


class Told(Watch):
    """Counts the stages that are really done, and the epochs."""

    def __init__(self):
        self.done: Counter[str] = Counter()
        self.epochs: Counter[str] = Counter()
        self.steps: list[str] = []

    def stage(self, name: str, cached: bool) -> None:
        self.done[name] += not cached

    def epoch(self, progress) -> None:
        self.epochs[progress.model] += 1

    def step(self, what: str, done: int | None, total: int | None) -> None:
        self.steps.append(what)

    @property
    def worked(self) -> set[str]:
        return {name for name, count in self.done.items() if count}


def recipe(old: str = "", new: str = "") -> Recipe:
    assert old in SMALL
    return parse_recipe(SMALL.replace(old, new))


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """The first trial, which everything is made for; the cache is this file's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        MODELS.add(dense, name="dense")
        told = Told()
        yield kd_edge.train_and_score(recipe(), watch=told), told
        MODELS.remove("dense")


def again(asked: Recipe, **settings):
    told = Told()
    return kd_edge.train_and_score(asked, watch=told, **settings), told


def test_a_trial_gives_the_figures_of_every_model_on_every_test_part(first):
    """Oracle: the recipe; the parameters that Keras counts are 4 bytes each."""
    trial, told = first
    assert told.epochs == {"emg-expert": 1, "student": 1}
    assert (trial.title, trial.seed, trial.fold) == ("tiny", 1, "without S1")
    assert trial.synthetic
    assert trial.leaky == ("random split",)
    (student,), (teacher,) = trial.students, trial.teachers
    assert (student.name, teacher.name) == ("student", "emg-expert")
    for model in (student, teacher):
        assert list(model.figures) == ["unseen person", "random split"]
        assert model.float32_bytes == 4 * model.parameters > 0
        figure = model.figures["unseen person"]
        assert figure.n_recordings == 30
        assert figure.interval.low <= figure.value <= figure.interval.high


def test_the_same_trial_is_done_once(first):
    trial, told = again(recipe())
    assert trial == first[0]
    assert told.worked == set()
    assert "windows from the cache" in told.steps


def test_another_student_takes_the_teacher_and_its_answers(first):
    """Oracle: a student with another rate is another model, and nothing else is."""
    changed = recipe("batch_size = 16\n[distillation]", "batch_size = 8\n[distillation]")
    trial, told = again(changed)
    assert told.worked == {
        "train student",
        "accuracy of student.keras on unseen person",
        "accuracy of student.keras on random split",
    }
    assert told.done["answers of emg-expert"] == 0
    assert "answers of emg-expert" in told.done
    assert trial.teachers == first[0].teachers
    assert trial.students != first[0].students


def test_another_seed_or_fold_trains_its_own_models_on_the_same_windows(first, tmp_path):
    """Oracle: what does not depend on either is not done again; and a fold that stands at another
    place, as the second one of a build, is the same fold."""
    trial, told = again(recipe(), seed=2, fold="S2")
    assert (trial.seed, trial.fold) == (2, "without S2")
    assert told.epochs == {"emg-expert": 1, "student": 1}
    assert "windows from the cache" in told.steps
    assert "check the models" not in told.worked
    told.epochs.clear()
    asked = recipe("seed = 1", "seed = 2")
    with one_order_of_sums() as same:
        settings = {"command": "", "cache": True, "same_on_any_cores": same}
        context = prepare(asked, None, tmp_path, watch=told, **settings)
        second = fold_windows(context.dataset, context.folds[1], asked)
        trainer = FoldTrainer(context, second, folder="folds/S2/")
        trained = trainer.students(trainer.teachers())
    assert [model.file for model in trained] == ["folds/S2/student.keras"]
    assert told.epochs == {}


def test_a_fold_that_there_is_not_is_named(first):
    with pytest.raises(KdEdgeError) as caught:
        again(recipe(), fold="S22")
    assert caught.value.code == "KD_UNKNOWN_NAME"
    assert "did you mean 'S2'" in caught.value.message
    with pytest.raises(KdEdgeError, match="no fold holds out"):
        again(recipe('held_out = "each"', 'held_out = ["S3"]'), fold="S3")


def test_without_a_cache_nothing_is_taken_or_kept(first):
    """Oracle: the store's size, and what is read and trained."""
    before = user_store().size()
    _, told = again(ALONE, cache=False)
    assert "windows from the cache" not in told.steps
    assert "check the models" in told.worked
    assert told.epochs == {"student": 1}
    assert user_store().size() == before
