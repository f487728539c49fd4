"""Other processes that train a build's models ahead of it.

A training keeps one core busy, so that its sums have one order. On more cores a build may have
workers: each reads the same recipe and takes models that nobody trains, from the last fold on, as
soon as those that they learn from are there. What they have trained lies in the user's store, where
the build finds it. Weights are the same whoever trains them. A worker that fails costs time alone.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path

from kd_edge.base.children import Child, DiedError, Tell, serve
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.files import own_path, write_text
from kd_edge.base.sources import code_digest
from kd_edge.distill.foreign.settings import TeacherFile
from kd_edge.distill.reproducible import one_order_of_sums
from kd_edge.models.keras_start import set_keras
from kd_edge.pipeline.context import WORK_FOLDER, Context, prepare
from kd_edge.pipeline.peers import other_trainers
from kd_edge.pipeline.selection.crossing import share_trainers
from kd_edge.pipeline.stages import key_of
from kd_edge.pipeline.training import FoldTrainer, Teacher
from kd_edge.pipeline.watch import Watch
from kd_edge.recipe import Recipe, load_recipe, to_toml

_POLL_S = 0.5
_FOLDER = "worker-"


@contextlib.contextmanager
def workers_ahead(context: Context, n_workers: int) -> Iterator[None]:
    """So many processes train models of a build while the block runs, this one among them.

    There are no more than models. Why there is none, and that a worker dies, is told as a note.
    When the block ends, they end: nothing is measured in it, while they keep the cores busy.
    """
    n_others = min(n_workers, _n_trained(context)) - 1
    why_not = _why_alone(context) if n_others > 0 else None
    if why_not is not None:
        context.watch.note(f"models are trained one after the other: {why_not}")
        n_others = 0
    with contextlib.ExitStack() as stack:
        for number in range(1, n_others + 1):
            stack.enter_context(_worker(context, number))
        yield


def clear_workers(out: Path) -> None:
    """Delete what workers of a build that was killed have left in its output folder."""
    for folder in own_path(out, WORK_FOLDER).glob(f"{_FOLDER}*"):
        if not folder.is_symlink():
            shutil.rmtree(folder, ignore_errors=True)


def _n_trained(context: Context) -> int:
    """Trainings of a build, without the selector's own."""
    recipe = context.recipe
    models = [
        model
        for model in (*recipe.teachers, *recipe.students)
        if not isinstance(model, TeacherFile) and not model.is_fitted
    ]
    shares = 0 if recipe.selector is None else recipe.selector.folds
    return len(models) * (len(context.folds) + shares)


def _why_alone(context: Context) -> str | None:
    """What keeps workers from helping."""
    import tensorflow as tf

    if not context.stages.store.keeps:
        return "workers need the cache"
    if context.dataset.examples.on_disk:
        return "its examples do not fit in memory, and each worker would write them once more"
    if tf.config.list_physical_devices("GPU"):
        return "one process has the GPU"
    return None


@contextlib.contextmanager
def _worker(context: Context, number: int) -> Iterator[None]:
    folder = own_path(context.out, f"{WORK_FOLDER}/{_FOLDER}{number}")
    recipe = context.recipe.reading(context.source)
    recipe = recipe.with_files(lambda file: str(Path(file).absolute()))
    write_text(folder / "recipe.toml", to_toml(recipe))
    job = {
        "recipe": str((folder / "recipe.toml").resolve()),
        "data": context.source and str(context.source.resolve()),
        "out": str(folder.resolve()),
        "home": str(context.out.resolve()),
        "fold": context.folds[0].held_out if len(context.folds) == 1 else None,
        "key": _key(context),
    }
    child = Child(__name__, name="worker", environment={})
    closing = threading.Event()

    def tell(text: str) -> None:
        context.watch.note(f"worker {number}: {text}")

    def work() -> None:
        files = child.folder / "job"
        try:
            files.mkdir()
            child.do(files, job, tell=tell)
        except (DiedError, KdEdgeError, OSError, ValueError) as error:
            if not closing.is_set():
                words = f"; {error.last_words}" if isinstance(error, DiedError) else ""
                tell(f"trains no more: {error}{words}")
        finally:
            child.close()  # the memory of its windows is the build's again

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        closing.set()
        try:
            child.close()
        finally:
            thread.join()
            shutil.rmtree(folder, ignore_errors=True)


def _key(context: Context) -> str:
    """Of what decides, beside the recipe, whether a worker's models are the build's."""
    return key_of(code_digest(FoldTrainer.__module__), context.same_on_any_cores, context.data.key)


class _FoldWork:
    """The models of one fold, as a worker takes them."""

    def __init__(self, make: Callable[[], FoldTrainer], recipe: Recipe):
        self._make = make
        self._roles = {model.name: "teacher" for model in recipe.teachers}
        # From the other end than the build, but first what others learn from.
        self._left = [*reversed(recipe.teachers), *reversed(recipe.students)]
        self._trained: dict[str, Teacher] = {}

    @cached_property
    def _trainer(self) -> FoldTrainer:
        return self._make()

    @property
    def is_done(self) -> bool:
        return not self._left

    def train_one(self) -> bool:
        """Train a model that is ready and that nobody trains, or take it from the store.

        Returns:
            False: there is none now.
        """
        trainer = self._trainer
        for model in self._left:
            role = self._roles.get(model.name, "student")
            ready = trainer.needs(model) <= self._trained.keys()
            if ready and not trainer.is_busy(model, role, self._trained):
                self._trained[model.name] = trainer.one(model, role, self._trained)
                self._left.remove(model)
                return True
        return False


def train_ahead(context: Context) -> None:
    """Train, or take from the store, every model of a build, from the last fold on."""
    folds = [_FoldWork(make, context.recipe) for make in reversed(_trainers(context))]
    while folds:
        # What is left is trained elsewhere, or learns from what is.
        if not any(fold.train_one() for fold in folds):
            time.sleep(_POLL_S)
        folds = [fold for fold in folds if not fold.is_done]


def _trainers(context: Context) -> list[Callable[[], FoldTrainer]]:
    """What makes the trainer of each fold, in the order in which a build comes to them."""
    selector = context.recipe.selector
    shares = [] if selector is None else share_trainers(context, selector.folds)
    return [lambda: FoldTrainer(context, context.data), *shares, *other_trainers(context)]


class _Telling(Watch):
    """Says which stage begins."""

    def __init__(self, say: Tell):
        self._say = say

    def stage(self, name: str, cached: bool) -> None:
        if not cached:
            self._say(name)

    def note(self, text: str) -> None:
        self._say(text)


def _work(job: dict, say: Tell) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the build ends its workers
    set_keras()
    with one_order_of_sums() as same_on_any_cores:
        context = prepare(
            load_recipe(Path(job["recipe"])),
            job["data"] and Path(job["data"]),
            Path(job["out"]),
            command="",
            cache=True,
            watch=_Telling(say),
            same_on_any_cores=same_on_any_cores,
            held_out=job["fold"],
            home=Path(job["home"]),
        )
        if _key(context) != job["key"]:
            say("would train other models: this program has other code, or other threads")
            return
        train_ahead(context)


if __name__ == "__main__":
    serve(_work)
