"""Windows shared out among boards. Oracle: the board's own checksum, computed here as well."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from link_harness import PATIENT, PipeTransport, expected_scores, windows
from waiting import BOUND_S, ended

from kd_edge.link.channel import Patience
from kd_edge.link.device import Device
from kd_edge.pipeline.boards.closing import Closing, ask_closing
from kd_edge.pipeline.boards.compare import agreement, disagreements, spread
from kd_edge.pipeline.boards.targets import Target
from kd_edge.pipeline.boards.work import Job, share_out
from kd_edge.tasks.classification import CLASSIFICATION

N_WINDOWS = 60


@pytest.fixture
def boards(program):
    devices = [Device(PipeTransport(program), patience=PATIENT) for _ in range(2)]
    yield devices
    for device in devices:
        device.close()


def jobs(n: int = N_WINDOWS) -> list[Job]:
    return [Job(i, 0, arrays) for i, arrays in enumerate(windows(n, seed=0))]


def quiet(done: int, total: int) -> None:
    """Progress that nobody watches."""


def hold(device, wait: Callable[[], object]) -> None:
    """Nothing more goes to the board until `wait` has returned."""
    transport = device._channel.transport
    write = transport.write

    def first(data: bytes) -> None:
        transport.write = write
        wait()
        write(data)

    transport.write = first


def unplug_at(device, n_writes: int) -> threading.Event:
    """The board's cable is pulled at the n-th frame it is sent; tells when that has happened."""
    transport = device._channel.transport
    write, gone, sent = transport.write, threading.Event(), []

    def count(data: bytes) -> None:
        sent.append(data)
        if len(sent) == n_writes:
            transport.program.kill()
            ended(transport.program, "the board's end")
            gone.set()
        write(data)

    transport.write = count
    return gone


def assert_right(done, asked) -> None:
    assert asked
    for job in asked:
        np.testing.assert_array_equal(
            done.answers[job.window, job.repeat].scores, expected_scores(job.arrays)
        )


def test_two_boards_share_the_work_and_every_window_is_answered_once(boards):
    """Each board is held at its first window until the other one has been given one too."""
    asked = jobs()
    both_asked = threading.Barrier(2, timeout=BOUND_S)
    for device in boards:
        hold(device, both_asked.wait)
    done = share_out(boards, asked, kind="int8", progress=quiet)
    assert_right(done, asked)
    assert sum(done.answered) == N_WINDOWS
    assert min(done.answered) > 0


def test_a_board_that_is_unplugged_leaves_its_windows_to_the_other(boards):
    asked = jobs()
    gone = unplug_at(boards[1], n_writes=8)  # in its third window, of three frames each
    hold(boards[0], lambda: gone.wait(BOUND_S))
    done = share_out(boards, asked, kind="int8", progress=quiet)
    assert gone.is_set()
    assert_right(done, asked)
    assert [(i, error.code) for i, error in done.faults.items()] == [(1, "KD_PORT_CLOSED")]
    assert sum(done.answered) == len(asked)
    assert done.answered[1] <= 2


def test_with_every_board_gone_what_was_answered_is_kept_with_the_error(boards):
    for device in boards:
        device._channel.transport.program.kill()
    done = share_out(boards, jobs(), kind="int8", progress=quiet)
    assert set(done.faults) == {0, 1}
    assert done.faults[0].code == "KD_PORT_CLOSED"
    assert done.answers == {}


def test_ctrl_c_keeps_what_was_answered(boards):
    asked = jobs(5000)
    pressed = []

    def press(done: int, total: int) -> None:
        # As the signal's handler would, where the main thread waits.
        if done and not pressed:
            pressed.append(done)
            raise KeyboardInterrupt

    done = share_out(boards, asked, kind="int8", progress=press)
    assert done.interrupted
    answered = [job for job in asked if (job.window, job.repeat) in done.answers]
    assert pressed[0] <= len(answered) < len(asked)
    assert_right(done, answered)
    assert done.faults == {}


def test_ctrl_c_while_it_waits_leaves_the_board_to_nobody_else(program):
    """A signal, in a process of its own: what was under way is still answered."""
    script = """
import itertools, signal, sys, threading
from link_harness import PATIENT, PipeTransport, windows
from kd_edge.link.device import Device
from kd_edge.pipeline.boards.work import Job, share_out
asked = [Job(i, 0, arrays) for i, arrays in enumerate(windows(50, seed=0))]
transport = PipeTransport(sys.argv[1], "slow", 300_000)
with Device(transport, patience=PATIENT) as device:
    # A window goes in three frames: the signal comes as soon as the board has the third one.
    write, frames = transport.write, itertools.count(1)
    def press(data):
        write(data)
        if next(frames) == 9:
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
    transport.write = press
    done = share_out([device], asked, kind="int8", progress=lambda n, total: None)
    assert done.interrupted
    assert len(done.answers) >= 3, len(done.answers)
    assert device.memory().stack_size == 222
"""
    folder = Path(__file__).parent
    subprocess.run([sys.executable, "-c", script, program], check=True, cwd=folder, timeout=BOUND_S)


def test_a_second_ctrl_c_waits_for_no_board_and_keeps_what_was_answered(program):
    asked = jobs(100)
    patience = Patience(timeout=10 * BOUND_S)
    with Device(PipeTransport(program, "hang-after", 20), patience=patience) as device:
        pressed = []

        def press(done: int, total: int) -> None:
            if done == 20 and len(pressed) < 2:
                pressed.append(time.monotonic())
                raise KeyboardInterrupt

        done = share_out([device], asked, kind="int8", progress=press)
        assert (done.interrupted, done.abandoned) == (True, True)
        assert time.monotonic() - pressed[1] < BOUND_S
        assert_right(done, asked[:20])
        assert len(done.answers) == 20
        assert ask_closing([Target(device, "a port", emulated=False)], done) == Closing()


def test_a_board_that_goes_after_its_last_window_costs_no_answer(boards):
    """The other board's memory and self-test are asked for all the same."""
    asked = jobs(20)
    done = share_out(boards, asked, kind="int8", progress=quiet)
    boards[0]._channel.transport.program.kill()
    closing = ask_closing([Target(d, "a port", emulated=False) for d in boards], done)
    assert_right(done, asked)
    assert [(i, error.code) for i, error in done.faults.items()] == [(0, "KD_PORT_CLOSED")]
    assert list(closing.memories) == list(closing.golden_failures) == [1]
    assert closing.memories[1].stack_size == 222


def test_agreement_counts_scores_classes_and_steps():
    board = np.array([[1, 2, 3], [5, 4, 0], [9, 9, 1]], np.int8)
    host = np.array([[1, 2, 3], [4, 5, 0], [9, 8, 1]], np.int8)
    found = agreement("tflm", board, host, task=CLASSIFICATION)
    assert (found.n_windows, found.same_scores, found.same_class) == (3, 1, 2)
    assert found.largest_step == 1
    described = [("july", i, f"r{i}", "A") for i in range(3)]
    told = disagreements("tflm", board, host, described, ["A", "B", "C"], task=CLASSIFICATION)
    assert [(d.window, d.same_class) for d in told] == [(1, False), (2, True)]
    assert (told[0].board_class, told[0].host_class) == ("A", "B")
    only_other_classes = disagreements(
        "litert", board, host, described, ["A", "B", "C"], task=CLASSIFICATION
    )
    assert [d.window for d in only_other_classes] == [1]


def test_extreme_scores_differ_by_their_true_distance():
    found = agreement(
        "tflm",
        np.array([[127, -128]], np.int8),
        np.array([[-128, 127]], np.int8),
        task=CLASSIFICATION,
    )
    assert found.largest_step == 255


def test_a_spread_has_numpys_percentiles_and_all_windows_in_its_bins():
    values = np.random.default_rng(0).gamma(3, 100, 500)
    found = spread(values, "cycles")
    assert found.median == pytest.approx(np.percentile(values, 50))
    assert found.p95 == pytest.approx(np.percentile(values, 95))
    assert sum(count for _, _, count in found.histogram) == 500
    assert spread([7.0, 7.0], "µs").histogram == ((6.5, 7.5, 2),)
    assert spread([], "µs") is None
