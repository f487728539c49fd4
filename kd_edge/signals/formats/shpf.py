"""`.shpf`: what Trigno Discover records into, and `.delsys`, the archive that it exports.

A `.shpf` file describes itself. All numbers are little-endian; texts are UTF-8.

```
0x00  header         u32 0x13: its length; u32 0x29: frames; u32 0x36: sensors; u32 0x3a: channels
      each sensor    u32 length; ... u32 0x24: channels; u8 0x2a, 0x2b: lengths of name, firmware
        each channel u32 length; guid; u8; u8 index; u32 kind; u32 unit; f64 least, most, rate_hz;
                     u8 flags; u32 samples a frame; u8, u8: lengths of its two names; the names
      frames         every channel's samples of the frame in turn, f64
      a table of the frames, which is not read
```
A `.delsys` archive is a zip of `<id>/main.shpf` and the SQLite file `exported.db`, whose tables say
the same of each channel, and when the trial began and how long it is. Both must agree. Known from
one genuine recording: what does not add up is refused.
"""

from __future__ import annotations

import io
import math
import sqlite3
import struct
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.signals.channels import Channel, bad_format, damaged, recording_of
from kd_edge.signals.recording import Recording, same_rate, started_of
from kd_edge.signals.source import peek, read_bytes, too_large, unpacked_bound
from kd_edge.signals.titles import is_sensor_title, modality_of

_ARCHIVE, _RECORDS = ".delsys", ".shpf"
_HEADER = 0x46  # the least that a header's fields need
_SENSOR = struct.Struct("<I16xIIIII2xBB")
_CHANNEL = struct.Struct("<I16xBBIIdddBIBB")
# From the ranges of the genuine file: 5.5 mV, 16 g, 2000 deg/s.
_UNITS = {2: "mV", 3: "g", 5: "deg/s"}
_MOST_CHANNELS = 1000
_LONGEST_QUERY = 1_000_000  # steps of SQLite's machine
_ALL_CHANNELS = (
    "SELECT Channel.SamplesPerFrame, Channel.SampleRate, Channel.Units FROM Channel "
    "ORDER BY Channel.ChannelId LIMIT 10000"
)
_TRIALS = "SELECT CollectionDate, CollectionLength FROM Trial LIMIT 2"


@dataclass(frozen=True)
class _Signal:
    """A channel as the header says it; `per_frame` samples of it stand in every frame."""

    sensor: str
    name: str
    kind: int
    unit: int
    rate_hz: float
    per_frame: int


def sniff(path: Path) -> bool:
    """Whether the name ends in .shpf or .delsys, and a .delsys file is a zip archive."""
    if not path.is_file():
        return False
    ending = path.suffix.lower()
    return ending == _RECORDS or (ending == _ARCHIVE and peek(path, 2) == b"PK")


def read(path: Path) -> list[Recording]:
    """One recording from a .delsys archive or a .shpf file.

    A stream is one sensor's signals of one modality. Channels are named `<sensor>: <signal>`.

    Raises:
        KdEdgeError KD_NO_FILE, KD_TRUNCATED (fewer frames than it states), KD_BAD_FORMAT (it does
            not add up, or its database says otherwise), KD_BAD_SAMPLES.
    """
    content, where = read_bytes(path), str(path)
    if path.suffix.lower() != _ARCHIVE:
        return [recording_of(_channels(content, where), where)]
    records, database = _members(content, where)
    trials, rows = _tables(database, f"{where}/exported.db")
    signals, _, n_frames = _header(records, where)
    said = [(per_frame, unit) for per_frame, _, unit in rows]
    rates = [rate for _, rate, _ in rows]
    if said != [(s.per_frame, s.unit) for s in signals] or not all(
        same_rate(rate, s.rate_hz) for rate, s in zip(rates, signals, strict=True)
    ):
        raise bad_format(where, "its database and its samples name other channels", "export again")
    (date, length_s), period_s = trials[0], _period_s(signals, where)
    if abs(n_frames * period_s - length_s) > max(2 * period_s, 0.01 * length_s):
        raise KdEdgeError(
            "KD_TRUNCATED",
            f"it holds {n_frames * period_s:.4g} s, and its database says {length_s:.4g} s",
            where=where,
            hint="export or copy the file again",
        )
    return [recording_of(_channels(records, where), where, started=started_of(date, where))]


# --- the archive ----------------------------------------------------------------------------------


def _members(content: bytes, where: str) -> tuple[bytes, bytes]:
    """The bytes of main.shpf and of exported.db."""
    bound = unpacked_bound(len(content))
    with damaged(where, "Delsys archive"), zipfile.ZipFile(io.BytesIO(content)) as archive:
        found = {"main.shpf": [], "exported.db": []}
        for member in archive.infolist():
            found.get(member.filename.replace("\\", "/").rpartition("/")[2], []).append(member)
        for name, members in found.items():
            if len(members) != 1:
                raise bad_format(
                    where,
                    f"the archive holds {len(members)} files {name}, and one was expected",
                    "export each trial by itself",
                )
        if sum(members[0].file_size for members in found.values()) > bound:
            raise too_large(where, bound)
        records, database = (archive.read(members[0]) for members in found.values())
        return records, database


def _tables(database: bytes, where: str) -> tuple[list[tuple], list[tuple]]:
    """(date, length in s) of the one trial; (samples a frame, rate in Hz, unit) of each channel."""
    with damaged(where, "SQLite"):
        opened = sqlite3.connect(":memory:")
        try:
            # A write-ahead log has no place in memory; bytes 18 and 19 say that there is none.
            opened.deserialize(database[:18] + b"\1\1" + database[20:])
            opened.set_progress_handler(lambda: 1, _LONGEST_QUERY)
            trials = opened.execute(_TRIALS).fetchall()
            rows = opened.execute(_ALL_CHANNELS).fetchall()
        finally:
            opened.close()
        if len(trials) != 1 or not rows:
            raise ValueError("it describes no trial, or more than one")
        numbers = [value for row in rows for value in row] + [trials[0][1]]
        if not all(isinstance(n, int | float) and math.isfinite(n) for n in numbers):
            raise ValueError("a rate, a unit or a length that is no number")
        return [(str(trials[0][0]), float(trials[0][1]))], rows


# --- the samples ----------------------------------------------------------------------------------


def _header(content: bytes, where: str) -> tuple[list[_Signal], int, int]:
    """The signals, where the frames begin, and how many there are."""
    if len(content) < _HEADER:
        raise _cut(where, "header")
    place, n_frames = _u32(content, 0x13), _u32(content, 0x29)
    n_sensors, n_channels = _u32(content, 0x36), _u32(content, 0x3A)
    if not (_HEADER <= place < 1 << 16 and 0 < n_sensors <= n_channels <= _MOST_CHANNELS):
        raise bad_format(
            where,
            f"its header states {n_sensors} sensors and {n_channels} channels",
            "the file is damaged or of another version: export it as CSV",
        )
    signals: list[_Signal] = []
    for number in range(1, n_sensors + 1):
        fields, (name, _), place = _block(content, place, _SENSOR, where)
        *_, sensor_number, n_own = fields
        if len(signals) + n_own > n_channels:
            raise bad_format(where, f"sensor {number} has {n_own} channels", "export it as CSV")
        sensor = f"{name.strip() or 'sensor'} ({sensor_number})"
        for _ in range(n_own):
            (_, _, kind, unit, _, _, rate_hz, _, per_frame), names, place = _block(
                content, place, _CHANNEL, where
            )
            signals.append(_Signal(sensor, _title(*names), kind, unit, rate_hz, per_frame))
    if len(signals) != n_channels:
        raise bad_format(where, f"{len(signals)} of {n_channels} channels", "export it as CSV")
    return signals, place, n_frames


def _title(given: str, own: str) -> str:
    """What the user called the channel, with the channel's own name before it where that tells."""
    return given or own if given in ("", own) or is_sensor_title(given) else f"{own} {given}"


def _block(
    content: bytes, place: int, layout: struct.Struct, where: str
) -> tuple[tuple, tuple[str, str], int]:
    """A block's fields after its length, its two names, and where the next block begins."""
    if len(content) < place + layout.size:
        raise _cut(where, "header")
    length, *fields, first, second = layout.unpack_from(content, place)
    texts = content[place + layout.size : place + length]
    if length != layout.size + first + second or len(texts) != first + second:
        raise bad_format(
            where,
            f"the block at byte {place} has {length} bytes and its texts {first + second}",
            "the file is damaged or of another version: export it as CSV",
        )
    names = tuple(text.decode("utf-8", "replace") for text in (texts[:first], texts[first:]))
    return tuple(fields), names, place + length


def _channels(content: bytes, where: str) -> list[Channel]:
    signals, place, n_frames = _header(content, where)
    _period_s(signals, where)
    width = sum(signal.per_frame for signal in signals)
    if 8 * width * n_frames > len(content) - place:
        raise _cut(where, f"{n_frames} frames that it states")
    frames = np.frombuffer(content, "<f8", width * n_frames, place).reshape(n_frames, width)
    channels, start = [], 0
    for signal in signals:
        samples = frames[:, start : start + signal.per_frame].reshape(-1)
        start += signal.per_frame
        unit = _UNITS.get(signal.unit, "")
        kind = modality_of(signal.name)
        channels.append(Channel(signal.name, samples, signal.rate_hz, unit, signal.sensor, kind))
    return channels


def _period_s(signals: Sequence[_Signal], where: str) -> float:
    """Seconds a frame: the same of each signal, or KD_BAD_FORMAT."""
    if not all(s.per_frame > 0 and 0 < s.rate_hz < math.inf for s in signals):
        raise bad_format(where, "a channel without samples in a frame", "export it as CSV")
    periods_s = [s.per_frame / s.rate_hz for s in signals]
    if not all(same_rate(period_s, periods_s[0]) for period_s in periods_s):
        raise bad_format(
            where, f"frames of {min(periods_s):g} to {max(periods_s):g} s", "export it as CSV"
        )
    return periods_s[0]


def _u32(content: bytes, place: int) -> int:
    return int.from_bytes(content[place : place + 4], "little")


def _cut(where: str, what: str) -> KdEdgeError:
    return KdEdgeError(
        "KD_TRUNCATED",
        f"the file ends before the end of the {what}",
        where=where,
        hint="export or copy the file again",
    )
