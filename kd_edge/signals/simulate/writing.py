"""Synthetic signs as a folder of Trigno Discover exports, to try the tool on files."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.files import write_text
from kd_edge.signals.discover_writer import write_discover_csv
from kd_edge.signals.recording import Recording
from kd_edge.signals.simulate.generate import simulate
from kd_edge.signals.simulate.settings import SignSettings

LABELS = "labels.csv"
_COLUMNS = ("file", "label", "subject", "session", "trial")


def write_signs(
    settings: SignSettings,
    folder: Path,
    *,
    progress: Callable[[str, int, int], None] | None = None,
) -> int:
    """Simulate signs and write each recording as a file, and labels.csv last.

    Every file says in its first row and in its name that it is synthetic; the reader 'folder' reads
    them back.

    Args:
        folder: made where it is absent; empty otherwise.
        progress: called with (what, done, total).

    Returns:
        the number of recordings.

    Raises:
        KdEdgeError KD_OUTPUT: the folder holds something, or cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise KdEdgeError(
            "KD_OUTPUT",
            f"{folder} is no empty folder, and synthetic files would be mixed with others",
            where=str(folder),
            hint="name a new folder",
        )
    tell = progress or (lambda what, done, total: None)
    recordings = simulate(settings, progress=lambda d, n: tell("simulating signs", d, n))
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(_COLUMNS)
    for done, made in enumerate(recordings, start=1):
        name = _file_name(made)
        write_discover_csv(made, folder / name)
        rows.writerow((name, made.label, made.subject, made.session, made.trial))
        tell("writing files", done, len(recordings))
    write_text(folder / LABELS, table.getvalue())
    return len(recordings)


def _file_name(made: Recording) -> str:
    words = ("synthetic", made.subject, made.label, made.session, f"{made.trial:02d}")
    return "_".join(word.replace(" ", "-") for word in words) + ".csv"
