"""The parts of one fold as normalised windows, and their description for the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np

from kd_edge.base.front_end import InputChannel
from kd_edge.base.pixels import NO_CLASS, PixelInput
from kd_edge.examples import Examples, FoldExamples, Sensing, fold_examples
from kd_edge.pipeline.dataset import Dataset, indices_sha256
from kd_edge.pipeline.stages import key_of
from kd_edge.recipe import Recipe
from kd_edge.report.tree import Part
from kd_edge.signals.recording import RecordingInfo
from kd_edge.splits import Fold, SplitPart


@dataclass(frozen=True, eq=False)
class FoldWindows(FoldExamples):
    """One fold's examples, and what else a build must know of them.

    The training part may lie on disk. What is held out is kept in the bundle, and so is held in
    memory.

    Attributes:
        key: digest of everything that they depend on.
        pixels: describes images; None for windows.
    """

    key: str
    pixels: PixelInput | None

    @cached_property
    def validation(self) -> Examples:
        """As `FoldExamples`, in memory."""
        return super().validation.in_memory()

    @cached_property
    def tests(self) -> dict[str, Examples]:
        """As `FoldExamples`, in memory."""
        return {name: part.in_memory() for name, part in super().tests.items()}

    @property
    def input_rates_hz(self) -> dict[str, float]:
        """Samples a second of each model input that has a time axis."""
        return {} if self.front_end is None else self.front_end.input_rates_hz

    @property
    def input_channels(self) -> dict[str, tuple[InputChannel, ...]]:
        """What the channels of each model input are, where they are of sensors."""
        return {} if self.front_end is None else self.front_end.input_channels


def fold_windows(dataset: Dataset, fold: Fold, recipe: Recipe) -> FoldWindows:
    """Deal a dataset's examples out to a fold's parts, normalised by the training part."""
    sensing = None  # images are scaled when they are read
    if dataset.pixels is None:
        sensing = Sensing(dataset.designs, recipe.front_end, recipe.windows, dataset.recordings)
    parts = fold_examples(dataset.examples, fold, sensing, seed=recipe.seed)
    return FoldWindows(
        **{each.name: getattr(parts, each.name) for each in fields(parts)},
        key=key_of(
            dataset.key,
            *(indices_sha256(part.indices) for part in fold.parts),
            recipe.seed if sensing and sensing.learns else None,
            fold.validates,
        ),
        pixels=dataset.pixels,
    )


def describe_part(part: SplitPart, windows: Examples, recordings: Sequence[RecordingInfo]) -> Part:
    """A part's windows, classes, subjects and leak, for the report."""
    held = [recordings[i] for i in part.indices]
    return Part(
        name=part.name,
        role=part.role,
        kind=part.kind,
        leak=part.leak,
        leaky=part.leaky,
        n_windows=len(windows),
        n_recordings=len(held),
        class_counts=class_counts(windows),
        subjects=tuple(sorted({r.subject for r in held})),
        sessions=tuple(sorted({r.session for r in held})),
    )


def class_counts(windows: Examples) -> dict[str, int]:
    """Examples of each class, every class named; of masks, examples that hold the class."""
    n_classes = len(windows.class_names)
    counts = np.zeros(n_classes, np.int64)
    for truth in windows.truth:
        counts[np.unique(truth[truth != NO_CLASS])] += 1
    return {name: int(n) for name, n in zip(windows.class_names, counts, strict=True)}
