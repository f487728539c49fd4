"""What a training step hands to a loss: one object, the same for every loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from kd_edge.tasks import Task

# A tensor of the training backend, or a NumPy array outside of a graph.
Tensor = Any
_JOINED = "joined"


class Outputs(NamedTuple):
    """One network's answers to a batch.

    Attributes:
        logits: (batch, ..., classes), unnormalised.
        features: layer name -> (batch, ...) output of a layer that a loss tapped.
    """

    logits: Tensor
    features: dict[str, Tensor]


class Taught(NamedTuple):
    """What the teachers say to a batch; no gradient flows into it.

    Attributes:
        logits: (batch, ..., classes), of all teachers joined.
        teachers: each one's own outputs, in the recipe's order.
    """

    logits: Tensor
    teachers: tuple[Outputs, ...]

    def arrays(self) -> dict[str, np.ndarray]:
        """Every array, (n, ...) logits or features, by a name of its own, for `taught_of`."""
        named = {_JOINED: self.logits}
        for at, outputs in enumerate(self.teachers):
            named[f"{at}/logits"] = outputs.logits
            named |= {f"{at}/features/{layer}": a for layer, a in outputs.features.items()}
        return named


def taught_of(arrays: Mapping[str, np.ndarray]) -> Taught:
    """What `Taught.arrays` took apart: (n, ...) logits and features by those names.

    Raises:
        KeyError: the names are others.
    """
    teachers = []
    while f"{len(teachers)}/logits" in arrays:
        at = len(teachers)
        prefix = f"{at}/features/"
        features = {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}
        teachers.append(Outputs(arrays[f"{at}/logits"], features))
    return Taught(arrays[_JOINED], tuple(teachers))


class Mixed(NamedTuple):
    """What was mixed into the examples of a batch: each a share of another one of it.

    Attributes:
        truth: (batch, ...) integers, of the other example.
        share: (batch,) of the other example, from 0 to 0.5.
    """

    truth: Tensor
    share: Tensor


@dataclass(frozen=True, eq=False)
class Batch:
    """One batch on its way through a training step.

    Attributes:
        task: what the outputs mean.
        inputs: model input -> (batch, ...), as changed by the augmentations.
        truth: (batch, ...) integers, as the task has them.
        student: its outputs on `inputs`, dropout on.
        taught: the teachers' on the same inputs, dropout off; None without teachers.
        epoch: of this step, counted from 0 and in fractions: 2.5 is half through the third.
        mixed: what an augmentation mixed into the examples; None if nothing was.
    """

    task: Task
    inputs: Mapping[str, Tensor]
    truth: Tensor
    student: Outputs
    taught: Taught | None
    epoch: Tensor
    mixed: Mixed | None = None

    def over_truths(self, value: Callable[[Tensor], Tensor]) -> Tensor:
        """(batch,) of a function of the truth; of mixed examples the mean by their shares.

        Args:
            value: (batch, ...) truth -> (batch,).
        """
        own = value(self.truth)
        if self.mixed is None:
            return own
        return own + self.mixed.share * (value(self.mixed.truth) - own)
