"""EMGworks CSV exports (Delsys), with and without the preamble that states rates and units.

Every signal stands right of a time column `X[s]` (some exports have one time column for all).
The preamble's rows read `Label: … Sampling frequency: … Number of points: … start: … Unit: …`;
their number of points can exceed the rows that follow. Times have seven significant digits.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kd_edge.errors import KdEdgeError
from kd_edge.signals.recording import Recording, Stream
from kd_edge.signals.source import decode, peek, read_bytes
from kd_edge.signals.table import TableLayout, parse_numbers
from kd_edge.signals.timing import Timing, snap_to_trigno, timing
from kd_edge.signals.titles import modality_of, unique

_TIME = re.compile(r'"?X ?\[s\]"?')
_LABEL = re.compile(
    r"Label: (?P<label>.*?) Sampling frequency: (?P<rate>\S+) Number of points: (?P<points>\d+) "
    r"start: \S+ Unit: (?P<unit>.*?) ?Domain Unit: (?P<domain>\S*)",
    re.ASCII,
)
_MAX_PREAMBLE_ROWS = 2000
_TIME_DIGITS = 7


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
    return start.startswith((b"X[s],", b'"X[s]",', b"X [s],", b"Label: "))


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
    signals = _signals(titles, stated, title_row, where)
    body_start = content.find(b"\n", start) + 1
    layout = TableLayout(where, unique(titles), title_row + 1, ragged=True)
    columns = parse_numbers(content[body_start:] if body_start else b"", layout)
    if not any(len(columns[s.column]) for s in signals):
        raise KdEdgeError(
            "KD_TRUNCATED",
            "the file has titles and no samples",
            where=where,
            hint="export or copy the file again",
        )
    notes: list[str] = []
    streams = _streams(signals, columns, where, notes)
    return [Recording(streams=streams, source=where, notes=tuple(notes))]


def _split(content: bytes, where: str) -> tuple[list[str], int, int]:
    """Preamble rows, the number of the title row, and the offset where it begins."""
    start, rows = 0, []
    for row in range(1, _MAX_PREAMBLE_ROWS + 2):
        end = content.find(b"\n", start)
        line = content[start : end if end >= 0 else len(content)]
        first_cell = line.removeprefix(b"\xef\xbb\xbf").split(b",", 1)[0].strip()
        if _TIME.fullmatch(first_cell.decode("ascii", "replace")):
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


def _stated(preamble: Sequence[str], where: str) -> dict[str, _Stated]:
    found: dict[str, _Stated] = {}
    for row, line in enumerate(preamble, start=1):
        if not line.startswith("Label:"):
            continue  # triggers, date, comments
        match = _LABEL.fullmatch(line)
        rate_hz = _number(match["rate"]) if match else 0.0
        if not 0 < rate_hz < 1e7 or match["domain"] != "s":
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
    titles: Sequence[str], stated: dict[str, _Stated], row: int, where: str
) -> list[_Signal]:
    signals: list[_Signal] = []
    time_column = 0
    for column, title in enumerate(titles):
        if _TIME.fullmatch(title):
            time_column = column
            continue
        if not title or (stated and title not in stated):
            raise KdEdgeError(
                "KD_BAD_FORMAT",
                f"the title {title[:60]!r} is " + ("not in the preamble" if title else "empty"),
                where=f"{where}, row {row}, column {column + 1}",
                hint="export the recording again from EMGworks",
            )
        signals.append(_Signal(column, time_column, title, stated.get(title)))
    if not signals:
        raise KdEdgeError(
            "KD_BAD_FORMAT",
            "the row of titles names no signal",
            where=f"{where}, row {row}",
            hint="export the recording again from EMGworks",
        )
    return signals


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


def _timing(signal: _Signal, columns: Sequence[np.ndarray], where: str, notes: list[str]) -> Timing:
    times, samples = columns[signal.time_column], columns[signal.column]
    place = f"{where}, column {signal.column + 1} ({signal.title})"
    shared = signal.column != signal.time_column + 1
    if len(times) != len(samples) and not (shared and len(times) > len(samples)):
        raise KdEdgeError(
            "KD_BAD_FORMAT",
            f"{len(samples)} samples and {len(times)} times",
            where=place,
            hint="the file is damaged: export it again",
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
