"""Recordings as NPZ files, which the reader 'npz' reads back as they were."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kd_edge.base.files import atomic_path
from kd_edge.signals.recording import Recording, Stream


def write_npz(recording: Recording, path: Path) -> None:
    """Write a recording with all that is known of it. Raises KD_OUTPUT."""
    arrays: dict[str, object] = {}
    # A sensor may be called 'label': its name is a value, and no key.
    for index, stream in enumerate(recording.streams):
        arrays |= _entries(f"stream_{index}", stream)
    facts = {
        "label": recording.label,
        "subject": recording.subject,
        "session": recording.session,
        "trial": recording.trial,
        "started": recording.started,
        "synthetic": recording.synthetic,
    }
    arrays |= {key: value for key, value in facts.items() if value is not None}
    with atomic_path(path) as temporary:
        np.savez(temporary, **arrays)


def _entries(key: str, stream: Stream) -> dict[str, object]:
    facts = {
        "modality": stream.modality,
        "sensor": stream.sensor,
        "channels": np.array(stream.channels),
        "rate_hz": stream.rate_hz,
        "unit": stream.unit,
        "start_s": stream.start_s,
        "lsb": stream.lsb,
        "times_s": stream.times_s,
    }
    stated = {f"{key}.{fact}": value for fact, value in facts.items() if value is not None}
    return {key: stream.samples} | stated
