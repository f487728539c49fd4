"""Synthetic signs as a folder of Trigno Discover exports, to try the tool on files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from kd_edge.signals.convert import WRITERS, Piece, write_folder
from kd_edge.signals.simulate.continuous import simulate_stream
from kd_edge.signals.simulate.generate import simulate
from kd_edge.signals.simulate.settings import SignSettings


def write_signs(
    settings: SignSettings,
    folder: Path,
    *,
    n_streams: int = 0,
    progress: Callable[[str, int, int], None] | None = None,
) -> int:
    """Simulate signs and write each recording as a file, and labels.csv.

    Every file says in its first row and in its name that it is synthetic; the reader 'folder' reads
    them back.

    Args:
        folder: made where it is absent; empty otherwise.
        n_streams: continuous recordings of each person; labels.csv says what happens when.
        progress: called with (what, done, total).

    Returns:
        the number of recordings.

    Raises:
        KdEdgeError KD_OUTPUT: the folder holds something, or cannot be written.
    """
    tell = progress or (lambda what, done, total: None)
    recordings = simulate(settings, progress=lambda d, n: tell("simulating signs", d, n))
    streams = [
        simulate_stream(settings, subject, number=number)
        for subject in range(settings.n_subjects)
        for number in range(n_streams)
    ]
    written = write_folder(
        recordings + [stream.recording for stream in streams],
        folder,
        WRITERS["discover-csv"],
        pieces={
            stream.recording: [
                Piece(m.start_s, None if m is stream.movements[-1] else m.end_s, m.label)
                for m in stream.movements
            ]
            for stream in streams
        },
        progress=lambda done, total: tell("writing files", done, total),
    )
    return written.recordings
