"""What stands beside the models: plain baselines, and the other folds."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from pydantic import TypeAdapter

from kd_edge.base.files import sha256_text
from kd_edge.examples import Examples
from kd_edge.pipeline.answers import KerasAnswers
from kd_edge.pipeline.context import Context
from kd_edge.pipeline.kept_features import baseline_row
from kd_edge.pipeline.parts import FoldWindows, fold_windows
from kd_edge.pipeline.stages import key_of
from kd_edge.pipeline.training import FoldTrainer, Teacher, Trained, network_of, predictor
from kd_edge.report.tree import FoldResult, Row
from kd_edge.splits import Fold
from kd_edge.tasks import find_task
from kd_edge.tasks.figures import Figure, Tally

_FIGURES = TypeAdapter(dict[str, Figure])


def baseline_rows(context: Context) -> list[Row]:
    """The recipe's baselines, trained on the training part without augmented copies."""
    return [_baseline_row(context, name) for name in context.recipe.proof.baselines]


def _baseline_row(context: Context, name: str) -> Row:
    data, seed = context.data, context.recipe.seed

    def make():
        from kd_edge.measure.baselines import run_baseline

        figures = run_baseline(
            name, data.training, data.tests, rate_hz=data.input_rates_hz, seed=seed
        )
        return _FIGURES.dump_python(figures, mode="json")

    value = context.stages.run(
        f"baseline {name}", key_of(data.key, list(data.tests), name, seed), [], make
    )
    return baseline_row(name, _FIGURES.validate_python(value))


def fold_results(
    context: Context, students: Sequence[Trained], answers: KerasAnswers
) -> tuple[FoldResult, ...]:
    """Float accuracy of every student in every fold; empty where the split makes only one."""
    if len(context.folds) < 2:
        return ()
    each = context.recipe.split.compared
    first = context.folds[0]
    results = [
        FoldResult(
            first.name,
            s.name,
            find_task(context.recipe.task).score(
                answers.stored.logits[s.name][each], context.data.tests[each]
            ),
        )
        for s in students
    ]
    for fold in context.folds[1:]:
        trainer = _trainer(context, fold)
        results += [
            FoldResult(fold.name, student.name, score(context, trainer.data, student, each).figure)
            for student in trainer.students(trainer.teachers())
        ]
    return tuple(results)


def other_trainers(context: Context) -> list[Callable[[], FoldTrainer]]:
    """Of each fold but the first, what makes its trainer."""
    return [partial(_trainer, context, fold) for fold in context.folds[1:]]


def _trainer(context: Context, fold: Fold) -> FoldTrainer:
    data = fold_windows(context.dataset, fold, context.recipe)
    return FoldTrainer(context, data, folder=f"folds/{folder_name(fold.held_out)}/")


@dataclass(frozen=True)
class Scored:
    """How a model does on a part, and on each recording of it."""

    figure: Figure
    tally: Tally


_SCORED = TypeAdapter(Scored)


def score(
    context: Context,
    data: FoldWindows,
    model: Teacher,
    name: str,
    predict: Callable[[Teacher, Examples], np.ndarray] | None = None,
) -> Scored:
    """How a model does in floating point on a test part of a fold, which `name` names.

    Args:
        predict: (model, its own inputs of n examples) -> (n, ..., classes) logits; None reads its
            file.
    """

    def from_file(model: Teacher, part: Examples) -> np.ndarray:
        return predictor(network_of(model, context.out))(part)

    def make():
        part, task = data.tests[name], find_task(context.recipe.task)
        answers = (predict or from_file)(model, part.only(model.inputs))
        found = Scored(task.score(answers, part), task.tally(answers, part))
        return _SCORED.dump_python(found, mode="json")

    key = key_of(model.digest, model.inputs, context.recipe.task, data.key, name)
    value = context.stages.run(f"accuracy of {model.file} on {name}", key, [], make)
    return _SCORED.validate_python(value)


def folder_name(held_out: str) -> str:
    """The held-out name as a folder's; one that has other characters gets a digest behind it."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "_", held_out)
    return plain if plain == held_out and plain else f"{plain}-{sha256_text(held_out)[:8]}"
