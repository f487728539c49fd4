"""The table [dataset]: where recordings or images come from, and which of them are used."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from typing import Annotated

from pydantic import Field, PositiveInt, field_validator

from kd_edge.recipe.table import Options, Table


class Dataset(Table):
    """Where recordings or images come from.

    reader: a name in `kd_edge.signals.READERS`, or 'synthetic'; with [images] a name in
        `kd_edge.images.READERS`.
    path: folder or file; `--data` overrides it. Relative to the recipe's folder.
    options: passed to the reader; for 'synthetic' the settings of `SignSettings`.
    classes: labels to keep, in the model's output order; all, sorted, where absent. Of images with
        masks: the names of the masks' values 0, 1, ….
    unknown_classes: labels that no model learns, to see whether they are rejected.
    allow_duplicates: go on although identical recordings or images lie on both sides of a split.
    merge: new label -> labels that become it, before classes are chosen.
    near_duplicates: bits of the 64 of a perceptual hash; images that differ in so many or fewer
        are one group, which splits keep together. Not looked for where absent.
    memory_mb: of an image set's input that is held in memory, in 10^6 bytes; a larger one is
        written into the output folder and read batch by batch.
    allow_stuck: go on although a channel holds one value throughout a recording.
    """

    reader: str
    path: str | None = None
    options: Options = Field(default_factory=dict)
    classes: tuple[str, ...] | None = None
    unknown_classes: tuple[str, ...] = ()
    merge: dict[str, Annotated[tuple[str, ...], Field(min_length=1)]] = Field(default_factory=dict)
    near_duplicates: Annotated[int, Field(ge=0, le=16)] | None = None
    allow_duplicates: bool = False
    allow_stuck: bool = False
    memory_mb: PositiveInt = 2000

    @field_validator("classes", "unknown_classes")
    @classmethod
    def _each_once(cls, classes):
        doubled = [name for name, n in Counter(classes or ()).items() if n > 1]
        if doubled:
            raise ValueError(f"a class stands there twice: {', '.join(doubled)}")
        return classes

    @field_validator("merge")
    @classmethod
    def _merged_once(cls, merge):
        doubled = [name for name, n in Counter(chain(*merge.values())).items() if n > 1]
        if doubled:
            raise ValueError(f"a label is merged twice: {', '.join(doubled)}")
        return merge
