"""Training stages of one fold: teachers, their outputs once, and students."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kd_edge.base.files import own_path, sha256_file
from kd_edge.distill.foreign.settings import TeacherFile
from kd_edge.examples import Examples
from kd_edge.models.fitted import fit_model
from kd_edge.models.keras_start import load_keras
from kd_edge.pipeline.aware import aware_of, begin, finished
from kd_edge.pipeline.brought import Brought, brought
from kd_edge.pipeline.context import WORK_FOLDER, Context
from kd_edge.pipeline.keras_files import save_model
from kd_edge.pipeline.parts import FoldWindows
from kd_edge.pipeline.stages import Asked, key_of
from kd_edge.pipeline.training_settings import loss_of, model_seed, settings_of
from kd_edge.recipe import Model, Student
from kd_edge.report.tree import Curve
from kd_edge.tasks import find_task

if TYPE_CHECKING:
    import keras

    from kd_edge.distill.batch import Taught
    from kd_edge.distill.teaching import Teaching


@dataclass(frozen=True)
class Trained:
    """A trained model on disk.

    Attributes:
        role: 'teacher' or 'student'.
        file: `.keras` file below the output folder.
        inputs: window inputs it takes, in order.
        curve: its training history; None of a model that is fitted.
        aware_of: the float student that it started from, behind int8's rounding; None: it did not.
    """

    name: str
    role: str
    architecture: str
    file: str
    sha256: str
    inputs: tuple[str, ...]
    parameters: int
    curve: Curve | None
    aware_of: str | None = None

    @property
    def digest(self) -> str:
        """Of all that its answers depend on, beside the windows."""
        return self.sha256


# A teacher that was trained here, or one from a file.
Teacher = Trained | Brought


@dataclass(frozen=True)
class Due:
    """A model that is to be trained, unless a stage of this key has done so.

    Attributes:
        teachers: that it learns from.
        stage, key: of its training.
        file: `.keras` file below the output folder.
        start: the float student that it starts from, behind int8's rounding; None: fresh weights.
    """

    model: Model
    role: str
    teachers: tuple[Teacher, ...]
    stage: str
    key: str
    file: str
    start: Trained | None = None


class FoldTrainer:
    """Trains the models of one fold below `folder` of the output folder ('' for the first fold).

    Args:
        arithmetic: a name for it where it is not this process's TensorFlow: weights that another
            arithmetic has made are others.
    """

    def __init__(
        self,
        context: Context,
        data: FoldWindows,
        *,
        folder: str = "",
        arithmetic: str | None = None,
    ):
        self._recipe = context.recipe
        self._data = data
        self._stages = context.stages
        self._out = context.out
        self._home = context.home
        self._folder = folder
        self._progress = context.watch.epoch
        # Weights that another order of sums has made are others.
        self._arithmetic = arithmetic or context.same_on_any_cores

    @property
    def data(self) -> FoldWindows:
        """The fold's windows."""
        return self._data

    def teachers(self) -> tuple[Teacher, ...]:
        """Every teacher, trained on labels, or by the teachers that it has itself; or a file's."""
        return self._all(self._recipe.teachers, "teacher", ())

    def students(self, teachers: Sequence[Teacher]) -> tuple[Trained, ...]:
        """Every student, distilled from its teachers or trained on labels alone."""
        return self._all(self._recipe.students, "student", teachers)

    def _all(
        self, models: Sequence[Model | TeacherFile], role: str, above: Sequence[Teacher]
    ) -> tuple[Teacher, ...]:
        """Models in their order: each may learn from those before it, and from those above.

        What another process trains now comes after what nobody trains.
        """
        trained = {model.name: model for model in above}
        asked: dict[tuple[str, ...], _Once] = {}
        left = list(models)
        while left:
            ready = [model for model in left if self.needs(model) <= trained.keys()]
            free = (model for model in ready if not self.is_busy(model, role, trained))
            model = next(free, ready[0])
            trained[model.name] = self.one(model, role, trained, asked)
            left.remove(model)
        return tuple(trained[model.name] for model in models)

    def needs(self, model: Model | TeacherFile) -> frozenset[str]:
        """Names of the models that must be trained before this one."""
        if isinstance(model, TeacherFile):
            return frozenset()
        aware = aware_of(model)
        others = (model.body if model.is_fitted else None, aware.of if aware else None)
        return frozenset((*self._recipe.teachers_of(model), *others)) - {None}

    def is_busy(
        self, model: Model | TeacherFile, role: str, trained: Mapping[str, Teacher]
    ) -> bool:
        """Whether somebody trains this model now; arguments as of `one`."""
        if isinstance(model, TeacherFile) or model.is_fitted:
            return False
        return self._stages.is_busy(self._due(model, role, trained).key, self._train_due)

    def one(
        self,
        model: Model | TeacherFile,
        role: str,
        trained: Mapping[str, Teacher],
        asked: dict[tuple[str, ...], _Once] | None = None,
    ) -> Teacher:
        """A model, trained or fitted now or before; or a file's.

        Args:
            trained: models that it may learn from, by name.
            asked: teachers that were asked before, by their names.
        """
        if isinstance(model, TeacherFile):
            found = brought(model, self._recipe, self._data)
            found.check(self._data)
            return found
        if model.is_fitted:
            return self._fitted(model, role, trained.get(model.body))
        due = self._due(model, role, trained)
        once = _Once(partial(self.teacher, due.teachers))
        names = tuple(teacher.name for teacher in due.teachers)
        return self._train(due, once if asked is None else asked.setdefault(names, once))

    def _due(self, model: Model, role: str, trained: Mapping[str, Teacher]) -> Due:
        aware = aware_of(model)
        chosen = [trained[name] for name in self._recipe.teachers_of(model)]
        return self.due(model, role, chosen, trained[aware.of] if aware else None)

    def due(
        self,
        model: Model,
        role: str,
        teachers: Sequence[Teacher],
        start: Trained | None = None,
    ) -> Due:
        """What training a model would be, by the teachers that it learns from."""
        recipe = self._recipe
        return Due(
            model=model,
            role=role,
            teachers=tuple(teachers),
            stage=f"train {self._folder}{model.name}",
            key=key_of(
                self._data.key,
                model.model_dump(mode="json"),
                recipe.inputs_of(model),
                recipe.seed,
                recipe.task,
                recipe.augmentation and recipe.augmentation.model_dump(mode="json"),
                recipe.distillation.model_dump(mode="json") if teachers else None,
                [t.digest for t in teachers],
                self._arithmetic,
                start and [start.sha256, recipe.conversion.calibration_windows],
            ),
            file=f"{self._folder}{model.name}.keras",
            start=start,
        )

    def done(self, due: Due, value: Mapping) -> Trained:
        """The model whose training gave that value."""
        series = {name: tuple(values) for name, values in value["history"].items()}
        curve = Curve(model=due.model.name, **series)
        return self._trained(due.model, due.role, due.file, value["parameters"], curve)

    def _train(self, due: Due, teacher: _Once) -> Trained:
        asked = Asked(due.stage, due.key, (due.file,))
        (value,) = self._stages.run_together(
            [asked], self._train_due, lambda _: [self._train_due(due, teacher)]
        )
        self._checkpoint(due).unlink(missing_ok=True)
        return self.done(due, value)

    def _checkpoint(self, due: Due) -> Path:
        return own_path(self._home, f"{WORK_FOLDER}/{due.model.name}-{due.key[:16]}.ckpt")

    def _train_due(self, due: Due, teacher: _Once) -> dict:
        network = self._fresh(due) if due.start is None else self._rounding(due)
        return self._fit(due, network, teacher.value if due.teachers else None)

    def _fitted(self, model: Model, role: str, body: Trained | None) -> Trained:
        """A model that is computed from the training part at once, with its body's embedding."""
        data, file = self._data, f"{self._folder}{model.name}.keras"
        key = key_of(
            data.key,
            model.model_dump(mode="json"),
            self._recipe.inputs_of(model),
            self._recipe.seed,
            body and body.sha256,
            self._arithmetic,
        )

        def make() -> int:
            from kd_edge.models.embedding import embedding_of

            network = self._network(model, body and load_keras(self._out / body.file))
            embed = predictor(embedding_of(network))
            training = data.training.only(self._recipe.inputs_of(model))
            seed = model_seed(self._recipe.seed, model.name)
            vectors, truth = embed(training), training.truth
            fit_model(model.model, network, vectors, truth, seed=seed, options=model.options)
            save_model(network, self._out / file)
            return network.count_params()

        parameters = self._stages.run(f"fit {self._folder}{model.name}", key, [file], make)
        return self._trained(model, role, file, parameters, None)

    def _trained(
        self, model: Model, role: str, file: str, parameters: int, curve: Curve | None
    ) -> Trained:
        aware = aware_of(model)
        return Trained(
            name=model.name,
            role=role,
            architecture=model.model,
            file=file,
            sha256=sha256_file(self._out / file),
            inputs=self._recipe.inputs_of(model),
            parameters=parameters,
            curve=curve,
            aware_of=aware and aware.of,
        )

    def _network(self, model: Model, body=None):
        """A fresh network of a model, on another's embedding where it has a body."""
        from kd_edge.models import build_model

        training = self._data.training
        return build_model(
            model.model,
            input_shapes=training.only(self._recipe.inputs_of(model)).input_shapes,
            n_classes=len(training.class_names),
            seed=model_seed(self._recipe.seed, model.name),
            options=model.options,
            body=body,
        )

    def _fresh(self, due: Due) -> keras.Model:
        """A network before its first step, with the layers that its recipe takes from a teacher."""
        from kd_edge.models.teacher_layers import take_layers

        network = self._network(due.model)
        if isinstance(due.model, Student) and due.model.layers_from is not None:
            (teacher,) = (t for t in due.teachers if t.name == due.model.layers_from)
            take_layers(network, load_keras(self._out / teacher.file))
        return network

    def _rounding(self, due: Due) -> keras.Model:
        """A trained student, rounding as its int8 form does."""
        seed = model_seed(self._recipe.seed, due.model.name)
        start = self._out / due.start.file
        return begin(aware_of(due.model), start, self._recipe, self._data.training, seed)

    def _fit(self, due: Due, network: keras.Model, teacher: Teaching | Taught | None) -> dict:
        from kd_edge.distill.trainer import train

        recipe, data, model = self._recipe, self._data, due.model
        watched = data.watched
        history = train(
            network,
            data.lessons,
            None if watched is None else watched.only(recipe.inputs_of(model)),
            settings_of(recipe, data, model, distilled=teacher is not None),
            name=f"{self._folder}{model.name}",
            task=find_task(recipe.task),
            teacher=teacher,
            checkpoint=self._checkpoint(due),
            progress=self._progress,
        )
        network = network if due.start is None else finished(network)
        save_model(network, self._out / due.file)
        return {"parameters": network.count_params(), "history": asdict(history)}

    def teacher(self, teachers: Sequence[Teacher]) -> Teaching | Taught:
        """The teachers, or what they say to the training windows if nothing changes those."""
        if self._recipe.augmentation is not None:
            return self._teaching(teachers)
        from kd_edge.distill.batch import taught_of

        key = key_of(
            self._data.key,
            [[teacher.digest, teacher.inputs] for teacher in teachers],
            self._recipe.task,
            self._recipe.distillation.model_dump(include={"ensemble", "drop_teachers"}),
            loss_of(self._recipe).taps().teacher,
            self._arithmetic,
        )

        def make() -> dict[str, np.ndarray]:
            return self._teaching(teachers).once(self._data.lessons).arrays()

        names = ", ".join(teacher.name for teacher in teachers)
        return taught_of(self._stages.arrays(f"answers of {self._folder}{names}", key, make))

    def _teaching(self, teachers: Sequence[Teacher]) -> Teaching:
        from kd_edge.distill.teachers import teach

        recipe, data = self._recipe, self._data
        return teach(
            [network_of(teacher, self._out) for teacher in teachers],
            loss_of(self._recipe),
            data.validation,
            task=find_task(recipe.task),
            ensemble=recipe.distillation.ensemble,
            drop=recipe.distillation.drop_teachers,
        )


class _Once:
    """A value that is computed when first asked for."""

    def __init__(self, make: Callable[[], object]):
        self._make = make

    @cached_property
    def value(self):
        return self._make()


def network_of(model: Teacher, out: Path):
    """The Keras model of a trained one, below the output folder, or a file's teacher."""
    return model.opened if isinstance(model, Brought) else load_keras(out / model.file)


def predictor(network) -> Callable[[Examples], np.ndarray]:
    """A function from windows to (n_windows, classes) logits, of a network or a file's teacher."""
    from kd_edge.distill.foreign.record import FileTeacher
    from kd_edge.distill.trainer import Predictor

    return network.predict if isinstance(network, FileTeacher) else Predictor(network)
