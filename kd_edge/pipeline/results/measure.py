"""`make_results`: rows of results, each from a recipe trained in all folds with all seeds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from firmware_export.boards import find_board
from kd_edge.base.errors import KdEdgeError, nearest
from kd_edge.base.files import sha256_file, write_text
from kd_edge.distill.reproducible import one_order_of_sums
from kd_edge.examples import Examples
from kd_edge.measure.host import host
from kd_edge.pipeline.context import Context, prepare, with_seed
from kd_edge.pipeline.fleet import by_either_road, folder_of, train_fleet
from kd_edge.pipeline.lock import locked
from kd_edge.pipeline.reporting import versions
from kd_edge.pipeline.results.answers import Predict, TrainedFold
from kd_edge.pipeline.results.board import on_board
from kd_edge.pipeline.results.columns import Columns, and_on_labels
from kd_edge.pipeline.results.decided import OfPerson, decided_of, decisions_of
from kd_edge.pipeline.results.figures import RECORDING, Right, decided, gain_of, mean_of
from kd_edge.pipeline.results.personal import Point, personal_of, personal_points
from kd_edge.pipeline.results.rows import RowSettings, rests_on
from kd_edge.pipeline.stages import Stages
from kd_edge.pipeline.store import user_store
from kd_edge.pipeline.together import Predictors
from kd_edge.pipeline.training import Trained
from kd_edge.pipeline.trial import Trial, TrialModel
from kd_edge.pipeline.watch import Watch
from kd_edge.recipe import Recipe, load_recipe
from kd_edge.report import results_tree as tree
from kd_edge.runtimes.results import Parity
from kd_edge.splits import Fold
from kd_edge.tasks import find_task


@dataclass(frozen=True)
class ResultsPlan:
    """What is asked of `make_results`.

    Attributes:
        rows: in the order in which they are made, those of one recipe one after the other.
        recipes: folder of the recipes. sets: folder of the public sets.
        work: folder for models. out: folder for a JSON file of each row.
        quick: take the recipes' quick forms.
        board: name of an emulated board that answers for one fold and seed too; None: no board.
        one_by_one: train each model by itself; else together on JAX, if that is installed and a
            fleet takes the recipe.
    """

    rows: tuple[RowSettings, ...]
    seeds: tuple[int, ...]
    recipes: Path
    sets: Path
    work: Path
    out: Path
    quick: bool = False
    board: str | None = None
    one_by_one: bool = False


def make_results(
    plan: ResultsPlan, *, cache: bool = True, watch: Watch | None = None
) -> Iterator[tree.Result]:
    """Make the rows one after the other; each is written as soon as it is there.

    What an earlier run did and still holds is kept: models and answers in the work folder and in
    the user's cache. Rows of one recipe share them.

    Raises:
        KdEdgeError: as `train_fleet`. KD_RECIPE_VALUE: a row does not fit its recipe.
    """
    from kd_edge.convert.process import one_converter

    watch = watch or Watch()
    _check(plan)
    with one_converter():
        for models in dict.fromkeys(map(_models, plan.rows)):
            rows = [row for row in plan.rows if _models(row) == models]
            for result in _of_recipe(plan, rows, cache=cache, watch=watch):
                write_text(plan.out / f"{result.row}.json", tree.result_to_json(result))
                yield result


def _models(row: RowSettings) -> tuple:
    """Rows that are alike in this have the same models."""
    return row.recipe, row.data, row.unknown


def _check(plan: ResultsPlan) -> None:
    """The board and all sets are there, before hours of work."""
    if plan.board is not None and not find_board(plan.board).emulated:
        raise KdEdgeError(
            "KD_USAGE",
            f"{plan.board} is a real board, and results ask an emulated one",
            where="--board",
            hint="name qemu-an386, or leave --board out",
        )
    for row in plan.rows:
        if row.data is not None and not (plan.sets / row.data).exists():
            raise KdEdgeError(
                "KD_NO_FILE",
                f"the row '{row.name}' needs recordings that are not there",
                where=str(plan.sets / row.data),
                hint="name the folder of public sets with --sets, or other rows",
            )


def _of_recipe(
    plan: ResultsPlan, rows: Sequence[RowSettings], *, cache: bool, watch: Watch
) -> tuple[tree.Result, ...]:
    """The rows of the same models: trained once, then asked fold by fold and seed by seed."""
    written = load_recipe(plan.recipes / f"{rows[0].recipe}.toml", quick=plan.quick)
    _check_rows(rows, written)
    recipe = rows[0].asked(written)
    trained = and_on_labels(recipe, rows)
    data = None if rows[0].data is None else plan.sets / rows[0].data
    work = plan.work / (recipe.name if rows[0].unknown is None else rows[0].name)
    work.mkdir(parents=True, exist_ok=True)
    with locked(work):
        with one_order_of_sums() as same_on_any_cores:
            context = prepare(
                trained,
                data,
                work,
                command="",
                cache=cache,
                watch=watch,
                same_on_any_cores=same_on_any_cores,
            )
        made = [_Row(row, recipe, row.folds(context.folds)) for row in rows]
        wanted = {fold.held_out for row in made for fold in row.folds}
        names = [fold.held_out for fold in context.folds if fold.held_out in wanted]
        fleet = by_either_road(
            lambda alone: train_fleet(
                trained,
                seeds=plan.seeds,
                data=data,
                folds=None if None in wanted else names,
                out=work,
                one_by_one=alone,
                cache=cache,
                watch=watch,
            ),
            watch,
            one_by_one=plan.one_by_one or None,
        )
        # Training has written the stages of this folder meanwhile.
        stages = Stages(work, store=user_store(cache, note=watch.note), report=watch.stage)
        context = replace(context, stages=stages)
        predict = Predictors(context)
        for done, trial in enumerate(fleet.trials):
            watch.step(f"answers of {recipe.name}", done, len(fleet.trials))
            asked = _trained_fold(context, trial)
            for row in made:
                row.take(asked, trial, predict)
    synthetic = context.dataset.examples.synthetic
    boards = _boards(plan, recipe, made, data, cache=cache, watch=watch)
    shared = {
        "seeds": plan.seeds,
        "trained": fleet.road,
        "synthetic": synthetic,
    }
    return tuple(row.result(written, shared, boards.get(row.student)) for row in made)


def _boards(
    plan: ResultsPlan,
    recipe: Recipe,
    rows: Sequence[_Row],
    data: Path | None,
    *,
    cache: bool,
    watch: Watch,
) -> dict[str, tree.OnBoard]:
    """Student -> what a board says, of the first row's first fold and the first seed."""
    if plan.board is None:
        return {}
    return {
        student: on_board(
            recipe.model_copy(update={"seed": plan.seeds[0]}),
            student,
            data=data,
            fold=rows[0].folds[0].held_out,
            out=plan.work / f"{recipe.name}-{student}",
            board=plan.board,
            cache=cache,
            watch=watch,
        )
        for student in dict.fromkeys(row.student for row in rows)
    }


def _trained_fold(context: Context, trial: Trial) -> TrainedFold:
    names = None if trial.held_out is None else [trial.held_out]
    of_seed = with_seed(context, trial.seed, names)
    folder = folder_of(trial.seed, of_seed.folds[0])
    trained = {
        model.name: _trained(model, folder, of_seed)
        for model in (*trial.teachers, *trial.students)
        # A teacher that came as a file stands elsewhere.
        if model.file is not None and model.file.is_relative_to(context.out)
    }
    return TrainedFold(of_seed, of_seed.data, folder, trained)


class _Row:
    """A row as its folds and seeds come in."""

    def __init__(self, settings: RowSettings, recipe: Recipe, folds: Sequence[Fold]):
        self.folds = folds
        self._settings, self._recipe = settings, recipe
        self._columns = Columns(recipe, settings)
        # (column, name) -> facts; (column, name, order) -> seed -> decisions of each fold.
        self._facts: dict[tuple[str, str], dict] = {}
        self._right: dict[tuple[str, str, str], dict[int, list[Right]]] = {}
        self._parity: tuple[Parity, ...] = ()
        # Seed -> person -> figures; seed -> points of each fold.
        self._decided: dict[int, dict[str, OfPerson]] = {}
        self._personal: dict[int, list[dict[int, Point]]] = {}

    def take(self, asked: TrainedFold, trial: Trial, predict: Predict) -> None:
        """Ask the models of a fold and seed, if the fold is one of the row's."""
        if trial.fold not in [fold.name for fold in self.folds]:
            return
        for (column, name), shares, facts in self._columns.ask(asked, predict):
            known = self._facts.setdefault((column, name), facts)
            known["bytes"] = facts["bytes"] and max(facts["bytes"], known["bytes"])
            for order, part in orders(self._settings.part, asked.data.tests).items():
                decisions = self._decisions(shares[part], asked.data.tests[part])
                of_seeds = self._right.setdefault((column, name, order), {})
                of_seeds.setdefault(trial.seed, []).append(decisions)
        self._parity = self._parity or asked.parity(self.student)
        settings = self._settings
        if self._recipe.decision is not None and settings.vote is None:
            found = decided_of(asked, self.student, settings.part)
            self._decided.setdefault(trial.seed, {}).update(found)
        if settings.personal:
            points = personal_of(asked, self.student, settings.part, settings.personal)
            self._personal.setdefault(trial.seed, []).append(points)

    @property
    def student(self) -> str:
        return self._columns.student

    def result(
        self, written: Recipe, shared: Mapping[str, Any], board: tree.OnBoard | None
    ) -> tree.Result:
        """The row, all its folds and seeds taken.

        Args:
            written: the recipe as its file has it. shared: fields alike in the recipe's rows.
        """
        models = tuple(
            tree.ModelResult(column=column, name=name, figures=self._figures(column, name), **facts)
            for (column, name), facts in self._facts.items()
        )
        plain = {model.column: model.figures[tree.AS_WORN] for model in models}
        counted = find_task(self._recipe.task).counted
        return tree.Result(
            schema_version=tree.RESULT_SCHEMA,
            row=self._settings.name,
            recipe=self._settings.recipe,
            recipe_sha256=rests_on(written, decided=bool(self._decided)),
            form=self._recipe.form,
            part=self._settings.part,
            **shared,
            folds=tuple(fold.name for fold in self.folds),
            people=tuple(plain[tree.STUDENT].people),
            vote=self._settings.vote,
            models=models,
            int8_loss_points=plain[tree.FLOAT].percent - plain[tree.STUDENT].percent,
            distillation=self._gain((tree.FLOAT, self.student), (tree.LABELS, self.student))
            if tree.LABELS in plain
            else None,
            parity=self._parity,
            board=board,
            host=host(),
            versions=versions(),
            decisions=decisions_of(
                list(self._decided.values()), self._recipe.dataset.unknown_classes
            )
            if self._decided
            else None,
            personal=personal_points(list(self._personal.values())),
            figure=counted.called if counted else tree.ACCURACY,
            beside={
                name: self._gain((tree.STUDENT, self.student), (column, name))
                for column, name in self._facts
                if column in tree.BESIDE
            },
        )

    def _figures(self, column: str, name: str) -> dict[str, tree.Mean]:
        return {
            order: mean_of([Right.join(folds) for folds in of_seeds.values()])
            for (*model, order), of_seeds in self._right.items()
            if model == [column, name]
        }

    def _gain(self, one: tuple[str, str], other: tuple[str, str]) -> tree.Gain:
        models = ((*model, tree.AS_WORN) for model in (one, other))
        return gain_of(*([Right.join(folds) for folds in self._right[m].values()] for m in models))

    def _decisions(self, shares: np.ndarray, windows: Examples) -> Right:
        groups, counted = windows.groups, find_task(self._recipe.task).counted
        if counted is not None:
            return Right(
                shares, groups.recording, groups.subject, groups.session, value=counted.value
            )
        right, last = decided(shares, windows.truth, groups.recording, votes=self._votes)
        return Right(right, groups.recording[last], groups.subject[last], groups.session[last])

    @property
    def _votes(self) -> int | None:
        """Windows of a decision; None: all of a recording's."""
        windows, vote = self._recipe.windows, self._settings.vote
        if vote == RECORDING:
            return None
        if vote is None or windows.hop_s is None:
            return 1
        return max(1, 1 + int((vote - windows.length_s) / windows.hop_s + 1e-9))


def orders(part: str, tests: Sequence[str]) -> dict[str, str]:
    """Order in which a wearer's recordings come -> test part; the plain one first."""
    others = {
        name.removeprefix(f"{part}, "): name for name in tests if name.startswith(f"{part}, ")
    }
    return {tree.AS_WORN: part, **others}


def _check_rows(rows: Sequence[RowSettings], recipe: Recipe) -> None:
    parts = [part.title for part in recipe.split.test]
    students = [model.name for model in recipe.students]
    for row in rows:
        for what, name, known in (("part", row.part, parts), ("student", row.student, students)):
            if name is not None and name not in known:
                raise KdEdgeError(
                    "KD_RECIPE_VALUE",
                    f"the row '{row.name}' names the {what} '{name}', which its recipe lacks"
                    f"{nearest(name, known)}",
                    where=f"{what} of the row, recipe '{row.recipe}'",
                    hint=f"it has {', '.join(known)}",
                )
        if row.vote is not None and recipe.windows is None:
            raise KdEdgeError(
                "KD_RECIPE_VALUE",
                f"the row '{row.name}' votes over windows, and its recipe reads images",
                where="vote of the row",
                hint="leave vote out",
            )


def _trained(model: TrialModel, folder: str, context: Context) -> Trained:
    recipe = context.recipe
    settings = next(m for m in (*recipe.teachers, *recipe.students) if m.name == model.name)
    return Trained(
        name=model.name,
        role=model.role,
        architecture=model.architecture,
        file=f"{folder}{model.name}.keras",
        sha256=sha256_file(model.file),
        inputs=recipe.inputs_of(settings),
        parameters=model.parameters,
        curve=None,
    )
