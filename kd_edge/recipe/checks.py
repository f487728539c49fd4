"""What keys of different tables of a recipe must agree in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kd_edge.base.errors import nearest
from kd_edge.base.settings import MisfitError
from kd_edge.distill.foreign.settings import TeacherFile

if TYPE_CHECKING:
    from kd_edge.recipe.tables import Recipe


# Keys of recordings, and what says the like of images.
_OF_IMAGES = {
    "front_end": "images.channels, images.range",
    "windows": "images.size, images.input",
}


def check_source(recipe: Recipe) -> None:
    """A recipe reads recordings, or it reads images."""
    tables = {"front_end": recipe.front_end, "windows": recipe.windows}
    for name, table in tables.items():
        if recipe.images is not None and table:
            raise MisfitError(
                name,
                f"it belongs to recordings, and [images] says that this recipe reads images; the "
                f"nearest keys are {_OF_IMAGES[name]}",
            )
        if recipe.images is None and not table:
            raise MisfitError(
                name, "a recipe of recordings needs it; a recipe of images has [images] instead"
            )


def check_inputs(recipe: Recipe) -> None:
    """Inputs take modalities that the front end makes, and models take inputs that there are."""
    windows = {} if recipe.windows is None else recipe.windows.inputs
    for name, modalities in windows.items():
        for modality in modalities:
            if modality not in recipe.front_end:
                known = ", ".join(recipe.front_end)
                raise ValueError(
                    f"windows.inputs.{name} takes '{modality}', but front_end has {known}"
                    f"{nearest(modality, recipe.front_end)}"
                )
    for model in (*recipe.teachers, *recipe.students):
        for name in model.inputs or ():
            if name not in recipe.inputs:
                table = "windows.inputs" if recipe.images is None else "images.input"
                raise ValueError(
                    f"model '{model.name}' takes input '{name}', but {table} has "
                    f"{', '.join(recipe.inputs)}{nearest(name, recipe.inputs)}"
                )


def check_models(recipe: Recipe) -> None:
    """Models have names of their own, and those that learn from others say how."""
    names = [model.name for model in (*recipe.teachers, *recipe.students)]
    if len(set(names)) < len(names):
        raise ValueError(f"models need different names; these are {names}")
    _check_teachers(recipe)
    learns_from = [recipe.teachers_of(model) for model in (*recipe.teachers, *recipe.students)]
    if not any(learns_from):
        return
    if recipe.distillation is None:
        raise ValueError("students are distilled: [distillation] must say loss and alpha")
    several = any(len(names) > 1 for names in learns_from)
    if several and recipe.distillation.ensemble is None:
        raise ValueError("several teachers: distillation.ensemble must say how they join")
    if recipe.distillation.drop_teachers and not several:
        raise MisfitError("distillation.drop_teachers", "no model has several teachers")


def check_files(recipe: Recipe) -> None:
    """Logits in a file belong to windows that nothing changes."""
    for index, teacher in enumerate(recipe.teachers):
        if isinstance(teacher, TeacherFile) and teacher.is_logits and recipe.augmentation:
            raise MisfitError(
                f"teachers.{index}.file",
                "a file of logits knows its windows as they are, and [augmentation] changes them; "
                "bring the network, as .onnx or .keras, or leave [augmentation] out",
            )


def _check_teachers(recipe: Recipe) -> None:
    """Each model's teachers stand above it, once each."""
    above: list[str] = []
    for kind, models in (("teachers", recipe.teachers), ("students", recipe.students)):
        for index, model in enumerate(models):
            where = f"{kind}.{index}.teachers"
            if kind == "students" and model.teachers is not None and not model.distill:
                raise MisfitError(where, "distill = false trains on the labels alone")
            for name in model.teachers or ():
                if name not in above:
                    raise MisfitError(
                        where,
                        f"no model '{name}' stands above '{model.name}'{nearest(name, above)}; "
                        f"above it: {', '.join(above) or 'nothing'}",
                    )
            if len(set(model.teachers or ())) < len(model.teachers or ()):
                raise MisfitError(where, f"a teacher stands there twice: {model.teachers}")
            above.append(model.name)
    if not recipe.teachers and any(s.distill and s.teachers is None for s in recipe.students):
        raise ValueError("students are distilled, but there are no [[teachers]]")


def check_product(recipe: Recipe) -> None:
    """What ships are students of the recipe, and a rule that fits them."""
    if recipe.product is None:
        return
    teachers, students = ([m.name for m in models] for models in (recipe.teachers, recipe.students))
    try:
        recipe.product.check(students, teachers)
    except MisfitError as error:
        raise MisfitError(f"product.{error.key}", str(error)) from error
