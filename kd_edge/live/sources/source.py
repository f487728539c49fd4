"""What every live source gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from kd_edge.base.front_end import FrontEndConstants


@dataclass(frozen=True)
class SourceStream:
    """Samples of one modality of one sensor.

    Attributes:
        modality, sensor, channels, rate_hz, unit, lsb: as of `kd_edge.signals.Stream`.
        start_s: time of sample 0 on the clock that the source's streams share.
    """

    modality: str
    sensor: str
    channels: tuple[str, ...]
    rate_hz: float
    unit: str
    lsb: float | None = None
    start_s: float = 0.0


@dataclass(frozen=True)
class SourceFacts:
    """What is known of a source before its first sample comes.

    Attributes:
        name: what it is, for people: a file's name, 'Trigno base at HOST'.
        synthetic: a generator made its samples.
        notes: what was found worth saying.
    """

    name: str
    streams: tuple[SourceStream, ...]
    synthetic: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Known:
    """What a bundle knows of the board that runs it.

    Attributes:
        model_sha256: of the model that is to be on the board.
        front_end: the part that feeds the model: names, units and rates of sensors.
        synthetic: the bundle was made from a generator's signals.
    """

    model_sha256: str
    front_end: FrontEndConstants
    synthetic: bool


@dataclass(frozen=True, eq=False)
class Chunk:
    """Samples of one stream, oldest first.

    Attributes:
        stream: position in `SourceFacts.streams`.
        first: number of the first sample, from 0. Numbers between two chunks that none has are
            samples that were lost; nothing stands in their place.
        samples: (samples, channels) float32, in the stream's unit.
        taken_s: when the last of them was taken, or if no one knows, when it came; by
            `time.monotonic`.
    """

    stream: int
    first: int
    samples: np.ndarray
    taken_s: float


class Source(Protocol):
    """Samples while they are taken. It is a context, which closes it.

    Attributes:
        facts: never change.
        ended: why no more samples will come; '' while they may.
    """

    facts: SourceFacts
    ended: str

    def poll(self, wait_s: float) -> tuple[Chunk, ...]:
        """What has come since the last call, in order within each stream.

        Args:
            wait_s: the longest wait for the first sample.

        Raises:
            KdEdgeError: the source is lost, and why.
        """

    def close(self) -> None:
        """Ends it; more than once does nothing."""

    def __enter__(self) -> Source: ...

    def __exit__(self, *_: object) -> None: ...
