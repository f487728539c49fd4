"""Windows: the fixed-shape arrays that a model takes, with what each came from."""

from __future__ import annotations

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
