"""A board's stream: what comes as it comes, and windows put together from it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from firmware_export.protocol import BY_NAME
from kd_edge.errors import KdEdgeError
from kd_edge.link.channel import Channel
from kd_edge.link.messages import Answer, Hello, Prediction, Samples, answer_of

_SAMPLES = BY_NAME["SAMPLES"].number
# Samples kept beyond one window, per sensor: seconds of them even at 2 kHz.
_SLACK = 8192


def events(channel: Channel, hello: Hello, *, windows: int) -> Iterator[Samples | Prediction]:
    """What a stream that was started brings, until `windows` predictions came or it falls silent.

    Counts frames that did not arrive in channel.statistics.stream_lost.
    """
    awaited = 0
    patience = channel.patience.timeout * (channel.patience.retries + 1)
    heard_at = time.monotonic()
    while time.monotonic() - heard_at < patience:
        if not channel.unasked:
            channel.pump(wait=0.1)
        while channel.unasked:
            frame, content = channel.unasked.popleft()
            heard_at = time.monotonic()
            missing = (frame.sequence - awaited) & 0xFFFF
            if missing >= 0x8000:
                continue  # of an earlier stream
            channel.statistics.stream_lost += missing
            awaited += missing + 1
            event = _event(frame.type, content, hello)
            yield event
            if windows and isinstance(event, Prediction) and event.answer.index >= windows - 1:
                return


def _event(number: int, content, hello: Hello) -> Samples | Prediction:
    if number != _SAMPLES:
        answer = answer_of(content, hello, index=content.window)
        return Prediction(content.stamp_us, content.ends, answer)
    if content.stream >= len(hello.streams):
        raise KdEdgeError("KD_BOARD_REFUSED", f"{hello.board} streams a sensor it did not name")
    channels = hello.streams[content.stream].channels
    values = np.frombuffer(content.values, dtype="<i2")
    if values.size % channels:
        raise KdEdgeError("KD_BOARD_REFUSED", f"{hello.board} streams parts of samples")
    return Samples(content.stream, content.first, content.stamp_us, values.reshape(-1, channels))


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
