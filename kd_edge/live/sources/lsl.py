"""Streams of the Lab Streaming Layer as a source.

    lsl://NAME      lsl://EMG-stream,IMU-stream?timeout=10

Stamps are brought onto this machine's clock by LSL's own correction.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from kd_edge.base.errors import KdEdgeError, require
from kd_edge.live.sources import number_from
from kd_edge.live.sources.source import Chunk, SourceFacts, SourceStream
from kd_edge.signals.recording import is_rate, usual_unit

OPTIONS = {"timeout": number_from(0.1, 600)}
_TIMEOUT_S = 10.0
_LONGEST_NAME = 64
_MOST_CHANNELS = 1024
_MOST_SAMPLES = 4096  # of a chunk
_TURN_S = 0.005
# Stamps jitter by as much as a computer is late; what is missing for longer was lost.
_JITTER_S = 0.1
_JITTER_SAMPLES = 5

_MODALITIES = {
    "emg": "emg", "semg": "emg", "acc": "acc", "accelerometer": "acc", "gyr": "gyr", "gyro": "gyr",
    "gyroscope": "gyr", "mag": "mag", "magnetometer": "mag",
}  # fmt: skip
_UNITS = {"microvolts": "µV", "millivolts": "mV", "volts": "V", "microvolt": "µV", "uv": "µV"}


@dataclass(eq=False)
class _Inlet:
    """One stream of LSL: which of the source's streams its channels are, and where it is.

    Attributes:
        columns: stream of the source -> columns.
        next: number of the sample that is awaited. last_s: when the one before it was taken.
        held: what came while the source was opened.
    """

    inlet: object
    rate_hz: float
    columns: dict[int, list[int]]
    next: int = 0
    last_s: float = 0.0
    held: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)


class Lsl:
    """Streams of LSL by their names, which all have begun.

    Raises:
        KdEdgeError KD_MISSING_PACKAGE: pylsl is not installed.
        KdEdgeError KD_SOURCE_TIMEOUT: a stream is not found, or says nothing.
        KdEdgeError KD_SOURCE_PROTOCOL: it has no regular rate, or channels that cannot be.
    """

    def __init__(self, names: tuple[str, ...], *, timeout_s: float = _TIMEOUT_S):
        self._pylsl = require("pylsl", extra="live", purpose="a source lsl://")
        self.ended = ""
        self._names = ", ".join(names)
        self._offset_s = time.monotonic() - self._pylsl.local_clock()
        streams: list[SourceStream] = []
        self._inlets: list[_Inlet] = []
        with contextlib.ExitStack() as stack:
            for name in names:
                opened = self._open(name, timeout_s)
                stack.callback(opened.close_stream)
                found, columns, rate_hz = _described(opened.info(timeout_s), name, len(streams))
                inlet = _Inlet(opened, rate_hz, columns)
                begin_s = self._begin(inlet, name, timeout_s)
                streams += [_started(stream, begin_s) for stream in found]
                self._inlets.append(inlet)
            self._stack = stack.pop_all()
        self.facts = SourceFacts(f"LSL {self._names}", tuple(streams))

    def poll(self, wait_s: float) -> tuple[Chunk, ...]:
        until_s = time.monotonic() + wait_s
        while not self.ended:
            chunks = [chunk for inlet in self._inlets for chunk in self._pull(inlet, 0.0)]
            left_s = until_s - time.monotonic()
            if chunks or left_s <= 0:
                return tuple(chunks)
            # LSL waits for one stream, and another one's samples may come before.
            turn_s = left_s if len(self._inlets) == 1 else min(left_s, _TURN_S)
            if chunks := list(self._pull(self._inlets[0], turn_s)):
                return tuple(chunks)
        return ()

    def close(self) -> None:
        self.ended = self.ended or "closed"
        self._stack.close()

    def __enter__(self) -> Lsl:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self, name: str, timeout_s: float):
        found = self._pylsl.resolve_byprop("name", name, 1, timeout_s)
        if not found:
            raise KdEdgeError(
                "KD_SOURCE_TIMEOUT",
                f"LSL has no stream '{name}'",
                where=f"{timeout_s:g} s waited",
                hint="start its program, look at the name that it gives, and at the firewall",
            )
        return self._pylsl.StreamInlet(
            found[0], recover=False, processing_flags=self._pylsl.proc_clocksync
        )

    def _begin(self, inlet: _Inlet, name: str, timeout_s: float) -> float:
        """When the first sample was taken; it is kept for the first poll."""
        try:
            inlet.inlet.time_correction(timeout_s)
            sample, stamp = inlet.inlet.pull_sample(timeout_s)
        except (TimeoutError, RuntimeError) as error:
            raise self._silent(name, str(error)) from error
        if sample is None:
            raise self._silent(name, f"nothing in {timeout_s:g} s")
        inlet.held.append((_floats([sample]), np.array([stamp])))
        inlet.last_s = stamp - 1 / inlet.rate_hz
        return float(stamp)

    def _silent(self, name: str, why: str) -> KdEdgeError:
        return KdEdgeError(
            "KD_SOURCE_TIMEOUT",
            f"the LSL stream '{name}' says nothing: {why}",
            hint="does its program send?",
        )

    def _pull(self, inlet: _Inlet, wait_s: float) -> Iterator[Chunk]:
        if inlet.held:
            samples, stamps = inlet.held.pop()
        else:
            try:
                # Waiting for a chunk would wait until it is full.
                sample, stamp = inlet.inlet.pull_sample(wait_s)
                if sample is None:
                    return
                samples, stamps = inlet.inlet.pull_chunk(0.0, _MOST_SAMPLES)
                samples, stamps = [sample, *samples], [stamp, *stamps]
            except (RuntimeError, OSError) as error:  # pylsl's LostError is one
                raise KdEdgeError(
                    "KD_SOURCE_LOST",
                    f"an LSL stream of {self._names} is gone: {error}",
                    hint="look at its program, then start again",
                ) from error
            samples, stamps = _floats(samples), np.asarray(stamps, np.float64)
        if not len(stamps):
            return
        for first, a, b in _runs(inlet, stamps):
            taken_s = float(stamps[b - 1]) + self._offset_s
            for stream, columns in inlet.columns.items():
                yield Chunk(stream, first, samples[a:b][:, columns], taken_s)


def _floats(samples) -> np.ndarray:
    return np.asarray(samples, np.float32)


def _runs(inlet: _Inlet, stamps: np.ndarray) -> list[tuple[int, int, int]]:
    """(number, begin, end) of samples that follow each other; moves the inlet on."""
    apart_s = np.diff(stamps, prepend=inlet.last_s)
    most_s = max(_JITTER_S, _JITTER_SAMPLES / inlet.rate_hz)
    runs, begin = [], 0
    for at in np.flatnonzero(apart_s > most_s):
        if at > begin:
            runs.append((inlet.next, begin, int(at)))
            inlet.next += int(at) - begin
        inlet.next += max(0, round(float(apart_s[at]) * inlet.rate_hz) - 1)
        begin = int(at)
    runs.append((inlet.next, begin, len(stamps)))
    inlet.next += len(stamps) - begin
    inlet.last_s = float(stamps[-1])
    return runs


def _started(stream: SourceStream, begin_s: float) -> SourceStream:
    return SourceStream(
        stream.modality, stream.sensor, stream.channels, stream.rate_hz, stream.unit, None, begin_s
    )


def _described(
    info, name: str, first: int
) -> tuple[list[SourceStream], dict[int, list[int]], float]:
    """The source's streams that an LSL stream holds, which columns they are, and its rate.

    Channels of one type and unit are one stream.
    """
    rate_hz, n = float(info.nominal_srate()), int(info.channel_count())
    if not is_rate(rate_hz) or not 1 <= n <= _MOST_CHANNELS:
        raise KdEdgeError(
            "KD_SOURCE_PROTOCOL",
            f"the LSL stream '{name}' has {n} channels at {rate_hz:g} Hz",
            hint="streams without a regular rate, such as markers, hold no signals",
        )
    kinds: dict[tuple[str, str], list[int]] = {}
    labels = []
    channel = info.desc().child("channels").child("channel")
    for index in range(n):
        label, unit, kind = (channel.child_value(key) for key in ("label", "unit", "type"))
        channel = channel.next_sibling()
        labels.append(_text(label) or f"{name} {index + 1}")
        modality = _text(kind or info.type()).lower()
        unit = _text(unit)
        key = (_MODALITIES.get(modality, modality or "signal"), _UNITS.get(unit.lower(), unit))
        kinds.setdefault(key, []).append(index)
    streams, columns = [], {}
    for (modality, unit), own in kinds.items():
        columns[first + len(streams)] = own
        names = tuple(labels[i] for i in own)
        streams.append(SourceStream(modality, name, names, rate_hz, usual_unit(unit)))
    return streams, columns, rate_hz


def _text(text: str) -> str:
    """A name from outside, as far as it can be shown."""
    return "".join(c for c in text[:_LONGEST_NAME] if c.isprintable()).strip()


def open_source(address: str, options: Mapping[str, object]) -> Lsl:
    """The streams of these names, with commas between. Raises as `Lsl`."""
    names = tuple(name.strip() for name in address.split(",") if name.strip())
    if not names:
        raise KdEdgeError("KD_USAGE", "no LSL stream is named", hint="lsl://NAME or lsl://A,B")
    return Lsl(names, timeout_s=float(options.get("timeout", _TIMEOUT_S)))
