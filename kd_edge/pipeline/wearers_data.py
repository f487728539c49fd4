"""A wearer's labelled recordings, as a bundle's model takes them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kd_edge.base.errors import KdEdgeError, nearest
from kd_edge.examples import Examples, as_worn
from kd_edge.pipeline.bundle import Manifest
from kd_edge.pipeline.dataset import load_dataset
from kd_edge.pipeline.other_data import as_built, check_front_end, reading_other
from kd_edge.pipeline.watch import Watch
from kd_edge.recipe import Recipe
from kd_edge.signals.recording import RecordingInfo


@dataclass(frozen=True)
class Wanted:
    """Which recordings are the wearer's.

    Attributes:
        data: where they lie. reader, options: as of `reading_other`.
        subject: whose of them; None where all are one person's.
        repetitions: of each label, the first in time, to learn from; None: all. What comes later
            is tested on.
    """

    data: Path
    reader: str | None = None
    options: Mapping[str, object] | None = None
    subject: str | None = None
    repetitions: int | None = None


@dataclass(frozen=True, eq=False)
class WearersData:
    """One person's recordings.

    Attributes:
        wanted: which they are.
        subject: the person.
        windows: of all recordings, normalised as the person wore the sensors, in their order.
        recordings: that `windows.groups.recording` indexes; others' are among them.
        given: (windows,) bool: of the repetitions to learn from; the rest came later.
        order: (recordings,) int64, rising with time.
        unstated: sentences on units that could not be compared.
    """

    wanted: Wanted
    subject: str
    windows: Examples
    recordings: tuple[RecordingInfo, ...]
    given: np.ndarray
    order: np.ndarray
    unstated: tuple[str, ...]

    @property
    def given_recordings(self) -> list[int]:
        """Of the repetitions to learn from, in the order of time."""
        owners = np.unique(self.windows.groups.recording[self.given])
        return sorted((int(each) for each in owners), key=lambda each: self.order[each])


def read_wearers_data(
    recipe: Recipe, manifest: Manifest, wanted: Wanted, watch: Watch
) -> WearersData:
    """Read and check a wearer's recordings.

    Args:
        recipe: the bundle's.

    Raises:
        KdEdgeError: as `load_dataset` and `check_front_end`. KD_UNKNOWN_NAME: nobody is called
            that. KD_USAGE: the recordings are several people's. KD_DUPLICATES: one is there twice.
    """
    asked = recipe_for(recipe, wanted)
    dataset = load_dataset(
        as_built(asked, manifest),
        wanted.data,
        class_names=manifest.class_names,
        progress=watch.step,
    )
    unstated = check_front_end(dataset.designs, manifest, wanted.data)
    recordings = dataset.recordings
    who = _subject(recordings, wanted.subject)
    mine = [i for i, each in enumerate(recordings) if each.subject == who]
    if not recipe.dataset.allow_duplicates:
        _check_duplicates([recordings[i] for i in mine])
    owned = dataset.examples.take(np.flatnonzero(np.isin(dataset.examples.groups.recording, mine)))
    order = np.zeros(len(recordings), np.int64)
    numbers = np.full(len(recordings), np.iinfo(np.int64).max)
    seen: dict[str | None, int] = defaultdict(int)
    for place, index in enumerate(sorted(mine, key=lambda i: recordings[i].moment)):
        order[index], numbers[index] = place, seen[recordings[index].label]
        seen[recordings[index].label] += 1
    most = wanted.repetitions or max(seen.values())
    return WearersData(
        wanted=wanted,
        subject=who,
        windows=as_worn(owned, manifest.front_end, recordings),
        recordings=recordings,
        given=numbers[owned.groups.recording] < most,
        order=order,
        unstated=unstated,
    )


def recipe_for(recipe: Recipe, wanted: Wanted) -> Recipe:
    """The bundle's recipe for a wearer's recordings: every label must be one of its classes."""
    asked = reading_other(recipe, wanted.data, wanted.reader, wanted.options)
    dataset = asked.dataset.model_copy(update={"classes": None})
    return asked.model_copy(update={"dataset": dataset})


def _subject(recordings: Sequence[RecordingInfo], wanted: str | None) -> str:
    known = sorted({each.subject for each in recordings})
    if wanted is not None and wanted not in known:
        raise KdEdgeError(
            "KD_UNKNOWN_NAME",
            f"no recording is of '{wanted}'{nearest(wanted, known)}",
            where="--subject",
            hint=f"they are of {', '.join(repr(each) for each in known[:20])}",
        )
    if wanted is None and len(known) > 1:
        raise KdEdgeError(
            "KD_USAGE",
            f"the recordings are of {len(known)} people, and one wears the sensors",
            where=", ".join(repr(each) for each in known[:8]),
            hint="name one with --subject, or point --data at one person's recordings",
        )
    return known[0] if wanted is None else wanted


def _check_duplicates(mine: Sequence[RecordingInfo]) -> None:
    names: dict[str, list[str]] = defaultdict(list)
    for each in mine:
        names[each.content_sha256].append(each.name)
    doubled = next((same for same in names.values() if len(same) > 1), None)
    if doubled:
        raise KdEdgeError(
            "KD_DUPLICATES",
            f"{len(doubled)} recordings have the same content: a copy is no other repetition",
            where=", ".join(doubled[:4]),
            hint="leave the copies out",
        )
