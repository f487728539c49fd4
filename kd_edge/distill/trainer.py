"""Training of teachers and students: on labels, or distilled from teachers."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.front_end import InputChannel
from kd_edge.base.sources import code_digest
from kd_edge.distill import checkpoint as checkpoints
from kd_edge.distill.augmentations import Augmentation, Augmenter
from kd_edge.distill.batch import Taught
from kd_edge.distill.epochs import diverged, epoch_order, goes_on
from kd_edge.distill.lesson_checks import (
    check_augmented,
    check_lesson,
    check_parts,
    teacher_shapes,
)
from kd_edge.distill.losses import Loss
from kd_edge.distill.objective import Objective
from kd_edge.distill.steps import Lesson, Steps
from kd_edge.distill.tapped import Tapped, inputs_of
from kd_edge.distill.teaching import Teaching
from kd_edge.examples import Examples
from kd_edge.tasks import Task


@dataclass(frozen=True)
class Augmenting:
    """How training examples are changed, in the step: student and teachers see the same.

    Attributes:
        copies: how often an epoch shows each example changed anew, beside once as it is.
        augmentations: one after the other.
        rates_hz: samples a second of each input that has a time axis.
        channels: of each input that came from sensors, in the order of its last axis.
    """

    copies: int
    augmentations: tuple[Augmentation, ...]
    rates_hz: Mapping[str, float]
    channels: Mapping[str, tuple[InputChannel, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class TrainSettings:
    """How a model is trained.

    Attributes:
        epochs: at most.
        batch_size: windows a step.
        learning_rate: of Adam, at the start.
        patience: epochs without a better validation loss before training ends; None: never.
        seed: of the order of the windows.
        loss: what is minimised; `losses.weigh_labels` joins one with the labels.
        augmentation: of the training examples; None for none.
        learning_rate_decay: 'none', or 'cosine': down to 0 over `epochs`, step by step.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    patience: int | None
    seed: int
    loss: Loss
    augmentation: Augmenting | None = None
    learning_rate_decay: str = "none"


@dataclass(frozen=True)
class EpochProgress:
    """An epoch that has ended and is on disk.

    Attributes:
        model: its name.
        epoch: from 1. epochs: at most.
        loss, accuracy: on the training windows while training (with dropout).
        validation_accuracy: None without validation windows.
        seconds: that the epoch took.
        seconds_left: if no patience ends it earlier; None after the first epoch, whose time says
            little about the others'.
    """

    model: str
    epoch: int
    epochs: int
    loss: float
    accuracy: float
    validation_accuracy: float | None
    seconds: float
    seconds_left: float | None


@dataclass(frozen=True)
class History:
    """One value an epoch; validation figures are empty without validation windows.

    `validation_loss` is the labels' cross-entropy in nats, also where a teacher is distilled.
    """

    loss: tuple[float, ...]
    accuracy: tuple[float, ...]
    validation_loss: tuple[float, ...]
    validation_accuracy: tuple[float, ...]
    seconds: tuple[float, ...]


def train(
    model: keras.Model,
    train: Examples,
    validation: Examples | None,
    settings: TrainSettings,
    *,
    name: str,
    task: Task,
    teacher: Teaching | Taught | None = None,
    weights: np.ndarray | None = None,
    checkpoint: Path | None = None,
    progress: Callable[[EpochProgress], None] | None = None,
) -> History:
    """Train `model` in place; it ends with the weights of its best validation epoch.

    The best epoch is the one of least validation loss; without validation windows it is the last.

    Args:
        model: its inputs are named as the windows' inputs; its output is (batch, ..., classes)
            logits.
        train, validation: windows with labels; `train` has the teachers' inputs as well.
        name: the model's, for progress and errors.
        task: what outputs and labels mean.
        teacher: whom the loss learns from: networks, or what they said to the training windows
            in their order (where nothing is augmented).
        weights: (len(train),) of each window's loss; None: all alike.
        checkpoint: file that is written after each epoch. The same call with the same untrained
            model goes on from it; a checkpoint of anything else is not used.
        progress: called after each epoch that ended and is on disk.

    Raises:
        KdEdgeError KD_NOT_LOGITS: the teacher's logits are probabilities.
        KD_SHAPE: windows, labels, logits and model do not fit. KD_RECIPE_VALUE: settings out of
        range or without meaning. KD_EMPTY_PART: no windows. KD_DIVERGED: the loss is not finite.
        KD_OUTPUT: the checkpoint cannot be written.
    """
    check_parts(train, validation)
    _check_settings(settings, has_validation=validation is not None)
    lesson = _lesson(model, train, settings, teacher, weights)
    check_lesson(model, train, task, settings.loss, lesson)
    training = _Training(model, lesson, validation, settings, name, task, teacher, checkpoint)
    while training.goes_on:
        done = training.run_epoch()
        if progress is not None:
            progress(done)
    return training.finish()


def predict_logits(model: keras.Model, windows: Examples) -> np.ndarray:
    """(n, ..., classes) float32 outputs of the model, dropout off. Raises as `Predictor`."""
    return Predictor(model)(windows)


class Predictor:
    """A model's outputs, dropout off, from one graph for any number of examples.

    Keras' own `predict_on_batch` traces a graph anew for a second batch size, and may compile it
    with XLA: on a network with LSTMs either takes longer than all its answers.
    """

    def __init__(self, model: keras.Model):
        import tensorflow as tf

        self._model = model
        shapes = [tf.TensorSpec((None, *tensor.shape[1:]), tf.float32) for tensor in model.inputs]
        self._graph = tf.function(
            lambda inputs: model(inputs, training=False), input_signature=[shapes]
        )

    def __call__(self, windows: Examples) -> np.ndarray:
        """(n, ..., classes) float32.

        Raises:
            KdEdgeError KD_SHAPE: the windows are not the model's.
        """
        inputs, batch_size = list(inputs_of(self._model, windows).values()), windows.at_once
        parts = [
            self._graph([x[start : start + batch_size].astype(np.float32) for x in inputs]).numpy()
            for start in range(0, len(windows), batch_size)
        ]
        if not parts:
            return np.empty((0, *self._model.output_shape[1:]), np.float32)
        return np.concatenate(parts).astype(np.float32)


class _Training:
    """One call of `train`: the model, its optimizer, and what is known after each epoch."""

    def __init__(self, model, lesson, validation, settings, name, task, teacher, checkpoint):
        self._model = model
        self._predictor = Predictor(model)
        self._validation = validation
        self._settings = settings
        self._name = name
        self._task = task
        self._checkpoint = checkpoint
        self._shown = lesson.shown
        self._history: dict[str, list[float]] = {field: [] for field in History.__annotations__}
        self._best = model.get_weights()
        student = Tapped(model, settings.loss.taps().student, name)
        objective = Objective(settings.loss, task, student, teacher_shapes(lesson))
        self._optimizer = keras.optimizers.Adam(_learning_rate(settings, self._shown))
        self._steps = Steps(student, objective, self._optimizer, lesson, settings.batch_size)
        self._optimizer.build(self._steps.trainable_variables)
        random = lesson.augmenter.variables if lesson.augmenter else []
        # Everything that the next epoch depends on, beside the optimizer.
        self._variables = [*model.variables, *objective.variables, *random]
        if checkpoint is not None:
            self._key = self._digest(lesson, teacher)
            self._resume()

    @property
    def goes_on(self) -> bool:
        """Epochs are left, and the patience is not at its end."""
        settings, history = self._settings, self._history
        done = len(history["loss"])
        return goes_on(settings.epochs, settings.patience, done, history["validation_loss"])

    def run_epoch(self) -> EpochProgress:
        """Train, validate and save one epoch."""
        started = time.perf_counter()
        epoch = len(self._history["loss"])
        order = epoch_order(self._settings.seed, epoch, self._shown)
        loss, accuracy = self._steps.run_epoch(order, epoch)
        if not math.isfinite(loss):
            settings = self._settings
            raise diverged(
                self._name,
                loss,
                epoch=epoch + 1,
                epochs=settings.epochs,
                learning_rate=settings.learning_rate,
            )
        figures = {"loss": loss, "accuracy": accuracy, **self._validate()}
        figures["seconds"] = time.perf_counter() - started
        for figure, value in figures.items():
            self._history[figure].append(value)
        losses = self._history["validation_loss"]
        if not losses or np.argmin(losses) == len(losses) - 1:
            self._best = self._model.get_weights()
        self._save()
        return self._progress()

    def finish(self) -> History:
        """Put the best weights back."""
        self._model.set_weights(self._best)
        return History(**{field: tuple(values) for field, values in self._history.items()})

    def _validate(self) -> dict[str, float]:
        if self._validation is None:
            return {}
        logits = self._predictor(self._validation)
        truth = self._validation.truth
        losses = keras.ops.convert_to_numpy(self._task.hard_loss(logits, truth))
        return {
            "validation_loss": float(losses.mean()),
            "validation_accuracy": self._task.share_right(logits, truth),
        }

    def _progress(self) -> EpochProgress:
        history, epochs = self._history, self._settings.epochs
        done = len(history["loss"])
        # The first epoch also builds the graph.
        typical = float(np.median(history["seconds"][1:])) if done > 1 else None
        left = 0.0 if not self.goes_on else typical and typical * (epochs - done)
        validated = history["validation_accuracy"]
        return EpochProgress(
            model=self._name,
            epoch=done,
            epochs=epochs,
            loss=history["loss"][-1],
            accuracy=history["accuracy"][-1],
            validation_accuracy=validated[-1] if validated else None,
            seconds=history["seconds"][-1],
            seconds_left=left,
        )

    def _digest(self, lesson: Lesson, teacher: Teaching | Taught | None) -> str:
        held_out = self._validation
        arrays = [*lesson.inputs.values(), lesson.truth]
        if lesson.weights is not None:
            arrays.append(lesson.weights)
        if held_out is not None:
            arrays += [*held_out.inputs.values(), held_out.truth]
        if isinstance(teacher, Teaching):
            arrays += teacher.weights
        elif teacher is not None:
            arrays += keras.tree.flatten(teacher)
        description = {
            "settings": repr(self._settings),
            "task": self._task.name,
            "name": self._name,
            "model": self._model.to_json(),
            "backend": keras.backend.backend(),
            "code": code_digest(__name__, "kd_edge.models"),
        }
        return checkpoints.key_of(description, [*arrays, *_numpy(self._variables)])

    def _resume(self) -> None:
        state = checkpoints.load(self._checkpoint, self._key)
        if state is None:
            return
        self._history = state.history
        self._best = list(state.best)
        for variables, values in (
            (self._variables, state.variables),
            (self._optimizer.variables, state.optimizer),
        ):
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)

    def _save(self) -> None:
        if self._checkpoint is None:
            return
        checkpoints.save(
            self._checkpoint,
            checkpoints.State(
                key=self._key,
                history=self._history,
                variables=_numpy(self._variables),
                optimizer=_numpy(self._optimizer.variables),
                best=self._best,
            ),
        )


def _learning_rate(settings: TrainSettings, n_shown: int):
    """Adam's rate: a number, or a schedule over every step of all epochs.

    'cosine': rate * (1 + cos(π step / steps)) / 2; I. Loshchilov, F. Hutter, "SGDR: Stochastic
    Gradient Descent with Warm Restarts", ICLR 2017, equation 5, without restarts.
    """
    if settings.learning_rate_decay == "none":
        return settings.learning_rate
    steps = settings.epochs * math.ceil(n_shown / settings.batch_size)
    return keras.optimizers.schedules.CosineDecay(settings.learning_rate, steps)


def _numpy(variables) -> list[np.ndarray]:
    # Three times as fast as keras.ops.convert_to_numpy, every epoch.
    return [variable.numpy() for variable in variables]


def _lesson(model, training, settings, teacher, weights) -> Lesson:
    """The training windows with what the teachers have to do with them."""
    own, augmenting = inputs_of(model, training), settings.augmentation
    if teacher is None or isinstance(teacher, Taught):
        inputs = own
    else:
        inputs = own | {name: training.inputs[name] for name in teacher.inputs}
    if augmenting is None:
        taught = teacher.once(training) if isinstance(teacher, Teaching) else teacher
        return Lesson(inputs, training.truth, weights, taught)
    check_augmented(teacher)
    augmenter = Augmenter(
        augmenting.augmentations, augmenting.rates_hz, settings.seed, augmenting.channels
    )
    return Lesson(
        inputs, training.truth, weights, None, teacher, augmenter, copies=augmenting.copies
    )


def _check_settings(settings: TrainSettings, *, has_validation: bool) -> None:
    if settings.augmentation is not None and settings.augmentation.copies < 1:
        raise KdEdgeError("KD_RECIPE_VALUE", "augmentation needs at least one copy")
    if settings.epochs < 1 or settings.batch_size < 1 or not settings.learning_rate > 0:
        raise KdEdgeError(
            "KD_RECIPE_VALUE", "epochs, batch_size and learning_rate must be positive"
        )
    if settings.learning_rate_decay not in ("none", "cosine"):
        raise KdEdgeError(
            "KD_RECIPE_VALUE",
            f"learning_rate_decay is none or cosine, not {settings.learning_rate_decay!r}",
        )
    if settings.patience is not None and not has_validation:
        raise KdEdgeError("KD_RECIPE_VALUE", "patience needs validation windows")
