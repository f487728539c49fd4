"""The parts of one fold as normalised windows, and their description for the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kd_edge.base.front_end import FrontEndConstants
from kd_edge.base.pixels import NO_CLASS, PixelInput
from kd_edge.examples import (
    Examples,
    FoldExamples,
    fold_examples,
    front_end_constants,
    normalised_channels,
)
from kd_edge.pipeline.dataset import Dataset, indices_sha256
from kd_edge.pipeline.stages import key_of
from kd_edge.recipe import Recipe
from kd_edge.report.tree import Part
from kd_edge.signals.recording import RecordingInfo
from kd_edge.splits import Fold, SplitPart


@dataclass(frozen=True, eq=False)
class FoldWindows(FoldExamples):
    """One fold's windows with the front end that a board needs for them.

    Attributes:
        front_end: None for images, which `pixels` describes.
        key: digest of everything that they depend on.
    """

    fold: Fold
    front_end: FrontEndConstants | None
    key: str
    pixels: PixelInput | None = None

    @property
    def input_rates_hz(self) -> dict[str, float]:
        """Samples a second of each model input that has a time axis."""
        if self.front_end is None:
            return {}
        rates = {stream.name: stream.rate_hz for stream in self.front_end.streams}
        return {i.name: rates[i.streams[0]] for i in self.front_end.inputs}


def fold_windows(dataset: Dataset, fold: Fold, recipe: Recipe) -> FoldWindows:
    """Cut a dataset's windows into a fold's parts and normalise them by the training part."""
    normalised, front_end = {}, None  # images are scaled when they are read
    if dataset.pixels is None:
        normalised = normalised_channels(recipe.windows, recipe.front_end, dataset.designs)
    parts = fold_examples(dataset.examples, fold, normalised)
    if dataset.pixels is None:
        front_end = front_end_constants(dataset.designs, parts.normaliser, recipe.windows)
    return FoldWindows(
        **vars(parts),
        fold=fold,
        front_end=front_end,
        key=key_of(dataset.key, *(indices_sha256(part.indices) for part in fold.parts)),
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
