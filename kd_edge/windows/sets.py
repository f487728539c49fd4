"""A set of windows: arrays for a model, and what each window came from."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True, eq=False)
class WindowSet:
    """Windows of one dataset or part of it.

    Attributes:
        inputs: model input name -> (n_windows, samples, channels) float32, or
            (n_windows, steps, samples, channels) where windows are cut in steps.
        labels: (n_windows,) int64 index into `class_names`.
        recordings: (n_windows,) int64 index into `recording_names`.
        subjects: (n_windows,) str.
        class_names: every class of the dataset, in the model's output order.
        recording_names: where each recording came from.
        synthetic: any of it was made by a generator.
    """

    inputs: dict[str, np.ndarray]
    labels: np.ndarray
    recordings: np.ndarray
    subjects: np.ndarray
    class_names: tuple[str, ...]
    recording_names: tuple[str, ...]
    synthetic: bool = False

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def input_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of one window of each input."""
        return {name: array.shape[1:] for name, array in self.inputs.items()}

    def take(self, indices: np.ndarray) -> WindowSet:
        """The windows at `indices`, in that order."""
        return replace(
            self,
            inputs={name: array[indices] for name, array in self.inputs.items()},
            labels=self.labels[indices],
            recordings=self.recordings[indices],
            subjects=self.subjects[indices],
        )

    def only(self, names: tuple[str, ...]) -> WindowSet:
        """The same windows with the named inputs alone, in the order named."""
        return replace(self, inputs={name: self.inputs[name] for name in names})


def spread_evenly(labels: np.ndarray, subjects: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Windows chosen as even over classes as they go, and over subjects within each class.

    Args:
        labels: (windows,) classes. subjects: (windows,) names.
        n: windows wanted; all are taken where there are fewer.

    Returns:
        (min(n, windows),) int64 indices in rising order. The counts of any two classes differ by
        at most one while both have windows left, and so do those of two subjects within a class.
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
