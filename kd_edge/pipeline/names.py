"""What a recipe names and sets: known and buildable, or refused before any work starts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from firmware_export.aot.cores import CORES
from kd_edge.base.errors import KdEdgeError, nearest
from kd_edge.base.formats import FORMATS
from kd_edge.distill.foreign.settings import TeacherFile
from kd_edge.examples import Examples
from kd_edge.pipeline.aware import aware_of
from kd_edge.pipeline.brought import checked_files
from kd_edge.pipeline.context import Context
from kd_edge.pipeline.dataset import check_reader
from kd_edge.pipeline.stages import key_of
from kd_edge.recipe import Aware, Distillation, Model, Recipe
from kd_edge.tasks import find_task

if TYPE_CHECKING:
    import keras

    from kd_edge.distill.foreign.record import FileTeacher

# What is looked at of a model before any is trained.
_LOOKED_AT = {"name", "model", "options", "body", "aware", "layers_from", "class_weights"}


def check_names(recipe: Recipe) -> None:
    """Look up everything that a recipe names: reader, task, models, losses, core and the rest.

    Raises:
        KdEdgeError KD_UNKNOWN_NAME, KD_RECIPE_KEY (an option): with the nearest names,
            KD_RECIPE_VALUE: an option of the loss or of an augmentation is missing or out of range,
            KD_MISSING_PACKAGE: no build extra.
    """
    check_reader(recipe)
    _check_packages(recipe)
    from kd_edge.distill.augmentations import make_augmentations
    from kd_edge.distill.ensemble import ENSEMBLES
    from kd_edge.distill.foreign.opening import file_kind
    from kd_edge.measure.baselines import BASELINES
    from kd_edge.models import MODELS, model_options

    find_task(recipe.task)
    if recipe.augmentation is not None:
        make_augmentations(recipe.augmentation.options)
    for kind, models in (("teachers", recipe.teachers), ("students", recipe.students)):
        for position, model in enumerate(models):
            where = f"{kind}.{position}"
            if isinstance(model, TeacherFile):
                file_kind(model)
                continue
            MODELS.find(model.model, where=f"{where}.model")
            _check_options(model, model_options(model.model), f"{where}.options")
    if recipe.selector is not None:
        MODELS.find(recipe.selector.model, where="selector.model")
        _check_options(recipe.selector, model_options(recipe.selector.model), "selector.options")
    CORES.find(recipe.firmware.core, where="firmware.core")
    for name in recipe.proof.baselines:
        BASELINES.find(name, where="proof.baselines")
    if recipe.images is not None and recipe.proof.baselines:
        raise KdEdgeError(
            "KD_RECIPE_VALUE",
            "baselines look at features of sensor windows, and this recipe reads images",
            where="proof.baselines",
            hint="leave it out; a second student with distill = false is a yardstick",
        )
    if recipe.distillation is None:
        return
    _check_loss(recipe.distillation)
    if recipe.distillation.ensemble is not None:
        ENSEMBLES.find(recipe.distillation.ensemble, where="distillation.ensemble")


def _check_packages(recipe: Recipe) -> None:
    """Make sure that training and conversion are possible before any work begins.

    Raises:
        KdEdgeError KD_MISSING_PACKAGE: the build extra is not installed, or what a format needs.
    """
    from importlib import metadata

    try:
        for name in ("keras", "tensorflow", "scikit-learn"):
            metadata.version(name)
    except metadata.PackageNotFoundError as error:
        raise KdEdgeError(
            "KD_MISSING_PACKAGE",
            f"training needs the package '{error.name}', which is not installed",
            hint="pip install 'kd-edge[build]'; `kd-edge doctor` shows what else is missing",
        ) from error
    for name in (*recipe.conversion.formats, *recipe.conversion.teacher_formats):
        form = FORMATS.find(name, where="conversion.formats")
        missing = [package for package in form.packages if find_spec(package) is None]
        if missing:
            raise KdEdgeError(
                "KD_MISSING_PACKAGE",
                f"the format '{name}' needs the package '{missing[0]}', which is not installed",
                where="conversion.formats",
                hint=f"pip install 'kd-edge[{form.extra}]', or leave the format out",
            )


def check_networks(context: Context) -> None:
    """Build every model once on the shapes of the data: what does not fit is told at once.

    Teachers from files are asked about a few windows; the files of all folds must be there.

    Raises:
        KdEdgeError KD_SHAPE, KD_RECIPE_VALUE (an option out of range, a layer that the loss names
            and no model has, a teacher that has no layer to give to a student), KD_UNKNOWN_NAME (a
            class of `class_weights` that the data lack): with the model's name. KD_RECIPE_VALUE: a
            loss that does not fit the classes. As `opening.open_teacher`.
    """
    recipe, windows = context.recipe, context.dataset.examples
    models = recipe.to_train
    files = {file.name: file for file in checked_files(context)}
    key = key_of(
        [model.model_dump(mode="json", include=_LOOKED_AT) for model in models],
        [windows.only(recipe.inputs_of(model)).input_shapes for model in models],
        windows.class_names,
        windows.truth.shape[1:],
        recipe.task,
        [recipe.teachers_of(model) for model in models],
        [[name, file.digest] for name, file in files.items()],
        recipe.distillation and recipe.distillation.model_dump(mode="json"),
        recipe.selector
        and [recipe.selector.model_dump(mode="json", include=_LOOKED_AT), recipe.product.models],
    )

    def make() -> None:
        from kd_edge.distill.losses.class_weights import check_class_names
        from kd_edge.models.teacher_layers import take_layers

        if recipe.selector is not None:
            with _naming(recipe.selector):
                check_class_names(recipe.selector.class_weights, recipe.product.models)
            given = windows.only(recipe.inputs_of(recipe.selector))
            _build(recipe.selector, replace(given, class_names=recipe.product.models), None)
        networks = {}
        for model in models:
            with _naming(model):
                check_class_names(model.class_weights, windows.class_names)
            given = windows.only(recipe.inputs_of(model))
            networks[model.name] = _build(model, given, networks.get(model.body))
        for student in recipe.students:
            if student.layers_from is not None:
                with _naming(student):
                    take_layers(networks[student.name], networks[student.layers_from])
        for name, network in networks.items():
            _check_task(recipe, name, network, windows)
        teachers = networks | {name: file.opened for name, file in files.items()}
        for model in models:
            chosen = {name: teachers[name] for name in recipe.teachers_of(model)}
            _check_fits(recipe, networks[model.name], model.name, chosen)

    context.stages.run("check the models", key, [], make)


def _build(model: Model, windows: Examples, body: keras.Model | None) -> keras.Model:
    from kd_edge.models import build_model

    aware = aware_of(model)
    with _naming(model):
        network = build_model(
            model.model,
            input_shapes=windows.input_shapes,
            n_classes=len(windows.class_names),
            seed=0,
            options=model.options,
            body=body,
        )
        return network if aware is None else _rounding(network, aware)


@contextmanager
def _naming(model: Model) -> Iterator[None]:
    """Errors say which model of the recipe they are of."""
    try:
        yield
    except KdEdgeError as error:
        raise KdEdgeError(
            error.code,
            error.message,
            where=f"the model '{model.name}'" + (f", {error.where}" if error.where else ""),
            hint=error.hint,
        ) from error


def _rounding(network: keras.Model, aware: Aware) -> keras.Model:
    from kd_edge.distill.quantised import aware_network

    zeros = {tensor.name: np.zeros((1, *tensor.shape[1:])) for tensor in network.inputs}
    return aware_network(network, zeros, weight_bits=aware.weight_bits, ranges=aware.ranges, seed=0)


def _check_task(recipe: Recipe, name: str, network: keras.Model, windows: Examples) -> None:
    """Make sure that the model's outputs and the data's truth are the task's."""
    try:
        find_task(recipe.task).check(network.output_shape, windows.truth, len(windows.class_names))
    except KdEdgeError as error:
        raise KdEdgeError(
            error.code, error.message, where=f"the model '{name}'", hint=error.hint
        ) from error


def _check_fits(
    recipe: Recipe,
    network: keras.Model,
    name: str,
    teachers: Mapping[str, keras.Model | FileTeacher],
) -> None:
    """Make sure that the loss fits the model: its classes, the layers of it and its teachers."""
    if not teachers:
        return
    from kd_edge.distill.losses import make_loss
    from kd_edge.distill.tapped import Tapped
    from kd_edge.distill.teaching import tapped_teacher

    loss = make_loss(recipe.distillation.loss, recipe.distillation.options)
    loss.check_classes(network.output_shape[-1])
    taps = loss.taps()
    student = Tapped(network, taps.student, f"'{name}'")
    for teacher_name, teacher in teachers.items():
        tapped = tapped_teacher(teacher, taps.teacher, teacher_name)
        loss.layers(student.shapes, tapped.shapes)


def _check_loss(distillation: Distillation) -> None:
    from kd_edge.distill.losses import make_loss, weigh_labels

    weigh_labels(make_loss(distillation.loss, distillation.options), distillation.alpha)


def _check_options(model: Model, known: Iterable[str], where: str) -> None:
    names = sorted(known)
    for option in model.options:
        if option not in names:
            raise KdEdgeError(
                "KD_RECIPE_KEY",
                f"model '{model.model}' has no option '{option}'{nearest(option, names)}",
                where=f"{where}.{option}",
                hint=f"it has {', '.join(names) or 'none'}",
            )
