"""Polish sign language on a Myo armband: 18 words, many signers.

From github.com/noemiko/myo-sign-language. Each person signed on one date only. Two rates stand in
one file: a row is an sEMG sample or an IMU sample.
"""

from __future__ import annotations

import csv
import re
from datetime import datetime
from pathlib import Path

import numpy as np

from kd_edge.signals.recording import Recording, Stream
from kd_edge.signals.sets.parsing import (
    as_samples,
    in_order_of_time,
    match_name,
    not_like_the_set,
)
from kd_edge.signals.source import holds_set, set_members

_ARCHIVES = "raw_*signers.tar.xz"
_NAME = re.compile(r"person(\d+)/\[\d+\][^/]*_(\d+)\.csv$")
_EMG_HZ, _IMU_HZ = 200.0, 50.0
_EXPECTED = (
    "rows of a time, then 'emg' and 8 numbers, or 'acc' and 3, 'gyro' and 3, 'quat' and 4 numbers"
)
# Myo firmware sends 16-bit integers: 2048 a g, 16 a deg/s, 16384 a unit quaternion.
_IMU = (
    ("acc", slice(2, 5), ("X", "Y", "Z"), "g", 1 / 2048),
    ("gyr", slice(6, 9), ("X", "Y", "Z"), "deg/s", 1 / 16),
    ("quat", slice(10, 14), ("1", "2", "3", "4"), "", 1 / 16384),
)
# Where a row of the IMU has words; the first version of the recorder wrote another one.
_WORDS = {1: ("acc",), 5: ("gyro",), 9: ("quat", "orientation")}


def sniff(path: Path) -> bool:
    """Whether the set's archive or its folders of persons lie there."""
    return holds_set(path, _ARCHIVES, "raw_data/person*/[[]*.csv")


def read(path: Path) -> list[Recording]:
    """Every recording, by person, word and time.

    Streams 'emg' (8 channels, counts, 200 Hz) and 'acc', 'gyr' and 'quat' (50 Hz), about 2 s. The
    label is 'word 1' to 'word 18', the subject the person, the session the day. `path` is the
    folder with the archive, the archive, or the folder that it unpacks to.

    Raises:
        KdEdgeError KD_NO_FILE, KD_EMPTY_FOLDER, KD_TRUNCATED, KD_BAD_FORMAT.
    """
    members = set_members(path, _ARCHIVES, ".csv")
    return in_order_of_time([_recording(*member) for member in members])


def _recording(source: str, name: str, content: bytes) -> Recording:
    person, word = match_name(_NAME, name, source).groups()
    emg, imu, started = _rows(source, content)
    channels = tuple(f"EMG {i}" for i in range(1, 9))
    streams = [Stream("emg", "Myo", channels, emg, _EMG_HZ, "", lsb=1.0)]
    for modality, columns, axes, unit, lsb in _IMU:
        names = tuple(f"{modality.upper()} {axis}" for axis in axes)
        samples = imu[:, slice(columns.start - 2, columns.stop - 2)] * np.float32(lsb)
        streams.append(Stream(modality, "Myo", names, samples, _IMU_HZ, unit, lsb=lsb))
    return Recording(
        streams=tuple(streams),
        source=source,
        label=f"word {int(word)}",
        subject=f"person {int(person)}",
        session=started.date().isoformat(),
        started=started.isoformat(),
    )


def _rows(source: str, content: bytes) -> tuple[np.ndarray, np.ndarray, datetime]:
    """(samples, 8) counts of sEMG, (samples, 12) fields of the IMU from its third on, the start."""
    rows: dict[str, list[list[str]]] = {"emg": [], "acc": []}
    number = 0
    try:
        for number, row in enumerate(csv.reader(content.decode("ascii").splitlines()), 1):
            rows[row[1]].append(_fields(row))
            if number == 1:
                started = datetime.fromisoformat(row[0])
        if not all(rows.values()):
            raise ValueError("no row of one kind")
        return as_samples(rows["emg"]), as_samples(rows["acc"]), started
    except (ValueError, KeyError, IndexError, csv.Error, OverflowError) as error:
        raise not_like_the_set(f"{source}, row {number}", f"{_EXPECTED}; {error!r:.80}") from error


def _fields(row: list[str]) -> list[float]:
    """A row's numbers; the IMU's from its third field on, with 0 where a word stands."""
    if row[1] == "emg":
        numbers, width = row[2:10], 8
    else:
        if any(row[at] not in words for at, words in _WORDS.items()):
            raise ValueError(f"the words of a row are {[row[at] for at in _WORDS]}")
        numbers, width = [*row[2:5], "0", *row[6:9], "0", *row[10:14]], 12
    if len(numbers) < width:
        raise ValueError(f"{len(numbers)} numbers in place of {width}")
    return [float(number) for number in numbers]
