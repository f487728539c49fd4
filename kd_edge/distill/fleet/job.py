"""What a fleet is asked to do, and the files by which it is told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kd_edge.base.front_end import InputChannel

INPUTS, TRUTH = "input", "truth"
LESSONS, HELD = "lessons", "held"


@dataclass(frozen=True)
class Way:
    """How every model of a fleet is trained; what JSON can hold.

    Attributes:
        network: the student as Keras' JSON.
        inputs: names of the stack's inputs.
        epochs, batch_size, learning_rate, learning_rate_decay, patience: see `TrainSettings`.
        loss: of the distillation, a name in `LOSSES`; None for the labels alone.
        loss_options: of that loss. alpha: the labels' weight beside it.
        label_smoothing: share of each label that is spread over all classes.
        copies: how often an epoch shows each example changed; 0: nothing is augmented.
        augmentations: name -> options.
        rates_hz: samples a second of each input that has a time axis.
        task: what outputs and truth mean.
        ensemble, drop: see `teach`.
        watched: whether the validation part chooses the epoch.
    """

    network: str
    inputs: tuple[str, ...]
    epochs: int
    batch_size: int
    learning_rate: float
    learning_rate_decay: str
    patience: int | None
    loss: str | None
    loss_options: Mapping[str, Any]
    alpha: float | None
    label_smoothing: float
    copies: int
    augmentations: Mapping[str, Any]
    rates_hz: Mapping[str, float]
    task: str
    ensemble: str | None
    drop: bool
    watched: bool

    @classmethod
    def read(cls, fields: Mapping[str, Any]) -> Way:
        """What `asdict` wrote."""
        return cls(**fields)


@dataclass(frozen=True)
class Told:
    """One model of a fleet, as the child is told of it.

    Attributes:
        name: for errors.
        seed: of the order of its examples and of the augmentation.
        fold: its place in the stack of examples.
        start: its place among the sets of untrained weights.
        teachers: `.keras` file of each.
        answers: file of what teachers said, by the names of `Taught.arrays`; None: they are asked.
    """

    name: str
    seed: int
    fold: int
    start: int
    teachers: tuple[str, ...]
    answers: str | None


@dataclass(frozen=True)
class FoldSize:
    """The examples of one fold in the stack.

    Attributes:
        n, n_held: training and validation examples.
        channels: of each input that came from sensors.
    """

    n: int
    n_held: int
    channels: Mapping[str, tuple[InputChannel, ...]]

    @classmethod
    def read(cls, fields: Mapping[str, Any]) -> FoldSize:
        """What `asdict` wrote."""
        channels = {
            name: tuple(InputChannel(**channel) for channel in each)
            for name, each in fields["channels"].items()
        }
        return cls(fields["n"], fields["n_held"], channels)


@dataclass(frozen=True, eq=False)
class Part:
    """Examples of a fold's part.

    Attributes:
        inputs: name -> (n, ...) float32.
        truth: (n, ...) integers.
    """

    inputs: Mapping[str, np.ndarray]
    truth: np.ndarray


def files_of(folder: Path, inputs: Sequence[str]) -> dict[tuple[str, str, str], Path]:
    """Where each array of the stack stands: (part, kind, input name) -> an NPY file."""
    places = {}
    for part in (LESSONS, HELD):
        places[part, TRUTH, ""] = folder / f"{part}-truth.npy"
        for at, name in enumerate(inputs):
            places[part, INPUTS, name] = folder / f"{part}-{at}.npy"
    return places


def write_stack(
    folder: Path, shapes: Sequence[tuple[int, int]], parts: Iterator[tuple[Part, Part]]
) -> None:
    """Write the examples of every fold, one after the other, filled up to the largest.

    Args:
        shapes: (training, validation) examples of each fold.
        parts: (training, validation) part of each fold, in that order; one is held at a time.
    """
    most = [max(1, *sizes) for sizes in zip(*shapes, strict=True)]
    stacks: dict[Path, np.ndarray] = {}
    for fold, both in enumerate(parts):
        places = files_of(folder, tuple(both[0].inputs))
        for name, part, n in zip((LESSONS, HELD), both, most, strict=True):
            arrays = {(TRUTH, ""): part.truth.astype(np.int32)}
            arrays |= {(INPUTS, key): value for key, value in part.inputs.items()}
            for (kind, key), array in arrays.items():
                place = places[name, kind, key]
                if place not in stacks:
                    shape = (len(shapes), n, *array.shape[1:])
                    stacks[place] = np.lib.format.open_memmap(
                        place, "w+", dtype=array.dtype, shape=shape
                    )
                stacks[place][fold, : len(array)] = array
    for stack in stacks.values():
        stack.flush()


def as_json(way: Way, folds: Sequence[FoldSize], models: Sequence[Told]) -> dict[str, Any]:
    """What the child's job holds of them."""
    return {
        "way": asdict(way),
        "folds": [asdict(fold) for fold in folds],
        "models": [asdict(model) for model in models],
    }
