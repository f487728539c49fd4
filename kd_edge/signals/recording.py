"""Recording and Stream: what every reader gives and everything to the right takes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property

import numpy as np

from kd_edge.base.errors import KdEdgeError

# Exporters round rates to four decimals; beyond this they are different rates.
RATE_TOLERANCE = 1e-3


def is_rate(rate_hz: float) -> bool:
    """Whether anything is sampled so: from once in eleven days to ten million times a second."""
    return 1e-6 <= rate_hz < 1e7


def same_rate(left_hz: float, right_hz: float) -> bool:
    """Whether two stated rates are one, within what rounding may have done."""
    return abs(left_hz - right_hz) <= RATE_TOLERANCE * right_hz


# How files spell units, and the usual spelling.
_SPELLINGS = {
    "G": "g",
    "uV": "µV",
    "\u03bcV": "µV",
    "Volts": "V",
    "dps": "deg/s",
    "°/s": "deg/s",
    "m/s^2": "m/s²",
    "m/s2": "m/s²",
}


def usual_unit(unit: str) -> str:
    """The usual spelling of a unit: 'deg/s' for '°/s'."""
    return _SPELLINGS.get(unit, unit)


def same_unit(left: str, right: str) -> bool:
    """Whether two stated units are one; a unit that a file does not state is no other unit."""
    return not left or not right or usual_unit(left) == usual_unit(right)


@dataclass(frozen=True, eq=False)
class Stream:
    """Samples of one modality of one sensor.

    Attributes:
        modality: lower-case short name: 'emg', 'acc', 'gyr', 'mag', 'quat', 'analog', …
        sensor: the sensor's name as the file has it.
        channels: one name a column, unique within the recording.
        samples: (n_samples, n_channels) float32 in `unit`.
        rate_hz: samples a second, > 0.
        unit: as the file has it: 'mV', 'V', 'g', 'deg/s', … ; '' where the file has none.
        start_s: time of the first sample, on the clock that the recording's streams share.
        lsb: units a count where the sensor's integers are known, else None.
        times_s: (n_samples,) s on the same clock where the samples are not evenly spaced (a
            gap, a device that sends when it likes); `rate_hz` is then only their nominal or mean
            rate. None where they are even, as nearly always.
    """

    modality: str
    sensor: str
    channels: tuple[str, ...]
    samples: np.ndarray
    rate_hz: float
    unit: str
    start_s: float = 0.0
    lsb: float | None = None
    times_s: np.ndarray | None = None

    def __post_init__(self):
        if self.samples.ndim != 2 or self.samples.shape[1] != len(self.channels):
            raise ValueError(f"samples {self.samples.shape} for channels {self.channels}")
        if not self.rate_hz > 0:
            raise ValueError(f"rate_hz {self.rate_hz}")
        if self.times_s is not None and self.times_s.shape != (self.n_samples,):
            raise ValueError(f"times {self.times_s.shape} for {self.n_samples} samples")

    @property
    def n_samples(self) -> int:
        return self.samples.shape[0]

    @property
    def end_s(self) -> float:
        """One period after the last sample, on the recording's clock."""
        if self.times_s is not None and self.n_samples:
            return float(self.times_s[-1]) + 1 / self.rate_hz
        return self.start_s + self.n_samples / self.rate_hz

    @property
    def duration_s(self) -> float:
        """From the first sample to one period after the last."""
        if self.times_s is not None and self.n_samples:
            return self.end_s - float(self.times_s[0])
        return self.n_samples / self.rate_hz


# Clocks that count from 1970 stand there in 2000 and 2100. No device has been on for so long.
_UNIX_CLOCK_S = (946_684_800.0, 4_102_444_800.0)


def off_unix_clock(streams: Sequence[Stream]) -> tuple[tuple[Stream, ...], str | None]:
    """The streams with times from the first sample on where they bear a Unix clock's.

    Returns:
        streams, and when the first sample was taken (ISO 8601, UTC); None for any other clock,
        whose times stay as they are.
    """
    begin_s = min((stream.start_s for stream in streams), default=0.0)
    if not _UNIX_CLOCK_S[0] <= begin_s < _UNIX_CLOCK_S[1]:
        return tuple(streams), None
    shifted = tuple(
        replace(
            stream,
            start_s=stream.start_s - begin_s,
            times_s=None if stream.times_s is None else stream.times_s - begin_s,
        )
        for stream in streams
    )
    return shifted, datetime.fromtimestamp(begin_s, UTC).isoformat()


def started_of(text: str | None, where: str) -> str | None:
    """When a recording began, as a file says it: ISO 8601. Raises KD_BAD_FORMAT for other texts."""
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).isoformat()
    except ValueError as error:
        raise KdEdgeError(
            "KD_BAD_FORMAT",
            f"started is {text[:40]!r}, an ISO 8601 time was expected",
            where=where,
            hint="write for instance 2026-04-10T12:13:39",
        ) from error


@dataclass(frozen=True, eq=False)
class Recording:
    """The streams of one trial, each at its own rate.

    Attributes:
        streams: in the file's order.
        source: the file (and member) that it came from, for messages.
        label: class name, or None where there is none.
        subject, session: names; '' where unknown.
        trial: position in time among the recordings of one label, subject and session.
        started: ISO 8601 start where the file has one, in UTC where its times are a Unix clock;
            orders recordings across sessions.
        synthetic: made by a generator; everything derived from it says so.
        notes: what the reader found worth saying (dropped columns, absent channels, …).
    """

    streams: tuple[Stream, ...]
    source: str
    label: str | None = None
    subject: str = ""
    session: str = ""
    trial: int = 0
    started: str | None = None
    synthetic: bool = False
    notes: tuple[str, ...] = field(default=())

    @property
    def begin_s(self) -> float:
        """When the first sample of all was taken: spans in `labels.csv` count from there."""
        return min((stream.start_s for stream in self.streams), default=0.0)

    @property
    def duration_s(self) -> float:
        """The time that every stream covers: where they all have begun until the first one ends."""
        latest_s = max((stream.start_s for stream in self.streams), default=0.0)
        return max(min((stream.end_s for stream in self.streams), default=0.0) - latest_s, 0.0)

    @cached_property
    def content_sha256(self) -> str:
        """Digest of the sample values and rates alone: equal for copies under other names."""
        digest = hashlib.sha256()
        for stream in self.streams:
            digest.update(f"{stream.samples.shape}{stream.rate_hz:.6g}".encode())
            digest.update(np.ascontiguousarray(stream.samples, dtype="<f4").tobytes())
        return digest.hexdigest()

    def info(self) -> RecordingInfo:
        """What splits and checks need to know of it, without its samples."""
        return RecordingInfo(
            name=self.source,
            label=self.label,
            subject=self.subject,
            session=self.session,
            trial=self.trial,
            started=self.started,
            synthetic=self.synthetic,
            content_sha256=self.content_sha256,
        )


@dataclass(frozen=True)
class RecordingInfo:
    """A recording without its samples, or an image without its pixels.

    `kind` says which, for messages. `group` is the name of the first of those that resemble it,
    `look` a perceptual hash, 64 bits in hexadecimal; both are '' where none were looked for. See
    `Recording` for the other fields.
    """

    name: str
    label: str | None
    subject: str
    session: str
    trial: int
    started: str | None
    synthetic: bool
    content_sha256: str
    kind: str = "recording"
    group: str = ""
    look: str = ""

    @property
    def kin(self) -> str:
        """What it shares with its copies, and with those that resemble it."""
        return self.group or self.content_sha256

    @property
    def moment(self) -> tuple[str, tuple[tuple[int, str], ...], int]:
        """Orders recordings in time: by their start, else by session ('day 2' before 'day 10')."""
        pieces = re.split(r"(\d+)", self.session)
        session = tuple((int(p), "") if p.isdigit() else (0, p) for p in pieces)
        return self.started or "", session, self.trial
