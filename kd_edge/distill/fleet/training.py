"""The models of a fleet from here: examples go to a child process, trained weights come back."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kd_edge.base.children import Child, DiedError
from kd_edge.base.errors import KdEdgeError
from kd_edge.distill.batch import Taught
from kd_edge.distill.fleet.job import FoldSize, Part, Told, Way, as_json, write_stack
from kd_edge.models.keras_start import KERAS_ENVIRONMENT

_ENVIRONMENT = KERAS_ENVIRONMENT | {
    "KERAS_BACKEND": "jax",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    # The parent's TensorFlow may need some of a GPU as well.
    "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
}
# Of examples that a program holds at once.
MOST_BYTES = 1_500_000_000


@dataclass(frozen=True, eq=False)
class Asked:
    """One model to be trained.

    Attributes:
        name: for errors.
        seed: of the order of its examples and of the augmentation.
        fold: its place among the folds.
        start: its place among the sets of untrained weights.
        teachers: `.keras` file of each. answers: what they said to the fold's training part, if
            they are not to be asked in each step.
    """

    name: str
    seed: int
    fold: int
    start: int
    teachers: tuple[Path, ...] = ()
    answers: Taught | None = None


@dataclass(frozen=True, eq=False)
class Grown:
    """One model, trained.

    Attributes:
        weights: of its best epoch, of any shape, in Keras' order.
        history: a field of `History` -> a value an epoch.
    """

    weights: tuple[np.ndarray, ...]
    history: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True)
class FleetEpoch:
    """An epoch that has ended. `loss`, `accuracy` and `validation_accuracy` are means over the
    models that went on; not a number without validation windows."""

    epoch: int
    models: int
    loss: float
    accuracy: float
    validation_accuracy: float
    seconds: float


class Fleet:
    """A child process with the examples of several folds, for one kind of model after the other.

    Args:
        folds: how many examples each has, and their channels.
        parts: (training, validation) part of each, in that order; one is held at a time.
        inputs: names of every input.
    """

    def __init__(
        self, folds: Sequence[FoldSize], parts: Iterator[tuple[Part, Part]], inputs: Sequence[str]
    ):
        self._folds, self._inputs = tuple(folds), tuple(inputs)
        self._child = Child("kd_edge.distill.fleet.child", name="fleet", environment=_ENVIRONMENT)
        try:
            write_stack(self._child.folder, [(fold.n, fold.n_held) for fold in folds], parts)
        except BaseException:
            self._child.close()
            raise

    @property
    def process_id(self) -> int | None:
        """The child's; None before the first models."""
        return self._child.process_id

    def train(
        self,
        way: Way,
        models: Sequence[Asked],
        starts: Sequence[Sequence[np.ndarray]],
        *,
        most_bytes: int = MOST_BYTES,
        progress: Callable[[FleetEpoch], None] | None = None,
    ) -> tuple[Grown, ...]:
        """Train models of one architecture together. Interrupting it ends the child.

        Args:
            models: as many teachers each, of the same architectures.
            starts: sets of untrained weights, of any shape, in the order of Keras' `variables`.
            most_bytes: of examples that are held at once. Models of more folds follow each other.
            progress: called after each epoch.

        Raises:
            KdEdgeError: as `trainer.train`. KD_FLEET_CRASH: the child died, KD_FLEET_REFUSED: it
                cannot read the model.
        """
        with tempfile.TemporaryDirectory(dir=self._child.folder) as name:
            folder = Path(name)
            np.savez(
                folder / "starts.npz",
                **{
                    f"{at}/{place}": value
                    for at, start in enumerate(starts)
                    for place, value in enumerate(start)
                },
            )
            told = [_told(model, folder / f"answers-{at}.npz") for at, model in enumerate(models)]
            job = as_json(way, self._folds, told) | {
                "folder": str(folder),
                "stack": str(self._child.folder),
                "most_bytes": most_bytes,
            }
            self._do(folder, job, progress)
            return tuple(_grown(folder, at) for at in range(len(models)))

    def _do(self, folder: Path, job: Mapping[str, object], progress) -> None:
        def tell(line: str) -> None:
            if progress is not None:
                progress(FleetEpoch(**json.loads(line)))

        try:
            self._child.do(folder, job, tell=tell)
        except DiedError as died:
            raise KdEdgeError(
                "KD_FLEET_CRASH",
                f"the process that trains the models {died.what}",
                where=died.last_words,
                hint="SIGKILL often means that memory was short: train fewer folds or seeds at "
                "once, or one by one; what was finished before is kept",
            ) from died

    def close(self) -> None:
        """End the child and remove its files."""
        self._child.close()


def _told(model: Asked, place: Path) -> Told:
    if model.answers is not None:
        np.savez(place, **model.answers.arrays())
    return Told(
        name=model.name,
        seed=model.seed,
        fold=model.fold,
        start=model.start,
        # The child works in a folder of its own.
        teachers=tuple(str(file.resolve()) for file in model.teachers),
        answers=None if model.answers is None else str(place),
    )


def _grown(folder: Path, at: int) -> Grown:
    with np.load(folder / f"trained-{at}.npz", allow_pickle=False) as arrays:
        weights = tuple(arrays[str(place)] for place in range(len(arrays.files)))
    history = json.loads((folder / f"history-{at}.json").read_text(encoding="utf-8"))
    return Grown(weights, {name: tuple(values) for name, values in history.items()})
