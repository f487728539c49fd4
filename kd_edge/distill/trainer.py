"""Training of teachers and students: on labels, or distilled from logits computed beforehand."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import keras
import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.sources import code_digest
from kd_edge.distill import checkpoint as checkpoints
from kd_edge.distill.engine import make_engine
from kd_edge.distill.logits import require_logits
from kd_edge.distill.objective import hard_loss, make_objective, pack_targets
from kd_edge.windows import WindowSet


@dataclass(frozen=True)
class TrainSettings:
    """How a model is trained.

    Attributes:
        epochs: at most.
        batch_size: windows a step.
        learning_rate: of Adam, at the start.
        patience: epochs without a better validation loss before training ends; None: never.
        seed: of the order of the windows.
        loss: a name in `losses.LOSSES`, or None for labels alone.
        temperature: of a loss that takes one.
        alpha: weight of the labels' cross-entropy; 1 - alpha is the distillation loss's.
        learning_rate_decay: 'none', or 'cosine': down to 0 over `epochs`, step by step.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    patience: int | None
    seed: int
    loss: str | None = None
    temperature: float | None = None
    alpha: float | None = None
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
    train: WindowSet,
    validation: WindowSet | None,
    settings: TrainSettings,
    *,
    name: str,
    teacher_logits: np.ndarray | None = None,
    checkpoint: Path | None = None,
    progress: Callable[[EpochProgress], None] | None = None,
) -> History:
    """Train `model` in place; it ends with the weights of its best validation epoch.

    The best epoch is the one of least validation loss; without validation windows it is the last.

    Args:
        model: its inputs are named as the windows' inputs; its output is (batch, classes) logits.
        train, validation: windows with labels.
        name: the model's, for progress and errors.
        teacher_logits: (len(train), classes), unnormalised, of the training windows in their order.
        checkpoint: file that is written after each epoch. The same call with the same untrained
            model goes on from it; a checkpoint of anything else is not used.
        progress: called after each epoch that ended and is on disk.

    Raises:
        KdEdgeError KD_NOT_LOGITS: the teacher's logits are probabilities.
        KD_SHAPE: windows, labels, logits and model do not fit. KD_RECIPE_VALUE: settings out of
        range or without meaning. KD_EMPTY_PART: no windows. KD_DIVERGED: the loss is not finite.
        KD_OUTPUT: the checkpoint cannot be written.
    """
    _check(model, train, validation, settings, teacher_logits)
    session = _Session(model, train, validation, settings, name, teacher_logits, checkpoint)
    while session.goes_on:
        done = session.run_epoch()
        if progress is not None:
            progress(done)
    return session.finish()


def predict_logits(model: keras.Model, windows: WindowSet, batch_size: int = 256) -> np.ndarray:
    """(n, classes) float32 outputs of the model, dropout off.

    Raises:
        KdEdgeError KD_SHAPE: the windows are not the model's.
    """
    inputs = _inputs_of(model, windows)
    parts = [
        np.asarray(model.predict_on_batch([x[start : start + batch_size] for x in inputs]))
        for start in range(0, len(windows), batch_size)
    ]
    n_classes = model.output_shape[-1]
    return np.concatenate(parts).astype(np.float32) if parts else np.empty((0, n_classes), "f4")


class _Session:
    """One call of `train`: the model, its optimizer, and what is known after each epoch."""

    def __init__(self, model, training, validation, settings, name, teacher_logits, checkpoint):
        self._model = model
        self._validation = validation
        self._settings = settings
        self._name = name
        self._checkpoint = checkpoint
        self._n = len(training)
        self._history: dict[str, list[float]] = {field: [] for field in History.__annotations__}
        self._best = model.get_weights()
        self._optimizer = keras.optimizers.Adam(_learning_rate(settings, self._n))
        self._optimizer.build(model.trainable_variables)
        inputs = _inputs_of(model, training)
        targets = pack_targets(training.labels, teacher_logits)
        if checkpoint is not None:
            self._key = self._digest([*inputs, targets])
            self._resume()
        objective = make_objective(
            loss=settings.loss, temperature=settings.temperature, alpha=settings.alpha
        )
        self._engine = make_engine(
            model, self._optimizer, objective, inputs, targets, settings.batch_size
        )

    @property
    def goes_on(self) -> bool:
        """Epochs are left, and the patience is not at its end."""
        done, losses = len(self._history["loss"]), self._history["validation_loss"]
        if done >= self._settings.epochs:
            return False
        if self._settings.patience is None or not losses:
            return True
        return done - 1 - int(np.argmin(losses)) < self._settings.patience

    def run_epoch(self) -> EpochProgress:
        """Train, validate and save one epoch."""
        started = time.perf_counter()
        epoch = len(self._history["loss"])
        # Seeded by epoch: a resumed run sees the windows in the order of an uninterrupted one.
        order = np.random.default_rng([self._settings.seed, epoch]).permutation(self._n)
        loss, accuracy = self._engine.run_epoch(order)
        if not math.isfinite(loss):
            raise self._diverged(epoch + 1, loss)
        figures = {"loss": loss, "accuracy": accuracy, **self._validate()}
        figures["seconds"] = time.perf_counter() - started
        for field, value in figures.items():
            self._history[field].append(value)
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
        logits = predict_logits(self._model, self._validation)
        targets = pack_targets(self._validation.labels, None)
        losses = keras.ops.convert_to_numpy(hard_loss(targets, logits))
        right = logits.argmax(axis=1) == self._validation.labels
        return {
            "validation_loss": float(losses.mean()),
            "validation_accuracy": float(right.mean()),
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

    def _diverged(self, epoch: int, loss: float) -> KdEdgeError:
        return KdEdgeError(
            "KD_DIVERGED",
            f"training of {self._name} diverged: its loss is {loss}",
            where=f"epoch {epoch} of {self._settings.epochs}",
            hint=f"lower the learning rate (it is {self._settings.learning_rate:g}), and look for "
            "very large samples with `kd-edge data inspect`",
        )

    def _digest(self, arrays: list[np.ndarray]) -> str:
        held_out = self._validation
        if held_out is not None:
            arrays = [*arrays, *held_out.inputs.values(), held_out.labels]
        description = {
            "settings": asdict(self._settings),
            "name": self._name,
            "model": self._model.to_json(),
            "backend": keras.backend.backend(),
            "code": code_digest(__name__, "kd_edge.models"),
        }
        return checkpoints.key_of(description, [*arrays, *_numpy(self._model.variables)])

    def _resume(self) -> None:
        state = checkpoints.load(self._checkpoint, self._key)
        if state is None:
            return
        self._history = state.history
        self._best = list(state.best)
        for variables, values in (
            (self._model.variables, state.variables),
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
                variables=_numpy(self._model.variables),
                optimizer=_numpy(self._optimizer.variables),
                best=self._best,
            ),
        )


def _learning_rate(settings: TrainSettings, n_windows: int):
    """Adam's rate: a number, or a schedule over every step of all epochs.

    'cosine': rate * (1 + cos(π step / steps)) / 2; I. Loshchilov, F. Hutter, "SGDR: Stochastic
    Gradient Descent with Warm Restarts", ICLR 2017, equation 5, without restarts.
    """
    if settings.learning_rate_decay == "none":
        return settings.learning_rate
    steps = settings.epochs * math.ceil(n_windows / settings.batch_size)
    return keras.optimizers.schedules.CosineDecay(settings.learning_rate, steps)


def _numpy(variables) -> list[np.ndarray]:
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


def _inputs_of(model: keras.Model, windows: WindowSet) -> list[np.ndarray]:
    """The windows' arrays in the order of the model's inputs, found by name."""
    expected = {tensor.name: tuple(tensor.shape[1:]) for tensor in model.inputs}
    if windows.input_shapes != expected:
        raise KdEdgeError(
            "KD_SHAPE",
            "the windows are not the model's inputs",
            where=f"model {expected}, windows {windows.input_shapes}",
            hint="the recipe's front end or the model's inputs have changed since it was built",
        )
    return [windows.inputs[name] for name in expected]


def _check(model, training, validation, settings, teacher_logits) -> None:
    for part, windows in (("training", training), ("validation", validation)):
        if windows is not None and len(windows) == 0:
            raise KdEdgeError("KD_EMPTY_PART", f"the {part} part has no windows")
    _check_settings(settings, has_validation=validation is not None)
    if (settings.loss is None) != (teacher_logits is None):
        raise KdEdgeError(
            "KD_RECIPE_VALUE", "a distillation loss and a teacher's logits belong together"
        )
    n_classes = model.output_shape[-1]
    if training.labels.min() < 0 or training.labels.max() >= n_classes:
        raise KdEdgeError(
            "KD_SHAPE", f"labels must be from 0 to {n_classes - 1}, the model's classes"
        )
    if teacher_logits is None:
        return
    if teacher_logits.shape != (len(training), n_classes):
        raise KdEdgeError(
            "KD_SHAPE",
            f"the teacher's logits are {teacher_logits.shape}, not {(len(training), n_classes)}",
            hint="compute them on these windows, augmented copies too",
        )
    if not np.isfinite(teacher_logits).all():
        raise KdEdgeError("KD_DIVERGED", "the teacher's logits are not all finite")
    require_logits(teacher_logits, "the teacher's outputs")


def _check_settings(settings: TrainSettings, *, has_validation: bool) -> None:
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
