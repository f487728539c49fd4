"""Armband sEMG of 22 motions over days: what drifts between sessions.

github.com/Suguru55/Wearable_Sensor_Long-term_sEMG_Dataset. Trained on day 1, linear discriminants
on later days get 18-77 %.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from kd_edge.signals.recording import Recording, Stream
from kd_edge.signals.sets.parsing import match_name, not_like_the_set
from kd_edge.signals.source import holds_set, set_members
from kd_edge.signals.table import TableLayout, parse_numbers

_ARCHIVES = "sub*days.tar.xz"
_NAME = re.compile(r"sub(\d+)/day(\d+)/D\d+M(\d+)T(\d+)\.csv$", re.ASCII)
_CHANNELS = tuple(f"EMG {i}" for i in range(1, 9))


def sniff(path: Path) -> bool:
    """Whether the set's archive or its folders of days lie there."""
    return holds_set(path, _ARCHIVES, "data/sub*/day*/D*M*T*.csv")


def read(path: Path) -> list[Recording]:
    """Every recording, by subject ('S1' …), session ('day 01' …), motion and repetition.

    One stream 'emg': 8 channels, 200 Hz, 1.5 s. `path` is the folder with the archive, the archive,
    or the folder that it unpacks to.

    Raises:
        KdEdgeError KD_NO_FILE, KD_EMPTY_FOLDER, KD_TRUNCATED, KD_BAD_FORMAT, KD_BAD_CELL.
    """
    recordings = [
        _recording(source, name, content)
        for source, name, content in set_members(path, _ARCHIVES, ".csv")
    ]
    return sorted(recordings, key=lambda r: (r.subject, r.session, r.label, r.trial))


def _recording(source: str, name: str, content: bytes) -> Recording:
    subject, day, motion, trial = (int(g) for g in match_name(_NAME, name, source).groups())
    columns = parse_numbers(content, TableLayout(source, _CHANNELS, 1))
    samples = np.stack(columns, axis=1).astype(np.float32)
    if not len(samples):
        raise not_like_the_set(source, "at least one row")
    return Recording(
        streams=(Stream("emg", "Myo", _CHANNELS, samples, 200.0, ""),),
        source=source,
        label=f"motion {motion:02d}",
        subject=f"S{subject}",
        session=f"day {day:02d}",
        trial=trial,
    )
