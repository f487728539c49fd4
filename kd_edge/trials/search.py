"""`search`: values of a recipe that do best on people or days inside training, under a budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.files import write_text
from kd_edge.models.keras_start import set_keras
from kd_edge.pipeline.dataset import Dataset, load_dataset
from kd_edge.pipeline.lock import locked
from kd_edge.pipeline.names import check_names
from kd_edge.pipeline.reporting import provenance
from kd_edge.pipeline.store import user_store
from kd_edge.recipe import Recipe, Search, to_toml, with_values
from kd_edge.report import words
from kd_edge.report.search_html import render_search
from kd_edge.report.search_tree import (
    COMPLETE,
    FAILED,
    OVER,
    PRUNED,
    SCHEMA_VERSION,
    SearchReport,
    SearchTrial,
    best_of,
    front_of,
)
from kd_edge.tasks.figures import Accuracy, Overlap
from kd_edge.trials.cost import check_budget
from kd_edge.trials.executors import Executor
from kd_edge.trials.study import shown
from kd_edge.trials.sweep import Place, Sweep, budget_of, student_of

if TYPE_CHECKING:
    import optuna

BEST_FILE, RESULT_FILE, PAGE_FILE = "best.toml", "search.json", "search.html"


def search(recipe: Recipe, asked: Search, executor: Executor, place: Place) -> SearchReport:
    """Try values of a recipe until as many trials as asked have an outcome, and write what came.

    Trials are scored inside what the recipe's folds learn from. No figure of a test part is
    computed. A search that was killed or interrupted goes on with the same study.

    Raises:
        KdEdgeError: as `train_and_score`. KD_RECIPE_VALUE: the recipe ships several students.
            KD_OUTPUT: another process works in the folder. What a trial alone meets is noted with
            it; if no trial has a score, the last such error is raised.
    """
    set_keras()
    _check(recipe, asked)
    place.out.mkdir(parents=True, exist_ok=True)
    with locked(place.out):
        store = user_store(place.cache, note=place.watch.note)
        dataset = load_dataset(recipe, place.data, store=store, progress=place.watch.step)
        sweep = Sweep(recipe, asked, dataset, store, place)
        executor.run(sweep.take, judge=sweep.judge, done=sweep.done)
        report = _report(recipe, asked, dataset, sweep, place)
        if report.best is None and sweep.error is not None:
            raise sweep.error
        _write(recipe, report, place)
    return report


def _check(recipe: Recipe, asked: Search) -> None:
    """Everything that the recipe and its space name is known, before any work."""
    if recipe.product is not None and len(recipe.product.models) > 1:
        raise KdEdgeError(
            "KD_RECIPE_VALUE",
            "a search scores one student, and [product] ships several",
            where="product.models",
            hint="search each student alone, then compose the product",
        )
    check_names(recipe)
    check_budget(budget_of(recipe, asked))
    for key, values in asked.space.items():
        for value in values.ends:
            try:
                check_names(with_values(recipe, {key: value}))
            except KdEdgeError as error:
                raise KdEdgeError(
                    error.code,
                    error.message,
                    where=f"search.space, {key} = {value!r}, {error.where or ''}".rstrip(", "),
                    hint=error.hint,
                ) from error


def _report(
    recipe: Recipe, asked: Search, dataset: Dataset, sweep: Sweep, place: Place
) -> SearchReport:
    trials = tuple(_told(trial, asked) for trial in sweep.finished())
    return SearchReport(
        schema_version=SCHEMA_VERSION,
        title=recipe.name,
        synthetic=dataset.examples.synthetic,
        provenance=provenance(place.command, recipe.sha256),
        student=student_of(recipe).name,
        scored_on=_scored_on(asked, len(sweep.folds)),
        measured=_measured(recipe, dataset),
        trainings=sweep.trainings,
        budget=budget_of(recipe, asked).model_dump(exclude_none=True),
        trials=trials,
        best=best_of(trials),
        front=front_of(trials),
    )


def _scored_on(asked: Search, folds: int) -> str:
    part = "the recipe's validation part, on which epochs are chosen as well"
    if asked.score is not None:
        part = f"'{asked.score.title}', set apart inside the training part"
    over = f"{words.plural(folds, 'fold')}, {words.plural(asked.seeds, 'seed')}"
    return f"{part}; {over}; no test part"


def _measured(recipe: Recipe, dataset: Dataset) -> str:
    figure = Accuracy if dataset.examples.truth.ndim == 1 else Overlap
    return figure.title.format(examples="windows" if recipe.images is None else "images")


def _told(trial: optuna.trial.FrozenTrial, asked: Search) -> SearchTrial:
    facts = trial.user_attrs
    cost = facts.get("cost") or dict.fromkeys(("int8_bytes", "arena_bytes", "macs", "instructions"))
    state, reason = COMPLETE, ""
    if "error" in facts:
        state, reason = FAILED, facts["error"]["message"]
    elif "over" in facts:
        state, reason = OVER, f"beyond {', '.join(facts['over'])}"
    elif trial.state.name != "COMPLETE":
        state, reason = PRUNED, "did not promise enough"
    return SearchTrial(
        number=trial.number,
        state=state,
        values=shown(trial, asked),
        score=trial.value if state == COMPLETE else None,
        scores=tuple(facts.get("scores", ())),
        reason=reason,
        **cost,
    )


def _write(recipe: Recipe, report: SearchReport, place: Place) -> None:
    """The result, its page, and the best recipe, which builds as it is."""
    write_text(place.out / RESULT_FILE, report.to_json() + "\n")
    write_text(place.out / PAGE_FILE, render_search(report))
    if report.best is None:
        return
    best = report.trial(report.best)
    found = with_values(recipe, best.values).reading(place.data)
    head = (
        f"# Trial {best.number} of a search of '{recipe.name}': {100 * best.score:.1f} % on "
        f"{report.scored_on}.\n# The search made {len(report.trials)} trials and looked at no test "
        "part.\n"
    )
    write_text(place.out / BEST_FILE, head + to_toml(found))
