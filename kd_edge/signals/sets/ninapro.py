"""Ninapro DB2, DB3, DB5 and DB7: hand movements with Trigno sensors or two Myo armbands.

Atzori et al. 2014, doi 10.1038/sdata.2014.53; Pizzolato et al. 2017; Krasoulis et al. 2017. A
MATLAB file is one exercise of one person. Its inertial signals are brought to the rate of the sEMG
by linear interpolation; here they get the rate that the sensors had.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from kd_edge.base.errors import KdEdgeError, nearest
from kd_edge.signals.formats import matlab
from kd_edge.signals.recording import Recording, Stream
from kd_edge.signals.sane import check_samples
from kd_edge.signals.sets.parsing import as_samples, not_like_the_set
from kd_edge.signals.source import must_exist

_NAME = re.compile(r"S\d+_E\d+_A\d+\.mat|S\d+_A\d+_E\d+\.mat", re.IGNORECASE)
_INERTIAL = {"acc": "acc", "gyro": "gyr", "mag": "mag"}


@dataclass(frozen=True)
class _Database:
    """What its files have: sEMG channels, its rate, and the rate of the sensors' inertial units."""

    emg_channels: tuple[int, ...]
    emg_hz: float
    imu_hz: float


# Trigno sends accelerations 148.148 times a second, Trigno IM 128 times, a Myo armband 50 times.
DATABASES = {
    "DB2": _Database((12,), 2000.0, 4000 / 27),
    "DB3": _Database((10, 12), 2000.0, 4000 / 27),
    "DB5": _Database((16,), 200.0, 50.0),
    "DB7": _Database((12,), 2000.0, 128.0),
}


def sniff(path: Path) -> bool:
    """Whether it is a file with such a name, or a folder with one in it or one below."""
    if path.is_file():
        return _NAME.fullmatch(path.name) is not None and matlab.sniff(path)
    return path.is_dir() and any(True for _ in _files(path))


def read(path: Path, *, database: str | None = None) -> list[Recording]:
    """Every repetition of every movement, by person, exercise and time; rest is left out.

    A recording is a run of one refined label (`restimulus`) and repetition. Streams: 'emg', and as
    far as the file has them 'acc', 'gyr' and 'mag'; the files state no units. The label is
    'movement 1', …, the subject 'S1', …, the session 'E1', …, the trial the repetition.

    Args:
        path: one file, or a folder with files in it or one below.
        database: DB2, DB3, DB5 or DB7; by the sEMG's channels where None.

    Raises:
        KdEdgeError KD_NO_FILE, KD_EMPTY_FOLDER, KD_TRUNCATED, KD_BAD_FORMAT, KD_USAGE (database).
    """
    if database is not None and database not in DATABASES:
        raise KdEdgeError(
            "KD_USAGE",
            f"no database {database!r}{nearest(database, DATABASES)}",
            hint=f"databases: {', '.join(DATABASES)}",
        )
    root = must_exist(path)
    files = [root] if root.is_file() else sorted(_files(root))
    if not files:
        raise KdEdgeError(
            "KD_EMPTY_FOLDER",
            f"{root.name} holds no file such as S1_E1_A1.mat",
            where=str(root),
            hint="name the folder where the database's archives are unpacked",
        )
    recordings = [recording for file in files for recording in _of_file(file, database)]
    if not recordings:
        raise not_like_the_set(str(root), "movements in 'restimulus'")
    return recordings


def _files(root: Path) -> Iterator[Path]:
    for pattern in ("*.mat", "*/*.mat"):
        yield from (p for p in root.glob(pattern) if _NAME.fullmatch(p.name))


def _of_file(file: Path, asked: str | None) -> list[Recording]:
    source, held = str(file), matlab.load(file).arrays
    try:
        emg = as_samples(held["emg"])
        n = len(emg)
        movements = held["restimulus"].reshape(-1).astype(int)
        repetitions = held.get("rerepetition", held["repetition"]).reshape(-1).astype(int)
        subject, exercise = (int(held[name].item()) for name in ("subject", "exercise"))
        if emg.ndim != 2 or len(movements) != n or len(repetitions) != n or n < 2:
            raise ValueError(f"emg {emg.shape}, restimulus ({len(movements)},)")
        kind = _database(asked, emg.shape[1], held)
        inertial = {
            modality: as_samples(held[name])
            for name, modality in _INERTIAL.items()
            if name in held and held[name].shape[0] == n
        }
    except (KeyError, ValueError, TypeError) as error:
        raise not_like_the_set(source, f"emg, restimulus, repetition …; {error!r:.80}") from error
    whole = [_stream("emg", emg, kind.emg_hz)]
    for modality, samples in inertial.items():
        slow = _at_rate(samples, kind.emg_hz, kind.imu_hz)
        whole.append(_stream(modality, slow, kind.imu_hz))
    check_samples(whole, source)
    return [
        Recording(
            streams=tuple(
                _part(stream, first / kind.emg_hz, end / kind.emg_hz) for stream in whole
            ),
            source=f"{source}/{first}",
            label=f"movement {movements[first]}",
            subject=f"S{subject}",
            session=f"E{exercise}",
            trial=max(int(repetitions[first]), 0),
        )
        for first, end in _runs(movements, repetitions)
    ]


def _database(asked: str | None, n_channels: int, held) -> _Database:
    if asked is None:
        asked = "DB7" if "gyro" in held else "DB5" if n_channels == 16 else "DB2"
        if n_channels == 10 and "acc" in held:
            asked = "DB3"
    kind = DATABASES[asked]
    if n_channels not in kind.emg_channels:
        raise ValueError(f"{n_channels} sEMG channels, which {asked} has not")
    return kind


def _runs(movements: np.ndarray, repetitions: np.ndarray) -> list[tuple[int, int]]:
    """First sample and end of each run of one movement and repetition; rest, 0, is none."""
    changes = np.flatnonzero((np.diff(movements) != 0) | (np.diff(repetitions) != 0)) + 1
    bounds = [0, *changes.tolist(), len(movements)]
    return [
        (first, end) for first, end in pairwise(bounds) if movements[first] > 0 and end - first > 1
    ]


def _at_rate(samples: np.ndarray, from_hz: float, to_hz: float) -> np.ndarray:
    """(n, channels) at the rate that the sensor had, from straight lines between its samples."""
    times_s = np.arange(int((len(samples) - 1) / from_hz * to_hz) + 1) / to_hz
    known_s = np.arange(len(samples)) / from_hz
    columns = [np.interp(times_s, known_s, column) for column in samples.T]
    return np.stack(columns, axis=1).astype(np.float32)


def _stream(modality: str, samples: np.ndarray, rate_hz: float) -> Stream:
    width, word = samples.shape[1], modality.upper()
    if modality == "emg" or width % 3:
        names = tuple(f"{word} {i}" for i in range(1, width + 1))
    else:
        names = tuple(f"{word} {i} {axis}" for i in range(1, width // 3 + 1) for axis in "XYZ")
    return Stream(modality, "", names, samples, rate_hz, "")


def _part(stream: Stream, start_s: float, end_s: float) -> Stream:
    first, end = (int(np.ceil(t * stream.rate_hz - 1e-6)) for t in (start_s, end_s))
    return Stream(
        stream.modality,
        stream.sensor,
        stream.channels,
        stream.samples[first:end],
        stream.rate_hz,
        stream.unit,
        start_s=first / stream.rate_hz - start_s,
    )
