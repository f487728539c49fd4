"""From a source's streams to those of a front end: channels by name, in one unit, side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from kd_edge.base.errors import KdEdgeError, nearest
from kd_edge.base.front_end import StreamConstants
from kd_edge.live.order import check_in_order, misplaced
from kd_edge.live.sources.source import Chunk, Source, SourceFacts, SourceStream
from kd_edge.signals.recording import same_rate, same_unit, usual_unit

# Volts in each unit of a voltage.
_VOLTS = {"V": 1.0, "mV": 1e-3, "µV": 1e-6}


@dataclass(frozen=True, eq=False)
class Joined:
    """Samples of one stream of the front end.

    Attributes:
        stream: position among the front end's. first: number of the first, from the moment when all
            sensors have begun.
        samples: (samples, channels) float32, in the front end's unit.
        taken_s: as of the chunk that completed them.
    """

    stream: int
    first: int
    samples: np.ndarray
    taken_s: float


@dataclass(eq=False)
class _Part:
    """What one stream of the source gives to one of the front end's.

    Attributes:
        source: its position. columns: of its samples. places: of the front end's channels.
        factor: of units.
        skipped: samples before the moment when all sensors have begun.
        first, samples: those that wait for other sensors' samples.
    """

    source: int
    columns: list[int]
    places: list[int]
    factor: float
    skipped: int
    first: int = 0
    samples: np.ndarray = field(default=None)

    def __post_init__(self):
        self.samples = np.zeros((0, len(self.columns)), np.float32)

    @property
    def end(self) -> int:
        return self.first + len(self.samples)

    def take(self, chunk: Chunk) -> None:
        values = chunk.samples[:, self.columns]
        if self.factor != 1.0:
            values = (values.astype(np.float64) * self.factor).astype(np.float32)
        number = chunk.first - self.skipped
        if number < 0:
            values, number = values[-number:], 0
        if number != self.end:  # those before a gap wait in vain
            self.first, self.samples = number, self.samples[:0]
        self.samples = np.concatenate([self.samples, values])

    def cut(self, first: int, end: int) -> np.ndarray:
        cut = self.samples[first - self.first : end - self.first]
        self.drop(end)
        return cut

    def drop(self, end: int) -> None:
        n = min(max(end - self.first, 0), len(self.samples))
        self.first, self.samples = self.first + n, self.samples[n:]


class Joining:
    """Takes a source's chunks, and gives the front end's samples.

    Sensors of one modality are joined sample by sample. What one of them has lost, all have lost.

    Args:
        streams: the front end's.
        in_order: channels are taken by their order where their names are others.

    Attributes:
        notes: what was converted or taken by order.

    Raises:
        KdEdgeError KD_CHANNEL_MISSING, KD_RATE_MISMATCH, KD_UNIT_MISMATCH: the source does not give
            what the front end takes.
    """

    def __init__(
        self, facts: SourceFacts, streams: Sequence[StreamConstants], *, in_order: bool = False
    ):
        self._facts = facts
        self.notes: list[str] = []
        found = [self._places(stream, in_order) for stream in streams]
        used = {source for places in found for source, _ in places}
        begin_s = max(facts.streams[source].start_s for source in used)
        self._parts = [
            self._parts_of(stream, places, begin_s)
            for stream, places in zip(streams, found, strict=True)
        ]

    def take(self, chunk: Chunk) -> Iterator[Joined]:
        """The samples that are complete with a chunk."""
        for stream, parts in enumerate(self._parts):
            mine = [part for part in parts if part.source == chunk.stream]
            if not mine:
                continue
            for part in mine:
                part.take(chunk)
            first = max(part.first for part in parts)
            end = min(part.end for part in parts)
            for part in parts:
                part.drop(first)
            if first < end:
                samples = np.empty(
                    (end - first, sum(len(part.places) for part in parts)), np.float32
                )
                for part in parts:
                    samples[:, part.places] = part.cut(first, end)
                yield Joined(stream, first, samples, chunk.taken_s)

    def _places(self, stream: StreamConstants, in_order: bool) -> list[tuple[int, int]]:
        """(stream of the source, column) of each channel of the front end's stream."""
        given = [(i, s) for i, s in enumerate(self._facts.streams) if s.modality == stream.name]
        if not given:
            known = sorted({s.modality for s in self._facts.streams})
            raise KdEdgeError(
                "KD_CHANNEL_MISSING",
                f"{self._facts.name} has no '{stream.name}'{nearest(stream.name, known)}",
                where=f"it has {', '.join(known) or 'nothing'}",
                hint="switch that sensor or its mode on, or build without the modality",
            )
        names = {(i, c): name for i, s in given for c, name in enumerate(s.channels)}
        places = {name: place for place, name in reversed(names.items())}
        missing = [name for name in stream.channels if name not in places]
        if missing and in_order and len(names) == len(stream.channels):
            check_in_order(list(names.values()), stream.channels, source=self._facts.name)
            pairs = ", ".join(
                f"'{a}' as '{b}'" for a, b in zip(names.values(), stream.channels, strict=True)
            )
            self.notes.append(f"{stream.name} is taken in order: {pairs}")
            return list(names)
        if missing:
            can = len(names) == len(stream.channels)
            raise KdEdgeError(
                "KD_CHANNEL_MISSING",
                f"{self._facts.name} has no channel '{missing[0]}'",
                where=f"its {stream.name} channels are {', '.join(names.values())}",
                hint="--in-order takes them in this order: look first that the sensors lie so"
                if can
                else f"the bundle takes {', '.join(stream.channels)}",
            )
        known = [name for name in names.values() if name in stream.channels]
        if (moved := misplaced(known, stream.channels)) is not None:
            self.notes.append(
                f"{stream.name} stands in another order than the bundle's, '{moved[0]}' in the "
                f"place of '{moved[1]}': it is taken by its names"
            )
        return [places[name] for name in stream.channels]

    def _parts_of(
        self, stream: StreamConstants, places: Sequence[tuple[int, int]], begin_s: float
    ) -> list[_Part]:
        parts = []
        for source in dict.fromkeys(source for source, _ in places):
            given = self._facts.streams[source]
            self._check_rate(given, stream)
            parts.append(
                _Part(
                    source,
                    [column for s, column in places if s == source],
                    [place for place, (s, _) in enumerate(places) if s == source],
                    self._factor(given, stream),
                    round((begin_s - given.start_s) * given.rate_hz),
                )
            )
        return parts

    def _check_rate(self, given: SourceStream, stream: StreamConstants) -> None:
        if not same_rate(given.rate_hz, stream.source_rate_hz):
            raise KdEdgeError(
                "KD_RATE_MISMATCH",
                f"{self._facts.name} has {stream.name} at {given.rate_hz:g} Hz, and the bundle "
                f"takes {stream.source_rate_hz:g} Hz",
                where=f"sensor {given.sensor}",
                hint="set the sensor to that mode, or build from recordings of this one",
            )

    def _factor(self, given: SourceStream, stream: StreamConstants) -> float:
        if same_unit(given.unit, stream.unit):
            return 1.0
        pair = (usual_unit(given.unit), usual_unit(stream.unit))
        if not _VOLTS.keys() >= set(pair):
            raise KdEdgeError(
                "KD_UNIT_MISMATCH",
                f"{self._facts.name} has {stream.name} in {given.unit}, and the bundle takes "
                f"{stream.unit}",
                where=f"sensor {given.sensor}",
                hint="build from recordings in that unit",
            )
        self.notes.append(f"{stream.name} is converted from {given.unit} to {stream.unit}")
        return _VOLTS[pair[0]] / _VOLTS[pair[1]]


class AsTaken:
    """A source with the streams, names and units that a front end takes; itself a source.

    Args:
        source: whoever opened it closes it. streams, in_order: as `Joining` takes them.

    Raises:
        KdEdgeError: as `Joining`.
    """

    def __init__(
        self, source: Source, streams: Sequence[StreamConstants], *, in_order: bool = False
    ):
        self._source = source
        self._joining = Joining(source.facts, streams, in_order=in_order)
        taken = tuple(
            SourceStream(s.name, "", s.channels, s.source_rate_hz, s.unit, s.lsb) for s in streams
        )
        notes = (*source.facts.notes, *self._joining.notes)
        self.facts = SourceFacts(source.facts.name, taken, source.facts.synthetic, notes)

    @property
    def ended(self) -> str:
        return self._source.ended

    def poll(self, wait_s: float) -> tuple[Chunk, ...]:
        return tuple(
            Chunk(joined.stream, joined.first, joined.samples, joined.taken_s)
            for chunk in self._source.poll(wait_s)
            for joined in self._joining.take(chunk)
        )

    def close(self) -> None:
        self._source.close()

    def __enter__(self) -> AsTaken:
        return self

    def __exit__(self, *_: object) -> None:
        """The source's own context closes it."""
