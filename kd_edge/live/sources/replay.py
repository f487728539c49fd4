"""A recording as a source: its samples come when they were taken, by the clock."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.live.sources import number_from
from kd_edge.live.sources.source import Chunk, SourceFacts, SourceStream
from kd_edge.signals import read
from kd_edge.signals.recording import Recording, Stream

OPTIONS = {"speed": number_from(0, 1000), "trial": number_from(1, 1e9)}
# Sensors send so often, seconds; a computer does not wake up more exactly.
_BEAT_S = 0.01
# Samples of a stream in one chunk, if nothing waits for the clock.
_MOST_SAMPLES = 256
_DRIVE = re.compile(r"/[A-Za-z]:[/\\]")


class Replay:
    """A recording at its own speed, `speed` times as fast, or with speed 0 as fast as it is taken.

    Args:
        clock, sleep: `time.monotonic` and `time.sleep`, or what stands for them.
    """

    def __init__(
        self,
        recording: Recording,
        *,
        speed: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ):
        self.facts = SourceFacts(
            name=Path(recording.source).name,
            streams=tuple(map(_facts_of, recording.streams)),
            synthetic=recording.synthetic,
            notes=recording.notes,
        )
        self.ended = ""
        self._streams = recording.streams
        self._numbers = tuple(map(_numbers, recording.streams))
        self._speed, self._clock, self._sleep = speed, clock, sleep
        self._taken = [0] * len(recording.streams)
        self._begin_s = recording.begin_s
        self._begun_s: float | None = None
        self._played_s = 0.0  # of the recording, where no clock is waited for

    def poll(self, wait_s: float) -> tuple[Chunk, ...]:
        if self.ended:
            return ()
        now_s = self._clock()
        if self._begun_s is None:
            self._begun_s = now_s
        if self._speed:
            played_s = (now_s - self._begun_s) * self._speed
            if not self._due(played_s):
                self._sleep(min(wait_s, _BEAT_S))
                played_s = (self._clock() - self._begun_s) * self._speed
        else:
            self._played_s += _BEAT_S
            played_s = self._played_s
        chunks = [c for i in range(len(self._streams)) for c in self._chunks(i, played_s)]
        if all(n == len(own) for n, own in zip(self._taken, self._numbers, strict=True)):
            self.ended = f"{self.facts.name} has ended"
        return tuple(chunks)

    def close(self) -> None:
        self.ended = self.ended or "closed"

    def __enter__(self) -> Replay:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _due(self, played_s: float) -> bool:
        return any(self._end(i, played_s) > self._taken[i] for i in range(len(self._streams)))

    def _end(self, index: int, played_s: float) -> int:
        """How many samples of a stream have been taken by then."""
        stream = self._streams[index]
        number = (played_s + self._begin_s - stream.start_s) * stream.rate_hz
        return int(np.searchsorted(self._numbers[index], number, side="right"))

    def _chunks(self, index: int, played_s: float) -> list[Chunk]:
        stream, numbers = self._streams[index], self._numbers[index]
        first, end = self._taken[index], self._end(index, played_s)
        found = []
        while first < end:
            run = numbers[first : min(end, first + _MOST_SAMPLES)]
            whole = int(np.argmax(np.append(np.diff(run) != 1, True))) + 1
            samples = stream.samples[first : first + whole]
            found.append(Chunk(index, int(run[0]), samples, self._taken_s(stream, run[whole - 1])))
            first += whole
        self._taken[index] = max(first, self._taken[index])
        return found

    def _taken_s(self, stream: Stream, number: int) -> float:
        at_s = stream.start_s + int(number) / stream.rate_hz - self._begin_s
        return self._begun_s + at_s / self._speed if self._speed else self._clock()


def _facts_of(stream: Stream) -> SourceStream:
    return SourceStream(
        stream.modality, stream.sensor, stream.channels, stream.rate_hz, stream.unit, stream.lsb,
        stream.start_s,
    )  # fmt: skip


def _numbers(stream: Stream) -> np.ndarray:
    """(n_samples,) int64, rising: the number of each sample; a gap leaves some out."""
    if stream.times_s is None:
        return np.arange(stream.n_samples)
    numbers = np.rint((stream.times_s - stream.start_s) * stream.rate_hz).astype(np.int64)
    # Times that jitter more than a period would give two samples one number.
    return np.maximum.accumulate(numbers - np.arange(len(numbers))) + np.arange(len(numbers))


def _path(address: str) -> Path:
    """The file of an address; `file:///C:/trial.npz` has a '/' before its drive."""
    if sys.platform == "win32" and _DRIVE.match(address):
        address = address[1:]
    return Path(address)


def open_source(address: str, options: Mapping[str, object]) -> Replay:
    """A recording's replay.

    Raises:
        KdEdgeError KD_USAGE: several recordings, and none is chosen by `trial`. And as `read`.
    """
    recordings = read(_path(address))
    chosen = int(options.get("trial", 1))
    if (len(recordings) > 1 and "trial" not in options) or chosen > len(recordings):
        raise KdEdgeError(
            "KD_USAGE",
            f"{address} holds {len(recordings)} recordings, and one is replayed",
            where="--source",
            hint=f"name one file, or count: file://{address}?trial=1",
        )
    return Replay(recordings[chosen - 1], speed=float(options.get("speed", 1.0)))
