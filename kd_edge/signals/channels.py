"""From single channels to a recording: what readers of many formats share.

A reader of a format says for each channel what the file says. Here they become streams, are named
once, and are checked; whatever a library raises on a damaged file becomes an error for the user.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.signals.recording import (
    Recording,
    Stream,
    is_rate,
    off_unix_clock,
    usual_unit,
)
from kd_edge.signals.sane import check_samples
from kd_edge.signals.source import UNPACKED_ALWAYS, too_large
from kd_edge.signals.table import MOST_COLUMNS
from kd_edge.signals.timing import LATEST_S
from kd_edge.signals.titles import is_sensor_title, modality_of, unique

# Of a channel whose name says nothing: what its unit is measured of.
_BY_UNIT = {
    "g": "acc",
    "mg": "acc",
    "m/s²": "acc",
    "deg/s": "gyr",
    "rad/s": "gyr",
    "µT": "mag",
}


@dataclass(frozen=True, eq=False)
class Channel:
    """One channel as a file has it.

    Attributes:
        name: the channel's, '' where it has none.
        samples: (n_samples,) numbers in `unit`.
        rate_hz: samples a second.
        unit: as the file spells it, '' where it states none.
        sensor: the sensor's or the device's name, '' where it states none.
        modality: None: by the channel's name, else by its unit, else 'analog'.
        start_s: s on the clock that the file's channels share.
        times_s: (n_samples,) s where the samples are uneven, else None. Channels of one stream
            share one array.
    """

    name: str
    samples: np.ndarray
    rate_hz: float
    unit: str = ""
    sensor: str = ""
    modality: str | None = None
    start_s: float = 0.0
    times_s: np.ndarray | None = None

    @property
    def kind(self) -> str:
        """Its modality: what is stated, or what its name or its unit says."""
        if self.modality:
            return self.modality.lower()
        if is_sensor_title(self.name):
            return modality_of(self.name)
        return _BY_UNIT.get(usual_unit(self.unit), "analog")


def recording_of(
    channels: Sequence[Channel], where: str, *, notes: Sequence[str] = (), **facts
) -> Recording:
    """The recording of a file's channels.

    A stream holds those of one sensor, modality, unit, rate, start and length, in their order. A
    Unix clock's times become times from the first sample on.

    Args:
        channels: at least one with samples; empty ones are left out with a note.
        where: the file, and what of it.
        facts: of the `Recording`: label, subject, session, trial, started.

    Raises:
        KdEdgeError KD_TRUNCATED (no samples), KD_BAD_FORMAT (a rate that is none, too many
            channels), KD_BAD_SAMPLES.
    """
    if len(channels) > MOST_COLUMNS:
        raise bad_format(
            where,
            f"{len(channels)} channels, and at most {MOST_COLUMNS} are read",
            "look whether samples and channels are the wrong way round",
        )
    groups: dict[tuple, list[Channel]] = {}
    absent = []
    for channel in channels:
        _check(channel, where)
        if not len(channel.samples):
            absent.append(f"{channel.name or 'a channel'} has no samples")
            continue
        key = (
            channel.sensor,
            channel.kind,
            channel.unit,
            channel.rate_hz,
            channel.start_s,
            len(channel.samples),
            id(channel.times_s),
        )
        groups.setdefault(key, []).append(channel)
    if not groups:
        raise KdEdgeError(
            "KD_TRUNCATED",
            "the file has no samples",
            where=where,
            hint="export or copy the file again",
        )
    streams = _streams(list(groups.values()))
    check_samples(streams, where)
    streams, began = off_unix_clock(streams)
    facts["started"] = facts.get("started") or began
    return Recording(streams=streams, source=where, notes=(*notes, *absent), **facts)


def _streams(groups: Sequence[Sequence[Channel]]) -> list[Stream]:
    names = iter(unique(_named(channel, i) for g in groups for i, channel in enumerate(g, 1)))
    return [
        Stream(
            modality=group[0].kind,
            sensor=group[0].sensor,
            channels=tuple(next(names) for _ in group),
            samples=np.stack([channel.samples for channel in group], axis=1).astype(np.float32),
            rate_hz=float(group[0].rate_hz),
            unit=group[0].unit,
            start_s=float(group[0].start_s),
            times_s=group[0].times_s,
        )
        for group in groups
    ]


def _named(channel: Channel, number: int) -> str:
    name = channel.name.strip() or f"{channel.kind} {number}"
    return f"{channel.sensor}: {name}" if channel.sensor else name


def _check(channel: Channel, where: str) -> None:
    if not is_rate(channel.rate_hz):
        raise bad_format(
            where,
            f"channel {channel.name!r:.60} has a rate of {channel.rate_hz:g} Hz",
            "a rate over 0 Hz is needed: export the file again",
        )
    if not abs(channel.start_s) < LATEST_S:
        raise bad_format(
            where,
            f"channel {channel.name!r:.60} starts at {channel.start_s:g} s",
            "export it again",
        )
    # Written so that what is not a number is found, too.
    wrong = ~(np.abs(channel.samples) <= np.finfo(np.float32).max)
    if wrong.any():
        sample = int(np.flatnonzero(wrong)[0])
        raise KdEdgeError(
            "KD_BAD_SAMPLES",
            f"{channel.name or 'a channel'} is {channel.samples[sample]} at sample {sample + 1}",
            where=f"{where}, sample {sample + 1}, channel {channel.name}",
            hint="cut the recording before it, or repair the sample knowingly",
        )


def bad_format(where: str, message: str, hint: str) -> KdEdgeError:
    """The error for a file that is not as its format says."""
    return KdEdgeError("KD_BAD_FORMAT", message, where=where, hint=hint)


def must_fit(n_bytes: int, file_bytes: int, where: str) -> None:
    """Refuse what needs more memory than a file of this size may ask for, before it is taken.

    What is not packed holds no more numbers than its bytes; float64 of 16-bit numbers are four
    times as large. Files of libraries that pack are bounded by `unpacked_bound`.

    Raises:
        KdEdgeError KD_BAD_FORMAT.
    """
    bound = max(UNPACKED_ALWAYS, 8 * file_bytes)
    if n_bytes > bound:
        raise too_large(where, bound)


@contextlib.contextmanager
def damaged(where: str, what: str) -> Iterator[None]:
    """Whatever a library raises in the block is said to be a damaged file of the kind `what`.

    Its warnings are about what is checked here, or about the damage.

    Raises:
        KdEdgeError KD_BAD_FORMAT; a KdEdgeError of the block as it is.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except KdEdgeError:
        raise
    except Exception as error:  # libraries raise anything on damaged files, MemoryError included
        said = " ".join(str(error).split())[:120] or type(error).__name__
        raise bad_format(
            where, f"not a readable {what} file: {said}", "export or copy the file again"
        ) from error
