"""Plain CSV: one recording at one rate, for data from anywhere.

```
# rate_hz = 200
# sensor = wrist
emg_1 (mV),emg_2 (mV)
0.012,-0.004
```
Rows that begin with `#` may stand first and hold `key = value`: `rate_hz`, `modality` (of every
column), `sensor`, `started` (ISO 8601), `synthetic` (true or false). Then one row of column names,
then numbers, every row with a line end. A column named `time`, `t`, `timestamp` or `seconds` holds
times, in the unit that its title says (`time (ms)`, `t_us`) or in seconds; without it `rate_hz`
must be there, and where both are they must agree within 1 %. Times of a Unix clock say when the
recording began.
A column's modality is its name's first word (`acc_x` and `ACC X` are `acc`, `gyro x` is `gyr`), its
unit what stands in parentheses. Signals at several rates need NPZ or several files.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kd_edge.base.errors import KdEdgeError, nearest
from kd_edge.signals.recording import Recording, Stream, is_rate, off_unix_clock, started_of
from kd_edge.signals.sane import check_samples
from kd_edge.signals.source import decode, peek, read_bytes
from kd_edge.signals.table import TableLayout, counts_rows, parse_numbers
from kd_edge.signals.timing import Timing, clock, is_a_clock, is_time_title, says_unit, timing
from kd_edge.signals.titles import is_sensor_title, modality_of, split_title

_KEYS = ("rate_hz", "modality", "sensor", "started", "synthetic")
# Without a unit times are seconds, unless that is unlikely: milliseconds look like a slow sensor.
_SLOWEST_WITHOUT_UNIT_HZ = 5.0
_INDEX = re.compile(r"(Unnamed: \d+)?")  # how table libraries call the column of row numbers


def sniff(path: Path) -> bool:
    """Whether the name ends in .csv (or .csv.gz) and the file is text."""
    name = path.name.lower()
    return path.is_file() and name.endswith((".csv", ".csv.gz")) and b"\0" not in peek(path, 1024)


def read(path: Path) -> list[Recording]:
    """One recording from a plain CSV.

    Raises:
        KdEdgeError KD_NO_FILE, KD_BAD_FORMAT (names, keys), KD_BAD_CELL and KD_TRUNCATED (the
            numbers), KD_RATE_MISMATCH (times against `rate_hz`).
    """
    content = read_bytes(path)
    where = str(path)
    keys, title_row, offset = _keys(content, where)
    names, body_offset = _names(content, offset, title_row, where)
    body = content[body_offset:]
    columns = parse_numbers(body, TableLayout(where, names, title_row + 1))
    if not len(columns[0]):
        raise KdEdgeError(
            "KD_TRUNCATED",
            "the file has column names and no samples",
            where=where,
            hint="export or copy the file again",
        )
    time_column, left_out, notes = _without_signals(names, columns, where)
    when = _timing(names, columns, time_column, keys, where)
    notes += [
        f"{gap.length_s:.4g} s without samples after {gap.start_s:.4g} s" for gap in when.gaps
    ]
    streams = _streams(names, columns, left_out, when, keys, where)
    check_samples(streams, where, title_row + 1)
    streams, began = off_unix_clock(streams)
    recording = Recording(
        streams=streams,
        source=where,
        started=started_of(keys.get("started"), where) or began,
        synthetic=_truth(keys, where),
        notes=tuple(notes),
    )
    return [recording]


def _keys(content: bytes, where: str) -> tuple[dict[str, str], int, int]:
    """The `# key = value` pairs, the number of the row of names, and its offset."""
    keys: dict[str, str] = {}
    start, row = 0, 1
    while True:
        end = content.find(b"\n", start)
        line = content[start : end if end >= 0 else len(content)]
        if not line.removeprefix(b"\xef\xbb\xbf").startswith(b"#"):
            return keys, row, start
        text = decode(line, where, row).lstrip("#").strip()
        key, equals, value = (part.strip() for part in text.partition("="))
        if equals and key not in _KEYS:
            raise KdEdgeError(
                "KD_BAD_FORMAT",
                f"unknown key '{key[:40]}'{nearest(key, _KEYS)}",
                where=f"{where}, row {row}",
                hint=f"keys: {', '.join(_KEYS)}; a comment has no '='",
            )
        if equals:
            keys[key] = value
        if end < 0:
            return keys, row, len(content)
        start, row = end + 1, row + 1


def _names(content: bytes, offset: int, row: int, where: str) -> tuple[list[str], int]:
    end = content.find(b"\n", offset)
    line = decode(content[offset : end if end >= 0 else len(content)], where, row)
    try:
        names = [
            n.strip() for n in next(csv.reader([line], skipinitialspace=True, strict=True), [])
        ]
    except csv.Error as error:
        raise _no_names(row, where, str(error)) from error
    while names and not names[-1]:
        names.pop()
    if not names or not all(names[1:]) or all(_is_number(name) for name in names):
        raise _no_names(row, where, line[:60])
    titles = Counter(split_title(name)[0] for name in names if not is_time_title(name))
    doubled, times = max(titles.items(), key=lambda item: item[1], default=("", 0))
    if times > 1:
        raise KdEdgeError(
            "KD_BAD_FORMAT",
            f"two columns are called '{doubled[:60]}'",
            where=f"{where}, row {row}",
            hint="give every column its own name",
        )
    return names, end + 1 if end >= 0 else len(content)


def _no_names(row: int, where: str, found: str) -> KdEdgeError:
    return KdEdgeError(
        "KD_BAD_FORMAT",
        f"expected a row of column names, found {found!r}",
        where=f"{where}, row {row}",
        hint="write one, such as 'time,emg_1 (mV),acc_x (g)'",
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _without_signals(
    names: Sequence[str], columns: Sequence[np.ndarray], where: str
) -> tuple[int | None, set[int], list[str]]:
    """The column of times, all columns that hold no signal, and what is worth saying of them."""
    time_column: int | None = None
    left_out: set[int] = set()
    notes: list[str] = []
    for column, name in enumerate(names):
        if _INDEX.fullmatch(name):
            _must_count_rows(columns[column], name, f"{where}, column {column + 1}")
            notes.append(f"column {column + 1} counts the rows; left out")
        elif _counts(columns[column], name):
            notes.append(f"column {column + 1} ({name}) counts the rows; left out")
        elif not is_time_title(name):
            _must_be_no_clock(columns[column], name, f"{where}, column {column + 1}")
            continue
        elif time_column is None:
            time_column = column
        else:
            notes.append(f"column {column + 1} ({name}) is a second clock; left out")
        left_out.add(column)
    return time_column, left_out, notes


def _must_count_rows(values: np.ndarray, name: str, where: str) -> None:
    if not counts_rows(values):
        raise KdEdgeError(
            "KD_BAD_FORMAT",
            f"a column is called {name[:20]!r}, and does not just count the rows",
            where=where,
            hint="give it its name, such as 'emg_1 (mV)', or delete it",
        )


def _counts(values: np.ndarray, name: str) -> bool:
    """Whether a column that is called as no sensor's signal and as no time counts the rows."""
    a_signal = is_sensor_title(name) or is_time_title(name)
    return not a_signal and len(values) > 2 and counts_rows(values)


def _must_be_no_clock(values: np.ndarray, name: str, where: str) -> None:
    if not is_sensor_title(name) and is_a_clock(values):
        raise KdEdgeError(
            "KD_BAD_FORMAT",
            f"the column '{name[:60]}' increases evenly as times do, and is not called so",
            where=where,
            hint="call it 'time' with its unit, such as 'time (ms)', or delete it",
        )


def _timing(
    names: Sequence[str],
    columns: Sequence[np.ndarray],
    time_column: int | None,
    keys: dict[str, str],
    where: str,
) -> Timing:
    stated_hz = None
    if "rate_hz" in keys:
        stated_hz = float(keys["rate_hz"]) if _is_number(keys["rate_hz"]) else 0.0
        if not is_rate(stated_hz):
            raise KdEdgeError(
                "KD_BAD_FORMAT",
                f"rate_hz is {keys['rate_hz'][:40]!r}, a number over 0 was expected",
                where=where,
                hint="write for instance '# rate_hz = 200'",
            )
    if time_column is None and stated_hz is None:
        raise KdEdgeError(
            "KD_BAD_FORMAT",
            "the file says nothing of its rate",
            where=where,
            hint="add a first row '# rate_hz = 200', or a column 'time (s)'",
        )
    if time_column is None:
        return Timing(stated_hz, 0.0, None, ())
    place = f"{where}, column {time_column + 1}"
    title = names[time_column]
    times_s, tick_s = clock(columns[time_column], title, place)
    when = timing(times_s, stated_hz=stated_hz, where=place, tick_s=tick_s)
    if stated_hz is None and not says_unit(title) and when.rate_hz < _SLOWEST_WITHOUT_UNIT_HZ:
        raise KdEdgeError(
            "KD_BAD_FORMAT",
            f"the times of '{title[:60]}' are {1 / when.rate_hz:.6g} apart, in no unit",
            where=place,
            hint="say the unit in the column's title, 'time (ms)' or 'time (s)'",
        )
    return when


def _streams(
    names: Sequence[str],
    columns: Sequence[np.ndarray],
    left_out: set[int],
    when: Timing,
    keys: dict[str, str],
    where: str,
) -> tuple[Stream, ...]:
    groups: dict[tuple[str, str], list[int]] = {}
    for column, name in enumerate(names):
        if column in left_out:
            continue
        title, unit = split_title(name)
        modality = keys.get("modality") or modality_of(title)
        if not modality:
            raise KdEdgeError(
                "KD_BAD_FORMAT",
                f"the name '{title[:60]}' tells no modality",
                where=f"{where}, column {column + 1}",
                hint="begin it with a word such as emg, acc or gyr, or add '# modality = emg'",
            )
        groups.setdefault((modality.lower(), unit), []).append(column)
    if not groups:
        raise KdEdgeError(
            "KD_BAD_FORMAT",
            "the file has a time column and no signal",
            where=where,
            hint="export it with its signals",
        )
    return tuple(
        Stream(
            modality=modality,
            sensor=keys.get("sensor", ""),
            channels=tuple(split_title(names[i])[0] for i in indices),
            samples=np.stack([columns[i] for i in indices], axis=1).astype(np.float32),
            rate_hz=when.rate_hz,
            unit=unit,
            start_s=when.start_s,
            times_s=when.times_s,
        )
        for (modality, unit), indices in groups.items()
    )


def _truth(keys: dict[str, str], where: str) -> bool:
    text = keys.get("synthetic", "false").lower()
    if text not in ("true", "false"):
        raise KdEdgeError(
            "KD_BAD_FORMAT",
            f"synthetic is {text[:40]!r}, true or false was expected",
            where=where,
            hint="write '# synthetic = true' for made signals, or leave it out",
        )
    return text == "true"
