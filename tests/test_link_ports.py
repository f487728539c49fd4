"""Ports as pyserial opens them, and the faults that a first contact can meet."""

from __future__ import annotations

import itertools
import socket
import sys
from pathlib import Path

import pytest
from link_harness import (
    PATIENT,
    QUICK,
    PipeTransport,
    Terminal,
    build_board,
    expected_scores,
    windows,
)
from serial.urlhandler.protocol_loop import Serial as LoopBack
from waiting import ended, wait_until
from waiting import program as running_program

from kd_edge.base.errors import ExitStatus, KdEdgeError
from kd_edge.link.device import Device
from kd_edge.link.reset import STRATEGIES, reset_strategy
from kd_edge.link.transport import SerialTransport

TALKERS = {
    "text": "print('Hello from some other firmware, counting', flush=True)",
    "nonsense": "os.write(1, bytes([0x5A, 0, 0xC3, 0x99, 0xE1, 0, 7, 200, 201]) * 20)",
    "silence": "pass",
}


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    return build_board(tmp_path_factory.mktemp("board"))


@pytest.fixture
def terminal():
    """A function that starts a program behind a pseudo-terminal."""
    opened = []

    def start(*command) -> Terminal:
        opened.append(Terminal(*command))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


def refused(open_it) -> KdEdgeError:
    with pytest.raises(KdEdgeError) as caught:
        open_it()
    assert caught.value.exit_status == ExitStatus.BOARD
    assert caught.value.hint
    return caught.value


def test_a_board_behind_a_serial_port_answers(terminal, program):
    many = windows(20, seed=1)
    with Device.open(terminal(program).name, patience=PATIENT) as device:
        assert [answer.scores.tolist() for answer in device.run_many(many)] == [
            expected_scores(window) for window in many
        ]


def test_a_board_behind_a_socket_answers(program):
    many = windows(20, seed=1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"socket://127.0.0.1:{server.getsockname()[1]}"
        transport = SerialTransport(url)
        connection, _ = server.accept()
        ends = {"stdin": connection, "stdout": connection}
        with running_program([program], "the board behind a socket", **ends) as board:
            connection.close()
            device = Device(transport, patience=PATIENT)
            answers = device.run_many(many)
            assert next(answers).scores.tolist() == expected_scores(many[0])
            board.kill()
            ended(board, "the end of a killed board")
            error = refused(lambda: list(answers))
            assert error.code == "KD_PORT_CLOSED"
            device.close()


def test_a_port_that_is_open_elsewhere_is_in_use(terminal, program):
    name = terminal(program).name
    with Device.open(name, patience=PATIENT):
        assert refused(lambda: Device.open(name, patience=QUICK)).code == "KD_PORT_BUSY"


@pytest.mark.parametrize("url", ["/dev/ttyKD_EDGE_NONE", "socket://127.0.0.1:1", "nothing://x"])
def test_a_port_that_is_not_there_is_named(url):
    error = refused(lambda: Device.open(url, patience=QUICK))
    assert error.code == "KD_PORT_ABSENT"
    assert url in error.message


def test_unplugging_in_the_middle_ends_the_run_with_what_was_answered(terminal, program):
    many = windows(400, seed=2)
    port = terminal(program, "hang-after", 100)
    device = Device.open(port.name, patience=PATIENT)
    done = []

    def run():
        for answer in device.run_many(many):
            done.append(answer)
            if answer.index == 99:
                port.unplug()

    assert refused(run).code == "KD_PORT_CLOSED"
    assert [answer.scores.tolist() for answer in done] == [
        expected_scores(window) for window in many[:100]
    ]
    device.close()
    device.close()


@pytest.mark.parametrize(
    ("talker", "code", "word"),
    [
        ("text", "KD_BOARD_NO_FIRMWARE", "other firmware"),
        ("nonsense", "KD_BOARD_SPEED", "9600"),
        ("silence", "KD_BOARD_TIMEOUT", "115200"),
    ],
)
def test_what_stands_at_the_other_end_is_told_apart(terminal, talker, code, word):
    source = f"import os, time\nwhile True:\n    {TALKERS[talker]}\n    time.sleep(0.02)"
    port = terminal(sys.executable, "-c", source)
    if talker != "silence":
        wait_until(port.waiting, f"the first words of {talker}")
    error = refused(lambda: Device.open(port.name, patience=QUICK))
    assert error.code == code
    assert word in error.where


class SpeedTransport(PipeTransport):
    """A pipe with a speed, which the test board reads from a file."""

    has_speed = True

    def __init__(self, file: Path, *command, baud: int):
        self.file = file
        self.history = []
        self.set_speed(baud)
        super().__init__(*command, "speed-file", file)

    def set_speed(self, baud: int) -> bool:
        self.history.append(baud)
        new = self.file.with_suffix(".new")
        new.write_text(str(baud))
        new.rename(self.file)
        return True


@pytest.fixture
def speed_board(program, tmp_path):
    opened = []

    def start(*arguments, baud=115_200) -> SpeedTransport:
        command = (program, "max-baud", 921_600, *arguments)
        opened.append(SpeedTransport(tmp_path / "speed", *command, baud=baud))
        return opened[-1]

    yield start
    for transport in opened:
        transport.close()


def test_the_speed_is_raised_where_both_agree(speed_board):
    transport = speed_board()
    device = Device(transport, patience=PATIENT)
    assert device.set_speed(921_600)
    assert transport.history == [115_200, 921_600]
    window = windows(1, seed=3)[0]
    assert device.run(window).scores.tolist() == expected_scores(window)
    assert not device.set_speed(2_000_000)


def test_the_highest_usual_speed_is_found_and_given_back(speed_board):
    transport = speed_board()
    device = Device(transport, patience=QUICK)
    assert device.raise_speed() == 921_600
    close, transport.close = transport.close, lambda: None
    device.close()
    transport.close = close
    transport.set_speed(115_200)
    assert Device(transport, patience=QUICK).hello.board == "test board"
    assert 9_600 not in transport.history


def test_a_port_without_speed_is_not_asked_to_change_it(program):
    device = Device(PipeTransport(program, "max-baud", 921_600), patience=PATIENT)
    sent = device.statistics.frames_sent
    assert device.raise_speed() is None
    assert device.statistics.frames_sent == sent
    device.close()


def test_a_speed_that_does_not_work_is_given_up_by_both_ends(speed_board):
    transport = speed_board("highest", 500_000)
    device = Device(transport, patience=QUICK)
    assert not device.set_speed(921_600)
    assert transport.history == [115_200, 921_600, 115_200]
    window = windows(1, seed=3)[0]
    assert device.run(window).scores.tolist() == expected_scores(window)


def test_the_usual_speeds_are_tried_until_one_answers(speed_board):
    transport = speed_board(baud=57_600)
    device = Device(transport, patience=QUICK, speeds=(57_600, 9_600, 115_200))
    assert transport.history == [57_600, 9_600, 115_200]
    assert device.hello.board == "test board"


def test_a_reset_strategy_that_is_not_known_is_named():
    with pytest.raises(KdEdgeError, match="dtr-puls") as error:
        reset_strategy("dtr-puls")
    assert error.value.code == "KD_UNKNOWN_NAME"
    assert "dtr-pulse" in error.value.message


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("none", [("dtr", True), ("rts", True)]),
        ("dtr-pulse", [("dtr", True), ("rts", True), ("dtr", False), ("dtr", True)]),
        ("rts-to-reset", [("dtr", False), ("rts", True), ("rts", False)]),
        ("touch-1200", [("dtr", False), ("rts", True), ("dtr", True), ("rts", True)]),
    ],
)
def test_each_strategy_moves_the_lines_that_it_says(name, wanted, monkeypatch):
    """On pyserial's own loop://, with its control lines recorded."""
    record = []
    monkeypatch.setattr(
        LoopBack, "_update_dtr_state", lambda port: record.append(("dtr", port._dtr_state))
    )
    monkeypatch.setattr(
        LoopBack, "_update_rts_state", lambda port: record.append(("rts", port._rts_state))
    )
    strategy = reset_strategy(name)
    for span in ("pulse_s", "boot_s", "leave_s"):
        if hasattr(strategy, span):
            monkeypatch.setattr(type(strategy), span, 0.01)
    strategy.open("loop://", 9_600).close()
    lines = [step for step, _ in itertools.groupby(record)]
    assert lines == wanted
    assert set(STRATEGIES) >= {name}


def test_a_port_without_control_lines_cannot_reset_a_board(terminal, program):
    port = terminal(program)
    with pytest.raises(KdEdgeError) as error:
        Device.open(port.name, reset="dtr-pulse", patience=QUICK)
    assert error.value.code == "KD_USAGE"
    assert "--reset none" in error.value.hint
