"""What stands beside the models: plain baselines, the teachers joined, and the other folds."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pydantic import TypeAdapter

from kd_edge.base.files import sha256_text
from kd_edge.examples import Examples
from kd_edge.pipeline.answers import VALIDATION, KerasAnswers
from kd_edge.pipeline.brought import Brought
from kd_edge.pipeline.context import Context
from kd_edge.pipeline.kept_features import baseline_row
from kd_edge.pipeline.parts import FoldWindows, fold_windows
from kd_edge.pipeline.stages import key_of
from kd_edge.pipeline.training import FoldTrainer, Teacher, Trained, network_of, predictor
from kd_edge.report.tree import FoldResult, Learnt, Row
from kd_edge.tasks import find_task
from kd_edge.tasks.figures import Figure, Tally

if TYPE_CHECKING:
    from kd_edge.distill.ensemble import Chosen

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


def ensemble_rows(context: Context, answers: KerasAnswers) -> list[Row]:
    """Teachers joined as a model that learns from several saw them, a row for each such set."""
    recipe = context.recipe
    learn_from = [recipe.teachers_of(model) for model in (*recipe.teachers, *recipe.students)]
    sets = dict.fromkeys(names for names in learn_from if len(names) > 1)
    return [_ensemble_row(context, names, answers) for names in sets]


def _ensemble_row(context: Context, names: tuple[str, ...], answers: KerasAnswers) -> Row:
    from kd_edge.distill.ensemble import combine

    recipe = context.recipe
    method, task = recipe.distillation.ensemble, find_task(recipe.task)
    chosen = _chosen(context, names, answers)
    kept = [names[index] for index in chosen.kept]
    figures = {
        part: task.score(
            combine(
                [answers.stored.logits[name][part] for name in kept],
                method=method,
                held_out_accuracy=chosen.accuracies,
            ),
            examples,
        )
        for part, examples in context.data.tests.items()
    }
    everybody = names == tuple(teacher.name for teacher in recipe.teachers)
    return Row(
        model="teachers together" if everybody else " + ".join(names),
        role="ensemble",
        architecture=method,
        format="keras",
        runtime="keras",
        parameters=None,
        size=None,
        accuracy=figures,
        latency=None,
        arena=None,
        notes=tuple(
            f"without {names[out.teacher]}: the validation part is decided rightly by "
            f"{100 * out.with_it:.1f} % with it, {100 * out.without_it:.1f} % without it"
            for out in chosen.dropped
        ),
    )


def _chosen(context: Context, names: tuple[str, ...], answers: KerasAnswers) -> Chosen:
    """Which of several teachers joined, as the models that learnt from them saw it."""
    from kd_edge.distill.ensemble import choose

    recipe, validation = context.recipe, answers.validation
    return choose(
        [validation.logits[name][VALIDATION] for name in names],
        validation.parts[VALIDATION].truth,
        task=find_task(recipe.task),
        method=recipe.distillation.ensemble,
        drop=recipe.distillation.drop_teachers,
    )


def lineage(
    context: Context, teachers: Sequence[Teacher], answers: KerasAnswers
) -> tuple[Learnt, ...]:
    """Whom each model learnt from, teachers first."""
    recipe = context.recipe
    files = {t.name: t.origin for t in teachers if isinstance(t, Brought)}
    found = []
    for model in (*recipe.teachers, *recipe.students):
        names = recipe.teachers_of(model)
        if len(names) < 2:
            found.append(Learnt(model.name, names, origin=files.get(model.name)))
            continue
        dropped = [out.teacher for out in _chosen(context, names, answers).dropped]
        kept = [name for at, name in enumerate(names) if at not in dropped]
        left_out = tuple(names[at] for at in dropped)
        joined = recipe.distillation.ensemble if len(kept) > 1 else None
        found.append(Learnt(model.name, tuple(kept), left_out, joined))
    return tuple(found)


def file_rows(context: Context, teachers: Sequence[Teacher], answers: KerasAnswers) -> list[Row]:
    """Teachers that came as files, as they answered at build time."""
    score = find_task(context.recipe.task).score
    return [
        Row(
            model=teacher.name,
            role="teacher",
            architecture=teacher.architecture,
            format="",
            runtime=teacher.runtime,
            parameters=None,
            size=None,
            accuracy={
                part: score(answers.stored.logits[teacher.name][part], examples)
                for part, examples in context.data.tests.items()
            },
            latency=None,
            arena=None,
            notes=(
                f"{teacher.origin}; nobody here knows what it was trained on: if it has seen test "
                "recordings, its figures and its students' flatter",
            ),
        )
        for teacher in teachers
        if isinstance(teacher, Brought)
    ]


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
        results += _other_fold(context, fold, f"folds/{folder_name(fold.held_out)}/", each)
    return tuple(results)


def _other_fold(context: Context, fold, folder: str, each: str) -> list[FoldResult]:
    data = fold_windows(context.dataset, fold, context.recipe)
    trainer = FoldTrainer(context, data, folder=folder)
    return [
        FoldResult(fold.name, student.name, score(context, data, student, each).figure)
        for student in trainer.students(trainer.teachers())
    ]


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
