"""A bundle's student on this machine: it answers a source's windows, behind a board's face."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from kd_edge.base.front_end import FrontEndConstants, StreamConstants, raw_samples
from kd_edge.examples.through import CutStream, CutWindow
from kd_edge.link.device import Device
from kd_edge.link.messages import Answer, BoardStream, Prediction, Samples
from kd_edge.live.facts import Facts, Sensor
from kd_edge.live.host import Host
from kd_edge.live.joining import Joined, Joining
from kd_edge.live.sources.source import Source

# A source is asked so often, seconds: Ctrl-C and time limits are seen in between.
_WAIT_S = 0.1


@dataclass(frozen=True)
class Cutting:
    """How a stream is cut; as `CutStream` takes it."""

    start_s: float
    hop_s: float
    anew: bool


@dataclass(frozen=True)
class Streaming:
    """What streams, as windows are put together from it.

    Attributes:
        decides: every window's answer says what it leads to.
    """

    streams: tuple[BoardStream, ...]
    decides: bool


@dataclass
class Losses:
    """Nothing is lost between a source and the student; a source says what it has lost itself.

    Attributes:
        dropped: damaged frames of a board beside the student. stream_lost: 0.
    """

    dropped: int = 0
    stream_lost: int = 0


class Student:
    """Answers what a source streams; `LiveLoop` takes it in a board's place.

    Args:
        source: open; whoever opened it closes it.
        host: the bundle's model and front end.
        cutting: how windows are cut.
        decides: the host has a decision rule.
        in_order: as `Joining` takes it.
        board: runs the same model, and is sent the same int8 inputs: its answers are given, and the
            student's beside them. None: the student's alone.
        clock: of `Chunk.taken_s`.

    Attributes:
        why_ended: why the stream has ended; '' before.
        notes: of the joining.
    """

    def __init__(
        self,
        source: Source,
        host: Host,
        cutting: Cutting,
        *,
        decides: bool,
        in_order: bool = False,
        board: Device | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._source, self._host, self._clock, self._board = source, host, clock, board
        self._streams = host.front_end.streams
        self._joining = Joining(source.facts, self._streams, in_order=in_order)
        self._cut = CutStream(
            host.front_end,
            host.wearer,
            start_s=cutting.start_s,
            hop_s=cutting.hop_s,
            anew=cutting.anew,
        )
        self.hello = Streaming(board_streams(host.front_end), decides)
        self.name = source.facts.name
        self.why_ended = ""
        self.notes = tuple(self._joining.notes)

    @property
    def statistics(self) -> Losses:
        """What was lost, so far."""
        return Losses(0 if self._board is None else self._board.statistics.dropped)

    def stream(self, *, windows: int, keep_state: bool) -> Iterator[Samples | Prediction]:
        """What comes, until the source has ended or window number `windows` - 1 was answered."""
        self._host.forget_windows()
        begun = False
        while True:
            for chunk in self._source.poll(_WAIT_S):
                for joined in self._joining.take(chunk):
                    yield self._samples(joined)
                    name = self._streams[joined.stream].name
                    for cut in self._cut.take(name, joined.first, joined.samples):
                        carry = keep_state and begun
                        yield self._prediction(cut, joined.taken_s, keep_state=carry, begun=begun)
                        begun = True
                        if windows and cut.number >= windows - 1:
                            return
            if self._source.ended:
                self.why_ended = self._source.ended
                return

    def _samples(self, joined: Joined) -> Samples:
        stamp_us = round(joined.taken_s * 1e6)
        return Samples(joined.stream, joined.first, stamp_us, joined.samples)

    def _prediction(
        self, cut: CutWindow, taken_s: float, *, keep_state: bool, begun: bool
    ) -> Prediction:
        """Args: begun: it is not the stream's first window."""
        began_s = self._clock()
        inputs = self._host.quantised(cut.inputs)
        scores = self._host.answer_quantised(inputs, keep_state=keep_state)
        decision = self._host.decide(scores)
        microseconds = round((self._clock() - began_s) * 1e6)
        own = Answer(cut.number, scores, microseconds, 0, microseconds, decision=decision)
        stamp_us = round(taken_s * 1e6)
        if self._board is None:
            return Prediction(stamp_us, cut.ends, own)
        (answer,) = self._board.run_many(
            [inputs], keep_state=keep_state, begins=lambda _: not begun
        )
        return Prediction(stamp_us, cut.ends, replace(answer, index=cut.number), host=own)


def board_streams(front_end: FrontEndConstants) -> tuple[BoardStream, ...]:
    """The sensors of a front end as a board would name them."""
    samples = raw_samples(front_end)
    return tuple(
        BoardStream(s.name, len(s.channels), s.source_rate_hz, samples[s.name])
        for s in front_end.streams
    )


def sensors_of(streams: Sequence[StreamConstants], samples: dict[str, int]) -> tuple[Sensor, ...]:
    """The sensors of a front end, whose samples are 32-bit floats in their unit.

    Args:
        samples: stream -> in one window.
    """
    return tuple(
        Sensor(s.name, s.channels, s.unit, s.lsb, s.source_rate_hz, samples[s.name], whole=False)
        for s in streams
    )


def student_facts(
    student: Student, host: Host, url: str, *, model_sha256: str, version: str, **known
) -> Facts:
    """What pages and the terminal say of a student on this machine.

    Args:
        url: the source's. known: classes, title, temperature, synthetic of the bundle.
    """
    front_end = host.front_end
    return Facts(
        board="this machine",
        core=student.name,
        engine=host.name,
        firmware=version,
        port=url,
        clock_hz=1_000_000,
        ticks_kind="microseconds",
        model_sha256=model_sha256,
        sensors=sensors_of(front_end.streams, raw_samples(front_end)),
        scale=host.output.scale,
        zero_point=host.output.zero_point,
        decides=student.hello.decides,
        here=True,
        **known,
    )


def facts_beside(facts: Facts, device: Device) -> Facts:
    """A student's facts, if a board answers too, which is shown with the student as its host."""
    hello = device.hello
    return replace(
        facts,
        board=hello.board,
        core=hello.core,
        engine=hello.engine,
        firmware=hello.firmware,
        port=f"{device.name}, fed from {facts.port}",
        clock_hz=hello.clock_hz,
        ticks_kind=hello.ticks_kind,
        decides=hello.decides,
        host=facts.engine,
        here=False,
    )
