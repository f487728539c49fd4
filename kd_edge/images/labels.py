"""What is known of images beside their pixels: `labels.csv`, and what a file's name says."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from pathlib import Path

from kd_edge.base.errors import KdEdgeError, nearest
from kd_edge.images.image import Image
from kd_edge.signals.source import decode, read_bytes

LABELS = "labels.csv"
_COLUMNS = ("file", "label", "subject", "session")


def read_labels(root: Path) -> dict[str, dict[str, str]]:
    """File (relative to the folder, with '/') -> its row of `labels.csv`; {} without that file.

    A row may have `label`, `subject`, `session`; an empty cell says nothing.

    Raises:
        KdEdgeError KD_LABELS: with its row.
    """
    path = root / LABELS
    if not path.is_file():
        return {}
    text = decode(read_bytes(path), str(path))
    try:
        table = list(csv.reader(io.StringIO(text, newline=""), skipinitialspace=True, strict=True))
    except csv.Error as error:
        raise _bad(path, None, f"it cannot be read: {error}") from error
    header = [name.strip().lower() for name in table[0]] if table else []
    for name in header:
        if name not in _COLUMNS:
            raise _bad(path, 1, f"unknown column '{name}'{nearest(name, _COLUMNS)}")
    if "file" not in header or len(set(header)) < len(header):
        raise _bad(path, 1, "it needs a column 'file', and each column once")
    rows: dict[str, dict[str, str]] = {}
    for number, cells in enumerate(table[1:], start=2):
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            raise _bad(path, number, f"{len(cells)} cells, {len(header)} expected")
        row = dict(zip(header, (cell.strip() for cell in cells), strict=True))
        file = row.pop("file").replace("\\", "/")
        if file in rows:
            raise _bad(path, number, f"'{file}' stands there twice")
        rows[file] = {name: value for name, value in row.items() if value}
    return rows


def with_labels(images: dict[str, Image], root: Path) -> list[Image]:
    """Images by their file's name below `root`, with what `labels.csv` says of each.

    Raises:
        KdEdgeError KD_LABELS: it names a file that is no image of the set.
    """
    rows = read_labels(root)
    for file in rows:
        if file not in images:
            raise KdEdgeError(
                "KD_LABELS",
                f"{LABELS} names '{file}', which is no image here{nearest(file, images)}",
                where=str(root / LABELS),
                hint="files are named relative to the folder",
            )
    return [replace(image, **rows.get(file, {})) for file, image in images.items()]


class SubjectPattern:
    """Finds the subject in an image's name: the first group of a regular expression, or its match.

    Args:
        pattern: such as 'patient_(\\d+)_'; None finds nothing.

    Raises:
        KdEdgeError KD_RECIPE_VALUE: it is no regular expression.
    """

    def __init__(self, pattern: str | None):
        try:
            self._pattern = None if pattern is None else re.compile(pattern)
        except re.error as error:
            raise KdEdgeError(
                "KD_RECIPE_VALUE",
                f"'{pattern}' is no regular expression: {error}",
                where="dataset.options.subject_pattern",
                hint="write for instance '^patient_[0-9]+'",
            ) from error

    def find(self, name: str) -> str:
        """The subject that `name` holds; '' without a pattern.

        Raises:
            KdEdgeError KD_LABELS: the name does not hold the pattern.
        """
        if self._pattern is None:
            return ""
        found = self._pattern.search(name)
        if found is None:
            raise KdEdgeError(
                "KD_LABELS",
                f"the name '{name}' does not hold '{self._pattern.pattern}'",
                where="dataset.options.subject_pattern",
                hint="mend the pattern, or name subjects in labels.csv",
            )
        return found[1] or "" if self._pattern.groups else found[0]


def _bad(path: Path, row: int | None, message: str) -> KdEdgeError:
    return KdEdgeError(
        "KD_LABELS",
        message,
        where=str(path) if row is None else f"{path}, row {row}",
        hint=f"columns: file, and any of {', '.join(_COLUMNS[1:])}",
    )
