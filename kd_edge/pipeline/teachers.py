"""What a report says of teachers that are no model of the bundle: several joined, and files.

A build asks them about its own windows, and `bench` about other recordings.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.distill.foreign.settings import TeacherFile
from kd_edge.examples import Examples
from kd_edge.pipeline.answers import VALIDATION, KerasAnswers
from kd_edge.pipeline.brought import Brought
from kd_edge.pipeline.bundle import BundledTeacherFile, JoinedTeachers, Manifest
from kd_edge.pipeline.context import Context
from kd_edge.pipeline.training import Teacher
from kd_edge.recipe import Recipe
from kd_edge.report.tree import Learnt, Row
from kd_edge.tasks import find_task

if TYPE_CHECKING:
    from kd_edge.distill.ensemble import Chosen

_FILES_NOTE = (
    "nobody here knows what it was trained on: if it has seen test recordings, its figures and its "
    "students' flatter"
)


def joined_teachers(context: Context, answers: KerasAnswers) -> tuple[JoinedTeachers, ...]:
    """Teachers joined as a model that learns from several saw them, each set once."""
    recipe = context.recipe
    learn_from = [recipe.teachers_of(model) for model in (*recipe.teachers, *recipe.students)]
    sets = dict.fromkeys(names for names in learn_from if len(names) > 1)
    everybody = tuple(teacher.name for teacher in recipe.teachers)
    return tuple(
        _joined(
            "teachers together" if names == everybody else " + ".join(names),
            names,
            recipe.distillation.ensemble,
            _chosen(context, names, answers),
        )
        for names in sets
    )


def _joined(title: str, names: tuple[str, ...], method: str, chosen: Chosen) -> JoinedTeachers:
    return JoinedTeachers(
        title,
        tuple(names[index] for index in chosen.kept),
        chosen.accuracies,
        method,
        tuple(
            f"without {names[out.teacher]}: the validation part is decided rightly by "
            f"{100 * out.with_it:.1f} % with it, {100 * out.without_it:.1f} % without it"
            for out in chosen.dropped
        ),
    )


def joined_row(
    joined: JoinedTeachers,
    logits: Mapping[str, Mapping[str, np.ndarray]],
    parts: Mapping[str, Examples],
    task: str,
) -> Row:
    """Their row.

    Args:
        logits: teacher -> part -> (n, ..., classes) of its examples.
        task: a key of the tasks.
    """
    from kd_edge.distill.ensemble import combine

    said = {
        part: combine(
            [logits[name][part] for name in joined.teachers],
            method=joined.method,
            held_out_accuracy=joined.accuracies,
        )
        for part in parts
    }
    score = find_task(task).score
    return Row(
        model=joined.title,
        role="ensemble",
        architecture=joined.method,
        format="keras",
        runtime="keras",
        parameters=None,
        size=None,
        accuracy={part: score(said[part], examples) for part, examples in parts.items()},
        latency=None,
        arena=None,
        notes=joined.notes,
    )


def teacher_files(teachers: Sequence[Teacher]) -> tuple[BundledTeacherFile, ...]:
    """Those that came as files, as the bundle keeps them."""
    return tuple(
        BundledTeacherFile(teacher.name, teacher.file, teacher.sha256)
        for teacher in teachers
        if isinstance(teacher, Brought)
    )


def file_row(
    file: BundledTeacherFile,
    settings: TeacherFile,
    logits: Mapping[str, np.ndarray],
    parts: Mapping[str, Examples],
    task: str,
) -> Row:
    """The row of a teacher that came as a file.

    Args:
        logits: part -> (n, ..., classes) of its examples. task: as of `joined_row`.
    """
    from kd_edge.distill.foreign.opening import file_kind

    kind, score = file_kind(settings), find_task(task).score
    return Row(
        model=file.name,
        role="teacher",
        architecture=kind.title,
        format="",
        runtime=kind.runtime,
        parameters=None,
        size=None,
        accuracy={part: score(logits[part], examples) for part, examples in parts.items()},
        latency=None,
        arena=None,
        notes=(f"{file.origin}; {_FILES_NOTE}",),
    )


def teacher_rows(context: Context, manifest: Manifest, answers: KerasAnswers) -> list[Row]:
    """Rows of teachers that came as files and of teachers joined, as they answered the build."""
    said, parts, task = answers.stored.logits, context.data.tests, context.recipe.task
    given = {teacher.name: teacher for teacher in context.recipe.teachers}
    return [
        *(file_row(f, given[f.name], said[f.name], parts, task) for f in manifest.teacher_files),
        *(joined_row(joined, said, parts, task) for joined in manifest.joined),
    ]


def teachers_again(
    manifest: Manifest,
    recipe: Recipe,
    logits: Mapping[str, Mapping[str, np.ndarray]],
    parts: Mapping[str, Examples],
) -> tuple[list[Row], list[str]]:
    """The same rows on other recordings, and sentences about those that could not be asked.

    Args:
        logits: model of the bundle -> part -> (n, ..., classes) of its examples.
    """
    if importlib.util.find_spec("tensorflow") is None:
        names = [each.name for each in manifest.teacher_files]
        names += [each.title for each in manifest.joined]
        return [], [f"'{name}' was not measured: Keras is not installed here." for name in names]
    if _keeps_no_teachers(manifest, recipe):
        return [], ["The bundle does not say how its teachers were asked: build it again."]
    given = {teacher.name: teacher for teacher in recipe.teachers}
    rows, silent, said = [], [], dict(logits)
    for file in manifest.teacher_files:
        try:
            said[file.name] = _asked_again(file, given.get(file.name), manifest, recipe, parts)
        except KdEdgeError as error:
            silent.append(f"The teacher '{file.name}' was not measured: {error.message}.")
            continue
        rows.append(file_row(file, given[file.name], said[file.name], parts, manifest.task))
    for joined in manifest.joined:
        absent = [name for name in joined.teachers if name not in said]
        if absent:
            silent.append(
                f"'{joined.title}' was not measured: {', '.join(absent)} could not be asked."
            )
            continue
        rows.append(joined_row(joined, said, parts, manifest.task))
    return rows, silent


def _keeps_no_teachers(manifest: Manifest, recipe: Recipe) -> bool:
    """Whether a bundle that learnt from several was built before bundles said how."""
    if manifest.joined or all(model.role != "teacher" for model in manifest.models):
        return False
    return any(len(recipe.teachers_of(m)) > 1 for m in (*recipe.teachers, *recipe.students))


def _asked_again(
    file: BundledTeacherFile,
    settings: object,
    manifest: Manifest,
    recipe: Recipe,
    parts: Mapping[str, Examples],
) -> dict[str, np.ndarray]:
    """What a file says to other windows: part -> logits. Raises KdEdgeError: it cannot be asked."""
    from kd_edge.distill.foreign.opening import digest_of_file, open_teacher

    if not isinstance(settings, TeacherFile):
        raise KdEdgeError("KD_BUNDLE_ALTERED", "the bundle's recipe names no such file")
    if settings.is_logits:
        raise KdEdgeError("KD_NO_FILE", "it is a file of logits, which knows its own windows alone")
    if file.file.startswith(("//", "\\\\")):
        raise KdEdgeError("KD_NO_FILE", "its file lies on another machine", where=file.file)
    if digest_of_file(Path(file.file), file.name) != file.sha256:
        raise KdEdgeError(
            "KD_BUNDLE_ALTERED", f"{file.file} is another file than at build time", where=file.file
        )
    inputs = settings.inputs or recipe.inputs
    said = {}
    for name, windows in parts.items():
        teacher = open_teacher(
            replace(settings, file=file.file),
            shapes=windows.only(inputs).input_shapes,
            class_names=manifest.class_names,
            truth_shape=windows.truth.shape[1:],
        )
        teacher.check(windows.only(inputs), f"part '{name}'")
        said[name] = teacher.predict(windows)
    return said


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


def lineage(context: Context, manifest: Manifest, answers: KerasAnswers) -> tuple[Learnt, ...]:
    """Whom each model learnt from, teachers first."""
    recipe = context.recipe
    files = {file.name: file.origin for file in manifest.teacher_files}
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
