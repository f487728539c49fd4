"""A recording while it is made: files that only grow, so that a crash loses nothing but its end.

`NAME.npz.part/` holds `facts.json` and for each sensor its counts (`0.counts`, int16,
little-endian) and where they belong (`0.runs`: number of the first sample, samples that stood in
the file before).
"""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import os
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from kd_edge.errors import KdEdgeError
from kd_edge.files import output_error
from kd_edge.live.facts import Sensor

SUFFIX = ".part"
_FACTS = "facts.json"
_SYNC_S = 2.0  # what a power cut may take


@dataclass(frozen=True)
class Plan:
    """What a recording is to be.

    Attributes:
        target: the NPZ file. labels: its folder's labels.csv gets rows for it.
        started: ISO 8601.
        shortest_s: spans between gaps that are shorter are not named in labels.csv.
    """

    target: str
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
    """Samples without a gap: (samples, channels) int16 from number `first` on."""

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
    """

    def __init__(self, folder: Path, plan: Plan):
        self.folder = folder
        self._ends: list[int | None] = [None] * len(plan.sensors)
        self._written = [0] * len(plan.sensors)
        self._synced_s = time.monotonic()
        self._files = contextlib.ExitStack()
        try:
            folder.mkdir(parents=True)
            (folder / _FACTS).write_text(json.dumps(asdict(plan)), encoding="utf-8")
            names = range(len(plan.sensors))
            # Unbuffered: what has been taken is the operating system's when the process dies.
            self._counts = [self._open(_counts(folder, i)) for i in names]
            self._runs = [self._open(_runs(folder, i)) for i in names]
        except FileExistsError as error:
            raise unfinished(folder) from error
        except OSError as error:
            self._files.close()
            raise output_error(folder, error) from error

    def add(self, stream: int, first: int, values: np.ndarray) -> None:
        """Samples of a sensor: (samples, channels) int16, from number `first` on."""
        try:
            if self._ends[stream] != first:
                # On the disk before its samples are, or a power cut would close the gap.
                self._runs[stream].write(f"{first} {self._written[stream]}\n".encode())
                os.fsync(self._runs[stream].fileno())
            self._counts[stream].write(np.ascontiguousarray(values, "<i2").tobytes())
            self._sync()
        except OSError as error:
            raise output_error(self.folder, error) from error
        self._ends[stream] = first + len(values)
        self._written[stream] += len(values)

    def close(self) -> None:
        self._files.close()

    def _open(self, path: Path) -> io.FileIO:
        return self._files.enter_context(io.FileIO(path, "w"))

    def _sync(self) -> None:
        if time.monotonic() - self._synced_s >= _SYNC_S:
            for file in self._counts:
                os.fsync(file.fileno())
            self._synced_s = time.monotonic()


def read_journal(folder: Path) -> tuple[Plan, tuple[tuple[Run, ...], ...]]:
    """What a journal holds, whether its writer ended well or not: the plan, and runs per sensor.

    Raises:
        KdEdgeError KD_NO_FILE, KD_BAD_FORMAT: it is none.
    """
    if not (folder / _FACTS).is_file():
        raise KdEdgeError(
            "KD_NO_FILE",
            f"{folder} is no unfinished recording",
            where=str(folder),
            hint=f"name the folder that ends in {SUFFIX}",
        )
    try:
        facts = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
        sensors = tuple(
            Sensor(**sensor | {"channels": tuple(sensor["channels"])})
            for sensor in facts["sensors"]
        )
        plan = Plan(**facts | {"sensors": sensors})
        return plan, tuple(_read_runs(folder, i, sensor) for i, sensor in enumerate(sensors))
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise KdEdgeError(
            "KD_BAD_FORMAT",
            f"{folder.name} is damaged: {error}",
            where=str(folder),
            hint="its .counts files hold the samples as they came: int16, little-endian",
        ) from error


def remove_journal(folder: Path) -> None:
    shutil.rmtree(folder)


def unfinished(folder: Path) -> KdEdgeError:
    """The error for a place where a recording was begun and not finished."""
    return KdEdgeError(
        "KD_OUTPUT",
        f"{folder.name} is there already: another session writes it, or one did not end well",
        where=str(folder),
        hint=f"kd-edge live --recover {folder} finishes it",
    )


def _counts(folder: Path, stream: int) -> Path:
    return folder / f"{stream}.counts"


def _runs(folder: Path, stream: int) -> Path:
    return folder / f"{stream}.runs"


def _read_runs(folder: Path, stream: int, sensor: Sensor) -> tuple[Run, ...]:
    n_channels = len(sensor.channels)
    content = _counts(folder, stream).read_bytes()
    whole = len(content) // (2 * n_channels)  # a crash may have cut the last sample
    counts = np.frombuffer(content, "<i2", whole * n_channels).reshape(whole, n_channels)
    # The text after the last line end is a line that a crash has cut.
    lines = _runs(folder, stream).read_text(encoding="ascii").split("\n")[:-1]
    starts = [tuple(int(word) for word in line.split()) for line in lines]
    runs = (
        Run(first, counts[offset:end])
        for (first, offset), (_, end) in itertools.pairwise([*starts, (0, whole)])
    )
    return tuple(run for run in runs if len(run.counts))
