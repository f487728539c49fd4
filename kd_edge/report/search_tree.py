"""What `kd-edge search` found, as frozen dataclasses: terminal, page and JSON show it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from kd_edge.report.tree import Provenance

SCHEMA_VERSION = 1
COMPLETE, PRUNED, OVER, FAILED = "complete", "pruned", "over budget", "failed"


@dataclass(frozen=True)
class SearchTrial:
    """One set of values.

    Attributes:
        number: in the study, from 0.
        state: 'complete', 'pruned' (given up while it trained), 'over budget' (not trained) or
            'failed'.
        values: dotted key of the recipe -> value.
        score: mean over its trainings, 0 to 1; None unless complete.
        scores: of each training: seed by seed in each fold; as many as were done.
        int8_bytes: of the student; None if it could not be built.
        arena_bytes, macs, instructions: None if the budget does not limit them, or unknown.
        reason: why it has no score; '' if it has one.
    """

    number: int
    state: str
    values: dict[str, Any]
    score: float | None
    scores: tuple[float, ...]
    int8_bytes: int | None
    arena_bytes: int | None
    macs: int | None
    instructions: int | None
    reason: str


@dataclass(frozen=True)
class SearchReport:
    """What a search found.

    Attributes:
        student: the model that was scored.
        scored_on: the part, in words.
        measured: what the score is, e.g. 'Right answers, % of windows'.
        trainings: of one trial: folds times seeds.
        budget: what limits a student, by name; absent if there is no limit.
        best: number of the trial whose recipe is written; None if none is complete.
        front: numbers of complete trials that no other beats in both score and bytes, the smallest
            first.
    """

    schema_version: int
    title: str
    synthetic: bool
    provenance: Provenance
    student: str
    scored_on: str
    measured: str
    trainings: int
    budget: dict[str, int | str]
    trials: tuple[SearchTrial, ...]
    best: int | None
    front: tuple[int, ...]

    def to_json(self) -> str:
        """As JSON text."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False, allow_nan=False)

    def trial(self, number: int) -> SearchTrial:
        """The trial of that number."""
        return next(trial for trial in self.trials if trial.number == number)


def best_of(trials: Sequence[SearchTrial]) -> int | None:
    """The highest score; of equal ones the smallest student, then the earliest."""
    complete = [trial for trial in trials if trial.state == COMPLETE]
    if not complete:
        return None
    return min(complete, key=lambda t: (-t.score, t.int8_bytes, t.number)).number


def front_of(trials: Sequence[SearchTrial]) -> tuple[int, ...]:
    """Complete trials that no other beats: a larger student must score higher.

    V. Pareto, "Manuale di economia politica", 1906: nothing gets better without something else
    getting worse.
    """
    front: list[SearchTrial] = []
    complete = [trial for trial in trials if trial.state == COMPLETE]
    for trial in sorted(complete, key=lambda t: (t.int8_bytes, -t.score, t.number)):
        if not front or trial.score > front[-1].score:
            front.append(trial)
    return tuple(trial.number for trial in front)
