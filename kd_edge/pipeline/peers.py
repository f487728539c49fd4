"""What stands beside the models: plain baselines, the teachers joined, and the other folds."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pydantic import TypeAdapter

from kd_edge.base.files import sha256_text
from kd_edge.examples import Examples
from kd_edge.models.keras_start import load_keras
from kd_edge.pipeline.answers import VALIDATION, Answers
from kd_edge.pipeline.context import Context
from kd_edge.pipeline.parts import fold_windows
from kd_edge.pipeline.stages import key_of
from kd_edge.pipeline.training import FoldTrainer, Trained, predictor
from kd_edge.report.tree import FoldResult, Row
from kd_edge.runtimes.results import KERAS, SCIKIT_LEARN
from kd_edge.tasks import find_task
from kd_edge.tasks.figures import Accuracy

_FIGURES = TypeAdapter(dict[str, Accuracy])
_FIGURE = TypeAdapter(Accuracy)


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
    return Row(
        model=name,
        role="baseline",
        architecture=name,
        format="",
        runtime=SCIKIT_LEARN,
        parameters=None,
        size=None,
        accuracy=_FIGURES.validate_python(value),
        latency=None,
        arena=None,
        notes=("simple features, trained without augmented copies",),
    )


def ensemble_rows(context: Context, teachers: Sequence[Trained], answers: Answers) -> list[Row]:
    """The teachers joined as the students saw them, where there are several and a student did."""
    if len(teachers) < 2 or not any(student.distill for student in context.recipe.students):
        return []
    from kd_edge.distill.ensemble import combine

    method = context.recipe.distillation.ensemble
    stored, validation = answers.stored, answers.validation
    labels = validation.parts[VALIDATION].truth
    task = find_task(context.recipe.task)
    held_out = [task.share_right(validation.logits[t.name][VALIDATION], labels) for t in teachers]
    figures = {
        name: find_task(context.recipe.task).score(
            combine(
                [stored.logits[t.name][name] for t in teachers],
                method=method,
                held_out_accuracy=held_out,
            ),
            part,
        )
        for name, part in context.data.tests.items()
    }
    return [
        Row(
            model="teachers together",
            role="ensemble",
            architecture=method,
            format=KERAS,
            runtime=KERAS,
            parameters=None,
            size=None,
            accuracy=figures,
            latency=None,
            arena=None,
        )
    ]


def fold_results(
    context: Context, students: Sequence[Trained], answers: Answers
) -> tuple[FoldResult, ...]:
    """Float accuracy of every student in every fold; empty where the split makes only one."""
    if len(context.folds) < 2:
        return ()
    each = next(p.title for p in context.recipe.split.test if p.held_out == "each")
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
    trainer = FoldTrainer(
        context.recipe,
        data,
        context.stages,
        context.out,
        folder=folder,
        progress=context.watch.epoch,
    )
    part = data.tests[each]
    return [
        FoldResult(fold.name, student.name, _accuracy(context, student, part, (data.key, each)))
        for student in trainer.students(trainer.teachers())
    ]


def _accuracy(context: Context, student: Trained, part: Examples, part_key: tuple) -> Accuracy:
    def make():
        network = load_keras(context.out / student.file)
        figure = find_task(context.recipe.task).score(
            predictor(network)(part.only(student.inputs)), part
        )
        return _FIGURE.dump_python(figure, mode="json")

    key = key_of(student.sha256, student.inputs, part_key)
    return _FIGURE.validate_python(context.stages.run(f"accuracy of {student.file}", key, [], make))


def folder_name(held_out: str) -> str:
    """The held-out name as a folder's; one that has other characters gets a digest behind it."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "_", held_out)
    return plain if plain == held_out and plain else f"{plain}-{sha256_text(held_out)[:8]}"
