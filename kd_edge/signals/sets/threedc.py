"""3DC armband: ten sEMG channels at 1000 Hz and an orientation at 50 Hz, eleven gestures.

Côté-Allard et al. 2020, as distributed by github.com/LibEMG/3DCDataset. The literature trains on
the session 'train' and tests on 'test' of the same subject.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from kd_edge.signals.recording import Recording, Stream
from kd_edge.signals.sets.parsing import match_name, not_like_the_set
from kd_edge.signals.source import holds_set, set_members
from kd_edge.signals.table import TableLayout, parse_numbers

_ARCHIVES = "participants_*.tar.xz"
_NAME = re.compile(
    r"Participant(\d+)/(train|test)/(EMG|IMU)/3dc_(?:EMG|IMU)_gesture_(\d+)_(\d+)\.txt$", re.ASCII
)
_CHANNELS = {
    "EMG": tuple(f"EMG {i}" for i in range(1, 11)),
    "IMU": ("QUAT W", "QUAT X", "QUAT Y", "QUAT Z"),
}
_RATE_HZ = {"EMG": 1000.0, "IMU": 50.0}


def sniff(path: Path) -> bool:
    """Whether the set's archive or its folders of participants lie there."""
    return holds_set(path, _ARCHIVES, "Participant*/t*/EMG/3dc_EMG_gesture_*.txt")


def read(path: Path) -> list[Recording]:
    """Every recording, by subject ('P1' …), session ('train', 'test'), gesture and repetition.

    Streams 'emg' (counts) and 'quat'. `path` is the folder with the archive, the archive, or the
    folder that it unpacks to.

    Raises:
        KdEdgeError KD_NO_FILE, KD_EMPTY_FOLDER, KD_TRUNCATED, KD_BAD_FORMAT, KD_BAD_CELL.
    """
    streams: dict[tuple, dict[str, Stream]] = {}
    sources: dict[tuple, str] = {}
    for source, name, content in set_members(path, _ARCHIVES, ".txt"):
        subject, session, kind, trial, gesture = match_name(_NAME, name, source).groups()
        key = (int(subject), session, int(gesture), int(trial))
        streams.setdefault(key, {})[kind] = _stream(kind, content, source)
        if kind == "EMG":
            sources[key] = source
    return [_recording(key, streams[key], sources.get(key, str(path))) for key in sorted(streams)]


def _stream(kind: str, content: bytes, source: str) -> Stream:
    channels = _CHANNELS[kind]
    if not content.endswith(b"\n"):
        content += b"\n"  # as in most of the set's files
    if kind == "IMU":
        rows = content.count(b"\n")
        if not content.count(b"(") == content.count(b")") == rows:
            raise not_like_the_set(source, "rows like '(w, x, y, z)'")
        content = content.translate(None, b"()")
    columns = parse_numbers(content, TableLayout(source, channels, 1))
    samples = np.stack(columns, axis=1).astype(np.float32)
    if not len(samples):
        raise not_like_the_set(source, "at least one row")
    modality, lsb = ("emg", 1.0) if kind == "EMG" else ("quat", None)
    return Stream(modality, "3DC", channels, samples, _RATE_HZ[kind], "", lsb=lsb)


def _recording(key: tuple, streams: dict[str, Stream], source: str) -> Recording:
    subject, session, gesture, trial = key
    if set(streams) != {"EMG", "IMU"}:
        raise not_like_the_set(source, "an EMG file and an IMU file for each repetition")
    began_blank = not streams["IMU"].samples[0].any()
    return Recording(
        streams=(streams["EMG"], streams["IMU"]),
        source=source,
        label=f"gesture {gesture:02d}",
        subject=f"P{subject}",
        session=session,
        trial=trial,
        notes=("the first quaternion is (0, 0, 0, 0)",) if began_blank else (),
    )
