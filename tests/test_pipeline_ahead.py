"""Workers that train a build's models ahead of it. Oracle: the bytes that one process trains."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("tensorflow")

from adding import added

from kd_edge.base.processes import python_environment
from kd_edge.distill.augmentations import AUGMENTATIONS, make_augmentations
from kd_edge.distill.augmentations.gain import Gain
from kd_edge.distill.augmentations.noise import Noise
from kd_edge.pipeline import ahead
from kd_edge.pipeline.ahead import workers_ahead
from kd_edge.pipeline.context import prepare
from kd_edge.pipeline.selection.crossing import share_trainers
from kd_edge.pipeline.stages import Asked, Stages
from kd_edge.pipeline.store import Store, cache_folder
from kd_edge.pipeline.training import FoldTrainer
from kd_edge.pipeline.watch import Watch
from kd_edge.recipe import parse_recipe

# A table between numbers: as TOML is written, it comes behind them.
RECIPE = """
name = "ahead"
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
[augmentation]
copies = 1
move-picture = { degrees = 5, shift = 0.1, zoom = 0, mirror = 0 }
gain = 0.1
[[teachers]]
name = "teacher"
model = "image-cnn"
options = { width = 8, blocks = 1 }
epochs = 1
[[students]]
name = "narrow"
model = "image-cnn"
options = { width = 4, blocks = 1 }
epochs = 1
[[students]]
name = "alone"
model = "image-cnn"
options = { width = 4, blocks = 1 }
epochs = 1
distill = false
[distillation]
loss = "hinton"
temperature = 3.0
alpha = 0.5
[product]
name = "picked"
rule = "selector"
models = ["narrow", "alone"]
[selector]
model = "picking-cnn"
options = { width = 4 }
epochs = 1
folds = 2
"""
MODELS = ("teacher", "narrow", "alone")
IN_ONE_PROCESS = """
import sys
from pathlib import Path
from kd_edge.models.keras_start import set_keras
set_keras()
from kd_edge.distill.reproducible import one_order_of_sums
with one_order_of_sums() as same:
    sys.path.insert(0, sys.argv[1])
    from test_pipeline_ahead import asked
    from kd_edge.pipeline.training import FoldTrainer
    context = asked(Path(sys.argv[2]), cache=False, same=same)
    trainer = FoldTrainer(context, context.data)
    trainer.students(trainer.teachers())
"""


class Told(Watch):
    """Keeps what it is told."""

    def __init__(self):
        self.stages: list[tuple[str, bool]] = []
        self.notes: list[str] = []

    def stage(self, name, cached):
        self.stages.append((name, cached))

    def note(self, text):
        self.notes.append(text)

    def trained(self) -> list[tuple[str, bool]]:
        """Model, and whether another had trained it."""
        of = "train "
        return [(name.removeprefix(of), kept) for name, kept in self.stages if name.startswith(of)]


def asked(out: Path, *, cache=True, same=True, watch=None):
    return prepare(
        parse_recipe(RECIPE, source="ahead.toml"), None, out,
        command="", cache=cache, watch=watch or Watch(), same_on_any_cores=same,
    )  # fmt: skip


def wait_for(n_models: int) -> None:
    """Until the store has so many trained networks."""
    until = time.monotonic() + 300
    while len([*cache_folder().glob("[0-9a-f]*/*.keras")]) < n_models:
        assert time.monotonic() < until
        time.sleep(0.2)


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.usefixtures("own_cache")
def test_a_worker_trains_all_that_a_build_does_to_the_same_bytes(tmp_path):
    """Oracle: a process of its own that trains the recipe as it was written, without a cache."""
    told = Told()
    context = asked(tmp_path / "first", watch=told)
    with workers_ahead(context, 2):
        wait_for(9)  # of the fold, and of the two shares that the selector learns from
    folders = ("", ".work/cross-1/", ".work/cross-2/")
    notes = [f"worker 1: train {folder}{name}" for folder in folders for name in MODELS]
    assert {*notes} <= {*told.notes}
    told = Told()
    context = asked(tmp_path / "build", watch=told)
    makers = share_trainers(context, 2)
    for trainer in (FoldTrainer(context, context.data), *(make() for make in makers)):
        trainer.students(trainer.teachers())
    assert told.trained() == [(f"{folder}{name}", True) for folder in folders for name in MODELS]
    here = str(Path(__file__).parent)
    command = [sys.executable, "-c", IN_ONE_PROCESS, here, str(tmp_path / "alone")]
    subprocess.run(command, check=True, capture_output=True, env=python_environment())
    for name in MODELS:
        file = f"{name}.keras"
        assert (tmp_path / "build" / file).read_bytes() == (tmp_path / "alone" / file).read_bytes()
    assert not (tmp_path / "first" / ".work" / "worker-1").exists()


def test_the_order_in_which_augmentations_are_written_changes_nothing():
    """Oracle: TOML, whose tables have no order. A user's come before what mixes."""
    with added((AUGMENTATIONS, "b", Noise), (AUGMENTATIONS, "a", Gain)):
        tables = {"mix": 0.2, "b": 0.1, "a": 0.1, "warp": 0.1, "gain": {"deviation": 0.2}}
        made = make_augmentations(tables)
        assert [type(each).__name__ for each in made] == ["Gain", "Warp", "Gain", "Noise", "Mix"]
        assert make_augmentations({name: tables[name] for name in sorted(tables)}) == made


@pytest.mark.usefixtures("own_cache")
def test_a_build_begins_with_what_nobody_else_trains(tmp_path, monkeypatch):
    """Oracle: the order of the recipe, with what is busy behind it; models come back in it."""
    busy = {"narrow"}
    monkeypatch.setattr(FoldTrainer, "is_busy", lambda self, model, *more: model.name in busy)
    told = Told()
    context = asked(tmp_path / "out", watch=told)
    trainer = FoldTrainer(context, context.data)
    students = trainer.students(trainer.teachers())
    assert [name for name, _ in told.trained()] == ["teacher", "alone", "narrow"]
    assert [student.name for student in students] == ["narrow", "alone"]


class Trainer:
    """Of a fold: remembers what it is asked to train; another process has what is busy."""

    def __init__(self, busy=()):
        self.begun: list[str] = []
        self.busy = set(busy)

    def needs(self, model):
        return {"teacher"} if model.name == "narrow" else set()

    def is_busy(self, model, role, trained):
        assert role == ("teacher" if model.name == "teacher" else "student")
        return model.name in self.busy

    def one(self, model, role, trained):
        assert self.needs(model) <= trained.keys()
        self.begun.append(model.name)
        return model


def test_a_worker_begins_at_the_other_end_with_what_is_ready_and_free():
    """Oracle: the recipe's order, from its end on, but teachers before who learns from them."""
    recipe = parse_recipe(RECIPE, source="ahead.toml")
    trainer = Trainer()
    work = ahead._FoldWork(lambda: trainer, recipe)
    while not work.is_done:
        assert work.train_one()
    assert trainer.begun == ["teacher", "alone", "narrow"]
    trainer = Trainer(busy=["teacher"])
    work = ahead._FoldWork(lambda: trainer, recipe)
    assert [work.train_one(), work.train_one()] == [True, False]
    assert trainer.begun == ["alone"]  # whose teacher is busy is not ready
    trainer.busy.clear()
    assert [work.train_one(), work.train_one(), work.is_done] == [True, True, True]
    assert trainer.begun == ["alone", "teacher", "narrow"]


def test_a_stage_is_busy_while_it_is_made(tmp_path):
    """Oracle: the stage itself, asked from within and after it."""
    store = Store(tmp_path / "store")
    stages, others = Stages(tmp_path / "a", store=store), Stages(tmp_path / "b", store=store)

    def make():
        return others.is_busy("key", make)

    (tmp_path / "a").mkdir()
    (value,) = stages.run_together([Asked("work", "key", ())], make, lambda _: [make()])
    assert value is True
    assert not others.is_busy("key", make)
    assert not Stages(tmp_path / "c").is_busy("key", make)  # nothing is kept, so nobody is known


@pytest.mark.usefixtures("own_cache")
def test_why_a_worker_does_not_help_is_told(tmp_path, monkeypatch):
    def notes(n_workers, **changes) -> list[str]:
        told = Told()
        with workers_ahead(replace(asked(tmp_path / "out", watch=told), **changes), n_workers):
            until = time.monotonic() + 120
            while n_workers > 1 and not told.notes and time.monotonic() < until:
                time.sleep(0.1)
        return told.notes

    assert notes(1) == []
    alone = "models are trained one after the other: "
    assert notes(2, stages=Stages(tmp_path / "out")) == [f"{alone}workers need the cache"]
    large = SimpleNamespace(examples=SimpleNamespace(on_disk=True))
    (said,) = notes(2, dataset=large)
    assert said.startswith(f"{alone}its examples do not fit in memory")
    with monkeypatch.context() as patch:
        patch.setattr("tensorflow.config.list_physical_devices", lambda kind: [kind])
        assert notes(2) == [f"{alone}one process has the GPU"]
    (other,) = notes(2, same_on_any_cores=False)
    assert other.startswith("worker 1: would train other models")
    monkeypatch.setattr(ahead, "to_toml", lambda recipe: "no recipe")
    (failed,) = notes(2)
    assert failed.startswith("worker 1: trains no more: ")
    (tmp_path / "out" / ".work" / "worker-7").mkdir()
    ahead.clear_workers(tmp_path / "out")
    assert not [*(tmp_path / "out" / ".work").glob("worker-*")]
