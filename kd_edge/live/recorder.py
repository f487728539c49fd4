"""A live run as a recording that the readers read back."""

from __future__ import annotations

import contextlib
import datetime
import io
import itertools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.files import atomic_path
from kd_edge.base.untrusted import read_regular
from kd_edge.examples.raw import from_counts
from kd_edge.link.messages import Samples
from kd_edge.live import labels
from kd_edge.live.facts import Facts, Sensor
from kd_edge.live.journal import (
    SUFFIX,
    Journal,
    Plan,
    Run,
    read_journal,
    recording_of,
    remove_journal,
    unfinished,
)

UNLABELLED = "unlabelled"


@dataclass(frozen=True)
class Recorded:
    """A finished recording.

    Attributes:
        path: the NPZ file; None where not one sample came.
        seconds: of the sensor that gave the most. samples: per sensor. gaps: of all sensors.
        rows: added to labels.csv.
    """

    path: Path | None
    seconds: float
    samples: tuple[int, ...]
    gaps: int
    rows: int

    def to_json(self) -> dict[str, object]:
        return {
            "path": None if self.path is None else str(self.path),
            "seconds": round(self.seconds, 3),
            "samples": list(self.samples),
            "gaps": self.gaps,
            "rows": self.rows,
        }


@dataclass(frozen=True)
class Kept:
    """What a recording is of.

    Attributes:
        synthetic: a generator made its samples.
    """

    sensors: tuple[Sensor, ...]
    synthetic: bool


class Recorder:
    """Takes a live run's samples down; `finish` makes the recording of them.

    Args:
        place: a name that ends in .npz, or a folder, which gets a file and rows in its labels.csv.
        stem: the file's name in a folder, without its end; None: one of the time.

    Raises:
        KdEdgeError KD_OUTPUT: the place cannot be written, or holds such a recording already.
        KdEdgeError KD_LABELS: the folder's labels.csv is not a labels file.
    """

    def __init__(
        self,
        place: Path,
        facts: Facts | Kept,
        *,
        label: str = UNLABELLED,
        subject: str = "",
        session: str = "",
        stem: str | None = None,
    ):
        started = datetime.datetime.now().astimezone()
        self.target, in_folder = _target(place, stem or f"live-{started:%Y%m%d-%H%M%S}")
        if in_folder:
            labels.check(place)
        self._plan = Plan(
            labels=in_folder,
            sensors=facts.sensors,
            label=label,
            subject=subject,
            session=session,
            started=started.isoformat(timespec="milliseconds"),
            synthetic=facts.synthetic,
            shortest_s=max(sensor.window_s for sensor in facts.sensors),
        )
        self._journal = Journal(_part(self.target), self._plan)

    def take(self, samples: Samples) -> None:
        """Writes samples down. Raises KD_OUTPUT where there is no room for them."""
        self._journal.add(samples.stream, samples.first, samples.values)

    def finish(self) -> Recorded:
        """Makes the recording. Raises KD_OUTPUT; what was taken is kept then, see `recover`."""
        self._journal.close()
        return recover(self._journal.folder)

    def abandon(self) -> Path:
        """Leaves what was taken as it is; returns the folder, for `recover`."""
        with contextlib.suppress(KdEdgeError):  # a full disk, which the caller knows
            self._journal.close()
        return self._journal.folder

    def discard(self) -> None:
        """Nothing of it is kept."""
        self.abandon()
        remove_journal(self._journal.folder, self._plan)


def recover(folder: Path) -> Recorded:
    """Makes the recording of a journal, also of one whose live run has crashed.

    Args:
        folder: `NAME.npz.part`; removed once the recording is there.

    Raises:
        KdEdgeError KD_NO_FILE, KD_BAD_FORMAT: it is no journal.
        KdEdgeError KD_OUTPUT: the recording cannot be written, or another stands in its place.
    """
    plan, runs = read_journal(folder)
    kept = [(s, r) for s, r in zip(plan.sensors, runs, strict=True) if r]
    samples = tuple(sum(len(run.counts) for run in r) for r in runs)
    gaps = sum(len(r) - 1 for _, r in kept)
    if not kept:
        remove_journal(folder, plan)
        return Recorded(None, 0.0, samples, gaps, 0)
    target = recording_of(folder)
    begin_s = min(r[0].first / sensor.rate_hz for sensor, r in kept)
    arrays: dict[str, object] = {
        "label": plan.label,
        "subject": plan.subject,
        "session": plan.session,
        "started": plan.started,
        "synthetic": plan.synthetic,
    }
    for index, (sensor, sensor_runs) in enumerate(kept):
        arrays |= _stream(f"stream_{index}", sensor, sensor_runs, begin_s)
    earlier = _keep(target, arrays)
    rows = 0
    if plan.labels and not (earlier and labels.has(target)):
        named = spans(kept, begin_s, shortest_s=plan.shortest_s) if gaps else [None]
        rows = labels.add(
            target, named, label=plan.label, subject=plan.subject, session=plan.session
        )
    remove_journal(folder, plan)
    end_s = max(r[-1].end / sensor.rate_hz for sensor, r in kept)
    return Recorded(target, end_s - begin_s, samples, gaps, rows)


def _keep(target: Path, arrays: dict[str, object]) -> bool:
    """Write the NPZ file; returns whether a crash came after that, and it is there already.

    Raises:
        KdEdgeError KD_OUTPUT: another recording is there.
    """
    if not os.path.lexists(target):
        with atomic_path(target) as temporary:
            np.savez(temporary, **arrays)
        return False
    content = io.BytesIO()
    np.savez(content, **arrays)
    try:
        same = read_regular(target, most_bytes=content.tell(), follow=False) == content.getvalue()
    except OSError:
        same = False
    if not same:
        raise _there(target)
    return True


def spans(
    kept: Sequence[tuple[Sensor, Sequence[Run]]], begin_s: float, *, shortest_s: float
) -> list[tuple[float, float]]:
    """Stretches in which no sensor lacks a sample, in seconds from the recording's start.

    Returns:
        start and end (exclusive) of each; those shorter than `shortest_s` are left out.
    """
    start_s = max(runs[0].first / sensor.rate_hz for sensor, runs in kept)
    end_s = min(runs[-1].end / sensor.rate_hz for sensor, runs in kept)
    gaps = sorted(
        (before.end / sensor.rate_hz, after.first / sensor.rate_hz)
        for sensor, runs in kept
        for before, after in itertools.pairwise(runs)
    )
    found = []
    for gap_begin_s, gap_end_s in [*gaps, (end_s, end_s)]:
        found.append((start_s - begin_s, min(gap_begin_s, end_s) - begin_s))
        start_s = max(start_s, gap_end_s)
    return [(begin, end) for begin, end in found if end - begin >= shortest_s - 1e-9]


def _stream(key: str, sensor: Sensor, runs: Sequence[Run], begin_s: float) -> dict[str, object]:
    """A stream's entries in the NPZ file; times stand there only where there are gaps.

    The sensor's name is a value: as a key, 'label' or 'file' would mean something else.
    """
    values = np.concatenate([run.counts for run in runs])
    entries = {
        key: from_counts(values, sensor.lsb) if sensor.whole else values,
        f"{key}.modality": sensor.modality or sensor.name,
        f"{key}.rate_hz": sensor.rate_hz,
        f"{key}.channels": np.array(sensor.channels),
        f"{key}.unit": sensor.unit,
        f"{key}.start_s": runs[0].first / sensor.rate_hz - begin_s,
    }
    if sensor.lsb is not None:
        entries[f"{key}.lsb"] = sensor.lsb
    if sensor.device:
        entries[f"{key}.sensor"] = sensor.device
    if len(runs) > 1:
        numbers = np.concatenate([np.arange(run.first, run.end) for run in runs])
        entries[f"{key}.times_s"] = numbers / sensor.rate_hz - begin_s
    return entries


def _target(place: Path, stem: str) -> tuple[Path, bool]:
    """The NPZ file, and whether it stands in a folder with labels.csv."""
    in_folder = place.suffix.lower() != ".npz" or place.is_dir()
    if in_folder and place.exists() and not place.is_dir():
        raise KdEdgeError(
            "KD_OUTPUT",
            f"{place.name} is neither a folder nor does it end in .npz",
            where=str(place),
            hint="--record FOLDER or --record NAME.npz",
        )
    target = place / f"{stem}.npz" if in_folder else place
    if os.path.lexists(target):
        raise _there(target)
    if os.path.lexists(_part(target)):
        raise unfinished(_part(target))
    return target, in_folder


def _there(target: Path) -> KdEdgeError:
    return KdEdgeError(
        "KD_OUTPUT",
        f"{target.name} is there already, and a recording is never overwritten",
        where=str(target),
        hint="name another file, or a folder: each live run gets its own file there; before "
        "--recover, move the earlier one away",
    )


def _part(target: Path) -> Path:
    return target.with_name(target.name + SUFFIX)
