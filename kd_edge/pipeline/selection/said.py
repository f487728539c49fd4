"""What each of several int8 models says to the same examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from kd_edge.base.composition import margins
from kd_edge.base.product import Member
from kd_edge.base.quantisation import dequantize
from kd_edge.examples import Examples
from kd_edge.runtimes.interpreter import run_windows
from kd_edge.runtimes.registry import ON_PHONES, ORACLE, available, open_interpreter
from kd_edge.tasks import Task


@dataclass(frozen=True, eq=False)
class Said:
    """Models that may answer, and their scores of one part.

    Attributes:
        examples: that were asked about.
        scores: of each model, (n, ..., classes) int8.
        real: the same in the unit of the model, (models, n, ..., classes).
        task: what they mean.
    """

    examples: Examples
    scores: tuple[np.ndarray, ...]
    real: np.ndarray
    task: Task

    @cached_property
    def right(self) -> np.ndarray:
        """(models, n) share of each example that each decides rightly, 0 to 1."""
        return np.stack([self.task.shares_right(s, self.examples.truth) for s in self.scores])

    @cached_property
    def steps(self) -> np.ndarray:
        """(models, n) int8 steps from each model's best score to its next."""
        return np.stack([margins(scores) for scores in self.scores])


def runtime() -> str:
    """What answers in a board's place: the oracle of boards, or what phones run."""
    return ORACLE if available(ORACLE) else ON_PHONES


def ask(
    members: Sequence[Member],
    inputs: Mapping[str, Sequence[str]],
    examples: Examples,
    task: Task,
) -> Said:
    """Ask each model alone, from a fresh state.

    Args:
        members: int8 models. inputs: model -> the window inputs that feed it.

    Raises:
        KdEdgeError: as `open_interpreter` and `run_windows`.
    """
    scores, real = [], []
    for member in members:
        interpreter = open_interpreter(runtime(), member.path)
        raw = run_windows(interpreter, examples.only(tuple(inputs[member.name]))).raw
        spec = member.outputs[0]
        scores.append(raw)
        real.append(dequantize(raw, spec.scale, spec.zero_point))
    return Said(examples, tuple(scores), np.stack(real), task)
