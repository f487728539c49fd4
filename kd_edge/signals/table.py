"""The numbers of a CSV file: fast where all is well, exact in what is wrong where it is not.

pandas' C parser turns digits into doubles with correct rounding (see `_exact_option`), but it
forgives: short rows, text, `NA`, a shifted index. So the bytes and the shape are checked
before it, and its types after it; only then are its numbers believed.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from kd_edge.base.errors import KdEdgeError

_NUMBER_BYTES = b"0123456789+-.eE,\n\r "
_NUMBER = re.compile(rb" *[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)? *\r?")
_CALENDAR = re.compile(rb" *(\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}|\d{1,2}:\d{2}(:|\b))")
_SEPARATED = "cells must be separated by ',' and decimals by '.': export it so"
_HINTS = {
    b"\0": "the file is damaged (a NUL byte): copy or export it again",
    b";": _SEPARATED,
    b"\t": _SEPARATED,
    b'"': "numbers must stand without quotes: export it so",
    b"\r": "lines must end in LF or CR LF: convert the file",
}
MOST_COLUMNS = 10_000
_CHUNK_BYTES = 32 << 20  # bounds the memory of a long export


@dataclass(frozen=True)
class TableLayout:
    """What the rows of a table must be.

    Attributes:
        where: the file's name for messages.
        columns: one name a column.
        first_row: number of the first row of numbers in the file, from 1.
        ragged: columns may end early, with empty cells from there to the end.
        blank_ends: rows may have more or fewer empty cells at their end than there are columns.
    """

    where: str
    columns: Sequence[str]
    first_row: int
    ragged: bool = False
    blank_ends: bool = False


def parse_numbers(body: bytes, layout: TableLayout) -> list[np.ndarray]:
    """The columns of comma-separated numbers, without the empty cells after a column's end.

    Every row has one cell a column, or every row ends in one separator more (an empty cell): a row
    that alone is longer is refused even if the rest is empty, because a decimal comma looks so.
    Rows end in LF or CR LF. Only plain decimal numbers count: no text, NaN, infinity or quotes.

    Returns:
        (n,) float64 a column, correctly rounded, in the file's unit; lengths differ only where
        `layout.ragged`.

    Raises:
        KdEdgeError KD_BAD_CELL: with row, column and what was expected.
        KdEdgeError KD_TRUNCATED: the last row is cut, or its line end is missing.
        KdEdgeError KD_BAD_FORMAT: more than `MOST_COLUMNS` columns.
    """
    if len(layout.columns) > MOST_COLUMNS:
        raise KdEdgeError(
            "KD_BAD_FORMAT",
            f"the table has {len(layout.columns)} columns, and at most {MOST_COLUMNS} are read",
            where=layout.where,
            hint="export fewer signals into one file",
        )
    body = _without_blank_end(body)
    if body and not body.endswith(b"\n"):
        raise _cut_last_line(body, layout)
    if layout.blank_ends:
        body = _with_even_ends(body, len(layout.columns))
    pieces: list[list[np.ndarray]] = [[] for _ in layout.columns]
    ended = np.zeros(len(layout.columns), dtype=int)  # the row of a column's first empty cell, or 0
    for chunk in _chunks(body, layout):
        matrix = _matrix(chunk)
        lengths = _prefix_lengths(matrix, ended, chunk)
        ends_here = (ended == 0) & (lengths < len(matrix))
        ended[ends_here] = chunk.first_row + lengths[ends_here]
        for column, (piece, length) in enumerate(zip(pieces, lengths, strict=True)):
            piece.append(matrix[:length, column])
    return [np.concatenate(p) if p else np.empty(0) for p in pieces]


def counts_rows(values: np.ndarray) -> bool:
    """Whether a column, (n,) values, just numbers the rows, as table libraries write one.

    True for no rows.
    """
    return bool(np.array_equal(values - values[:1], np.arange(len(values))))


@dataclass(frozen=True)
class _Chunk:
    """Some whole rows: their bytes, the first one's number, whether they are the file's last."""

    data: bytes
    first_row: int
    last: bool
    width: int  # cells a row
    layout: TableLayout


def _without_blank_end(body: bytes) -> bytes:
    stripped = body.rstrip(b"\r\n")
    if len(stripped) == len(body):
        return body
    tail = body[len(stripped) :]
    # A row of one empty cell is a blank line too: keep what a single line end leaves.
    return stripped + tail[: tail.find(b"\n") + 1] if stripped else b""


def _with_even_ends(body: bytes, n_columns: int) -> bytes:
    """The rows with as many cells as there are columns where empty cells at the end make it so."""
    lines = body.split(b"\n")
    for index, line in enumerate(lines[:-1]):
        if line.count(b",") == n_columns - 1:
            continue
        held = line.rstrip(b", \r")
        n_held = held.count(b",") + 1
        if n_held <= n_columns:
            lines[index] = held + b"," * (n_columns - n_held)
    return b"\n".join(lines)


def _chunks(body: bytes, layout: TableLayout) -> Iterator[_Chunk]:
    start, row = 0, layout.first_row
    first_row = body[: body.find(b"\n") + 1].split(b",")
    ends_in_separator = len(first_row) == len(layout.columns) + 1 and not first_row[-1].strip()
    width = len(layout.columns) + ends_in_separator
    while start < len(body):
        end = body.find(b"\n", min(start + _CHUNK_BYTES, len(body)) - 1) + 1
        data = body[start:end]
        yield _Chunk(data, row, end == len(body), width, layout)
        row += data.count(b"\n")
        start = end


def _matrix(chunk: _Chunk) -> np.ndarray:
    """(rows, columns) float64 with NaN for empty cells."""
    _check_bytes(chunk)
    n_columns = len(chunk.layout.columns)
    n_rows = chunk.data.count(b"\n")
    frame = None
    if chunk.data.count(b",") == n_rows * (chunk.width - 1):
        # Equal totals still allow a longer row and a shorter one; pandas refuses the longer.
        frame = _parse(chunk.data)
    if frame is None or frame.shape != (n_rows, chunk.width):
        raise _uneven_rows(chunk)
    if chunk.width > n_columns and not frame[n_columns].isna().all():
        raise _beyond(chunk, int(frame[n_columns].notna().argmax()))
    matrix = np.empty((n_rows, n_columns))
    for column in range(n_columns):
        values = frame[column]
        numeric = values.dtype.kind in "iuf"
        matrix[:, column] = values.to_numpy() if numeric else _column_slowly(chunk, column)
    too_large = np.abs(matrix) > np.finfo(np.float32).max  # samples are kept as float32
    if too_large.any():
        row, column = np.argwhere(too_large)[0]
        raise _bad_cell("one too large for a 32-bit float", chunk, row, column)
    return matrix


def _parse(data: bytes):
    """A data frame, or None where pandas finds rows of different lengths."""
    import pandas as pd

    try:
        return pd.read_csv(
            io.BytesIO(data),
            header=None,
            skipinitialspace=True,
            skip_blank_lines=False,
            keep_default_na=False,
            na_values=[""],
            **_exact_option(pd.__version__),
            low_memory=False,
            quoting=csv.QUOTE_NONE,
        )
    except pd.errors.EmptyDataError:  # blanks alone, in one column: pandas takes commas for cells
        return pd.DataFrame(np.nan, range(data.count(b"\n")), range(1))
    except pd.errors.ParserError:
        return None


def _exact_option(version: str) -> dict[str, str]:
    """Correct rounding: from 3.1 on pandas has no other and warns when asked; before, by name."""
    release = tuple(int(part) for part in version.split(".")[:2])
    return {} if release >= (3, 1) else {"float_precision": "round_trip"}


def _column_slowly(chunk: _Chunk, column: int) -> np.ndarray:
    """(rows,) float64 of a column that pandas took for text; refuses the first cell that is."""
    values = np.full(chunk.data.count(b"\n"), np.nan)
    for index, line in enumerate(chunk.data.split(b"\n")[:-1]):
        cell = line.split(b",")[column]
        if not cell.strip():
            continue
        if not _NUMBER.fullmatch(cell):
            raise _bad_cell(_shown(cell), chunk, index, column)
        values[index] = float(cell)
    return values


def _check_bytes(chunk: _Chunk) -> None:
    """KD_BAD_CELL at the first byte that no number has."""
    data = chunk.data
    strange = data.translate(None, _NUMBER_BYTES)
    if strange:
        _refuse_at(min(data.find(bytes([b])) for b in set(strange)), chunk)
    if data.count(b"\r") != data.count(b"\r\n"):
        _refuse_at(re.search(rb"\r(?!\n)", data).start(), chunk)


def _refuse_at(position: int, chunk: _Chunk) -> None:
    data = chunk.data
    line_start = data.rfind(b"\n", 0, position) + 1
    line_end = data.find(b"\n", position)
    column = data.count(b",", line_start, position)
    cell = data[line_start:line_end].split(b",")[column]
    raise _bad_cell(_shown(cell), chunk, data.count(b"\n", 0, position), column, _hint(cell))


def _hint(cell: bytes) -> str:
    if cell.strip().lower() in (b"nan", b"inf", b"-inf", b"na", b"null"):
        return "cut the recording before it, or repair the sample knowingly"
    if _CALENDAR.match(cell):
        return "times must be plain numbers, such as seconds from the start: convert them"
    return next(
        (hint for byte, hint in _HINTS.items() if byte in cell),
        "repair the cell, or export the file again",
    )


def _uneven_rows(chunk: _Chunk) -> KdEdgeError:
    """The error for the first row that is longer or shorter than the first row of all."""
    widths = [line.count(b",") + 1 for line in chunk.data.split(b"\n")[:-1]]
    index = next(i for i, width in enumerate(widths) if width != chunk.width)
    if widths[index] < len(chunk.layout.columns):
        return _short_row(widths[index], chunk, index, chunk.last and index == len(widths) - 1)
    return _beyond(chunk, index)


def _beyond(chunk: _Chunk, index: int) -> KdEdgeError:
    n_columns = len(chunk.layout.columns)
    cells = chunk.data.split(b"\n")[index].split(b",")
    extra = cells[n_columns] if len(cells) > n_columns else b""
    found = f": {_shown(extra)} stands after the last" if extra.strip() else ""
    return KdEdgeError(
        "KD_BAD_CELL",
        f"the row has {len(cells)} cells, {chunk.width} expected{found}",
        where=f"{chunk.layout.where}, row {chunk.first_row + index}, column {n_columns + 1}",
        hint="decimals need '.', not ','; events must not be exported into the same table",
    )


def _prefix_lengths(matrix: np.ndarray, ended: np.ndarray, chunk: _Chunk) -> np.ndarray:
    """(columns,) cells before each column's end; refuses holes and, unless ragged, early ends.

    Of several holes the one that is known first, going down the rows: the same in any chunks.
    """
    present = ~np.isnan(matrix)
    rows = np.arange(len(matrix))[:, None]
    lengths = np.where(present.all(axis=0), len(matrix), np.argmin(present, axis=0))
    lengths[ended > 0] = 0
    if chunk.layout.ragged:
        wrong, goes_on = present & (rows > lengths), " in a column that goes on after it"
        wrong[:1] |= present[:1] & (ended > 0)
    else:
        wrong, goes_on = ~present, ""
    if wrong.any():
        _, column = np.argwhere(wrong)[0]
        hole = int(ended[column]) or chunk.first_row + int(lengths[column])
        raise _bad_cell(f"an empty cell{goes_on}", chunk, hole - chunk.first_row, int(column))
    return lengths


def _bad_cell(
    found: str, chunk: _Chunk, index: int, column: int, hint: str | None = None
) -> KdEdgeError:
    names = chunk.layout.columns
    named = f" ({names[column][:60]})" if column < len(names) else ""
    return KdEdgeError(
        "KD_BAD_CELL",
        f"expected a number, found {found}",
        where=f"{chunk.layout.where}, row {chunk.first_row + index}, column {column + 1}{named}",
        hint=hint or "repair the cell, or export the file again",
    )


def _short_row(n_cells: int, chunk: _Chunk, index: int, last: bool) -> KdEdgeError:
    names = chunk.layout.columns
    return KdEdgeError(
        "KD_TRUNCATED" if last else "KD_BAD_CELL",
        f"the {'last ' if last else ''}row has {n_cells} cells, {len(names)} expected",
        where=f"{chunk.layout.where}, row {chunk.first_row + index}, column {n_cells + 1} "
        f"({names[n_cells][:60]})",
        hint="the file was cut: export or copy it again, or delete the broken row",
    )


def _cut_last_line(body: bytes, layout: TableLayout) -> KdEdgeError:
    row = layout.first_row + body.count(b"\n")
    n_cells = body.count(b",", body.rfind(b"\n") + 1) + 1
    return KdEdgeError(
        "KD_TRUNCATED",
        f"the last row has no line end after cell {n_cells} of {len(layout.columns)}, "
        "so its last number may be cut",
        where=f"{layout.where}, row {row}, column {min(n_cells, len(layout.columns))}",
        hint="export or copy the file again; if it is whole, end it with a line end",
    )


def _shown(cell: bytes) -> str:
    text = cell.strip(b" \t\r").decode("utf-8", errors="backslashreplace")
    return repr(text if len(text) <= 40 else text[:37] + "…")
