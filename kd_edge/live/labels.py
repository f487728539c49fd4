"""Rows for a live recording in its folder's labels.csv."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.files import write_text
from kd_edge.base.untrusted import read_regular
from kd_edge.signals.folder import LABELS

_COLUMNS = ("file", "label", "subject", "session", "trial", "start", "end")


def check(folder: Path) -> None:
    """Raises KD_LABELS where the folder has a labels.csv that rows cannot be added to."""
    _table(folder / LABELS)


def has(recording: Path) -> bool:
    """Whether labels.csv has rows for a recording. Raises KD_LABELS as `check`."""
    return any(row["file"] == recording.name for row in _table(recording.with_name(LABELS))[1])


def add(
    recording: Path,
    spans: Sequence[tuple[float, float] | None],
    *,
    label: str,
    subject: str,
    session: str,
) -> int:
    """Adds a row for each span of a recording, as the next trials of its label.

    Args:
        recording: its folder gets a labels.csv where it has none.
        spans: seconds from the recording's start, the end exclusive; None for all of it.

    Returns:
        rows added.

    Raises:
        KdEdgeError KD_LABELS: labels.csv is not a labels file. KD_OUTPUT: it cannot be written.
    """
    path = recording.with_name(LABELS)
    columns, rows = _table(path)
    who = {"label": label, "subject": subject, "session": session}
    taken = [
        int(row["trial"])
        for row in rows
        if row["trial"].isdecimal()
        and len(row["trial"]) < 10  # as `kd_edge.signals.folder` reads them
        and all(row[name] == value for name, value in who.items())
    ]
    trial = max(taken, default=0)
    for number, span in enumerate(spans, start=1):
        rows.append({"file": recording.name, **who, "trial": str(trial + number)})
        if span is not None:
            rows[-1] |= {"start": _seconds(span[0]), "end": _seconds(span[1])}
    _write(path, columns, rows)
    return len(spans)


def count(folder: Path, *, subject: str, session: str) -> dict[str, int]:
    """Label -> rows of a subject's session. Raises KD_LABELS as `check`."""
    rows = _table(folder / LABELS)[1]
    return Counter(r["label"] for r in rows if (r["subject"], r["session"]) == (subject, session))


def last(folder: Path) -> Path | None:
    """The recording of the last row whose file is there. Raises KD_LABELS as `check`."""
    paths = [folder / row["file"] for row in reversed(_table(folder / LABELS)[1])]
    return next((path for path in paths if path.is_file()), None)


def remove(recording: Path) -> None:
    """Take a recording's rows out of its folder's labels.csv. Raises as `add`."""
    path = recording.with_name(LABELS)
    columns, rows = _table(path)
    _write(path, columns, [row for row in rows if row["file"] != recording.name])


def _write(path: Path, columns: Sequence[str], rows: Sequence[dict[str, str]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def _table(path: Path) -> tuple[tuple[str, ...], list[dict[str, str]]]:
    """Columns, `start` and `end` among them, and rows; none where there is no file."""
    if not path.exists():
        return _COLUMNS, []
    try:
        reader = csv.DictReader(io.StringIO(read_regular(path).decode("utf-8-sig"), newline=""))
        rows = [{key: (value or "").strip() for key, value in row.items()} for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error, AttributeError) as error:
        raise _not_one(path, str(error)) from error
    names = tuple(reader.fieldnames or ())
    missing = [name for name in _COLUMNS[:5] if name not in names]
    if missing:
        raise _not_one(path, f"no column {', '.join(missing)}")
    return names + tuple(name for name in _COLUMNS[5:] if name not in names), rows


def _not_one(path: Path, why: str) -> KdEdgeError:
    return KdEdgeError(
        "KD_LABELS",
        f"no rows can be added to {LABELS}: {why}",
        where=str(path),
        hint=f"columns: {', '.join(_COLUMNS)}; or record into another folder",
    )


def _seconds(value: float) -> str:
    """Rounded down to a microsecond: the sample at that moment belongs to what follows."""
    return f"{math.floor(value * 1e6) / 1e6:.6f}"
