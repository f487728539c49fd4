"""A host beside a board whose filters run on: it follows every sample, and says where it cannot."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
from front_end_samples import constants_of

from kd_edge.base.front_end import raw_samples
from kd_edge.examples.raw import Wearer, window_from_counts
from kd_edge.examples.streaming import Streamed
from kd_edge.frontend import StreamFrontEnd
from kd_edge.link.messages import Answer, BoardStream, Prediction, Samples
from kd_edge.link.stream import events
from kd_edge.live.facts import Facts, Sensor
from kd_edge.live.loop import Limits, LiveLoop

# One sensor of 100 Hz, windows of 20 samples.
FRONT_END = replace(
    constants_of(
        [("emg", StreamFrontEnd(high_pass_hz=5.0), 100.0, 1.0, 1)], [("x", ("emg",), 20)], {}
    ),
    runs_on=True,
)
COUNTS = np.random.default_rng(1).integers(-9000, 9000, (200, 1)).astype(np.int16)
FACTS = Facts(
    board="b", core="host", engine="none", firmware="0.1.0", port="p", clock_hz=1,
    ticks_kind="cycles", model_sha256="", classes=("a", "b"), scale=1.0, zero_point=0,
    sensors=(Sensor("emg", ("emg0",), "mV", 1.0, 100.0, 20),),
)  # fmt: skip


class FollowingHost:
    """A model that says the largest value of its window."""

    def __init__(self):
        self.front_end = FRONT_END
        self.wearer = Wearer(FRONT_END)
        self.streamed = Streamed(FRONT_END, self.wearer)

    def answer_streamed(self, arrays, ends, *, keep_state=False):
        window = self.streamed.window(ends, {"emg": arrays[0]})
        return None if window is None else said(window)


def said(window) -> np.ndarray:
    return np.clip(np.rint(8 * window["x"][-2:, 0]), -128, 127).astype(np.int8)


class Board:
    """Streams these events, and answers as a board that lost samples 90 to 99 and no others."""

    name = "board"
    statistics = SimpleNamespace(dropped=0, stream_lost=0)
    hello = SimpleNamespace(decides=False, streams=(BoardStream("emg", 1, 100.0, 20),))

    def __init__(self, came):
        self.came = came

    def stream(self, *, windows, keep_state):
        truth = Streamed(FRONT_END, Wearer(FRONT_END))
        truth.take("emg", 0, COUNTS[:90])
        for event in self.came:
            if isinstance(event, Samples):
                if event.first == 100:
                    truth.take("emg", 100, COUNTS[100:])
                yield event
                continue
            number, end = event
            scores = said(truth.window([end], {"emg": COUNTS[end - 20 : end]}))
            answer = Answer(number, scores, ticks=1, front_end_ticks=1, microseconds=1)
            yield Prediction(0, (end,), answer)


def samples(first: int, end: int, *, after_loss: bool = False) -> Samples:
    return Samples(0, first, 0, COUNTS[first:end], after_loss)


class Views:
    def __init__(self):
        self.seen = []

    def samples(self, samples):
        pass

    def window(self, seen, figures):
        self.seen.append(seen)

    def end(self, summary):
        self.summary = summary


def test_windows_behind_lost_frames_are_not_compared_until_filters_are_known_again():
    """Frames with samples 30 to 39 are lost on the line, samples 90 to 99 by the board. Oracle: the
    board's own filters, which know the first and not the second."""
    came = [
        samples(0, 30), (0, 20), (1, 30),
        samples(40, 90, after_loss=True), (4, 60), (5, 70),
        samples(100, 150), (10, 120), (11, 130),
    ]  # fmt: skip
    views = Views()
    LiveLoop(Board(came), FACTS, host=FollowingHost(), views=[views]).run(Limits(windows=12))
    compared = {seen.window: seen.host is not None for seen in views.seen}
    assert compared == {0: True, 1: True, 4: False, 5: False, 10: True, 11: True}
    assert all(seen.host.steps == 0 for seen in views.seen if seen.host is not None)
    why = {seen.not_compared for seen in views.seen if seen.host is None}
    assert why == {"samples before it were lost, and with them the state of the board's filters"}


def test_the_first_window_is_the_one_from_rest():
    """Oracle: `window_from_counts`."""
    assert raw_samples(FRONT_END) == {"emg": 20}
    host = FollowingHost()
    host.streamed.take("emg", 0, COUNTS[:30])
    alone = said(window_from_counts({"emg": COUNTS[:20]}, FRONT_END))
    np.testing.assert_array_equal(host.answer_streamed([COUNTS[:20]], [20]), alone)


def test_samples_say_whether_frames_before_them_were_lost():
    """Of each sensor the first behind lost frames says it. Oracle: the frames' sequence numbers."""
    hello = SimpleNamespace(streams=(BoardStream("a", 1, 1.0, 1),) * 2, output_bytes=1)

    def frame(sequence, stream, first):
        content = SimpleNamespace(stream=stream, first=first, stamp_us=0, values=bytes(2))
        return SimpleNamespace(sequence=sequence, type=0xC1), content

    channel = SimpleNamespace(
        unasked=deque(
            [
                frame(0, 0, 0), frame(1, 1, 0), frame(4, 0, 1), frame(5, 1, 1), frame(6, 0, 2),
                frame(7, 1, 5),
            ]
        ),
        patience=SimpleNamespace(timeout=0.01, retries=0),
        statistics=SimpleNamespace(stream_lost=0),
        pump=lambda wait: None,
    )  # fmt: skip
    found = [(e.stream, e.first, e.after_loss) for e in events(channel, hello, windows=0)]
    assert found == [
        (0, 0, False), (1, 0, False), (0, 1, True), (1, 1, True), (0, 2, False), (1, 5, False),
    ]  # fmt: skip
    assert channel.statistics.stream_lost == 2
