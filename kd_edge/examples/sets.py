"""Examples: arrays for a model, the truth about each, and what each came from."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from kd_edge.examples.stored import OnDisk, rows_at_once


class Origin(Protocol):
    """What examples came from: a recording or an image, by the names that groups have."""

    name: str
    subject: str
    session: str
    content_sha256: str


@dataclass(frozen=True, eq=False)
class Groups:
    """What each example belongs to. Examples of one group resemble each other.

    Attributes:
        recording: (n,) int64 index into `names`, the recording or image that an example came from.
        subject, session: (n,) str; '' where unknown.
        content: (n,) str, SHA-256 of what that recording or image holds; '' where unknown.
        names: of all recordings or images, also of those without an example here.
    """

    recording: np.ndarray
    subject: np.ndarray
    session: np.ndarray
    content: np.ndarray
    names: tuple[str, ...]

    @classmethod
    def of(cls, owners: Sequence[int], origins: Sequence[Origin]) -> Groups:
        """Groups of examples, each cut from `origins[owner]`.

        Args:
            owners: (n,) index into `origins`.
        """
        owned = [origins[owner] for owner in owners]
        return cls(
            recording=np.array(owners, dtype=np.int64),
            subject=np.array([origin.subject for origin in owned], dtype=str),
            session=np.array([origin.session for origin in owned], dtype=str),
            content=np.array([origin.content_sha256 for origin in owned], dtype=str),
            names=tuple(origin.name for origin in origins),
        )

    @classmethod
    def each(cls, names: Sequence[str], *, subject: str = "") -> Groups:
        """Groups of examples that have nothing but a name each, and perhaps a subject."""
        unknown = np.full(len(names), "")
        subjects = np.full(len(names), subject)
        return cls(np.arange(len(names)), subjects, unknown, unknown, tuple(names))

    def take(self, indices: np.ndarray) -> Groups:
        """Those of the examples at `indices`, (m,) int64, in that order."""
        return Groups(
            recording=self.recording[indices],
            subject=self.subject[indices],
            session=self.session[indices],
            content=self.content[indices],
            names=self.names,
        )


@dataclass(frozen=True, eq=False)
class Examples:
    """Examples of one dataset or part of it: windows of sensors, or images.

    Attributes:
        inputs: model input name -> (n, ...) float32: (n, samples, channels) for windows,
            (n, steps, samples, channels) where they are cut in steps, (n, height, width, channels)
            for images. An input that is larger than memory is an `OnDisk`.
        truth: (n,) int64 index into `class_names`; (n, ...) where parts of an example, such as
            pixels, have a class each.
        groups: what each example belongs to.
        class_names: every class of the dataset, in the model's output order.
        synthetic: any of it was made by a generator.
    """

    inputs: dict[str, np.ndarray | OnDisk]
    truth: np.ndarray
    groups: Groups
    class_names: tuple[str, ...]
    synthetic: bool = False

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def strata(self) -> np.ndarray:
        """(n,) int64, the class that an example stands for in a balanced choice.

        All are 0 where parts of an example have a class each: then groups alone are balanced.
        """
        return self.truth if self.truth.ndim == 1 else np.zeros(len(self), np.int64)

    @property
    def input_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of one example of each input."""
        return {name: array.shape[1:] for name, array in self.inputs.items()}

    def take(self, indices: np.ndarray) -> Examples:
        """The examples at `indices`, (m,) int64, in that order; inputs on disk stay there."""
        return replace(
            self,
            inputs={
                name: array.take(indices) if isinstance(array, OnDisk) else array[indices]
                for name, array in self.inputs.items()
            },
            truth=self.truth[indices],
            groups=self.groups.take(indices),
        )

    @property
    def at_once(self) -> int:
        """How many examples a network answers at once: 256, or fewer large ones."""
        return rows_at_once(sum(4 * math.prod(shape) for shape in self.input_shapes.values()))

    @property
    def on_disk(self) -> bool:
        """Whether an input stays on disk."""
        return any(isinstance(array, OnDisk) for array in self.inputs.values())

    def in_memory(self) -> Examples:
        """The same examples with every input as a NumPy array."""
        inputs = {name: np.asarray(array) for name, array in self.inputs.items()}
        return replace(self, inputs=inputs)

    def only(self, names: tuple[str, ...]) -> Examples:
        """The same examples with the named inputs alone, in the order named."""
        return replace(self, inputs={name: self.inputs[name] for name in names})


def join(sets: Sequence[Examples]) -> Examples:
    """Parts of one dataset, one behind the other."""
    first = sets[0]
    return replace(
        first,
        inputs={n: np.concatenate([each.inputs[n] for each in sets]) for n in first.inputs},
        truth=np.concatenate([each.truth for each in sets]),
        groups=Groups(
            *(
                np.concatenate([getattr(each.groups, field) for each in sets])
                for field in ("recording", "subject", "session", "content")
            ),
            names=first.groups.names,
        ),
    )


def spread_evenly(labels: np.ndarray, subjects: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Examples chosen as even over classes as they go, and over subjects within each class.

    Args:
        labels: (examples,) classes. subjects: (examples,) names.
        n: examples wanted; all are taken where there are fewer.

    Returns:
        (min(n, examples),) int64 indices in rising order. The counts of any two classes differ by
        at most one while both have examples left, and so do those of two subjects within a class.
    """
    random = np.random.default_rng(seed)
    groups: dict[object, dict[object, list[int]]] = defaultdict(lambda: defaultdict(list))
    for index in random.permutation(len(labels)):
        groups[labels[index]][subjects[index]].append(int(index))
    by_class = [list(_take_turns([*groups[label].values()], random)) for label in sorted(groups)]
    chosen = itertools.islice(_take_turns(by_class, random), n)
    return np.sort(np.array(list(chosen), dtype=np.int64))


def _take_turns(queues: list[list[int]], random: np.random.Generator) -> Iterator[int]:
    """One of each queue in turn, in a new order each round, until all are empty."""
    for position in range(max(map(len, queues), default=0)):
        for which in random.permutation(len(queues)):
            if position < len(queues[which]):
                yield queues[which][position]
