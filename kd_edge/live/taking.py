"""Stretches of a source between two moments: the takes of a prompted recording."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kd_edge.link.messages import Samples
from kd_edge.live.facts import Sensor
from kd_edge.live.quality import Stretch
from kd_edge.live.recorder import Kept, Recorded, Recorder
from kd_edge.live.sources.source import Chunk, SourceFacts


def sensors_of(facts: SourceFacts, window_s: float) -> tuple[Sensor, ...]:
    """A source's streams as a recording keeps them.

    Args:
        window_s: of a take.
    """
    return tuple(
        Sensor(
            f"{stream.sensor or index}: {stream.modality}",
            stream.channels,
            stream.unit,
            stream.lsb,
            stream.rate_hz,
            max(1, round(window_s * stream.rate_hz)),
            whole=False,
            modality=stream.modality,
            device=stream.sensor,
        )
        for index, stream in enumerate(facts.streams, start=1)
    )


class Take:
    """What a source gives from one moment to another.

    Args:
        facts: the source's.
        begin_s, end_s: by the clock of `Chunk.taken_s`; a sample at `begin_s` belongs to it.
        recorder: keeps the samples; None: they are judged alone.
    """

    def __init__(
        self, facts: SourceFacts, begin_s: float, end_s: float, recorder: Recorder | None = None
    ):
        self.begin_s, self.end_s = begin_s, end_s
        self._facts, self._recorder = facts, recorder
        # A sample of the slowest stream more, so that all together last as long as was asked for.
        self._period_s = 1 / min(stream.rate_hz for stream in facts.streams)
        lasts_s = end_s - begin_s + self._period_s
        self._wanted = [round(lasts_s * stream.rate_hz) for stream in facts.streams]
        self._begun_s: float | None = None  # on the source's clock
        self._all_begun_s = -math.inf  # the same of the stream that began last
        self._parts: list[list[np.ndarray]] = [[] for _ in facts.streams]
        self._firsts: list[int | None] = [None] * len(facts.streams)
        self._ends = [0] * len(facts.streams)

    def add(self, chunk: Chunk) -> None:
        """Take what of a chunk belongs to it. Raises KD_OUTPUT as `Recorder`.

        It begins with the first sample that was taken at `begin_s` or later, in every stream at
        the same moment of the source's clock. Its length is counted in samples: the times at which
        a source sends jitter. A stream whose samples of that moment had come before `begin_s`
        begins later, and then all go on for longer.
        """
        index, stream, n = chunk.stream, self._facts.streams[chunk.stream], len(chunk.samples)
        if self._firsts[index] is None:
            first = self._first_of(chunk)
            if first >= n:
                return
            begun_s = stream.start_s + (chunk.first + first) / stream.rate_hz
            self._begun_s = begun_s if self._begun_s is None else self._begun_s
            self._all_begun_s = max(self._all_begun_s, begun_s)
            self._firsts[index] = chunk.first + first
        else:
            first = 0
        last = self._last(index)
        self._ends[index] = min(chunk.first + n, last)
        end = min(n, last - chunk.first)
        if first >= end:
            return
        samples, number = chunk.samples[first:end], chunk.first + first
        if self._recorder is not None:
            stamp_us = round(chunk.taken_s * 1e6)
            self._recorder.take(Samples(index, number, stamp_us, samples))
        self._parts[index].append(samples)

    def _last(self, index: int) -> int:
        """The number after the last sample of a stream that has begun."""
        stream, first = self._facts.streams[index], self._firsts[index]
        early_s = self._all_begun_s - (stream.start_s + first / stream.rate_hz) - self._period_s
        return first + self._wanted[index] + max(0, math.ceil(early_s * stream.rate_hz - 1e-3))

    def _first_of(self, chunk: Chunk) -> int:
        """Which of a chunk's samples is the take's first; beyond its end if none is."""
        stream, n = self._facts.streams[chunk.stream], len(chunk.samples)
        if self._begun_s is not None:
            number = (self._begun_s - stream.start_s) * stream.rate_hz
            return max(0, math.ceil(number - 1e-3) - chunk.first)
        times_s = chunk.taken_s - np.arange(n - 1, -1, -1) / stream.rate_hz
        return int(np.searchsorted(times_s, self.begin_s - 1e-9))

    @property
    def whole(self) -> bool:
        """Whether every stream has come to the end."""
        return None not in self._firsts and all(
            end >= self._last(index) for index, end in enumerate(self._ends)
        )

    def stretches(self) -> tuple[Stretch, ...]:
        """What has come, for a judgement; what a stream lacks to the end counts as lost."""
        found = []
        for index, (stream, parts) in enumerate(zip(self._facts.streams, self._parts, strict=True)):
            samples = np.concatenate(parts) if parts else np.zeros((0, len(stream.channels)))
            first = self._firsts[index]
            wanted = self._wanted[index] if first is None else self._last(index) - first
            missing = wanted - len(samples)
            found.append(
                Stretch(stream.modality, stream.channels, stream.rate_hz, samples, missing)
            )
        return tuple(found)

    def keep(self) -> Recorded:
        """The recording. Raises as `Recorder.finish`."""
        return self._recorder.finish()

    def abandon(self) -> Path:
        """Leave what has come as it is; returns where it lies, for `recover`."""
        return self._recorder.abandon()

    def discard(self) -> None:
        """Nothing of it is kept."""
        self._recorder.discard()


def new_take(
    facts: SourceFacts,
    folder: Path,
    span_s: tuple[float, float],
    *,
    stem: str,
    who: dict[str, str],
    sensors: Sequence[Sensor],
) -> Take:
    """A take that is written down from its first sample on. Raises as `Recorder`."""
    recorder = Recorder(folder, Kept(tuple(sensors), facts.synthetic), stem=stem, **who)
    return Take(facts, *span_s, recorder)
