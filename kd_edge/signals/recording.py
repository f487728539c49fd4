"""Recording and Stream: what every reader gives and everything to the right takes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

# Exporters round rates to four decimals; beyond this they are different rates.
RATE_TOLERANCE = 1e-3


def same_rate(left_hz: float, right_hz: float) -> bool:
    """Whether two stated rates are one, within what rounding may have done."""
    return abs(left_hz - right_hz) <= RATE_TOLERANCE * right_hz


# How files spell units, and the usual spelling.
_SPELLINGS = {"G": "g", "uV": "µV", "\u03bcV": "µV", "Volts": "V", "dps": "deg/s", "°/s": "deg/s"}


def same_unit(left: str, right: str) -> bool:
    """Whether two stated units are one; a unit that a file does not state is no other unit."""
    if not left or not right:
        return True
    return _SPELLINGS.get(left, left) == _SPELLINGS.get(right, right)


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
        start_s: time of the first sample from the recording's start.
        lsb: units a count where the sensor's integers are known, else None.
        times_s: (n_samples,) s from the recording's start where the samples are not evenly
            spaced (a gap, a device that sends when it likes); `rate_hz` is then only their
            nominal or mean rate. None where they are even, as nearly always.
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
    def duration_s(self) -> float:
        return self.n_samples / self.rate_hz


@dataclass(frozen=True, eq=False)
class Recording:
    """The streams of one trial, each at its own rate.

    Attributes:
        streams: in the file's order.
        source: the file (and member) that it came from, for messages.
        label: class name, or None where there is none.
        subject, session: names; '' where unknown.
        trial: position in time among the recordings of one label, subject and session.
        started: ISO 8601 start where the file has one; orders recordings across sessions.
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
    def duration_s(self) -> float:
        """The time that every stream covers: the shortest one's."""
        return min((s.start_s + s.duration_s for s in self.streams), default=0.0)

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
    """A recording without its samples; see `Recording` for the fields."""

    name: str
    label: str | None
    subject: str
    session: str
    trial: int
    started: str | None
    synthetic: bool
    content_sha256: str
