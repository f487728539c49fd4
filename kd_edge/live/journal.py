"""A recording while it is made: files that only grow, so that a crash loses nothing but its end.

`NAME.npz.part/` holds `facts.json` and for each sensor its counts (`0.counts`, int16, or float32
where samples are no counts, little-endian) and where they belong (`0.runs`: number of the first
sample, samples that stood in the file before).
"""

from __future__ import annotations

import contextlib
import datetime
import io
import itertools
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.files import make_folder, output_error, sync_folder, write_text
from kd_edge.base.untrusted import MOST_ARRAY_BYTES, read_json, read_regular
from kd_edge.live.facts import Sensor

RECORDING = ".npz"
SUFFIX = ".part"
_FACTS = "facts.json"
_SYNC_S = 2.0  # what a power cut may take
# More than any board has; a journal that asks for more is damaged.
_MOST_SENSORS = 64
_MOST_CHANNELS = 1024
_LONGEST_NAME = 128
_SMALLEST, _LARGEST = 1e-30, 1e30  # of rates and units a count; samples are 32-bit floats
_LAST_SAMPLE = 2**53


@dataclass(frozen=True)
class Plan:
    """What a recording is to be.

    Attributes:
        labels: the folder's labels.csv gets rows for the recording.
        started: ISO 8601.
        shortest_s: spans between gaps that are shorter are not named in labels.csv.
    """

    labels: bool
    sensors: tuple[Sensor, ...]
    label: str
    subject: str
    session: str
    started: str
    synthetic: bool
    shortest_s: float


@dataclass(frozen=True)
class Run:
    """Samples without a gap.

    Attributes:
        first: number of the first sample.
        counts: (samples, channels) int16, or float32 where they are no counts.
    """

    first: int
    counts: np.ndarray

    @property
    def end(self) -> int:
        return self.first + len(self.counts)


class Journal:
    """Takes samples down.

    Args:
        folder: made here; must not exist.

    Raises:
        KdEdgeError KD_OUTPUT: it cannot be written, or is there already.
        KdEdgeError KD_BAD_FORMAT: a name, label, rate or unit a count that no recording can have.
    """

    def __init__(self, folder: Path, plan: Plan):
        try:
            _check_plan(plan)
        except ValueError as error:  # now, not when all the samples have come
            raise KdEdgeError(
                "KD_BAD_FORMAT",
                f"no recording can be made: {error}",
                where=str(folder),
                hint="give another --label, --subject or --session, or the firmware other names",
            ) from error
        self.folder = folder
        self._ends: list[int | None] = [None] * len(plan.sensors)
        self._written = [0] * len(plan.sensors)
        self._synced_s = time.monotonic()
        self._files = contextlib.ExitStack()
        try:
            make_folder(folder.parent)
            folder.mkdir()
            write_text(folder / _FACTS, json.dumps(asdict(plan)))
            names = range(len(plan.sensors))
            self._kinds = [_kind(sensor) for sensor in plan.sensors]
            # Unbuffered: what has been taken is the operating system's when the process dies.
            self._counts = [self._open(_counts(folder, i)) for i in names]
            self._runs = [self._open(_runs(folder, i)) for i in names]
            sync_folder(folder)
            sync_folder(folder.parent)
        except FileExistsError as error:
            raise unfinished(folder) from error
        except OSError as error:
            self._files.close()
            raise output_error(folder, error) from error

    def add(self, stream: int, first: int, values: np.ndarray) -> None:
        """Samples of a sensor: (samples, channels), from number `first` on."""
        try:
            if self._ends[stream] != first:
                # On the disk before its samples are, or a power cut would close the gap.
                self._runs[stream].write(f"{first} {self._written[stream]}\n".encode())
                os.fsync(self._runs[stream].fileno())
            self._counts[stream].write(np.ascontiguousarray(values, self._kinds[stream]).tobytes())
            self._sync()
        except OSError as error:
            raise output_error(self.folder, error) from error
        self._ends[stream] = first + len(values)
        self._written[stream] += len(values)

    def close(self) -> None:
        """Raises KD_OUTPUT: what was taken cannot be brought to the disk."""
        try:
            for file in (*self._counts, *self._runs):
                os.fsync(file.fileno())
        except OSError as error:
            raise output_error(self.folder, error) from error
        finally:
            self._files.close()

    def _open(self, path: Path) -> io.FileIO:
        return self._files.enter_context(io.FileIO(path, "x"))

    def _sync(self) -> None:
        if time.monotonic() - self._synced_s >= _SYNC_S:
            for file in self._counts:
                os.fsync(file.fileno())
            self._synced_s = time.monotonic()


def read_journal(folder: Path) -> tuple[Plan, tuple[tuple[Run, ...], ...]]:
    """What a journal holds, whether its writer ended well or not: the plan, and runs per sensor.

    The folder may be a stranger's: it is read as far as it is a journal, and no link is followed.

    Raises:
        KdEdgeError KD_NO_FILE, KD_BAD_FORMAT: it is none.
    """
    if not os.path.lexists(folder / _FACTS):
        raise KdEdgeError(
            "KD_NO_FILE",
            f"{folder} is no unfinished recording",
            where=str(folder),
            hint=f"name the folder that ends in {SUFFIX}",
        )
    named = folder.name.endswith(SUFFIX) and recording_of(folder).suffix.lower() == RECORDING
    if folder.is_symlink() or not named:
        raise KdEdgeError(
            "KD_BAD_FORMAT",
            f"{folder.name} is not a folder that a live run has made, by its name",
            where=str(folder),
            hint=f"name the folder itself, not a link to it; it ends in {RECORDING}{SUFFIX}",
        )
    try:
        plan = _read_plan(read_json(folder / _FACTS, follow=False))
        return plan, tuple(_read_runs(folder, i, s) for i, s in enumerate(plan.sensors))
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise KdEdgeError(
            "KD_BAD_FORMAT",
            f"{folder.name} is damaged: {error}",
            where=str(folder),
            hint="its .counts files hold the samples as they came: int16 or float32, little-endian",
        ) from error


def recording_of(folder: Path) -> Path:
    """The NPZ file that a journal becomes, beside it."""
    return folder.with_name(folder.name.removesuffix(SUFFIX))


def remove_journal(folder: Path, plan: Plan) -> None:
    """Delete a journal's own files, and its folder if nothing else is in it."""
    for index in range(len(plan.sensors)):
        _counts(folder, index).unlink(missing_ok=True)
        _runs(folder, index).unlink(missing_ok=True)
    (folder / _FACTS).unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # it holds something that no journal has: that stays
        folder.rmdir()
    sync_folder(folder.parent)


def unfinished(folder: Path) -> KdEdgeError:
    """The error for a place where a recording was begun and not finished."""
    return KdEdgeError(
        "KD_OUTPUT",
        f"{folder.name} is there already: another live run writes it, or one did not end well",
        where=str(folder),
        hint=f"kd-edge live --recover {folder} finishes it",
    )


def _kind(sensor: Sensor) -> np.dtype:
    return np.dtype("<i2" if sensor.whole else "<f4")


def _counts(folder: Path, stream: int) -> Path:
    return folder / f"{stream}.counts"


def _runs(folder: Path, stream: int) -> Path:
    return folder / f"{stream}.runs"


def _read_plan(facts: dict) -> Plan:
    """The plan of a journal. Raises ValueError, KeyError, TypeError: it is none."""
    plan = TypeAdapter(Plan).validate_python(facts)
    _check_plan(plan)
    return plan


def _check_plan(plan: Plan) -> None:
    """Raises ValueError: no recording that the readers read can be made of it."""
    names = [sensor.name for sensor in plan.sensors]
    if not names or len(set(names)) < len(names) or len(names) > _MOST_SENSORS:
        raise ValueError("it has no sensor, too many, or two of one name")
    for sensor in plan.sensors:
        if not (sensor.name.isprintable() and 0 < len(sensor.name) <= _LONGEST_NAME):
            raise ValueError(f"{sensor.name!r} is no name of a sensor")
        if not 0 < len(sensor.channels) <= _MOST_CHANNELS or not all(sensor.channels):
            raise ValueError(f"the sensor {sensor.name!r} has no channels, or too many")
        lsb = 1.0 if sensor.lsb is None and not sensor.whole else sensor.lsb
        figures = (sensor.rate_hz, lsb, sensor.samples)
        if not _SMALLEST <= min(figures) <= max(figures) <= _LARGEST:
            raise ValueError(
                f"the sensor {sensor.name!r} has a rate, count or window that cannot be"
            )
    if plan.shortest_s < 0:
        raise ValueError("its shortest span is below 0")
    if not plan.label:
        raise ValueError("its label is empty")
    if plan.started:
        datetime.datetime.fromisoformat(plan.started)
    for text in (plan.label, plan.subject, plan.session):
        text.encode("utf-8")


def _read_runs(folder: Path, stream: int, sensor: Sensor) -> tuple[Run, ...]:
    n_channels = len(sensor.channels)
    content = read_regular(_counts(folder, stream), most_bytes=MOST_ARRAY_BYTES, follow=False)
    kind = _kind(sensor)
    whole = len(content) // (kind.itemsize * n_channels)  # a crash may have cut the last sample
    counts = np.frombuffer(content, kind, whole * n_channels).reshape(whole, n_channels)
    # The text after the last line end is a line that a crash has cut.
    lines = read_regular(_runs(folder, stream), follow=False).decode("ascii").split("\n")[:-1]
    starts = [tuple(int(word) for word in line.split()) for line in lines]
    if whole and not starts:
        raise ValueError(f"{_runs(folder, stream).name} does not say when the samples were taken")
    ends = (0, 0)
    for first, offset in starts:
        before = ends[0] + offset - ends[1]
        if not (before <= first <= _LAST_SAMPLE and offset >= ends[1]):
            raise ValueError(f"{_runs(folder, stream).name} goes backwards")
        ends = (first, offset)
    runs = (
        Run(first, counts[offset:end])
        for (first, offset), (_, end) in itertools.pairwise([*starts, (0, whole)])
    )
    return tuple(run for run in runs if len(run.counts))
