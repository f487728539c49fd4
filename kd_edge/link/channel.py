"""Requests in flight over one transport: numbered, matched with their answers, asked again."""

from __future__ import annotations

import itertools
import random
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kd_edge.base import wire
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.protocol import ANSWERS, BY_NAME, BY_NUMBER, VERSION
from kd_edge.base.statuses import STATUS_BY_NUMBER
from kd_edge.link.checks import decoded, impossible
from kd_edge.link.framing import Drop, Frame, FrameReader, encode_frame, encoded_bytes
from kd_edge.link.messages import Hello
from kd_edge.link.statistics import Statistics
from kd_edge.link.transport import Transport

_ERROR = BY_NAME["ERROR"].number
_UNASKED = tuple(BY_NAME[n].number for n in ("SAMPLES", "PREDICTION", "PREDICTION_PART"))
# Frames of a stream that wait to be taken; of more, the oldest are given up and count as lost.
_MOST_UNASKED = 1 << 16
# The board's text when it starts; in the middle of a session it means that the board began anew.
_START_TEXT = "m-init-done"
# A request that was sent so often without a timeout meets a line on which nothing gets through.
_MOST_SENDS = 200


@dataclass(frozen=True)
class Patience:
    """How long to wait for an answer, in seconds, and how often to ask again.

    The wait doubles from try to try, up to four times `timeout`.
    """

    timeout: float = 1.0
    retries: int = 5

    def wait(self, tries: int) -> float:
        return self.timeout * min(2.0**tries, 4.0)


@dataclass(frozen=True)
class Limits:
    """What may be unanswered at once: requests, and their bytes on the wire."""

    depth: int = 1
    receive_bytes: int = 1 << 30


@dataclass(frozen=True)
class BoardRefusal:
    """An ERROR in place of an answer."""

    status: str
    detail: int
    text: str


@dataclass
class Request:
    """One request and, once it has come, its answer (a decoded message or a refusal)."""

    sequence: int
    name: str
    values: Mapping[str, Any]
    coded: bytes
    stamp: int = 0
    posted_at: float = 0.0
    sent_at: float = 0.0
    answered_at: float = 0.0
    tries: int = 0
    sends: int = 0
    answer: Any = None


class BoardRestarted(Exception):  # noqa: N818  # no fault of the caller's: the session is over
    """The board has forgotten the session; whatever was unanswered must be asked anew."""


class NoAnswer(Exception):  # noqa: N818  # becomes a KdEdgeError once the speeds are tried
    """The retry limit was reached without an answer."""


class Channel:
    """One end of the link.

    Requests get consecutive numbers and are sent at once; the board answers in order. A frame that
    got lost shows in three ways, and each makes this end ask again: the board names the number it
    awaits, an answer comes to a request that was sent later, or nothing comes in time.
    """

    def __init__(
        self, transport: Transport, *, patience: Patience, statistics: Statistics | None = None
    ):
        self.transport = transport
        self.patience = patience
        self.statistics = statistics or Statistics()
        self.limits = Limits()
        self.hello: Hello | None = None  # once the session's board is known in full
        self.unasked: deque[tuple[Frame, Any]] = deque(maxlen=_MOST_UNASKED)
        self.heard_bytes = 0  # since the last request that was answered
        self.reader = FrameReader()
        self._outstanding: dict[int, Request] = {}
        self._in_flight = 0
        # Not 0, so that a late answer to an earlier program is not taken for one to this.
        self._next = random.randrange(0x10000)
        self._stamps = itertools.count(1)
        self.in_session = False

    @property
    def idle(self) -> bool:
        return not self._outstanding

    def has_room(self, n_payload: int) -> bool:
        """Whether a request with so large a payload may be posted now."""
        if not self._outstanding:
            return True
        # Counted in numbers, not in requests: the board keeps the answers to its latest ones only.
        span = (self._next - self._oldest().sequence) & 0xFFFF
        in_flight = self._in_flight + encoded_bytes(n_payload)
        return span < self.limits.depth and in_flight <= self.limits.receive_bytes

    def start_session(self, limits: Limits) -> None:
        """The board has answered HELLO: from now on a start text means that it began anew."""
        self.limits = limits
        self.in_session = True
        self.reader.take_text()

    def end_session(self) -> None:
        """Forgets what is outstanding; the next request must be a HELLO."""
        self._outstanding.clear()
        self._in_flight = 0
        self.in_session = False
        self.hello = None
        self.limits = Limits()
        self.heard_bytes = 0

    def post(self, name: str, values: Mapping[str, Any]) -> Request:
        """Sends a request; `pump` brings the answer."""
        sequence = self._next
        self._next = (self._next + 1) & 0xFFFF
        frame = Frame(BY_NAME[name].number, sequence, wire.encode(name, values))
        request = Request(sequence, name, values, encode_frame(frame), posted_at=time.monotonic())
        self._outstanding[sequence] = request
        self._in_flight += len(request.coded)
        self._send(request)
        return request

    def ask(self, name: str, **values: Any) -> Any:
        """Sends a request and waits for its answer, which it returns: a message or a refusal.

        Raises:
            NoAnswer, BoardRestarted, KdEdgeError KD_PORT_CLOSED.
        """
        request = self.post(name, values)
        while request.answer is None:
            self.pump()
        return request.answer

    def pump(self, wait: float | None = None) -> None:
        """Waits for input, at most until the oldest request is overdue, and acts on it.

        Args:
            wait: seconds to wait at most; None: no limit but the oldest request's.
        """
        data = self.transport.read(self._time_left(wait))
        self.statistics.bytes_received += len(data)
        self.heard_bytes += len(data)
        frames = self.reader.feed(data)
        self._count_drops()
        for frame in frames:
            self._take(frame)
        self._look_for_start()
        self._look_for_overdue()

    def _time_left(self, wait: float | None) -> float:
        if not self._outstanding:
            return 0.1 if wait is None else wait
        left = max(self._due(self._oldest()) - time.monotonic(), 0.0)
        return left if wait is None else min(left, wait)

    def _oldest(self) -> Request:
        return next(iter(self._outstanding.values()))

    def _due(self, request: Request) -> float:
        return request.sent_at + self.patience.wait(request.tries)

    def _send(self, request: Request) -> None:
        request.stamp = next(self._stamps)
        request.sends += 1
        if request.sends > _MOST_SENDS:
            raise NoAnswer
        self.statistics.frames_sent += 1
        self.statistics.bytes_sent += len(request.coded)
        self.transport.write(request.coded)
        # Only now, and nobody listened meanwhile: a port may take long, as one over Bluetooth does.
        request.sent_at = self._oldest().sent_at = time.monotonic()

    def _send_again(self, request: Request) -> None:
        self.statistics.retries += 1
        self._send(request)

    def _count_drops(self) -> None:
        drops = self.reader.drops
        self.statistics.dropped_cobs = drops[Drop.COBS]
        self.statistics.dropped_crc = drops[Drop.CRC]
        self.statistics.dropped_length = drops[Drop.LENGTH]

    def _look_for_start(self) -> None:
        if self.in_session and self.reader.has_heard(_START_TEXT):
            self.reader.take_text()
            raise BoardRestarted

    def _look_for_overdue(self) -> None:
        if not self._outstanding:
            return
        oldest = self._oldest()
        if time.monotonic() < self._due(oldest):
            return
        self.statistics.timeouts += 1
        oldest.tries += 1
        if oldest.tries > self.patience.retries:
            raise NoAnswer
        self._send_again(oldest)

    def _take(self, frame: Frame) -> None:
        if frame.version != VERSION:
            self.statistics.dropped_version += 1
            if not self.in_session:
                raise _other_version(frame.version)
            return
        self.statistics.frames_received += 1
        message = BY_NUMBER.get(frame.type)
        if message is None or message.sender != "board":
            self.statistics.dropped_sequence += 1
            return
        if frame.type == _ERROR:
            self._take_error(frame, decoded(message, frame.payload, {}, self.hello))
        elif frame.type not in _UNASKED:
            self._take_answer(frame)
        elif self.hello is not None:  # before that, it is of a stream that an earlier program left
            self.unasked.append((frame, decoded(message, frame.payload, {}, self.hello)))

    def _take_error(self, frame: Frame, error: Any) -> None:
        status = STATUS_BY_NUMBER.get(error.status)
        name = status.name if status else f"code {error.status}"
        if name == "NOT_READY":
            if self.in_session:
                raise BoardRestarted
        elif name == "VERSION":
            raise _other_version(error.detail)
        elif name == "GAP":
            self._take_gap(error.detail)
        else:
            self._take_answer(frame, BoardRefusal(name, error.detail, error.text))

    def _take_gap(self, awaited: int) -> None:
        if awaited > 0xFFFF:
            raise impossible(f"it awaits request {awaited}", where="GAP")
        self.statistics.gaps += 1
        if not self.in_session or not self._outstanding:
            return
        first = self._oldest().sequence
        if (awaited - first) & 0xFFFF > (self._next - first) & 0xFFFF:
            # Both ends count differently: only a new session mends that.
            raise BoardRestarted
        # The board skips all that follows the lost frame. What it took before has been answered
        # before it said so: answers that are not here yet were lost too.
        for request in list(self._outstanding.values()):
            self._send_again(request)

    def _take_answer(self, frame: Frame, refusal: BoardRefusal | None = None) -> None:
        request = self._outstanding.get(frame.sequence)
        fits = request is not None and frame.type in (
            _ERROR,
            BY_NAME[request.name].number | ANSWERS,
        )
        if not fits:
            self.statistics.dropped_sequence += 1
            return
        message = BY_NUMBER[frame.type]
        content = refusal or decoded(message, frame.payload, request.values, self.hello)
        del self._outstanding[frame.sequence]
        self._in_flight -= len(request.coded)
        self.heard_bytes = 0
        request.answer = content
        request.answered_at = time.monotonic()
        for other in list(self._outstanding.values()):
            other.tries = 0
            if other.stamp < request.stamp:
                self._send_again(other)
        if self._outstanding:
            # The board works in order: only now has it turned to the oldest one.
            self._oldest().sent_at = time.monotonic()


def _other_version(version: int) -> KdEdgeError:
    return KdEdgeError(
        "KD_BOARD_PROTOCOL",
        f"the board speaks version {version} of the link, this kd-edge version {VERSION}",
        hint="flash firmware made by this kd-edge, or install the kd-edge that made the board's",
    )
