"""The header rows of a Trigno Discover export: which sensor, signal, unit and rate a column has."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from kd_edge.base.errors import KdEdgeError
from kd_edge.signals.recording import is_rate
from kd_edge.signals.source import decode
from kd_edge.signals.timing import snap_to_trigno
from kd_edge.signals.titles import modality_of, split_title, unique

_RATE = re.compile(r"(-?\d+(?:\.\d+)?) ?Hz", re.ASCII)
_PERIOD = re.compile(r"(?:-?\d+(?:\.\d+)?(?:[eE]-?\d+)?|∞|-?Infinity) ?s", re.ASCII)
_TIME_SUFFIX = "Time Series (s)"
_TITLE_ROW = 6
_DATES = ("%m/%d/%Y %I:%M:%S %p", "%Y/%m/%d %H:%M:%S", "%Y-%m-%d %H:%M:%S")
LINK = "link"  # modality of devices without a rate of their own


@dataclass(frozen=True)
class Signal:
    """One signal's column: where it stands, whose it is, and what its title says."""

    column: int
    time_column: int | None
    sensor_index: int
    sensor: str
    is_link: bool  # of a device beside the sensors, which have modes above 0
    name: str
    unit: str
    rate_hz: float | None  # None: the file gives -1 Hz

    @property
    def modality(self) -> str:
        if self.rate_hz is None:
            return LINK
        if self.sensor.upper().startswith("FSR"):
            return "fsr"
        return modality_of(self.name) or "analog"


@dataclass(frozen=True)
class Header:
    """What the rows above the numbers say; `n_rows` of them."""

    started: str | None
    length_s: float
    synthetic: bool
    titles: tuple[str, ...]
    signals: tuple[Signal, ...]
    n_rows: int
    notes: tuple[str, ...]


def read_header(content: bytes, where: str) -> Header:
    """The header of a file; KD_BAD_FORMAT or KD_TRUNCATED, with the row, if it has none."""
    lines = content.split(b"\n", _TITLE_ROW + 2)
    text = decode(b"\n".join(lines[: _TITLE_ROW + 1]), where)
    # The row after the rates mostly holds numbers already; those are looked at later.
    beyond = b"".join(lines[_TITLE_ROW + 1 : _TITLE_ROW + 2]).decode("utf-8", "replace")
    rows = [_cells(line) for line in [*text.split("\n"), beyond]]
    if "Trigno Discover" not in text.split("\n")[0]:
        raise _bad_header(where, 1, "'Application:, Trigno Discover (version)'", rows[0][:1])
    if len(lines) < _TITLE_ROW:
        raise KdEdgeError(
            "KD_TRUNCATED",
            f"the file has {len(lines)} rows, and its header alone has {_TITLE_ROW}",
            where=where,
            hint="export or copy the file again",
        )
    started, notes = _started(rows[1], where)
    titles = rows[5]
    if not titles or not all(titles):
        raise _bad_header(where, 6, "a title in every column", titles[:3])
    sensors = _sensors(rows[3], rows[4], len(titles), where)
    rates, n_rows, rate_notes = _rates(rows, titles, where)
    return Header(
        started=started,
        length_s=_length(rows[2], where),
        synthetic="synthetic" in text.split("\n")[0].lower(),
        titles=unique(titles),
        signals=_signals(titles, sensors, rates, where),
        n_rows=n_rows,
        notes=notes + rate_notes,
    )


def _cells(line: str) -> list[str]:
    """A row's cells, stripped, without the empty ones at its end."""
    try:
        cells = [cell.strip() for cell in next(csv.reader([line], skipinitialspace=True), [])]
    except csv.Error:
        cells = [cell.strip() for cell in line.split(",")]
    while cells and not cells[-1]:
        cells.pop()
    return cells


def _bad_header(where: str, row: int, expected: str, found: Sequence[str]) -> KdEdgeError:
    return KdEdgeError(
        "KD_BAD_FORMAT",
        f"expected {expected}, found {', '.join(found)[:80]!r}",
        where=f"{where}, row {row}",
        hint="export the recording again from Trigno Discover as CSV",
    )


def _started(row: list[str], where: str) -> tuple[str | None, tuple[str, ...]]:
    if not row or not row[0].lower().startswith("date/time"):
        raise _bad_header(where, 2, "'Date/Time:, …'", row[:2])
    text = ", ".join(row[1:])
    for form in _DATES:
        try:
            return datetime.strptime(text, form).isoformat(), ()
        except ValueError:
            continue
    return None, (f"date {text[:40]!r} is in no known form; left out",)


def _length(row: list[str], where: str) -> float:
    try:
        length_s = float(row[1])
    except (IndexError, ValueError):
        length_s = -1.0
    # Three cells would be a decimal comma.
    if len(row) != 2 or "length" not in row[0].lower() or not 0 <= length_s < 1e9:
        raise _bad_header(where, 3, "'Collection Length (seconds):, <number>'", row[:2])
    return length_s


def _sensors(names: list[str], modes: list[str], n: int, where: str) -> list[tuple[int, str, bool]]:
    """(index, name, is a link) of each of `n` columns' sensor: a name holds until the next one."""
    if not names or not names[0] or len(names) > n:
        raise _bad_header(where, 4, f"sensor names over at most {n} columns", names[:3])
    starts = [i for i, name in enumerate(names) if name]
    mode_starts = [i for i, mode in enumerate(modes) if mode]
    if mode_starts != starts:
        raise _bad_header(where, 5, "a sensor mode below each sensor name", modes[:3])
    owners: list[tuple[int, str, bool]] = []
    for index, (start, end) in enumerate(pairwise([*starts, n])):
        is_link = modes[start].rpartition(":")[2].strip() == "0"
        owners += [(index, names[start], is_link)] * (end - start)
    return owners


def _rates(
    rows: list[list[str]], titles: list[str], where: str
) -> tuple[list[float | None], int, tuple[str, ...]]:
    """Hz of each column (None: -1 Hz, or a time column), rows of the header, notes."""
    cells = rows[6] if len(rows) > 6 else []
    if any(_RATE.fullmatch(cell) for cell in cells):
        if len(cells) > len(titles):
            raise _bad_header(
                where, 7, f"at most {len(titles)} rates, one a title", [f"{len(cells)} cells"]
            )
        cells = cells + [""] * (len(titles) - len(cells))
        rates = [_rate(c, t, i, where) for i, (c, t) in enumerate(zip(cells, titles, strict=True))]
        period_row = _is_period_row(rows[-1], len(titles), where)
        return rates, 8 if period_row else 7, ()
    rates = [_rate_in_title(title, i, where) for i, title in enumerate(titles)]
    note = "titles give whole-numbered rates; read as the Trigno rates that round to them"
    return rates, 6, (note,)


def _rate(cell: str, title: str, index: int, where: str) -> float | None:
    match = _RATE.fullmatch(cell)
    if title.endswith(_TIME_SUFFIX) and not cell:
        return None
    rate_hz = float(match[1]) if match else 0.0
    if rate_hz == -1:
        return None
    if not is_rate(rate_hz):
        raise _bad_header(
            where, 7, f"a rate like '148.1481 Hz' in column {index + 1} ({title})", [cell]
        )
    return rate_hz


def _rate_in_title(title: str, index: int, where: str) -> float | None:
    if title.endswith(_TIME_SUFFIX):
        return None
    match = _RATE.fullmatch(split_title(title)[1])
    rate_hz = float(match[1]) if match else 0.0
    if rate_hz == -1:
        return None
    if not is_rate(rate_hz):
        raise _bad_header(
            where,
            6,
            f"a rate row, or a rate like '(148Hz)' in the title of column {index + 1}",
            [title],
        )
    # A rate cut to a whole number says only what it rounds to.
    return snap_to_trigno(rate_hz, 0.5 / rate_hz)


def _is_period_row(row: list[str], n: int, where: str) -> bool:
    """Whether this is the row of sample periods that later versions write below the rates."""
    if not any(_PERIOD.fullmatch(cell) for cell in row):
        return False
    if len(row) > n:
        raise _bad_header(where, 8, f"{n} columns, and no table of events beside them", row[n:])
    return True


def _signals(
    titles: list[str],
    sensors: list[tuple[int, str, bool]],
    rates: list[float | None],
    where: str,
) -> tuple[Signal, ...]:
    signals: list[Signal] = []
    pending: int | None = None  # a time column that waits for its signal
    for column, title in enumerate(titles):
        if title.endswith(_TIME_SUFFIX):
            if pending is not None:
                raise _bad_header(where, 6, f"a signal in column {column + 1}", [title])
            pending = column
            continue
        name, unit = split_title(title)
        if pending is not None and titles[pending][: -len(_TIME_SUFFIX)].strip() != name:
            raise _bad_header(
                where, 6, f"the signal of {titles[pending]!r} in column {column + 1}", [title]
            )
        if _RATE.fullmatch(unit):
            unit = ""
        signals.append(Signal(column, pending, *sensors[column], name, unit, rates[column]))
        pending = None
    if pending is not None:
        raise _bad_header(where, 6, "a signal after the last time column", [titles[pending]])
    return tuple(signals)
