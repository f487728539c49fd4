"""A board's stream: what comes as it comes, and windows put together from it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.protocol import BY_NAME
from kd_edge.link.channel import Channel
from kd_edge.link.checks import impossible, whole_answer
from kd_edge.link.messages import Answer, Hello, Prediction, Samples

_SAMPLES = BY_NAME["SAMPLES"].number
_PREDICTION = BY_NAME["PREDICTION"].number
# Samples kept beyond one window, per sensor: seconds of them even at 2 kHz.
_SLACK = 8192
# A silent board is listened to so long at a time, seconds.
_BEAT_S = 0.1


def events(
    channel: Channel, hello: Hello, *, windows: int, beat_s: float | None = None
) -> Iterator[Samples | Prediction | None]:
    """What a stream that was started brings, until `windows` predictions came or it falls silent.

    Counts frames that did not arrive in channel.statistics.stream_lost.

    Args:
        beat_s: None is given first, and each time before more is waited for, so long at most;
            without it only events are given.
    """
    awaited = 0
    frames = _Frames(hello)
    patience = channel.patience.timeout * (channel.patience.retries + 1)
    wait_s = beat_s or _BEAT_S
    silent_s = 0.0  # of listening: whoever takes events may take their time
    while silent_s < patience:
        if beat_s is not None:
            yield None
        if not channel.unasked:
            began_s = time.monotonic()
            channel.pump(wait=wait_s)
            # A port takes longer while it looks for a lost connection: that is no silence.
            silent_s += min(time.monotonic() - began_s, wait_s)
        while channel.unasked:
            frame, content = channel.unasked.popleft()
            silent_s = 0.0
            missing = (frame.sequence - awaited) & 0xFFFF
            if missing >= 0x8000:
                continue  # of an earlier stream
            channel.statistics.stream_lost += missing
            awaited += missing + 1
            if missing:
                frames.lose()
            event = frames.take(frame.type, content)
            if event is None:
                continue
            yield event
            if windows and isinstance(event, Prediction) and event.answer.index >= windows - 1:
                return


def fell_silent(board: str, *, where: str) -> KdEdgeError:
    """The error of a stream that has ended and was not to."""
    return KdEdgeError(
        "KD_BOARD_TIMEOUT",
        f"{board} has stopped streaming, though it still answers",
        where=where,
        hint="its sensors or its model failed: `kd-edge selftest` tells which",
    )


class _Frames:
    """A stream's frames in order, made into events.

    Numbers of samples are 32 bits on the wire and go on here. Scores that came in parts are put
    together; a prediction of which a part was lost is left out.
    """

    def __init__(self, hello: Hello):
        self._hello = hello
        self._next = [0] * len(hello.streams)
        self._window = -1
        self._prediction = None  # that is not whole yet
        self._scores = b""
        self._lost = False  # a frame was, since the last prediction began
        self._after_loss = [False] * len(hello.streams)  # or since a sensor's last samples

    def lose(self) -> None:
        self._prediction = None
        self._lost = True
        self._after_loss = [True] * len(self._after_loss)

    def take(self, number: int, content) -> Samples | Prediction | None:
        """The event that a frame completes, if it completes one.

        Raises:
            KdEdgeError KD_BOARD_PROTOCOL: it does not follow the frames before it.
        """
        if number == _SAMPLES:
            return self._samples(content)
        if number == _PREDICTION:
            if content.window <= self._window:
                raise impossible(
                    f"window {content.window} after {self._window}", where="PREDICTION"
                )
            self._window = content.window
            self._prediction, self._scores, self._lost = content, content.scores, False
        elif self._prediction is None and self._lost:
            return None
        else:
            self._append(content)
        if len(self._scores) < self._hello.output_bytes:
            return None
        whole, self._prediction = self._prediction, None
        answer = whole_answer(
            whole, self._scores, self._hello, where="PREDICTION", index=whole.window
        )
        ends = tuple(self._full(stream, end) for stream, end in enumerate(whole.ends))
        return Prediction(whole.stamp_us, ends, answer)

    def _append(self, part) -> None:
        follows = self._prediction is not None and (part.window, part.offset) == (
            self._prediction.window,
            len(self._scores),
        )
        if not follows:
            raise impossible(
                f"scores of window {part.window} from {part.offset} on", where="PREDICTION_PART"
            )
        self._scores += part.scores

    def _samples(self, content) -> Samples:
        first = self._full(content.stream, content.first)
        if first < self._next[content.stream]:
            raise impossible(f"sample {first} comes again", where="SAMPLES")
        channels = self._hello.streams[content.stream].channels
        values = np.frombuffer(content.values, dtype="<i2").reshape(-1, channels)
        self._next[content.stream] = first + len(values)
        after_loss, self._after_loss[content.stream] = self._after_loss[content.stream], False
        return Samples(content.stream, first, content.stamp_us, values, after_loss)

    def _full(self, stream: int, number: int) -> int:
        """A number of 32 bits in full: the one that is nearest to the sample awaited."""
        awaited = self._next[stream]
        return awaited + ((number - awaited + 2**31) & 0xFFFFFFFF) - 2**31


@dataclass(frozen=True)
class StreamWindow:
    """One window of a stream with the board's answer.

    Attributes:
        stamp_us: when it was complete, by the board's clock.
        arrays: one (samples, channels) int16 array per sensor; None where samples were lost.
        answer: the board's; its `index` numbers the windows.
    """

    stamp_us: int
    arrays: tuple[np.ndarray, ...] | None
    answer: Answer


class WindowAssembler:
    """Windows out of samples and predictions."""

    def __init__(self, hello: Hello):
        self._streams = hello.streams
        self._starts = [0] * len(hello.streams)
        self._values = [np.zeros((0, s.channels), dtype="<i2") for s in hello.streams]

    def take(self, event: Samples | Prediction) -> StreamWindow | None:
        """The window that the event completes, if it completes one."""
        if isinstance(event, Samples):
            self._append(event)
            return None
        arrays = [self._cut(stream, end) for stream, end in enumerate(event.ends)]
        lost = any(array is None for array in arrays)
        return StreamWindow(event.stamp_us, None if lost else tuple(arrays), event.answer)

    def _append(self, samples: Samples) -> None:
        stream = samples.stream
        known = self._values[stream]
        if samples.first == self._starts[stream] + len(known):
            known = np.concatenate((known, samples.values))
        else:
            # Samples are missing: no window may reach back over the gap.
            self._starts[stream], known = samples.first, samples.values
        surplus = len(known) - self._streams[stream].samples - _SLACK
        if surplus > _SLACK:
            known = known[surplus:]
            self._starts[stream] += surplus
        self._values[stream] = known

    def _cut(self, stream: int, end: int) -> np.ndarray | None:
        last = end - self._starts[stream]
        first = last - self._streams[stream].samples
        if first < 0 or last > len(self._values[stream]):
            return None
        return self._values[stream][first:last]
