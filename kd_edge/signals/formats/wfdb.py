"""WFDB, as PhysioNet keeps signals: a header `.hea` and the signal files that it names."""

from __future__ import annotations

import os
from pathlib import Path

from kd_edge.base.errors import KdEdgeError, require
from kd_edge.base.files import stays_inside
from kd_edge.signals.channels import Channel, bad_format, damaged, must_fit, recording_of
from kd_edge.signals.recording import Recording
from kd_edge.signals.source import decode, read_bytes
from kd_edge.signals.table import MOST_COLUMNS

# Formats of whole samples that stand in the file as they are: bytes a sample.
_BYTES = {"16": 2.0, "24": 3.0, "32": 4.0, "61": 2.0, "80": 1.0, "160": 2.0, "212": 1.5}


def sniff(path: Path) -> bool:
    """Whether the name ends in .hea."""
    return path.is_file() and path.suffix.lower() == ".hea"


def read(path: Path) -> list[Recording]:
    """One recording from a WFDB header and the signal files beside it.

    Raises:
        KdEdgeError KD_NO_FILE, KD_MISSING_PACKAGE (wfdb), KD_TRUNCATED, KD_BAD_FORMAT (a header
            of several segments, a packed signal file, one in another folder), KD_BAD_SAMPLES.
    """
    where = str(path)
    _check(Path(path), where)
    with damaged(where, "WFDB"):  # its import warns of what pandas will drop
        wfdb = require("wfdb", extra="formats", purpose="reading WFDB records")
        record = wfdb.rdrecord(str(Path(path).with_suffix("")), smooth_frames=False)
        started = record.base_datetime.isoformat() if record.base_datetime else None
        channels = [
            Channel(str(name or ""), samples, record.fs * per_frame, str(unit or ""))
            for name, unit, per_frame, samples in zip(
                record.sig_name, record.units, record.samps_per_frame, record.e_p_signal,
                strict=True,
            )
        ]  # fmt: skip
    return [recording_of(channels, where, started=started)]


def signal_files(path: Path) -> list[Path]:
    """The files that a header names, those that exist, beside it."""
    return sorted({path.parent / name for name, *_ in _signals(path, str(path))})


def _signals(path: Path, where: str) -> list[tuple[str, float, int]]:
    """(file, bytes a sample, samples a frame) of each signal, as the header says."""
    rows = [
        row.split()
        for row in decode(read_bytes(path), where).splitlines()
        if row.strip() and not row.startswith("#")
    ]
    if not rows or len(rows[0]) < 2 or "/" in rows[0][0] or not rows[0][1].isdecimal():
        raise bad_format(where, "it is no header of one segment", "name a record of one segment")
    n_signals = int(rows[0][1])
    if not 0 < n_signals <= MOST_COLUMNS or len(rows) < n_signals + 1:
        raise bad_format(where, f"{len(rows) - 1} of {n_signals} signals", "copy the header again")
    found = []
    for row in rows[1 : n_signals + 1]:
        kind, _, per_frame = (row[1] if len(row) > 1 else "").partition(":")[0].partition("x")
        kind = kind.partition("+")[0]
        if kind not in _BYTES or not (per_frame or "1").isdecimal():
            raise bad_format(where, f"a signal of format {kind!r:.20}", "convert it to format 16")
        if not stays_inside(row[0]) or "/" in row[0]:
            raise bad_format(where, f"the signal file {row[0]!r:.60} lies elsewhere", "put it here")
        found.append((row[0], _BYTES[kind], int(per_frame or 1)))
    return found


def _check(path: Path, where: str) -> None:
    """Refuse files that are missing or too short for what the header says, before they are read."""
    signals = _signals(path, where)
    head = next(
        r.split() for r in decode(read_bytes(path), where).splitlines()
        if r.strip() and not r.startswith("#")
    )  # fmt: skip
    n_frames = int(head[3]) if len(head) > 3 and head[3].isdecimal() else 0
    n_bytes = 0
    for name in sorted({name for name, *_ in signals}):
        file = path.parent / name
        if not os.path.isfile(file):
            raise KdEdgeError(
                "KD_NO_FILE",
                f"no signal file {name}",
                where=where,
                hint="copy it beside the header",
            )
        per_frame = sum(size * n for other, size, n in signals if other == name)
        held = file.stat().st_size
        n_bytes += held
        if held < int(n_frames * per_frame):
            raise KdEdgeError(
                "KD_TRUNCATED",
                f"{name} has {held} bytes, and {int(n_frames * per_frame)} are stated",
                where=where,
                hint="copy it again",
            )
    must_fit(8 * n_frames * sum(n for *_, n in signals), n_bytes, where)
