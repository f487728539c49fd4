"""The columns of a row of results: which models of a recipe stand beside its student."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kd_edge.base.formats import SHIPPED
from kd_edge.pipeline.results.answers import Predict, Shares, TrainedFold
from kd_edge.pipeline.results.rows import RowSettings
from kd_edge.pipeline.training import Trained
from kd_edge.recipe import Recipe
from kd_edge.report import results_tree as tree
from kd_edge.runtimes.registry import ORACLE
from kd_edge.runtimes.results import KERAS, SCIKIT_LEARN

# Of the recipe's architectures, those of the seed projects.
_SEED_MODELS = "seed-"


class Columns:
    """The models of a row, in the order of its columns."""

    def __init__(self, recipe: Recipe, row: RowSettings):
        self._recipe = recipe
        models = {model.name: model for model in recipe.students}
        self.student = student_of(recipe, row)
        self._teachers = recipe.teachers_of(models[self.student])
        self._alone = twin_of(recipe, self.student) or _on_labels(self.student)
        self._others = {
            name: tree.SEED if model.model.startswith(_SEED_MODELS) else tree.OTHER
            for name, model in models.items()
            if name not in (self.student, self._alone)
        } | {
            teacher.name: tree.OTHER_TEACHER
            for teacher in recipe.teachers
            if teacher.name not in self._teachers
        }

    def ask(
        self, asked: TrainedFold, predict: Predict
    ) -> Iterator[tuple[tuple[str, str], Shares, dict]]:
        """(column, name), what it says to each test part, and the facts of the model."""
        student = asked.models[self.student]
        shares, size = asked.shipped(self.student)
        fact = _fact(student.architecture, SHIPPED, ORACLE, student.parameters, size)
        yield (tree.STUDENT, self.student), shares, fact
        yield (tree.FLOAT, self.student), asked.floats(self.student, predict), _float(student)
        if self._alone in asked.models:
            shares = asked.floats(self._alone, predict)
            yield (tree.LABELS, self.student), shares, _float(asked.models[self._alone])
        if self._teachers and all(name in asked.models for name in self._teachers):
            teachers = [asked.models[name] for name in self._teachers]
            fact = _fact(
                " + ".join(teacher.architecture for teacher in teachers),
                KERAS,
                KERAS,
                sum(teacher.parameters for teacher in teachers),
                None,
            )
            name = " + ".join(self._teachers)
            yield (tree.TEACHER, name), asked.joined(self._teachers, predict), fact
        for name, column in self._others.items():
            if name in asked.models:
                yield (column, name), asked.floats(name, predict), _float(asked.models[name])
        for name in self._recipe.proof.baselines:
            fact = _fact(name, "", SCIKIT_LEARN, None, None)
            yield (tree.BASELINE, name), asked.baseline(name), fact


def _float(model: Trained) -> dict:
    return _fact(model.architecture, KERAS, KERAS, model.parameters, None)


def _fact(architecture: str, form: str, runtime: str, parameters, size) -> dict:
    return {
        "architecture": architecture,
        "format": form,
        "runtime": runtime,
        "parameters": parameters,
        "bytes": size,
    }


def _on_labels(student: str) -> str:
    """Name of the same network, trained on the labels alone."""
    return f"{student}-on-labels"


def twin_of(recipe: Recipe, name: str) -> str | None:
    """The recipe's own student that is the named one without a teacher; None: it has none."""
    students = {student.name: student for student in recipe.students}
    wanted = students[name]
    return next(
        (
            other.name
            for other in recipe.students
            if other == wanted.on_labels(other.name) and other.name != name
        ),
        None,
    )


def and_on_labels(recipe: Recipe, rows: Sequence[RowSettings]) -> Recipe:
    """The recipe, and the rows' students that have a teacher a second time, without one."""
    names = {student_of(recipe, row) for row in rows}
    alone = [
        student.on_labels(_on_labels(student.name))
        for student in recipe.students
        if student.name in names
        and recipe.teachers_of(student)
        and student.aware is None
        and twin_of(recipe, student.name) is None
    ]
    return recipe.model_copy(update={"students": (*recipe.students, *alone)})


def student_of(recipe: Recipe, row: RowSettings) -> str:
    names = [model.name for model in recipe.students]
    if row.student is not None:
        return row.student
    return recipe.product_name if recipe.product_name in names else names[0]
