"""Myo armband, seven gestures, many subjects (github.com/UlysseCoteAllard/MyoArmbandDataset).

The evaluation part of Côté-Allard et al., arXiv 1801.07756. The literature trains on the session
'training0' and tests on 'Test0' and 'Test1' of the same subject. sEMG only, saturated in places.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from kd_edge.signals.recording import Recording, Stream
from kd_edge.signals.sets.parsing import match_name, not_like_the_set
from kd_edge.signals.source import holds_set, set_members

_ARCHIVES = "EvaluationDataset*.tar.xz"
_NAME = re.compile(r"([^/]+)/(training0|Test0|Test1)/classe_(\d+)\.dat$", re.ASCII)
_GESTURES = 7
_SESSIONS = ("training0", "Test0", "Test1")


def sniff(path: Path) -> bool:
    """Whether the set's archive or its folders of subjects lie there."""
    return holds_set(path, _ARCHIVES, "EvaluationDataset/*/training0/classe_*.dat")


def read(path: Path) -> list[Recording]:
    """Every recording, by subject, session (training0, Test0, Test1), gesture and repetition.

    One stream 'emg': 8 channels, counts, 200 Hz, about 5 s. `path` is the folder with the archive,
    the archive, or the folder that it unpacks to.

    Raises:
        KdEdgeError KD_NO_FILE, KD_EMPTY_FOLDER, KD_TRUNCATED, KD_BAD_FORMAT.
    """
    recordings = [
        _recording(source, name, content)
        for source, name, content in set_members(path, _ARCHIVES, ".dat")
    ]
    return sorted(
        recordings, key=lambda r: (r.subject, _SESSIONS.index(r.session), r.label, r.trial)
    )


def _recording(source: str, name: str, content: bytes) -> Recording:
    subject, session, number = match_name(_NAME, name, source).groups()
    if not content or len(content) % 16:
        raise not_like_the_set(
            source, f"whole rows of 8 16-bit counts; it has {len(content)} bytes"
        )
    samples = np.frombuffer(content, dtype="<i2").reshape(-1, 8).astype(np.float32)
    channels = tuple(f"EMG {i}" for i in range(1, 9))
    return Recording(
        streams=(Stream("emg", "Myo", channels, samples, 200.0, "", lsb=1.0),),
        source=source,
        label=f"gesture {int(number) % _GESTURES}",
        subject=subject,
        session=session,
        trial=int(number) // _GESTURES,
    )
