"""What every stage of one build reads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kd_edge.pipeline.dataset import Dataset
from kd_edge.pipeline.parts import FoldWindows
from kd_edge.pipeline.stages import Stages
from kd_edge.pipeline.watch import Watch
from kd_edge.recipe import Recipe
from kd_edge.splits import Fold


@dataclass(frozen=True, eq=False)
class Context:
    """One build: what is asked, the data, and where results go.

    Attributes:
        folds: the first is the one whose models ship.
        data: the first fold's windows.
        command: as typed, for the report's provenance.
        source: where the recordings are; None where they are generated.
        same_on_any_cores: whether the arithmetic is the same however many cores are free.
    """

    recipe: Recipe
    dataset: Dataset
    folds: tuple[Fold, ...]
    data: FoldWindows
    stages: Stages
    out: Path
    command: str
    watch: Watch
    source: Path | None
    same_on_any_cores: bool
