"""Other processes that train a build's models ahead of it.

A training keeps one core busy, so that its sums have one order. On more cores a build may have
workers: each reads the same recipe and takes models that nobody trains, from the last fold on, as
soon as those that they learn from are there. What they have trained lies in the user's store, where
the build finds it. Weights are the same whoever trains them. A worker that fails costs time alone.
"""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path

from kd_edge.base.children import Child, DiedError, Tell, serve
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.files import own_path, write_text
from kd_edge.distill.reproducible import one_order_of_sums
from kd_edge.models.keras_start import set_keras
from kd_edge.pipeline.context import WORK_FOLDER, Context, prepare
from kd_edge.pipeline.peers import other_trainers
from kd_edge.pipeline.selection.crossing import share_trainers
from kd_edge.pipeline.training import FoldTrainer, Teacher
from kd_edge.pipeline.watch import Watch
from kd_edge.recipe import Recipe, load_recipe, to_toml

_POLL_S = 0.5


@contextlib.contextmanager
def workers_ahead(context: Context, n_workers: int) -> Iterator[None]:
    """So many processes train models of a build while the block runs, this one among them.

    A worker that dies is told of as a note. When the block ends, they end.
    """
    with contextlib.ExitStack() as stack:
        if n_workers > 1 and not context.stages.store.keeps:
            context.watch.note("without a cache, models are trained one after the other")
        else:
            for number in range(1, n_workers):
                stack.enter_context(_worker(context, number))
        yield


@contextlib.contextmanager
def _worker(context: Context, number: int) -> Iterator[None]:
    folder = own_path(context.out, f"{WORK_FOLDER}/worker-{number}")
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "recipe.toml", to_toml(context.recipe.reading(context.source)))
    job = {
        "recipe": str((folder / "recipe.toml").resolve()),
        "data": context.source and str(context.source.resolve()),
        "out": str(folder.resolve()),
        "home": str(context.out.resolve()),
        "fold": context.folds[0].held_out if len(context.folds) == 1 else None,
    }
    child = Child(__name__, name="worker", environment={})
    closing = threading.Event()

    def work() -> None:
        try:
            child.do(child.folder, job)
        except (DiedError, KdEdgeError, OSError, ValueError) as error:
            if not closing.is_set():
                context.watch.note(f"worker {number} trains no more: {error}")

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        closing.set()
        child.close()
        thread.join()
        shutil.rmtree(folder, ignore_errors=True)


class _Line:
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
    lines = [_Line(make, context.recipe) for make in reversed(_trainers(context))]
    while lines:
        # What is left is trained elsewhere, or learns from what is.
        if not any(line.train_one() for line in lines):
            time.sleep(_POLL_S)
        lines = [line for line in lines if not line.is_done]


def _trainers(context: Context) -> list[Callable[[], FoldTrainer]]:
    """What makes the trainer of each fold, in the order in which a build comes to them."""
    selector = context.recipe.selector
    shares = [] if selector is None else share_trainers(context, selector.folds)
    return [lambda: FoldTrainer(context, context.data), *shares, *other_trainers(context)]


def _work(job: dict, _say: Tell) -> None:
    set_keras()
    with one_order_of_sums() as same_on_any_cores:
        context = prepare(
            load_recipe(Path(job["recipe"])),
            job["data"] and Path(job["data"]),
            Path(job["out"]),
            command="",
            cache=True,
            watch=Watch(),
            same_on_any_cores=same_on_any_cores,
            held_out=job["fold"],
            home=Path(job["home"]),
        )
        train_ahead(context)


if __name__ == "__main__":
    serve(_work)
