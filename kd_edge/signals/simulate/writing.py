"""Synthetic signs as a folder of Trigno Discover exports, to try the tool on files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from kd_edge.signals.convert import WRITERS, write_folder
from kd_edge.signals.simulate.generate import simulate
from kd_edge.signals.simulate.settings import SignSettings


def write_signs(
    settings: SignSettings,
    folder: Path,
    *,
    progress: Callable[[str, int, int], None] | None = None,
) -> int:
    """Simulate signs and write each recording as a file, and labels.csv.

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
    tell = progress or (lambda what, done, total: None)
    recordings = simulate(settings, progress=lambda d, n: tell("simulating signs", d, n))
    written = write_folder(
        recordings,
        folder,
        WRITERS["discover-csv"],
        progress=lambda done, total: tell("writing files", done, total),
    )
    return written.recordings
