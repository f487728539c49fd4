"""Live sessions with the real C link. Oracle: the test board's signals and answers are known."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import numpy as np
import pytest
from faulty_transport import FaultyTransport
from link_harness import (
    PATIENT,
    PipeTransport,
    build_board,
    expected_scores,
    hello_values,
)
from live_samples import CLASSES, streaming_board
from waiting import ended
from waiting import program as running_program

from kd_edge.base.errors import ExitStatus, KdEdgeError
from kd_edge.cli import run as run_command
from kd_edge.link.channel import Patience
from kd_edge.link.device import Device
from kd_edge.live.facts import facts_of
from kd_edge.live.loop import Limits, LiveLoop, Summary
from kd_edge.live.recorder import Recorder
from kd_edge.signals import read


class HostLike:
    """Says what the test board says, or for every third window something else."""

    front_end = SimpleNamespace(learns=False)
    streamed = None

    def __init__(self, *, right: bool = True):
        self.right = right
        self.asked = 0

    def answer_streamed(self, arrays, ends, *, keep_state=False):
        self.asked += 1
        scores = np.array(expected_scores(arrays), dtype=np.int8)
        if not self.right and self.asked % 3 == 0:
            scores[scores.argmin()] = scores.max() + 3
        return scores


@dataclass
class Memory:
    """A view that keeps everything."""

    came: list = field(default_factory=list)
    windows: list = field(default_factory=list)
    ended: list[Summary] = field(default_factory=list)

    def samples(self, samples):
        self.came.append(samples)

    def window(self, seen, figures):
        self.windows.append((seen, figures))

    def end(self, summary):
        self.ended.append(summary)


def expected_samples(stream: int, numbers: np.ndarray, channels: int) -> np.ndarray:
    """The signal of tests/link_board.c."""
    values = numbers[:, None] * 31 + np.arange(channels) * 7 + stream * 1000
    return values.astype(np.uint16).view(np.int16)


@contextlib.contextmanager
def session_over(transport, *, host=None, recorder_at=None, patience=PATIENT):
    """A session, a view of it and its recorder; the board is closed at the end."""
    with Device(transport, patience=patience) as device:
        facts = facts_of(device.hello, "pipe", host="the oracle" if host else None)
        recorder = Recorder(recorder_at, facts) if recorder_at else None
        view = Memory()
        yield LiveLoop(device, facts, host=host, recorder=recorder, views=[view]), view, recorder


def test_every_window_is_compared_with_the_host(program):
    with session_over(PipeTransport(program), host=HostLike()) as (session, view, _):
        summary = session.run(Limits(windows=40))
    figures = summary.figures
    assert summary.error is None
    assert summary.why == "ended after 40 windows, as asked"
    assert (figures.windows, figures.compared, figures.same_class, figures.same_scores) == (40,) * 4
    assert figures.largest_steps == 0
    assert (figures.lost_frames, sum(figures.lost_samples), figures.missing_windows) == (0, 0, 0)
    assert figures.samples == (40 + 39 * 20, 15 + 39 * 5)
    assert [seen.window for seen, _ in view.windows] == list(range(40))
    assert view.windows[0][0].microseconds == 7
    assert view.ended == [summary]


def test_a_host_that_says_otherwise_is_shown(program):
    with session_over(PipeTransport(program), host=HostLike(right=False)) as (session, view, _):
        figures = session.run(Limits(windows=30)).figures
    assert (figures.compared, figures.same_class, figures.same_scores) == (30, 20, 20)
    assert figures.differing == tuple(range(2, 30, 3))
    other = view.windows[2][0]
    assert not other.host.same_class
    assert other.host.best != other.best


def test_a_line_that_damages_frames_is_counted_compared_and_recorded_honestly(program, tmp_path):
    """Oracle: the test board's own answers and samples, whichever of them arrive."""
    transport = FaultyTransport(PipeTransport(program), one_in=5000, seed=4)
    patience = Patience(timeout=0.05, retries=20)
    with session_over(
        transport, host=HostLike(), recorder_at=tmp_path / "rec", patience=patience
    ) as (session, view, recorder):
        figures = session.run(Limits(windows=600)).figures
    assert figures.lost_frames > 0
    assert sum(figures.lost_samples) > 0
    assert 0 < figures.compared < figures.windows
    assert figures.same_scores == figures.compared
    unasked = [seen for seen, _ in view.windows if seen.host is None]
    assert {seen.not_compared for seen in unasked} == {"samples of the window were lost"}
    recorded = recorder.finish()
    assert recorded.gaps > 0
    recordings = read(tmp_path / "rec")
    assert len(recordings) == recorded.rows > 1
    (whole,) = read(recorded.path)
    for stream, (channels, signal_of) in enumerate(((3, whole.streams[0]), (2, whole.streams[1]))):
        numbers = np.rint(signal_of.times_s * signal_of.rate_hz).astype(np.int64)
        wanted = expected_samples(stream, numbers, channels)
        np.testing.assert_array_equal(signal_of.samples, wanted.astype(np.float32))


def test_a_board_without_sensors_has_nothing_to_stream(tmp_path):
    values = hello_values(streams=[], raw_bytes=0)
    program = build_board(tmp_path, values)
    with (
        Device(PipeTransport(program), patience=PATIENT) as device,
        pytest.raises(KdEdgeError, match="no sensors") as refused,
    ):
        facts_of(device.hello, "pipe")
    assert refused.value.code == "KD_BOARD_REFUSED"


def command(terminal, *options):
    return [sys.executable, "-m", "kd_edge", "live", "--port", terminal.name, *map(str, options)]


def events_of(output: str) -> list[dict]:
    return [json.loads(line) for line in output.splitlines()]


def test_json_is_one_object_a_line(terminal, capfd):
    assert run_command(["live", "--port", terminal.name, "--json", "--windows", "5"]) == 0
    events = events_of(capfd.readouterr().out)
    assert [event["event"] for event in events] == ["start", *["window"] * 5, "end"]
    assert events[0]["classes"] == ["0", "1", "2", "3", "4"]
    assert events[-1]["figures"]["windows"] == 5
    assert events[1]["host"] is None


def test_plain_in_a_pipe_is_one_line_a_window(terminal, capfd):
    assert run_command(["live", "--port", terminal.name, "--plain", "--windows", "4"]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert ["window" in line for line in lines[:4]] == [True] * 4
    assert lines[4].endswith("ended after 4 windows, as asked")
    assert any(line.startswith("losses     0 of 12 frames") for line in lines)


def test_so_many_seconds_end_it_too(terminal, capfd):
    assert run_command(["live", "--port", terminal.name, "--json", "--seconds", "0.2"]) == 0
    end = events_of(capfd.readouterr().out)[-1]
    assert end["why"] == "ended after 0.2 s, as asked"


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_cleanly_and_stops_the_board(terminal, tmp_path, how):
    watch = command(terminal, "--json", "--record", tmp_path / "a.npz")
    said = {"stdout": subprocess.PIPE, "text": True}
    with running_program(watch, f"the end of `live` by {how.name}", **said) as process:
        lines = [process.stdout.readline() for _ in range(6)]
        process.send_signal(how)
        lines += process.stdout
        ended(process, f"the end of `live` by {how.name}")
    assert process.returncode == ExitStatus.OK
    *_, end, recorded = map(json.loads, lines)
    assert (end["event"], end["why"], end["error"]) == ("end", "ended with Ctrl-C", None)
    assert recorded["event"] == "recorded"
    (recording,) = read(tmp_path / "a.npz")
    assert recording.streams[0].n_samples == end["figures"]["samples"][0]
    with Device.open(terminal.name, patience=PATIENT) as device:
        assert device.memory().stack_size == 222  # it answers, and no stream is in the way


def test_an_unplugged_board_ends_with_its_error_and_what_came_is_kept(terminal, tmp_path):
    watch = command(terminal, "--json", "--record", tmp_path / "a.npz")
    said = {"stdout": subprocess.PIPE, "text": True}
    with running_program(watch, "the end of `live` without its board", **said) as process:
        lines = [process.stdout.readline() for _ in range(10)]
        terminal.unplug()
        lines += process.stdout
        ended(process, "the end of `live` without its board")
    assert process.returncode == ExitStatus.BOARD
    *_, end, recorded, error = map(json.loads, lines)
    assert end["error"]["code"] == error["error"]["code"] == "KD_PORT_CLOSED"
    assert end["figures"]["windows"] >= 9
    (recording,) = read(tmp_path / "a.npz")
    emg = recording.streams[0]
    assert emg.n_samples == recorded["samples"][0] == end["figures"]["samples"][0]
    wanted = expected_samples(0, np.arange(emg.n_samples), 3)
    np.testing.assert_array_equal(emg.samples, wanted.astype(np.float32))


def test_in_a_terminal_signals_and_prediction_are_drawn(terminal):
    """Oracle: what a terminal of 100 columns is sent."""
    master, slave = os.openpty()
    shown = b""
    with running_program(
        command(terminal, "--plain", "--windows", "3000"),
        "300 windows of `live` in a terminal",
        stdout=slave,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"COLUMNS": "100", "LINES": "50", "TERM": "xterm-256color"},
    ) as process:
        os.close(slave)
        with contextlib.suppress(OSError):  # the other end is closed
            while True:
                shown += os.read(master, 65536)
        assert ended(process, "300 windows of `live` in a terminal") == 0
    os.close(master)
    text = shown.decode()
    assert "emg, 1111.11 Hz" in text
    assert {"▁", "█"} <= set(text)
    assert "board's time" in text
    assert "ended after 3000 windows, as asked" in text


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        ((), "name one board"),
        (("--board", "qemu-an386", "--port", "/dev/x"), "one way only"),
        (("--board", "qemu-an386"), "runs a bundle's model"),
        (("--board", "pico"), "through its port"),
        (("--port", "/dev/x", "--label", "house"), "add --record"),
        (("--port", "/dev/x", "--plain", "--json"), "take one"),
    ],
)
def test_what_cannot_be_is_said_before_anything_starts(options, hint, capfd):
    assert run_command(["live", *options]) == ExitStatus.USAGE
    out, err = capfd.readouterr()
    assert hint in " ".join((out + err).split())


@pytest.mark.parametrize("runs_on", [False, True])
def test_a_real_image_streams_what_the_host_says(tmp_path, runs_on):
    """Each window from rest, or filters that run on. Oracle: TFLite Micro on Python's front end."""
    with (
        streaming_board(tmp_path, "host", runs_on=runs_on) as (url, host),
        Device.open(url, patience=PATIENT) as device,
    ):
        facts = facts_of(
            device.hello, url, classes=CLASSES, front_end=host.front_end, host=host.name
        )
        summary = LiveLoop(device, facts, host=host).run(Limits(windows=20))
    figures = summary.figures
    assert summary.error is None
    assert figures.compared == figures.windows == 20
    assert figures.same_scores == 20


def test_a_host_whose_filters_are_not_the_boards_is_refused(tmp_path):
    with (
        streaming_board(tmp_path, "host") as (url, host),
        Device.open(url, patience=PATIENT) as device,
    ):
        other = replace(host.front_end, runs_on=True)
        with pytest.raises(KdEdgeError, match="filters") as caught:
            facts_of(device.hello, url, classes=CLASSES, front_end=other)
    assert caught.value.code == "KD_SHAPE"
