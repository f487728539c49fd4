"""Variants of a recipe: each leaves one part out, or puts another in its place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from kd_edge.base.errors import KdEdgeError
from kd_edge.recipe import Augmentation, Model, Recipe, Student

AS_IT_IS = "as it is"


@dataclass(frozen=True)
class Variant:
    """A recipe beside the one that it was made of.

    Attributes:
        name: unique among the variants.
        what: what is different, in a sentence.
    """

    name: str
    what: str
    recipe: Recipe


def variants(recipe: Recipe) -> tuple[Variant, ...]:
    """The recipe itself first, then each part left out; all train for as many steps.

    Only the shipped student is kept, with the models that it learns from. Of several students that
    ship it is the first.
    """
    base = _alone(recipe)
    found = [Variant(AS_IT_IS, "The recipe itself.", base)]
    teachers = base.teachers_of(base.students[-1])
    if teachers:
        found.append(_labels_alone(base))
    if base.augmentation is not None and base.augmentation.options:
        plain = base.model_copy(
            update={"augmentation": Augmentation(copies=base.augmentation.copies)}
        )
        what = "The copies of each window are shown unchanged."
        found.append(Variant("without augmentation", what, plain))
    found += _without_adapt(base)
    if base.students[-1].layers_from is not None:
        student = base.students[-1].model_copy(update={"layers_from": None})
        what = "The student learns from its teachers." + _layers_left_out(base.students[-1])
        found.append(Variant("without layers_from", what, _with_student(base, student)))
    if len(teachers) > 1:
        found.append(_one_teacher(base, teachers[0]))
    if teachers:
        found += _losses(base)
    return tuple(found)


def student_of(recipe: Recipe) -> Student:
    """The student that is compared."""
    names = (recipe.product_name,) if recipe.product is None else recipe.product.models
    return next(student for student in recipe.students if student.name == names[0])


def _alone(recipe: Recipe) -> Recipe:
    """The student and what it learns from; it is the last of the students."""
    student = student_of(recipe)
    models = {m.name: m for m in (*recipe.teachers, *recipe.students)}
    needed, left = {student.name}, [student]
    while left:
        for name in recipe.teachers_of(left.pop()):
            if name not in needed:
                needed.add(name)
                left.append(models[name])
    # What a model learns from by default must not change with what else there is.
    named = {
        name: model.model_copy(update={"teachers": recipe.teachers_of(model) or None})
        if isinstance(model, Model)
        else model
        for name, model in models.items()
    }
    return recipe.model_copy(
        update={
            "teachers": tuple(named[t.name] for t in recipe.teachers if t.name in needed),
            "students": (
                *(named[s.name] for s in recipe.students if s.name in needed - {student.name}),
                named[student.name],
            ),
            "product": None,
        }
    )


def _with_student(recipe: Recipe, student: Student) -> Recipe:
    """The recipe with another form of its student, without models that this does not need."""
    return _alone(recipe.model_copy(update={"students": (student, *recipe.students[:-1])}))


def _labels_alone(recipe: Recipe) -> Variant:
    student = recipe.students[-1]
    alone = _with_student(recipe, student.on_labels(student.name))
    what = "The student learns from the labels alone." + _layers_left_out(student)
    return Variant("labels alone", what, alone.model_copy(update={"distillation": None}))


def _layers_left_out(student: Student) -> str:
    """What is told of a variant without the layers that its student begins with."""
    taken = student.layers_from
    return "" if taken is None else f" It begins with no layer of '{taken}'."


def _without_adapt(recipe: Recipe) -> Iterator[Variant]:
    adapting = [name for name, table in recipe.front_end.items() if table.adapt]
    if adapting:
        front_end = {n: replace(table, adapt=None) for n, table in recipe.front_end.items()}
        what = f"No running normaliser follows the wearer's {', '.join(adapting)}."
        yield Variant("without adapt", what, recipe.model_copy(update={"front_end": front_end}))


def _one_teacher(recipe: Recipe, teacher: str) -> Variant:
    student = recipe.students[-1]
    kept = student.layers_from if student.layers_from == teacher else None
    changes = {"teachers": (teacher,), "layers_from": kept}
    one = _with_student(recipe, student.model_copy(update=changes))
    distillation = one.distillation
    if not any(len(one.teachers_of(m)) > 1 for m in (*one.teachers, *one.students)):
        distillation = distillation.model_copy(update={"ensemble": None, "drop_teachers": False})
    what = f"The student learns from '{teacher}' alone, the first of its teachers."
    if kept is None:
        what += _layers_left_out(student)
    return Variant("one teacher", what, one.model_copy(update={"distillation": distillation}))


def _losses(recipe: Recipe) -> Iterator[Variant]:
    """Each other loss with its paper's options, and a sum without each of its terms."""
    from kd_edge.distill.losses import LOSSES

    table = recipe.distillation
    terms = table.options.get("terms", ())
    for index, term in enumerate(terms if len(terms) > 1 else ()):
        rest = [other for at, other in enumerate(terms) if at != index]
        name = f"loss without {term['loss']}"
        if sum(other["loss"] == term["loss"] for other in terms) > 1:
            name += f" ({index})"
        what = "The sum of losses without this term; the others weigh what they weighed."
        yield Variant(name, what, _with_loss(recipe, table.loss, {"terms": rest}))
    for name, kind in LOSSES.items():
        if name != table.loss and _stands_alone(name):
            told = ", ".join(f"{key} {value:g}" for key, value in kind.published.items())
            what = f"The loss '{name}'" + (f" with its paper's options: {told}." if told else ".")
            yield Variant(f"loss {name}", what, _with_loss(recipe, name, dict(kind.published)))


def _stands_alone(name: str) -> bool:
    """Whether its paper's options are all that a loss of teachers needs."""
    from kd_edge.distill.losses import LOSSES, make_loss

    try:
        return make_loss(name, LOSSES[name].published).needs_teacher
    except KdEdgeError:  # it reads layers, which only the models decide
        return False


def _with_loss(recipe: Recipe, name: str, options: dict[str, Any]) -> Recipe:
    kept = recipe.distillation.model_dump(include={"alpha", "ensemble", "drop_teachers"})
    distillation = type(recipe.distillation)(loss=name, **kept, **options)
    return recipe.model_copy(update={"distillation": distillation})
