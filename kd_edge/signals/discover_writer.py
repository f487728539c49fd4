"""Recordings as Trigno Discover CSV exports, in the forms that genuine exports have."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kd_edge.base.errors import KdEdgeError, nearest
from kd_edge.base.files import write_bytes
from kd_edge.signals.recording import Recording, Stream

_UNITS = {"g": "G"}  # as the exporter writes them
_SENSOR_MODES = {"emg": 40, "acc": 45, "gyr": 55}  # of a sensor that has this and what precedes it
_NO_DATE = datetime.datetime(2000, 1, 1)


@dataclass(frozen=True)
class _Form:
    """How a version writes: what separates numbers, and whether short header rows are filled up."""

    separator: str
    filled_headers: bool


VERSIONS = {
    "1.5.0": _Form(", ", filled_headers=False),
    "1.6.4": _Form(",", filled_headers=True),
    "1.7.0": _Form(", ", filled_headers=False),
}


@dataclass(frozen=True, eq=False)
class _Column:
    """One signal: over its first column a sensor has its name and mode."""

    sensor: str
    mode: str
    title: str
    rate_hz: float
    samples: np.ndarray


def write_discover_csv(recording: Recording, path: Path, version: str = "1.7.0") -> None:
    """Write a recording as Trigno Discover does: its rates to 1e-4 Hz, its samples to 1e-7.

    Columns of slow streams end early. The first row says so where a recording is synthetic. Label,
    subject and session have no place in the format.

    Args:
        recording: streams that begin together; those of one sensor lie side by side.
        path: the file. version: a key of `VERSIONS`, those of which genuine exports are known.

    Raises:
        KdEdgeError KD_UNKNOWN_NAME (version), KD_BAD_SAMPLES (not finite, or a stream that starts
            late), KD_LABELS (a name that would break the table), KD_OUTPUT (not writable).
    """
    if version not in VERSIONS:
        raise KdEdgeError(
            "KD_UNKNOWN_NAME",
            f"no export of Trigno Discover {version} is known{nearest(version, VERSIONS)}",
            hint=f"versions: {', '.join(VERSIONS)}",
        )
    for stream in recording.streams:
        _check(recording, stream)
    form = VERSIONS[version]
    columns = _columns(recording)
    rows = [*_header(recording, columns, version, form), *_numbers(columns, form.separator)]
    write_bytes(path, b"".join(row.encode("utf-8") for row in rows))


def _check(recording: Recording, stream: Stream) -> None:
    where = f"{recording.source}, {stream.sensor}, {stream.modality}"
    even = stream.start_s == 0 and stream.times_s is None
    if not even or not np.isfinite(stream.samples).all():
        raise KdEdgeError(
            "KD_BAD_SAMPLES",
            "finite samples, even from time 0 on, were expected: the format holds nothing else",
            where=where,
            hint="cut the recording to where all its streams have samples, or write npz or xdf",
        )
    if not stream.sensor.strip():
        raise KdEdgeError(
            "KD_LABELS",
            "a stream without a sensor's name has no place in the table",
            where=where,
            hint="name the sensor of every stream",
        )
    for name in (stream.sensor, stream.unit, *stream.channels):
        if any(character in name for character in ',"\r\n'):
            raise KdEdgeError(
                "KD_LABELS",
                f"the name {name!r} would break the table",
                where=where,
                hint="use names without commas, quotes and line ends",
            )


def _columns(recording: Recording) -> list[_Column]:
    modes: dict[str, int] = {}
    for stream in recording.streams:
        mode = _SENSOR_MODES.get(stream.modality, 0)
        modes[stream.sensor] = max(mode, modes.get(stream.sensor, 0))
    columns, previous = [], None
    for stream in recording.streams:
        unit = _UNITS.get(stream.unit, stream.unit)
        for index, channel in enumerate(stream.channels):
            first = stream.sensor != previous
            columns.append(
                _Column(
                    sensor=stream.sensor if first else "",
                    mode=f"sensor mode: {modes[stream.sensor]}" if first else "",
                    title=f"{channel.removeprefix(stream.sensor + ': ')} ({unit})",
                    rate_hz=stream.rate_hz,
                    samples=stream.samples[:, index],
                )
            )
            previous = stream.sensor
    return columns


def _header(recording: Recording, columns: list[_Column], version: str, form: _Form) -> list[str]:
    """The seven rows above the numbers; the third ends in LF alone, as it does in the exports."""
    date = datetime.datetime.fromisoformat(recording.started) if recording.started else _NO_DATE
    time = f"{date.hour % 12 or 12}:{date:%M:%S} {'AM' if date.hour < 12 else 'PM'}"
    made = ", synthetic signs by kd-edge" if recording.synthetic else ""
    length_s = max((stream.duration_s for stream in recording.streams), default=0.0)
    names = [column.sensor for column in columns]
    modes = [column.mode for column in columns]
    if not form.filled_headers:
        # The last sensor's name is followed by nothing.
        end = max((index for index, name in enumerate(names) if name), default=-1) + 1
        names, modes = names[:end], modes[:end]
    return [
        f"Application:, Trigno Discover ({version}){made}\r\n",
        f"Date/Time:, {date.month}/{date.day}/{date.year} {time}\r\n",
        f"Collection Length (seconds):, {length_s:.6f}\n",
        ", ".join(names) + "\r\n",
        ", ".join(modes) + "\r\n",
        ", ".join(column.title for column in columns) + "\r\n",
        ", ".join(f"{column.rate_hz:.4f} Hz" for column in columns) + "\r\n",
    ]


def _numbers(columns: list[_Column], separator: str) -> list[str]:
    texts = [[_number(value) for value in column.samples.tolist()] for column in columns]
    length = max((len(text) for text in texts), default=0)
    padded = [text + [""] * (length - len(text)) for text in texts]
    return [separator.join(cells) + "\r\n" for cells in zip(*padded, strict=True)]


def _number(value: float) -> str:
    """At most seven decimals, none of them a trailing zero, and no negative zero."""
    text = f"{value:.7f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
