"""A board of kd-edge's firmware as a source: the samples of its sensors, as it streams them.

/dev/ttyACM0      COM3      socket://HOST:PORT      serial:///dev/ttyACM0?baud=115200&reset=dtr-pulse
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.examples.raw import from_counts
from kd_edge.link.device import Device
from kd_edge.link.messages import Samples
from kd_edge.link.stream import fell_silent
from kd_edge.live.facts import facts_of
from kd_edge.live.sources import number_from
from kd_edge.live.sources.source import Chunk, Known, SourceFacts, SourceStream

OPTIONS = {"baud": number_from(1200, 1e7), "reset": str}
# A board is listened to so long at a time, seconds.
_BEAT_S = 0.02
_NUMBERED = "channels are numbers and samples are counts: --bundle BUNDLE knows names and units"


class Board:
    """A board that streams from the moment when this is made.

    A sample's time is the time when it came: a board's clock is its own.

    Args:
        device: with an open link, which is closed with this.
        known: what a bundle knows of the board; None: channels are numbers, samples are counts.

    Raises:
        KdEdgeError KD_BOARD_REFUSED: the board has no sensors.
        KdEdgeError KD_SHAPE: its sensors are not the bundle's.
        KdEdgeError KD_COUNTS: the bundle does not know a stream's unit a count.
    """

    def __init__(
        self,
        device: Device,
        known: Known | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.ended = ""
        self._device, self._clock = device, clock
        self._broken: KdEdgeError | None = None
        front_end = None if known is None else known.front_end
        sensors = facts_of(device.hello, device.name, front_end=front_end).sensors
        self._lsb = [sensor.lsb for sensor in sensors]
        self.facts = SourceFacts(
            f"{device.hello.board} on {device.name}",
            tuple(SourceStream(s.name, "", s.channels, s.rate_hz, s.unit, s.lsb) for s in sensors),
            synthetic=known is not None and known.synthetic,
            notes=() if known is not None else (_NUMBERED,),
        )
        self._events = device.stream(beat_s=_BEAT_S)
        next(self._events)  # starts it

    def poll(self, wait_s: float) -> tuple[Chunk, ...]:
        if self.ended:
            return ()
        if self._broken is not None:
            raise self._broken
        until_s = self._clock() + wait_s
        chunks: list[Chunk] = []
        try:
            for event in self._events:
                if event is None and (chunks or self._clock() >= until_s):
                    return tuple(chunks)
                if isinstance(event, Samples):
                    chunks.append(self._chunk(event))
            raise fell_silent(self.facts.name, where="--source")
        except KdEdgeError as error:
            if not chunks:
                raise
            self._broken = error  # what came before it counts
            return tuple(chunks)

    def close(self) -> None:
        if self.ended:
            return
        self.ended = "closed"
        with contextlib.suppress(KdEdgeError):  # the port may be gone
            self._events.close()
        self._device.close()

    def __enter__(self) -> Board:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _chunk(self, event: Samples) -> Chunk:
        samples = from_counts(np.asarray(event.values), self._lsb[event.stream])
        return Chunk(event.stream, event.first, samples, self._clock())


def open_source(address: str, options: Mapping[str, object]) -> Board:
    """The board behind a port. Raises as `Device.open` and `Board`."""
    if not address:
        raise KdEdgeError(
            "KD_USAGE", "serial:// names no port", where="--source", hint="/dev/ttyACM0, COM3"
        )
    known = options.get("known")
    baud = options.get("baud")
    device = Device.open(
        address,
        baud=None if baud is None else int(baud),
        reset=str(options.get("reset", "none")),
        model_sha256=None if known is None else known.model_sha256,
    )
    try:
        return Board(device, known)
    except BaseException:
        device.close()
        raise
