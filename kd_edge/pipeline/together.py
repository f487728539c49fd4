"""The models of every fold and seed trained together, one kind of model after the other."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.distill.foreign.settings import TeacherFile
from kd_edge.examples import Examples
from kd_edge.models.keras_start import load_keras
from kd_edge.pipeline.aware import aware_of
from kd_edge.pipeline.context import Context
from kd_edge.pipeline.keras_files import save_model
from kd_edge.pipeline.parts import FoldWindows, fold_windows
from kd_edge.pipeline.stages import Asked as Stage
from kd_edge.pipeline.training import (
    Due,
    FoldTrainer,
    Teacher,
    Trained,
    network_of,
    predictor,
)
from kd_edge.pipeline.training_settings import model_seed
from kd_edge.recipe import Model, Recipe
from kd_edge.splits import Fold

if TYPE_CHECKING:
    from kd_edge.distill.fleet.job import Part, Way
    from kd_edge.distill.fleet.training import Asked, Fleet, FleetEpoch, Grown

# Of stage keys: JAX rounds otherwise than TensorFlow.
_ARITHMETIC = "fleet"
# Keys that `way_of` and `FoldTrainer` follow; any other that a recipe sets is refused.
_MODEL_KEYS = {
    *("name", "model", "inputs", "body", "options", "epochs", "batch_size", "learning_rate"),
    *("learning_rate_decay", "patience", "label_smoothing", "teachers", "distill"),
    *("seeds", "generations"),  # recipes are read with a table for each of them
}
_DISTILLATION_KEYS = {"loss", "alpha", "ensemble", "drop_teachers"}
_AUGMENTATION_KEYS = {"copies"}


@dataclass(eq=False)
class Place:
    """One seed and fold, and its models as they are trained.

    Attributes:
        folder: of their files, below the output folder.
        data: its windows. Training and validation parts go to the child and are not kept here.
    """

    context: Context
    fold: Fold
    folder: str
    data: FoldWindows
    trained: dict[str, Teacher] = field(default_factory=dict)

    @classmethod
    def of(cls, context: Context, fold: Fold, folder: str) -> Place:
        """The place of a seed's context and one of its folds."""
        return cls(context, fold, folder, fold_windows(context.dataset, fold, context.recipe))

    def windows(self) -> FoldWindows:
        """Its windows, no part made yet: who is done with them drops all that was made."""
        return replace(self.data)

    @property
    def sizes(self) -> tuple[int, int]:
        """Windows of the lessons and of the validation part."""
        return self.data.n_lessons, self.data.n_validation

    def trainer(self, *, whole: bool = False) -> FoldTrainer:
        """What names and keeps its models; with all windows also what trains one by itself."""
        data = self.windows() if whole else self.data
        return FoldTrainer(self.context, data, folder=self.folder, arithmetic=_ARITHMETIC)

    def models(self, role: str) -> tuple[Teacher, ...]:
        """Its trained teachers or students, in the recipe's order."""
        return tuple(model for model in self.trained.values() if model.role == role)


class TogetherTrainer:
    """Trains the models of all places, each kind in one program of JAX.

    Args:
        places: in the order of seeds and folds; one output folder has them all.
        most_bytes: of windows that a program holds at once.
    """

    def __init__(self, places: Sequence[Place], *, most_bytes: int):
        self._places = list(places)
        self._most_bytes = most_bytes
        self._context = places[0].context
        self._fleets = contextlib.ExitStack()
        keys = [place.data.key for place in places]
        self._firsts = {key: at for at, key in reversed(list(enumerate(keys)))}
        self._fold_of = {key: at for at, key in enumerate(dict.fromkeys(keys))}

    def train(self) -> None:
        """Train every teacher and student, or take them from the store.

        Raises:
            KdEdgeError: as `train`. KD_FLEET_REFUSED, KD_FLEET_CRASH: see `Fleet`.
        """
        recipe = self._context.recipe
        check_together(recipe, self._context.dataset.examples)
        with self._fleets:
            for role, models in (("teacher", recipe.teachers), ("student", recipe.students)):
                for model in models:
                    self._train(model, role)

    def _train(self, model: Model | TeacherFile, role: str) -> None:
        if not _is_trained(model):
            for place in self._places:
                place.trained[model.name] = place.trainer(whole=True).one(
                    model, role, place.trained
                )
            return
        names = self._context.recipe.teachers_of(model)
        trainers = [place.trainer() for place in self._places]
        dues = [
            trainer.due(model, role, [place.trained[name] for name in names])
            for place, trainer in zip(self._places, trainers, strict=True)
        ]
        values = self._context.stages.run_together(
            [Stage(due.stage, due.key, (due.file,)) for due in dues],
            _grow,
            lambda missing: _grow(self, {at: dues[at] for at in missing}),
        )
        for place, trainer, due, value in zip(self._places, trainers, dues, values, strict=True):
            place.trained[model.name] = trainer.done(due, value)

    def grow(self, dues: Mapping[int, Due]) -> list[dict]:
        """Train the models that are due at these places; their stages' values."""
        from kd_edge.models import build_model

        model = next(iter(dues.values())).model
        recipe, examples = self._context.recipe, self._context.dataset.examples
        seeds = list(dict.fromkeys(self._places[at].context.recipe.seed for at in dues))
        starts = []
        for seed in seeds:
            network = build_model(
                model.model,
                input_shapes=examples.only(recipe.inputs_of(model)).input_shapes,
                n_classes=len(examples.class_names),
                seed=model_seed(seed, model.name),
                options=model.options,
            )
            starts.append([variable.numpy() for variable in network.variables])
        self._context.watch.note(
            f"{model.name}: {len(dues)} models of {len(seeds)} seeds are trained together on JAX"
        )
        grown = self._fleet.train(
            way_of(recipe, model, network.to_json(), self._places[0].data),
            [self._asked(at, due, seeds) for at, due in dues.items()],
            starts,
            most_bytes=self._most_bytes,
            progress=_told(self._context, model),
        )
        return [
            self._keep(network, due, one) for due, one in zip(dues.values(), grown, strict=True)
        ]

    def _asked(self, at: int, due: Due, seeds: Sequence[int]) -> Asked:
        from kd_edge.distill.fleet.training import Asked

        place, answers = self._places[at], None
        seed = place.context.recipe.seed
        if due.teachers and place.context.recipe.augmentation is None:
            answers = place.trainer(whole=True).teacher(due.teachers)
        return Asked(
            name=f"{place.folder}{due.model.name}",
            seed=model_seed(seed, due.model.name),
            fold=self._fold_of[place.data.key],
            start=seeds.index(seed),
            teachers=tuple(place.context.out / t.file for t in due.teachers) if not answers else (),
            answers=answers,
        )

    def _keep(self, network, due: Due, grown: Grown) -> dict:
        for variable, value in zip(network.weights, grown.weights, strict=True):
            variable.assign(value)
        save_model(network, self._context.out / due.file)
        history = {name: list(values) for name, values in grown.history.items()}
        return {"parameters": network.count_params(), "history": history}

    @cached_property
    def _fleet(self) -> Fleet:
        """The child, with the training and validation parts of every fold."""
        from kd_edge.distill.fleet.job import FoldSize
        from kd_edge.distill.fleet.training import Fleet

        firsts = [self._places[self._firsts[key]] for key in self._fold_of]
        folds = [FoldSize(*place.sizes, place.data.input_channels) for place in firsts]
        inputs = tuple(self._context.dataset.examples.inputs)
        fleet = Fleet(folds, _parts(firsts), inputs)
        self._fleets.callback(fleet.close)
        return fleet


def _grow(trainer: TogetherTrainer, dues: Mapping[int, Due]) -> list[dict]:
    return trainer.grow(dues)


def _parts(places: Sequence[Place]) -> Iterator[tuple[Part, Part]]:
    from kd_edge.distill.fleet.job import Part

    for place in places:
        data = place.windows()
        yield tuple(Part(each.inputs, each.truth) for each in (data.lessons, data.validation))


def way_of(recipe: Recipe, model: Model, network: str, data: FoldWindows) -> Way:
    """How a recipe's model is trained, for the child.

    Args:
        network: the model as Keras' JSON. data: of any fold.
    """
    from kd_edge.distill.fleet.job import Way

    distilled = bool(recipe.teachers_of(model))
    distillation, augmentation = recipe.distillation, recipe.augmentation
    return Way(
        network=network,
        inputs=recipe.inputs,
        epochs=model.epochs,
        batch_size=model.batch_size,
        learning_rate=model.learning_rate,
        learning_rate_decay=model.learning_rate_decay,
        patience=model.patience,
        loss=distillation.loss if distilled else None,
        loss_options=distillation.options if distilled else {},
        alpha=distillation.alpha if distilled else None,
        label_smoothing=model.label_smoothing,
        copies=augmentation.copies if augmentation else 0,
        augmentations=augmentation.options if augmentation else {},
        rates_hz=data.input_rates_hz,
        task=recipe.task,
        ensemble=distillation.ensemble if distilled else None,
        drop=distillation.drop_teachers if distilled else False,
        watched=data.plain.validates,
    )


def _told(context: Context, model: Model):
    """What tells the watch of an epoch."""
    from kd_edge.distill.trainer import EpochProgress

    seconds: list[float] = []

    def progress(done: FleetEpoch) -> None:
        seconds.append(done.seconds)
        # The first epoch also compiles the program.
        typical = float(np.median(seconds[1:])) if len(seconds) > 1 else None
        validated = done.validation_accuracy
        context.watch.epoch(
            EpochProgress(
                model=f"{model.name}, {done.models} together",
                epoch=done.epoch,
                epochs=model.epochs,
                loss=done.loss,
                accuracy=done.accuracy,
                validation_accuracy=None if np.isnan(validated) else validated,
                seconds=done.seconds,
                seconds_left=typical and typical * (model.epochs - done.epoch),
            )
        )

    return progress


def check_together(recipe: Recipe, examples: Examples) -> None:
    """Refuse what a fleet cannot do.

    Raises:
        KdEdgeError KD_FLEET_REFUSED: with what it is.
    """
    from kd_edge.distill.augmentations import AUGMENTATIONS
    from kd_edge.distill.ensemble import ENSEMBLES
    from kd_edge.distill.losses import LOSSES
    from kd_edge.distill.losses.sample_weights import SAMPLE_WEIGHTS
    from kd_edge.tasks import TASKS

    if examples.on_disk:
        raise _refused("examples that stay on disk", "raise dataset.memory_mb, or ")
    if recipe.augmentation is not None:
        learners = (*recipe.teachers, *recipe.students)
        asked = {name for model in learners for name in recipe.teachers_of(model)}
        for model in recipe.teachers:
            if model.name in asked and isinstance(model, TeacherFile):
                raise _refused(f"the teacher '{model.name}' from a file asked in each step")
    _check_keys(recipe)
    named = [(TASKS, recipe.task)]
    if recipe.augmentation is not None:
        named += [(AUGMENTATIONS, name) for name in recipe.augmentation.options]
    if recipe.distillation is not None:
        terms = recipe.distillation.options.get("terms", ())
        named += [(LOSSES, recipe.distillation.loss), (ENSEMBLES, recipe.distillation.ensemble)]
        named += [(LOSSES, term["loss"]) for term in terms]
        named += [(SAMPLE_WEIGHTS, term.get("sample_weight")) for term in terms]
    for table, name in named:
        if name is not None and not table.is_own(name):
            raise _refused(f"the {table.what} '{name}', which its process does not know")


def _is_trained(model: Model | TeacherFile) -> bool:
    """Whether a recipe's model is trained here, epoch by epoch, from weights of its own."""
    if isinstance(model, TeacherFile) or model.is_fitted:
        return False
    return aware_of(model) is None


def _check_keys(recipe: Recipe) -> None:
    """Refuse a key that models trained one by one follow, and a fleet would leave out."""
    models = [model for model in (*recipe.teachers, *recipe.students) if _is_trained(model)]
    tables = [(model.name, model, _MODEL_KEYS) for model in models]
    tables.append(("distillation", recipe.distillation, _DISTILLATION_KEYS))
    tables.append(("augmentation", recipe.augmentation, _AUGMENTATION_KEYS))
    for where, table, known in tables:
        fields = {} if table is None else type(table).model_fields
        for key in fields.keys() - known:
            if getattr(table, key) != fields[key].get_default(call_default_factory=True):
                raise _refused(f"the key '{key}' of {where}")


def _refused(what: str, first: str = "") -> KdEdgeError:
    return KdEdgeError(
        "KD_FLEET_REFUSED",
        f"a fleet cannot have {what}",
        hint=f"{first}train the models one by one: one_by_one=True",
    )


class Predictors:
    """Answers of many models of few architectures: each network and its graph are built once."""

    def __init__(self, context: Context):
        self._context = context
        self._networks: dict[str, tuple] = {}
        self._loaded: dict[str, str] = {}

    def __call__(self, model: Teacher, part: Examples) -> np.ndarray:
        """(n, ..., classes) logits of a part's own inputs."""
        if not isinstance(model, Trained):
            return predictor(network_of(model, self._context.out))(part)
        file = self._context.out / model.file
        if model.name not in self._networks:
            network = load_keras(file)
            self._networks[model.name] = network, predictor(network)
        elif self._loaded[model.name] != model.file:
            self._networks[model.name][0].load_weights(file)
        self._loaded[model.name] = model.file
        return self._networks[model.name][1](part)
