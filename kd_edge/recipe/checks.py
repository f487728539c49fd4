"""What keys of different tables of a recipe must agree in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kd_edge.base.errors import nearest
from kd_edge.base.settings import MisfitError
from kd_edge.distill.foreign.settings import TeacherFile
from kd_edge.models.fitted import FITTED, ships

if TYPE_CHECKING:
    from kd_edge.recipe.tables import Model, Recipe, Selector, Student


# Keys of recordings, and what says the like of images.
_OF_IMAGES = {
    "front_end": "images.channels, images.range",
    "windows": "images.size, images.input",
}


def check_source(recipe: Recipe) -> None:
    """A recipe reads recordings, or it reads images."""
    tables = {"front_end": recipe.front_end, "windows": recipe.windows}
    if recipe.images is None and recipe.dataset.near_duplicates is not None:
        raise MisfitError("dataset.near_duplicates", "near duplicates are looked for among images")
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
    rolls = [name for name, settings in recipe.front_end.items() if settings.roll]
    if rolls and recipe.windows is not None and recipe.windows.filters == "run-on":
        raise MisfitError(
            "windows.filters",
            f"front_end.{rolls[0]}.roll turns each window before it is filtered, so filters cannot "
            "run on from one to the next: leave roll or filters out",
        )
    if recipe.windows is not None and recipe.windows.arithmetic == "fixed":
        _check_integers(recipe)
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


# Keys that say how a model is trained in steps.
_OF_TRAINING = (
    *("epochs", "batch_size", "learning_rate", "learning_rate_decay"),
    *("patience", "label_smoothing", "class_balance", "class_weights", "teachers"),
)


def _check_integers(recipe: Recipe) -> None:
    for name, settings in recipe.front_end.items():
        for key in ("roll", "differences"):
            if getattr(settings, key):
                raise MisfitError(
                    "windows.arithmetic",
                    f"front_end.{name}.{key} is computed in float32: leave {key} or arithmetic out",
                )


def check_learning(model: Model) -> None:
    """A model has the keys of how it learns, in steps or at once, and no others."""
    if not model.is_fitted:
        if model.epochs is None:
            raise MisfitError("epochs", f"'{model.model}' is trained in epochs: say how many")
        if model.body is not None:
            raise MisfitError(
                "body",
                f"'{model.model}' has a body of its own; {' and '.join(FITTED)} take another's",
            )
        return
    for key in _OF_TRAINING:
        default = type(model).model_fields[key].get_default(call_default_factory=True)
        if getattr(model, key) != default:
            raise MisfitError(
                key, f"'{model.model}' is fitted to the training part at once: leave {key} out"
            )
    if model.body is not None and model.inputs is not None:
        raise MisfitError("inputs", f"it takes those of its body, '{model.body}': leave inputs out")


def _check_bodies(recipe: Recipe) -> None:
    """Each body is a trained model that stands above."""
    above: dict[str, Model] = {}
    for kind, models in (("teachers", recipe.teachers), ("students", recipe.students)):
        for index, model in enumerate(models):
            if isinstance(model, TeacherFile):
                continue
            where = f"{kind}.{index}.body"
            trained = [name for name, other in above.items() if not other.is_fitted]
            if model.body in above and model.body not in trained:
                raise MisfitError(
                    where, f"'{model.body}' is fitted, and has nothing that it learnt to give"
                )
            if model.body is not None and model.body not in trained:
                raise MisfitError(
                    where,
                    f"no model '{model.body}' stands above '{model.name}'"
                    f"{nearest(model.body, trained)}; above it: {', '.join(trained) or 'nothing'}",
                )
            above[model.name] = model


def _check_students(recipe: Recipe) -> None:
    """Each is a model that ships."""
    for index, student in enumerate(recipe.students):
        if not ships(student.model):
            raise MisfitError(
                f"students.{index}.model",
                f"'{student.model}' runs on no device: let it teach a student, in [[teachers]]",
            )


def check_models(recipe: Recipe) -> None:
    """Models have names of their own, and those that learn from others say how."""
    names = [model.name for model in (*recipe.teachers, *recipe.students)]
    if len(set(names)) < len(names):
        raise ValueError(f"models need different names; these are {names}")
    _check_bodies(recipe)
    _check_students(recipe)
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


def check_validation(recipe: Recipe) -> None:
    """What a validation part decides, it cannot decide where models learn from it."""
    if not recipe.split.train_on_validation:
        return
    distillation = recipe.distillation
    deciding = {
        "decision": recipe.decision is not None,
        "product.rule": recipe.product is not None and recipe.product.rule is not None,
        "distillation.drop_teachers": distillation is not None and distillation.drop_teachers,
        "distillation.ensemble": distillation is not None
        and distillation.ensemble == "accuracy-weighted",
    } | {
        f"{kind}.{index}.patience": getattr(model, "patience", None) is not None
        for kind, models in (("teachers", recipe.teachers), ("students", recipe.students))
        for index, model in enumerate(models)
    }
    for key, given in deciding.items():
        if given:
            raise MisfitError(
                key,
                "it is found or shown on the validation part, and split.train_on_validation lets "
                "models learn from that: leave one of them out",
            )


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
            if kind == "students" and model.layers_from is not None:
                _check_layers_from(recipe, model, f"{kind}.{index}.layers_from")
            above.append(model.name)
    alone = [s for s in recipe.students if s.distill and s.teachers is None and s.aware is None]
    if not recipe.teachers and not all(student.is_fitted for student in alone):
        raise ValueError("students are distilled, but there are no [[teachers]]")


def _check_layers_from(recipe: Recipe, student: Student, where: str) -> None:
    """It is a teacher of the student's that is trained here, and so has layers."""
    if student.aware is not None:
        raise MisfitError(where, f"it starts from '{student.aware.of}' whole: leave it out")
    teachers = recipe.teachers_of(student)
    if student.layers_from not in teachers:
        raise MisfitError(
            where,
            f"'{student.layers_from}' is no teacher of '{student.name}'"
            f"{nearest(student.layers_from, teachers)}; it has {', '.join(teachers) or 'none'}",
        )
    teacher = recipe.named(student.layers_from)
    if isinstance(teacher, TeacherFile) or teacher.is_fitted:
        raise MisfitError(where, f"'{teacher.name}' is not trained here in steps: name one that is")
    if getattr(teacher, "aware", None) is not None:
        raise MisfitError(where, f"'{teacher.name}' has int8's layers: name '{teacher.aware.of}'")


def _check_selector(recipe: Recipe) -> None:
    """A selector stands there for the rule that needs it, and learns from nobody."""
    selector, wanted = recipe.selector, recipe.product and recipe.product.rule == "selector"
    if selector is None:
        if wanted:
            raise MisfitError("selector", "the rule 'selector' needs a table [selector]: its model")
        return
    if not wanted:
        raise MisfitError("selector", "only a product with the rule 'selector' has one")
    _check_alone(recipe, selector)


def _check_alone(recipe: Recipe, selector: Selector) -> None:
    """Its name and its inputs, and that it learns from nobody."""
    taken = {recipe.product.name, *(m.name for m in (*recipe.teachers, *recipe.students))}
    if selector.name in taken:
        raise MisfitError("selector.name", f"a model is called '{selector.name}' already")
    for key in ("teachers", "body", "seeds", "generations"):
        if getattr(selector, key) != type(selector).model_fields[key].default:
            raise MisfitError(f"selector.{key}", "a selector learns from the students alone")
    if selector.is_fitted:
        raise MisfitError(
            "selector.model", f"'{selector.model}' is fitted: name one that is trained"
        )
    for name in selector.inputs or ():
        if name not in recipe.inputs:
            raise MisfitError(
                "selector.inputs", f"there is no input '{name}'{nearest(name, recipe.inputs)}"
            )


def check_product(recipe: Recipe) -> None:
    """What ships are students of the recipe, and a rule that fits them."""
    _check_selector(recipe)
    if recipe.product is None:
        return
    teachers, students = ([m.name for m in models] for models in (recipe.teachers, recipe.students))
    try:
        recipe.product.check(students, teachers)
    except MisfitError as error:
        raise MisfitError(f"product.{error.key}", str(error)) from error
