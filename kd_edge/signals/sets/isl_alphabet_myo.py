"""Italian sign alphabet on a Myo armband: 26 letters, one signer, three days.

Pacifici et al., "An EMG and IMU dataset for the Italian Sign Language alphabet", Data in Brief 33,
2020, 106455 (github.com/airtlab). Letters were recorded in blocks, A-R on the first day and S-Z on
the second, so within June the day predicts the letter.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

from kd_edge.signals.recording import Recording, Stream, is_rate
from kd_edge.signals.sets.parsing import as_samples, in_order_of_time, not_like_the_set
from kd_edge.signals.source import holds_set, set_members

_ARCHIVES = "Dataset_*.tar.xz"
_EXPECTED = "JSON with timestamp, emg (samples x 8) and imu (gyroscope, acceleration, orientation)"
# Myo firmware sends 16-bit integers: 16 a deg/s, 2048 a g, 16384 a unit quaternion.
_IMU = (
    ("acc", "acceleration", ("X", "Y", "Z"), "g", 1 / 2048),
    ("gyr", "gyroscope", ("X", "Y", "Z"), "deg/s", 1 / 16),
    ("quat", "orientation", ("1", "2", "3", "4"), "", 1 / 16384),
)


def sniff(path: Path) -> bool:
    """Whether the set's archives or its folders of letters lie there."""
    return holds_set(path, _ARCHIVES, "Dataset/[A-Z]/*.json")


def read(path: Path) -> list[Recording]:
    """Every recording, in order of session, letter and time.

    Streams 'emg' (8 channels, counts), 'acc', 'gyr' and 'quat', all at 200 Hz for 2 s. The subject
    is 'S1', the session the day. `path` is the folder with the archives, one of them, or the
    folder that they unpack to.

    Raises:
        KdEdgeError KD_NO_FILE, KD_EMPTY_FOLDER, KD_TRUNCATED, KD_BAD_FORMAT.
    """
    members = set_members(path, _ARCHIVES, ".json")
    return in_order_of_time([_recording(source, content) for source, _, content in members])


def _recording(source: str, content: bytes) -> Recording:
    try:
        trial = json.loads(content)
        started = datetime.strptime(trial["timestamp"], "%d/%m/%y/%H:%M:%S")
        emg_hz, imu_hz = float(trial["emg"]["frequency"]), float(trial["imu"]["frequency"])
        emg = as_samples(trial["emg"]["data"])
        rows = trial["imu"]["data"]
        imu = {key: as_samples([r[key] for r in rows]) for _, key, *_ in _IMU}
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError) as error:
        raise not_like_the_set(source, f"{_EXPECTED}; {error!r:.80}") from error
    widths = [a.shape[1:] for a in imu.values()]
    if (
        emg.shape[1:] != (8,)
        or widths != [(3,), (3,), (4,)]
        or not all(is_rate(hz) for hz in (emg_hz, imu_hz))
    ):
        raise not_like_the_set(source, _EXPECTED)
    streams = [
        Stream("emg", "Myo", tuple(f"EMG {i}" for i in range(1, 9)), emg, emg_hz, "", lsb=1.0)
    ]
    for modality, key, axes, unit, lsb in _IMU:
        channels = tuple(f"{modality.upper()} {axis}" for axis in axes)
        streams.append(Stream(modality, "Myo", channels, imu[key], imu_hz, unit, lsb=lsb))
    return Recording(
        streams=tuple(streams),
        source=source,
        label=Path(source).parent.name,
        subject="S1",
        session=started.date().isoformat(),
        started=started.isoformat(),
    )
