"""One search under way: hands out trainings, and takes what came of them."""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kd_edge.base.errors import KdEdgeError
from kd_edge.examples import Examples
from kd_edge.pipeline.context import fold_without, folds_of
from kd_edge.pipeline.dataset import Dataset, load_dataset
from kd_edge.pipeline.inside import Inside, folds_inside
from kd_edge.pipeline.names import check_names
from kd_edge.pipeline.stages import key_of
from kd_edge.pipeline.store import Store
from kd_edge.pipeline.trial import Trial
from kd_edge.pipeline.watch import Watch
from kd_edge.recipe import Budget, Recipe, Search, Student, with_values
from kd_edge.recipe.search import place_of, values_of
from kd_edge.tasks.figures import Figure
from kd_edge.trials.cost import Cost, beyond, measure_cost
from kd_edge.trials.job import Job, Outcome
from kd_edge.trials.study import Study

if TYPE_CHECKING:
    import optuna

# Over-budget trials cost seconds and are not counted; but a budget may leave nothing to train.
_LOOKED_AT = 10


@dataclass(frozen=True)
class Place:
    """Where a search runs.

    Attributes:
        data: the recordings; None for a reader that needs none.
        out: the folder of the study and its results.
        command: as typed, for the result's provenance.
        cache: whether the user's cache is used.
    """

    data: Path | None
    out: Path
    command: str
    cache: bool
    watch: Watch


def budget_of(recipe: Recipe, asked: Search) -> Budget:
    """The limits of a student; the bytes are the recipe's own if the search has none."""
    if asked.budget.int8_bytes is not None:
        return asked.budget
    return asked.budget.model_copy(update={"int8_bytes": recipe.conversion.max_int8_bytes})


def student_of(recipe: Recipe) -> Student:
    """The student that ships: the one that is scored."""
    return next(student for student in recipe.students if student.name == recipe.product_name)


@dataclass
class _Running:
    """A trial that is being trained."""

    trial: optuna.Trial
    recipe: Recipe
    facts: dict[str, Any]
    left: deque[Job]
    scores: list[float] = field(default_factory=list)


class Sweep:
    """Hands out trainings and takes their outcomes; `take`, `judge` and `done` are an executor's.

    Attributes:
        folds: to train in, as a job names them.
        error: the last one that a trial met; None if none did.
    """

    def __init__(self, recipe: Recipe, asked: Search, dataset: Dataset, store: Store, place: Place):
        self._recipe = recipe
        self._search = asked
        self._budget = budget_of(recipe, asked)
        self._dataset = dataset
        self._store = store
        self._place = place
        self._watch = place.watch
        self.folds = tuple(_folds(recipe, asked, dataset))
        # What figures depend on, so that a study holds nothing that cannot be compared.
        same = asked.model_dump(mode="json", exclude={"trials", "sampler", "pruner"})
        same["budget"] = self._budget.model_dump()
        self._study = Study(
            place.out,
            asked,
            name=key_of(recipe.sha256, same, dataset.key)[:16],
            seed=recipe.seed,
        )
        if retried := self._study.retry_interrupted():
            self._watch.note(f"goes on; {retried} that were interrupted are tried again")
        if (own := _own_values(recipe, asked)) is not None:
            self._study.begin_with(own)
        self._running: dict[str, _Running] = {}
        self._ready: deque[Job] = deque()
        self.error: KdEdgeError | None = None

    def take(self) -> Job | None:
        """The next training: of a trial that has begun, or the first of another."""
        if self._ready:
            return self._ready.popleft()
        while self._wants_more():
            if (job := self._begun()) is not None:
                return job
        return None

    def judge(self, job: Job, epoch: int, value: float) -> bool:
        """Whether the only training of a trial is to end after an epoch."""
        running = self._running.get(job.name)
        return running is not None and self._study.report(running.trial, epoch, value)

    def done(self, job: Job, outcome: Outcome) -> None:
        """A training has ended."""
        running = self._running.pop(job.name)
        trial, facts = running.trial, running.facts | {"scores": running.scores}
        if outcome.error is not None:
            self._failed(trial, outcome.error, facts)
            return
        if outcome.trial is None:
            self._study.prune(trial, **facts)
            self._tell(trial.number, "given up while it trained: its epochs did not promise enough")
            return
        running.scores.append(_score(outcome.trial, student_of(running.recipe).name))
        mean = statistics.fmean(running.scores)
        several = self.trainings > 1
        if several and running.left and self._study.report(trial, len(running.scores), mean):
            self._study.prune(trial, **facts)
            self._tell(trial.number, f"given up after {len(running.scores)} trainings")
        elif running.left:
            self._make_ready(running)
        else:
            self._study.complete(trial, mean, **facts)
            size = running.facts["cost"]["int8_bytes"]
            self._tell(trial.number, f"{100 * mean:.1f} % of the scored part, {size:,} B")

    def finished(self) -> list[optuna.trial.FrozenTrial]:
        """Every trial of the study with an outcome."""
        return self._study.finished()

    @property
    def trainings(self) -> int:
        """Of one trial."""
        return len(self.folds) * self._search.seeds

    def _wants_more(self) -> bool:
        """Whether another trial is to begin. What broke the budget was not trained."""
        finished = self._study.finished()
        over = sum("over" in trial.user_attrs for trial in finished)
        under_way = len({running.trial.number for running in self._running.values()})
        trained = len(finished) - over + under_way
        most = self._search.trials
        return trained < most and over < _LOOKED_AT * most

    def _begun(self) -> Job | None:
        """The first training of a new trial; None if the trial is not to be trained."""
        trial, values = self._study.ask()
        facts: dict[str, Any] = {}
        try:
            recipe = with_values(self._recipe, values, source="search.space")
            check_names(recipe)
            cost = self._cost(recipe)
        except KdEdgeError as error:
            self._failed(trial, error, facts)
            return None
        facts["cost"] = asdict(cost)
        if over := beyond(cost, self._budget):
            self._study.refuse(trial, over, **facts)
            self._tell(trial.number, f"over budget, not trained: {_named(over, cost)}")
            return None
        jobs = deque(self._jobs(trial.number, recipe))
        self._make_ready(_Running(trial, recipe, facts, jobs))
        return self._ready.popleft()

    def _cost(self, recipe: Recipe) -> Cost:
        """Of the student, on the shapes that the recipe's front end and windows give."""
        student, place = student_of(recipe), self._place
        dataset = load_dataset(recipe, place.data, store=self._store, progress=self._watch.step)
        examples: Examples = dataset.examples.only(recipe.inputs_of(student))
        return measure_cost(student, examples, self._budget, self._store)

    def _jobs(self, number: int, recipe: Recipe) -> Iterator[Job]:
        """Every seed of a fold, then the next fold."""
        for at, (fold, inside) in enumerate(self.folds):
            for seed in range(recipe.seed, recipe.seed + self._search.seeds):
                yield Job(
                    name=f"trial {number}, fold {at + 1}, seed {seed}",
                    recipe=recipe,
                    seed=seed,
                    fold=fold,
                    inside=inside,
                    judged=student_of(recipe).name if self.trainings == 1 else None,
                )

    def _make_ready(self, running: _Running) -> None:
        job = running.left.popleft()
        self._running[job.name] = running
        self._ready.append(job)

    def _failed(self, trial: optuna.Trial, error: KdEdgeError, facts: dict[str, Any]) -> None:
        self.error = error
        self._study.fail(trial, error, **facts)
        self._tell(trial.number, f"failed: {error.message}")

    def _tell(self, number: int, what: str) -> None:
        self._watch.note(f"trial {number}: {what}")


def _folds(recipe: Recipe, asked: Search, dataset: Dataset) -> Iterator[tuple[str | None, Inside]]:
    """The folds to score in, as a job names them."""
    outer = folds_of(recipe, dataset)
    chosen = outer[:1]
    if asked.folds is not None:
        chosen = tuple(fold_without(outer, name) for name in asked.folds)
    for fold in chosen:
        for inner in folds_inside(dataset.recordings, fold, recipe, asked.score):
            yield fold.held_out, Inside(asked.score, inner.held_out)


def _own_values(recipe: Recipe, asked: Search) -> dict[str, Any] | None:
    """The recipe's own values, if they all lie in the space."""
    tables, found = values_of(recipe), {}
    for key, values in asked.space.items():
        node, place = place_of(tables, key)
        own = node[place] if isinstance(node, list) else node.get(place)
        if own is None or not values.holds(own):
            return None
        found[key] = own
    return found


def _score(trial: Trial, student: str) -> float:
    """Of the student on the part that was set apart.

    Behind a running normaliser the lower of two orders counts: one that knows the protocol's order
    in place of the wearer is not chosen for it.
    """
    (figures,) = [model.figures for model in trial.students if model.name == student]
    name, figure = next(iter(figures.items()))
    shuffled: Figure = figures.get(f"{name}, shuffled", figure)
    return min(figure.value, shuffled.value)


def _named(over: dict[str, float], cost: Cost) -> str:
    found = asdict(cost)
    return ", ".join(
        f"{name} {'unknown' if found[name] is None else format(found[name], ',')}" for name in over
    )
