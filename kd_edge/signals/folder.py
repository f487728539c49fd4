"""A folder of recordings with a `labels.csv` that says what each one is.

`labels.csv` has the columns file, label, subject, session, trial and may have start, end (seconds
from the recording's first sample; empty: to its end). A file may stand in several rows with
different spans. Files are relative to the folder, and of any format of one recording.
"""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from kd_edge.base.errors import KdEdgeError, nearest
from kd_edge.signals.recording import Recording, Stream
from kd_edge.signals.source import decode, must_exist, read_bytes
from kd_edge.signals.timing import is_even

LABELS = "labels.csv"
NEEDED = ("file", "label", "subject", "session", "trial")
OPTIONAL = ("start", "end")
_SAMPLE_SLACK = 1e-3  # of a period


@dataclass(frozen=True)
class _Row:
    """One row of labels.csv; spans in seconds, `end_s` None for the recording's end."""

    number: int
    file: str
    label: str
    subject: str
    session: str
    trial: int
    start_s: float
    end_s: float | None


def sniff(path: Path) -> bool:
    """Whether the folder has a labels.csv."""
    return path.is_dir() and (path / LABELS).is_file()


def read(path: Path) -> list[Recording]:
    """The recordings that `labels.csv` names, in its order.

    Raises:
        KdEdgeError KD_NO_FILE, KD_EMPTY_FOLDER, KD_LABELS (with its row), and what the readers of
            single files raise.
    """
    root = must_exist(path)
    if root.is_dir() and not any(root.iterdir()):
        raise empty_folder(root)
    labels = root / LABELS
    if not labels.is_file():
        raise KdEdgeError(
            "KD_LABELS",
            f"no {LABELS} in {root.name}",
            where=str(root),
            hint=f"write one with the columns {', '.join(NEEDED)}",
        )
    rows = _rows(labels)
    _no_doubles(rows, labels)
    open_file = lru_cache(maxsize=4)(_read_all)  # rows of one file mostly stand together
    return [_labelled(row, _only(open_file, root / row.file, row, labels), labels) for row in rows]


def named_files(root: Path) -> list[Path]:
    """The files that `labels.csv` names and that exist, wherever they lie; raises as `read`."""
    labels = root / LABELS
    if not labels.is_file():
        return []
    return sorted({root / row.file for row in _rows(labels) if os.path.isfile(root / row.file)})


def empty_folder(root: Path) -> KdEdgeError:
    """The error for a folder without recordings."""
    return KdEdgeError(
        "KD_EMPTY_FOLDER",
        f"{root.name} holds no recordings",
        where=str(root),
        hint="check the path; files of a format that a reader knows count, and the archives of "
        "known sets: docs/recordings.md lists them",
    )


# --- labels.csv -----------------------------------------------------------------------------------


def _rows(labels: Path) -> list[_Row]:
    text = decode(read_bytes(labels), str(labels))
    try:
        table = list(csv.reader(io.StringIO(text, newline=""), skipinitialspace=True, strict=True))
    except csv.Error as error:
        raise _bad(labels, None, f"it cannot be read: {error}", "save it as plain CSV") from error
    header = [name.strip().lower() for name in table[0]] if table else []
    _check_header(header, labels)
    rows = []
    for number, cells in enumerate(table[1:], start=2):
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            raise _bad(
                labels, number, f"{len(cells)} cells, {len(header)} expected", "one a column"
            )
        row = dict(zip(header, (c.strip() for c in cells), strict=True))
        rows.append(_row(row, number, labels))
    if not rows:
        raise _bad(labels, None, "it names no recording", "add a row for each recording")
    return rows


def _check_header(header: Sequence[str], labels: Path) -> None:
    known = NEEDED + OPTIONAL
    if len(header) == 1 and (";" in header[0] or "\t" in header[0]):
        raise _bad(labels, 1, "cells are not separated by ','", "save it as CSV with commas")
    for name in header:
        if name not in known:
            raise _bad(
                labels,
                1,
                f"unknown column '{name[:40]}'{nearest(name, known)}",
                f"columns: {', '.join(known)}",
            )
        if header.count(name) > 1:
            raise _bad(labels, 1, f"two columns '{name}'", "keep one")
    missing = [name for name in NEEDED if name not in header]
    if missing:
        raise _bad(labels, 1, f"no column {', '.join(missing)}", f"columns: {', '.join(known)}")


def _row(row: dict[str, str], number: int, labels: Path) -> _Row:
    for name in ("file", "label"):
        if not row[name]:
            raise _bad(labels, number, f"the cell '{name}' is empty", f"give every row its {name}")
    if not (row["trial"].isascii() and row["trial"].isdigit() and len(row["trial"]) < 10):
        raise _bad(
            labels, number, f"trial is {row['trial'][:40]!r}", "a whole number, in order of time"
        )
    start_s = _seconds(row, "start", number, labels) or 0.0
    end_s = _seconds(row, "end", number, labels)
    if end_s is not None and start_s >= end_s:
        raise _bad(
            labels,
            number,
            f"start {start_s:g} s is not before end {end_s:g} s",
            "seconds from the recording's first sample",
        )
    return _Row(
        number=number,
        file=row["file"],
        label=row["label"],
        subject=row["subject"],
        session=row["session"],
        trial=int(row["trial"]),
        start_s=start_s,
        end_s=end_s,
    )


def _seconds(row: dict[str, str], name: str, number: int, labels: Path) -> float | None:
    text = row.get(name, "")
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds >= 0):
        raise _bad(labels, number, f"{name} is {text[:40]!r}", "a number of seconds, from 0 on")
    return seconds


def _no_doubles(rows: Sequence[_Row], labels: Path) -> None:
    spans: dict[tuple, int] = {}
    trials: dict[tuple, int] = {}
    for row in rows:
        span = (Path(row.file), row.start_s, row.end_s)
        if span in spans:
            raise _bad(
                labels,
                row.number,
                f"the same recording as row {spans[span]}: {row.file}",
                "delete one, or give them different start and end",
            )
        trial = (row.label, row.subject, row.session, row.trial)
        if trial in trials:
            raise _bad(
                labels,
                row.number,
                f"label, subject, session and trial as in row {trials[trial]}",
                "number the trials of a label in order of time",
            )
        spans[span] = trials[trial] = row.number


def _bad(labels: Path, number: int | None, message: str, hint: str) -> KdEdgeError:
    return KdEdgeError(
        "KD_LABELS",
        f"{LABELS}: {message}",
        where=str(labels) if number is None else f"{labels}, row {number}",
        hint=hint,
    )


# --- recordings -----------------------------------------------------------------------------------


def _read_all(file: Path) -> list[Recording]:
    from kd_edge.signals import read

    return read(file)


def _only(
    open_file: Callable[[Path], list[Recording]], file: Path, row: _Row, labels: Path
) -> Recording:
    if not os.path.isfile(file):  # Path.is_file raises for a name that is too long
        parent = file.parent
        names = sorted(p.name for p in parent.iterdir()) if os.path.isdir(parent) else []
        raise _bad(
            labels,
            row.number,
            f"no file {file.name[:60]}{nearest(file.name[:60], names)}",
            "check its name",
        )
    recordings = open_file(file)
    if len(recordings) != 1:
        found = f"{file.name} holds {len(recordings)} recordings"
        raise _bad(labels, row.number, found, "name files that hold one")
    return recordings[0]


def _labelled(row: _Row, recording: Recording, labels: Path) -> Recording:
    named = replace(
        recording, label=row.label, subject=row.subject, session=row.session, trial=row.trial
    )
    if row.start_s == 0.0 and row.end_s is None:
        return named
    begin_s = recording.begin_s
    length_s = max(stream.end_s for stream in recording.streams) - begin_s
    end_s = length_s if row.end_s is None else row.end_s
    half_a_sample_s = 0.5 / max(stream.rate_hz for stream in recording.streams)
    if end_s > length_s + half_a_sample_s or row.start_s >= end_s:
        raise _bad(
            labels,
            row.number,
            f"{row.file} lasts {length_s:.4g} s, and {row.start_s:g} to {end_s:g} s is asked for",
            "start and end are seconds from the recording's first sample",
        )
    cut = [_cut(s, begin_s + row.start_s, begin_s + end_s) for s in recording.streams]
    streams = tuple(stream for stream in cut if stream.n_samples)
    if not streams:
        raise _bad(labels, row.number, f"no sample of {row.file} in that span", "widen it")
    notes = tuple(f"{s.sensor}: {s.modality} has no sample here" for s in cut if not s.n_samples)
    source = f"{recording.source} [{row.start_s:g} s, {end_s:g} s]"
    return replace(named, streams=streams, source=source, notes=recording.notes + notes)


def _cut(stream: Stream, start_s: float, end_s: float) -> Stream:
    """The samples from `start_s` on and before `end_s`, with times from the cut's start.

    A sample counts as of the moment that its time is nearest to, within a thousandth of a period:
    rates are known no better.
    """
    if stream.times_s is not None:
        ends_s = np.array([start_s, end_s]) - _SAMPLE_SLACK / stream.rate_hz
        first, last = (int(i) for i in np.searchsorted(stream.times_s, ends_s))
        times = stream.times_s[first:last] - start_s
        even = is_even(times, stream.rate_hz)
        return replace(
            stream,
            samples=stream.samples[first:last],
            start_s=float(times[0]) if len(times) else 0.0,
            times_s=None if even else times,  # the cut may leave the gap outside
        )
    n = stream.n_samples
    first, last = (
        min(max(math.ceil((t - stream.start_s) * stream.rate_hz - _SAMPLE_SLACK), 0), n)
        for t in (start_s, end_s)
    )
    return replace(
        stream,
        samples=stream.samples[first:last],
        start_s=stream.start_s + first / stream.rate_hz - start_s,
    )
