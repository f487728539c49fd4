"""The CSV that the vendor's Python API example writes: two rows of names, then numbers.

```
(1)Avanti Sensor,,(2)Avanti Sensor
EMG 1 (1925.926),ACC X (148.148),EMG 1 (1925.926)
-1.6039e-05,-0.013633,2.1e-05
```
Row 1 has each sensor's pair number and name over its first column, row 2 each signal with its rate
in Hz. Every signal is a column at its own rate, so that slow columns end early. With times each
signal stands right of its `… Time Series`. The form states no unit, no date and no length.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from kd_edge.base.errors import KdEdgeError
from kd_edge.signals.delsys import check_lengths, streams_of
from kd_edge.signals.delsys_header import Signal
from kd_edge.signals.recording import Recording, is_rate, off_unix_clock
from kd_edge.signals.sane import check_samples
from kd_edge.signals.source import decode, peek, read_bytes
from kd_edge.signals.table import TableLayout, parse_numbers
from kd_edge.signals.titles import split_title, unique

_SENSOR = re.compile(r"\(\d+\).*", re.DOTALL)
_RATE = re.compile(r"(\d+(?:\.\d+)?) ?(?:Hz)?", re.ASCII)
_TIMES = " Time Series"
_MOST_HEADER_BYTES = 1 << 16


def sniff(path: Path) -> bool:
    """Whether the file's first row names a numbered sensor and its second one a rate."""
    if not path.is_file():
        return False
    rows = peek(path, _MOST_HEADER_BYTES).removeprefix(b"\xef\xbb\xbf").split(b"\n")
    if len(rows) < 2 or not re.match(rb'"?\(\d+\)', rows[0]):
        return False
    return re.search(rb"\(\d+(\.\d+)?( *Hz)?\)", rows[1]) is not None


def read(path: Path) -> list[Recording]:
    """One recording from a CSV of the vendor's Python API example, plain or gzip.

    A stream is one sensor's signals of one modality at one rate, without a unit. Channels are named
    `<sensor>: <signal>`.

    Raises:
        KdEdgeError KD_NO_FILE, KD_BAD_FORMAT (the names), KD_BAD_CELL and KD_TRUNCATED (the
            numbers), KD_BAD_SAMPLES, KD_RATE_MISMATCH (times against stated rates).
    """
    content = read_bytes(path)
    where = str(path)
    lines = content.split(b"\n", 2)
    if len(lines) < 2:
        raise _bad_header(where, 2, "a row of signals such as 'EMG 1 (1925.926)'", [])
    titles = _cells(lines[1], where, 2)
    signals = _signals(titles, _sensors(_cells(lines[0], where, 1), len(titles), where), where)
    layout = TableLayout(where, unique(titles), 3, ragged=True, blank_ends=True)
    columns = parse_numbers(lines[2] if len(lines) > 2 else b"", layout)
    streams, notes = streams_of(signals, columns, where)
    check_samples(streams, where, layout.first_row)
    longest_s = max(s.end_s for s in streams) - min(s.start_s for s in streams)
    check_lengths(
        streams,
        max(len(column) for column in columns),
        longest_s,
        where=where,
        hint="export or copy the file again; all sensors of one recording last as long",
    )
    streams, began = off_unix_clock(streams)
    return [Recording(streams=streams, source=where, started=began, notes=notes)]


def _cells(line: bytes, where: str, row: int) -> list[str]:
    text = decode(line, where, row)
    try:
        cells = [cell.strip() for cell in next(csv.reader([text], strict=True), [])]
    except csv.Error as error:
        raise _bad_header(where, row, f"a row of names ({error})", [text]) from error
    while cells and not cells[-1]:
        cells.pop()
    return cells


def _sensors(cells: Sequence[str], n_columns: int, where: str) -> list[tuple[int, str]]:
    """(index, name) of each column's sensor: a name holds until the next one."""
    starts = [column for column, cell in enumerate(cells) if cell]
    if (
        not starts
        or starts[0] != 0
        or len(cells) > n_columns
        or not all(_SENSOR.fullmatch(cells[i]) for i in starts)
    ):
        raise _bad_header(where, 1, "sensors such as '(1)Avanti Sensor'", cells[:3])
    return [
        (index, cells[start])
        for index, (start, end) in enumerate(pairwise([*starts, n_columns]))
        for _ in range(end - start)
    ]


def _signals(
    titles: Sequence[str], sensors: Sequence[tuple[int, str]], where: str
) -> tuple[Signal, ...]:
    signals: list[Signal] = []
    times_of: str | None = None  # the signal whose times stand in the column before
    for column, title in enumerate(titles):
        stem = title.removesuffix(" (s)")
        if stem.endswith(_TIMES) and times_of is None:
            times_of = stem.removesuffix(_TIMES)
            continue
        name, rate = split_title(title)
        match = _RATE.fullmatch(rate)
        rate_hz = float(match[1]) if match else 0.0
        if not (name and is_rate(rate_hz)) or times_of not in (None, name):
            raise _bad_header(
                where, 2, f"a signal with its rate in column {column + 1}: ACC X (148.148)", [title]
            )
        time_column = None if times_of is None else column - 1
        index, sensor = sensors[column]
        signals.append(Signal(column, time_column, index, sensor, False, name, "", rate_hz))
        times_of = None
    if times_of is not None or not signals:
        raise _bad_header(where, 2, "signals with their rates", titles[-1:])
    return tuple(signals)


def _bad_header(where: str, row: int, expected: str, found: Sequence[str]) -> KdEdgeError:
    return KdEdgeError(
        "KD_BAD_FORMAT",
        f"expected {expected}, found {', '.join(found)[:80]!r}",
        where=f"{where}, row {row}",
        hint="write the file again with the vendor's example, and change nothing in its first rows",
    )
