"""EDF, EDF+ and BDF: read by edfio, after a look at what the header says of the file's length."""

from __future__ import annotations

import contextlib
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

from kd_edge.base.errors import KdEdgeError, require
from kd_edge.signals.channels import Channel, bad_format, damaged, must_fit, recording_of
from kd_edge.signals.recording import Recording
from kd_edge.signals.source import peek, read_bytes
from kd_edge.signals.table import MOST_COLUMNS
from kd_edge.signals.titles import is_sensor_title, modality_of

_EDF, _BDF = b"0       ", b"\xffBIOSEMI"


def sniff(path: Path) -> bool:
    """Whether the file's first bytes are a version's of EDF or BDF."""
    return path.is_file() and peek(path, 8) in (_EDF, _BDF)


def read(path: Path) -> list[Recording]:
    """One recording from an EDF, EDF+ or BDF file.

    A signal's label is the channel, 'EMG Biceps' of modality 'emg'; its dimension is the unit.
    Annotations are counted in a note.

    Raises:
        KdEdgeError KD_NO_FILE, KD_MISSING_PACKAGE (edfio), KD_TRUNCATED, KD_BAD_FORMAT (a gap in
            an EDF+D file included), KD_BAD_SAMPLES.
    """
    content, where = read_bytes(path), str(path)
    edfio = require("edfio", extra="formats", purpose="reading EDF and BDF files")
    with damaged(where, "EDF"):
        is_bdf = content[:8] == _BDF
        _check(content, 3 if is_bdf else 2, where)
        opened = (edfio.read_bdf if is_bdf else edfio.read_edf)(BytesIO(content))
        must_fit(sum(8 * s.digital.size for s in opened.signals), len(content), where)
        channels = [
            Channel(
                name=signal.label.strip(),
                samples=signal.data,
                rate_hz=float(signal.sampling_frequency),
                unit=signal.physical_dimension.strip(),
                modality=_modality(signal),
            )
            for signal in opened.signals
        ]
        n_annotations = len(opened.annotations)
        started = _started(opened)
    notes = [f"{n_annotations} annotations, not read"] if n_annotations else []
    return [recording_of(channels, where, notes=notes, started=started)]


def _modality(signal: Any) -> str | None:
    """What the label's first word says, or what the transducer is called; None: neither."""
    named = [signal.label, signal.transducer_type]
    return next((modality_of(text) for text in named if is_sensor_title(text)), None)


def _started(opened: Any) -> str | None:
    """When it began; None where the file was made anonymous, or says no date that there is."""
    with contextlib.suppress(ValueError, AttributeError):
        return datetime.combine(opened.startdate, opened.starttime).isoformat()
    return None


def _check(content: bytes, sample_bytes: int, where: str) -> None:
    """Refuse a header that the file does not agree with: edfio would take what there is."""
    header_bytes, n_records = (_number(content, at) for at in (184, 236))
    n_signals = _number(content[:256], 252)
    if not (0 < n_signals <= MOST_COLUMNS and header_bytes == 256 * (n_signals + 1)):
        raise bad_format(
            where,
            f"{n_signals} signals in a header of {header_bytes} bytes",
            "export the file again",
        )
    if len(content) < header_bytes:
        raise _cut(where)
    if content[192:197] in (b"EDF+D", b"BDF+D"):
        raise bad_format(
            where, "its records are not contiguous (EDF+D)", "export it as EDF+C, or each part"
        )
    samples = [_number(content, 256 + 216 * n_signals + 8 * i) for i in range(n_signals)]
    if min(samples) < 0 or sum(samples) == 0:
        raise bad_format(where, "signals without samples in a record", "export the file again")
    held = (len(content) - header_bytes) / (sample_bytes * sum(samples))
    # A recorder that was not stopped leaves -1: then the file's length counts.
    if n_records != held and (n_records != -1 or held != int(held)):
        if held < n_records or n_records == -1:
            raise _cut(where)
        raise bad_format(where, f"{held:g} records in place of {n_records}", "export it again")


def _number(content: bytes, at: int) -> int:
    """Eight characters of the header; four at its end."""
    text = content[at : at + 8]
    try:
        return int(text.decode("ascii"))
    except ValueError as error:
        raise ValueError(f"{text!r} at byte {at} is no whole number") from error


def _cut(where: str) -> KdEdgeError:
    return KdEdgeError(
        "KD_TRUNCATED",
        "the file is shorter than its header says",
        where=where,
        hint="copy the file again and compare its size",
    )
