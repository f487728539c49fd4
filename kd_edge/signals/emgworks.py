"""EMGworks CSV exports (Delsys), with and without the preamble that states rates and units.

Every signal stands right of a time column `X[s]` (some exports have one time column for all).
The preamble's rows read `Label: … Sampling frequency: … Number of points: … start: … Unit: …`;
their number of points can exceed the rows that follow. Times have seven significant digits.

Table libraries and spreadsheets rename titles that stand twice (`X[s].1`, `X [s]_2`, `X.s..3`) and
put a column of row numbers first. Such titles are read as what they were.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.signals.recording import Recording, Stream, is_rate, off_unix_clock
from kd_edge.signals.sane import check_samples
from kd_edge.signals.source import decode, peek, read_bytes
from kd_edge.signals.table import TableLayout, counts_rows, parse_numbers
from kd_edge.signals.timing import TRIGNO_FRAME_S, Timing, is_a_clock, snap_to_trigno, timing
from kd_edge.signals.titles import modality_of, unique

# 'X[s]' as EMGworks writes it, and as it looks after table libraries (pandas: 'X[s].1', readr:
# 'X[s]...3', R and MATLAB: 'X.s..1', 'X_s__1') and hands have been at it.
_TIME = re.compile(
    r"(?:x|time)[\[(._](?P<unit>s|ms|us|µs|\u03bcs|ns|min)[\])._]?[._#]*\d*", re.IGNORECASE
)
_INDEX = re.compile(r"(Unnamed: \d+|index)?", re.IGNORECASE)
_LABEL = re.compile(
    r"Label: (?P<label>.*?) Sampling frequency: (?P<rate>\S+) Number of points: (?P<points>\d+) "
    r"start: \S+ Unit: (?P<unit>.*?) ?Domain Unit: (?P<domain>\S*)",
    re.ASCII,
)
_MAX_PREAMBLE_ROWS = 2000
_LONGEST_LABEL = 2000
_TIME_DIGITS = 7
_MOST_MISSING = 30  # samples: a frame of the fastest sensor


@dataclass(frozen=True)
class _Stated:
    """What the preamble says of one signal."""

    rate_hz: float
    points: int
    unit: str


@dataclass(frozen=True)
class _Signal:
    column: int
    time_column: int
    title: str
    stated: _Stated | None

    @property
    def sensor(self) -> str:
        return self.title.rpartition(": ")[0] or self.title

    @property
    def modality(self) -> str:
        return modality_of(self.title.rpartition(": ")[2]) or "analog"


def sniff(path: Path) -> bool:
    """Whether the file begins with EMGworks' preamble or its row of titles."""
    if not path.is_file():
        return False
    start = peek(path, 256).removeprefix(b"\xef\xbb\xbf")
    return start.startswith(b"Label: ") or _begins_titles(start)


def read(path: Path) -> list[Recording]:
    """One recording from an EMGworks CSV, plain or gzip.

    A stream is one sensor's signals of one modality at one rate; channels bear the file's titles
    (`Avanti sensor 1: ACC.X 1`). Without a preamble the unit is '' and the rate is that of the
    times, as the multiple of 1 / 13.5 ms that it is within 0.1 % of, if it is.

    Raises:
        KdEdgeError KD_NO_FILE, KD_BAD_FORMAT (the header), KD_BAD_CELL and KD_TRUNCATED (the
            numbers), KD_RATE_MISMATCH (times against the preamble).
    """
    content = read_bytes(path)
    where = str(path)
    preamble, title_row, start = _split(content, where)
    stated = _stated(preamble, where)
    titles = _titles(content, start, title_row, where)
    body_start = content.find(b"\n", start) + 1
    layout = TableLayout(where, unique(titles), title_row + 1, ragged=True)
    columns = parse_numbers(content[body_start:] if body_start else b"", layout)
    signals = _signals(titles, columns, stated, f"{where}, row {title_row}")
    if not any(len(columns[s.column]) for s in signals):
        raise KdEdgeError(
            "KD_TRUNCATED",
            "the file has titles and no samples",
            where=where,
            hint="export or copy the file again",
        )
    notes: list[str] = []
    streams = _streams(signals, columns, where, notes)
    check_samples(streams, where, title_row + 1)
    notes += _cut_notes(streams, max(len(column) for column in columns))
    streams, began = off_unix_clock(streams)
    return [Recording(streams=streams, source=where, started=began, notes=tuple(notes))]


def _split(content: bytes, where: str) -> tuple[list[str], int, int]:
    """Preamble rows, the number of the title row, and the offset where it begins."""
    start, rows = 0, []
    for row in range(1, _MAX_PREAMBLE_ROWS + 2):
        end = content.find(b"\n", start)
        line = content[start : end if end >= 0 else len(content)]
        if _begins_titles(line.removeprefix(b"\xef\xbb\xbf")):
            return rows, row, start
        rows.append(decode(line, where, row).strip())
        if end < 0:
            break
        start = end + 1
    raise KdEdgeError(
        "KD_BAD_FORMAT",
        "no row of titles that begins with 'X[s]'",
        where=f"{where}, rows 1 to {len(rows)}",
        hint="export from EMGworks as CSV with time columns",
    )


def _begins_titles(line: bytes) -> bool:
    """Whether a row's first cells are a title of times, or of row numbers and then of times."""
    cells = [c.strip(b' "\r\n').decode("utf-8", "replace") for c in line[:256].split(b",", 2)[:2]]
    if len(cells) == 2 and _INDEX.fullmatch(cells[0]):
        cells = cells[1:]
    # Its own first title alone, since a plain CSV may well begin with 'time (s)'.
    return cells[0][:1] in ("x", "X") and _unit_of_times(cells[0]) == "s"


def _unit_of_times(title: str) -> str | None:
    """The unit in the title of a column of times, None for any other title."""
    match = _TIME.fullmatch("".join(title.split()))
    return match["unit"].lower() if match else None


def _stated(preamble: Sequence[str], where: str) -> dict[str, _Stated]:
    found: dict[str, _Stated] = {}
    for row, line in enumerate(preamble, start=1):
        if not line.startswith("Label:"):
            continue  # triggers, date, comments
        match = _LABEL.fullmatch(line) if len(line) <= _LONGEST_LABEL else None
        rate_hz = _number(match["rate"]) if match else 0.0
        if not is_rate(rate_hz) or match["domain"] != "s":
            raise KdEdgeError(
                "KD_BAD_FORMAT",
                "expected 'Label: … Sampling frequency: … Number of points: … start: … Unit: … "
                f"Domain Unit: s', found {line[:60]!r}",
                where=f"{where}, row {row}",
                hint="export the recording again from EMGworks",
            )
        if match["label"] in found:
            raise KdEdgeError(
                "KD_BAD_FORMAT",
                f"the preamble has {match['label']!r} twice",
                where=f"{where}, row {row}",
                hint="give sensors different names in EMGworks and export again",
            )
        found[match["label"]] = _Stated(rate_hz, int(match["points"]), match["unit"].strip())
    return found


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _titles(content: bytes, start: int, row: int, where: str) -> list[str]:
    end = content.find(b"\n", start)
    line = decode(content[start : end if end >= 0 else len(content)], where, row)
    try:
        titles = [t.strip() for t in next(csv.reader([line], skipinitialspace=True, strict=True))]
    except csv.Error as error:
        raise KdEdgeError(
            "KD_BAD_FORMAT",
            f"the row of titles cannot be read: {error}",
            where=f"{where}, row {row}",
            hint="export the recording again from EMGworks",
        ) from error
    while titles and not titles[-1]:
        titles.pop()
    return titles


def _signals(
    titles: Sequence[str],
    columns: Sequence[np.ndarray],
    stated: dict[str, _Stated],
    where: str,
) -> list[_Signal]:
    signals: list[_Signal] = []
    time_column: int | None = None
    for column, title in enumerate(titles):
        unit = _unit_of_times(title)
        if unit is not None:
            _must_be_seconds(unit, title, f"{where}, column {column + 1}")
            time_column = column
            continue
        if _INDEX.fullmatch(title) and counts_rows(columns[column]):
            continue  # a column of row numbers, or one that a spreadsheet left empty
        if not title or _INDEX.fullmatch(title) or (stated and title not in stated):
            raise KdEdgeError(
                "KD_BAD_FORMAT",
                f"the title {title[:60]!r} is "
                + ("not in the preamble" if stated else "no signal's"),
                where=f"{where}, column {column + 1}",
                hint="give the column its title back ('X[s]' for times), or export the file again",
            )
        if ": " not in title and is_a_clock(columns[column]):
            raise KdEdgeError(
                "KD_BAD_FORMAT",
                f"the column {title[:60]!r} increases evenly as times do, and is not called 'X[s]'",
                where=f"{where}, column {column + 1}",
                hint="give the column its title back ('X[s]' for times), or export the file again",
            )
        signals.append(_Signal(column, time_column or 0, title, stated.get(title)))
    if not signals:
        raise KdEdgeError(
            "KD_BAD_FORMAT",
            "the row of titles names no signal",
            where=where,
            hint="export the recording again from EMGworks",
        )
    return signals


def _must_be_seconds(unit: str, title: str, where: str) -> None:
    if unit != "s":
        raise KdEdgeError(
            "KD_BAD_FORMAT",
            f"the time column {title[:60]!r} is not in seconds",
            where=where,
            hint="export from EMGworks with times in seconds",
        )


def _streams(
    signals: Sequence[_Signal], columns: Sequence[np.ndarray], where: str, notes: list[str]
) -> tuple[Stream, ...]:
    groups: dict[tuple, list[_Signal]] = {}
    timings: dict[tuple, Timing] = {}
    for signal in signals:
        if not len(columns[signal.column]):
            notes.append(f"{signal.title} is absent (no samples)")
            continue
        when = _timing(signal, columns, where, notes)
        unit = signal.stated.unit if signal.stated else ""
        uneven = b"" if when.times_s is None else when.times_s.tobytes()
        n = len(columns[signal.column])
        key = (signal.sensor, signal.modality, when.rate_hz, when.start_s, unit, n, uneven)
        groups.setdefault(key, []).append(signal)
        timings[key] = when
    names = unique(s.title for group in groups.values() for s in group)
    name_of = dict(zip((s.column for g in groups.values() for s in g), names, strict=True))
    return tuple(
        Stream(
            modality=modality,
            sensor=sensor,
            channels=tuple(name_of[s.column] for s in group),
            samples=np.stack([columns[s.column] for s in group], axis=1).astype(np.float32),
            rate_hz=rate_hz,
            unit=unit,
            start_s=start_s,
            times_s=timings[key].times_s,
        )
        for key, group in groups.items()
        for sensor, modality, rate_hz, start_s, unit, *_ in [key]
    )


def _cut_notes(streams: Sequence[Stream], n_rows: int) -> list[str]:
    """What tells a file that was cut between two rows: who has all rows ends before the others.

    The form states no length that holds, and excerpts are usual: so this is said, and not refused.
    """
    latest_s = max(stream.end_s for stream in streams)
    return [
        f"{stream.channels[0]} ends at {stream.end_s:.4g} s with the file's last row, and others "
        f"go on until {latest_s:.4g} s: the file was cut between two rows"
        for stream in streams
        if stream.n_samples >= n_rows - 1 and stream.end_s < latest_s - 3 * TRIGNO_FRAME_S
    ]


def _timing(signal: _Signal, columns: Sequence[np.ndarray], where: str, notes: list[str]) -> Timing:
    times, samples = columns[signal.time_column], columns[signal.column]
    place = f"{where}, column {signal.column + 1} ({signal.title})"
    shared = signal.column != signal.time_column + 1
    # Signals of one rate may end some samples apart; a slow one has lost its own column of times.
    missing = len(times) - len(samples)
    if missing and not (shared and 0 < missing <= _MOST_MISSING + 0.02 * len(times)):
        raise KdEdgeError(
            "KD_BAD_FORMAT",
            f"{len(samples)} samples and {len(times)} times",
            where=place,
            hint="a signal stands right of its own times: put its column 'X[s]' back before it, "
            "or export the file again",
        )
    stated_hz = signal.stated.rate_hz if signal.stated else None
    when = timing(times[: len(samples)], stated_hz=stated_hz, where=place, digits=_TIME_DIGITS)
    notes.extend(
        f"{signal.title}: {gap.length_s:.4g} s without samples after {gap.start_s:.4g} s"
        for gap in when.gaps
    )
    if signal.stated and signal.stated.points != len(samples):
        notes.append(
            f"{signal.title}: the preamble states {signal.stated.points} points, "
            f"the file has {len(samples)}"
        )
    if signal.stated:
        return when
    return Timing(snap_to_trigno(when.rate_hz, 1e-3), when.start_s, when.times_s, when.gaps)
