"""The MLPerf Tiny text commands, as the public runner's device class sends and reads them."""

from __future__ import annotations

import itertools
import random
import re

import numpy as np
import pytest
from link_harness import (
    PATIENT,
    PipeTransport,
    expected_scores,
    windows,
)

from kd_edge.link.device import Device
from kd_edge.link.framing import Frame, encode_frame

BYTES_A_COMMAND = 31  # as the runner cuts a window


class Runner:
    """What the runner does: a command and '%', then lines until one holds 'm-ready'."""

    def __init__(self, transport):
        self.transport = transport
        self.received = ""
        self.until_ready()

    def until_ready(self) -> list[str]:
        while "m-ready\r\n" not in self.received:
            data = self.transport.read(5.0)
            assert data, f"no m-ready after {self.received!r}"
            self.received += data.decode("ascii")
        answer, _, self.received = self.received.partition("m-ready\r\n")
        return answer.split("\r\n")[:-1]

    def send_after(self, noise: bytes, command: str) -> list[str]:
        self.transport.write(noise + command.encode() + b"%")
        return self.until_ready()

    def send(self, command: str) -> list[str]:
        self.transport.write(command.encode() + b"%")
        return self.until_ready()

    def load(self, content: bytes) -> list[str]:
        lines = self.send(f"db load {len(content)}")
        for start in range(0, len(content), BYTES_A_COMMAND):
            lines += self.send(f"db {content[start : start + BYTES_A_COMMAND].hex()}")
        return lines


@pytest.fixture
def runner(program):
    transport = PipeTransport(program)
    yield Runner(transport)
    transport.close()


def test_the_board_starts_with_what_the_runner_waits_for(program):
    transport = PipeTransport(program)
    said = ""
    while "m-ready" not in said:
        said += transport.read(5.0).decode()
    transport.close()
    assert re.fullmatch(
        r"m-timestamp-mode-performance\r\nm-lap-us-\d+\r\nm-init-done\r\nm-ready\r\n", said
    )


def test_name_and_profile_match_the_runners_patterns(runner):
    (name,) = runner.send("name")
    assert re.match(r"^m-(name)-dut-\[([^]]+)]$", name).group(2) == "test board"
    found = [re.match(r"^m-(model|profile)-\[([^]]+)]$", line) for line in runner.send("profile")]
    assert [match.group(1) for match in found] == ["profile", "model"]
    assert found[1].group(2) == "checksum"


def test_timestamps_run_on(runner):
    first, second = (int(runner.send("timestamp")[0].removeprefix("m-lap-us-")) for _ in range(2))
    assert second > first


def test_a_window_is_loaded_run_and_answered(runner):
    """Oracle: the scores of the window, as real numbers with scale 0.25 and zero point -1."""
    window = windows(1, seed=1)[0]
    content = b"".join(array.tobytes() for array in window)
    lines = runner.load(content)
    assert lines == ["m-[Expecting 900 bytes]", "m-load-done"]
    answer = runner.send("infer 3 2")
    assert answer[:3] == ["m-warmup-start-2", "m-warmup-done", "m-infer-start-3"]
    assert [line[:9] for line in answer[3:5]] == ["m-lap-us-"] * 2
    assert answer[5] == "m-infer-done"
    results = re.match(r"^m-results-\[([^]]+)\]$", answer[6]).group(1)
    wanted = [0.25 * (score + 1) for score in expected_scores(window)]
    assert [float(value) for value in results.split(",")] == wanted
    assert runner.send("results") == [answer[6]]
    assert runner.send("infer 1")[0] == "m-warmup-start-10"


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("what now", "e-[Unknown command: what]"),
        ("", "e-[Unknown command: ]"),
        ("db", "e-[Command 'db' requires a subcommand]"),
        ("db load", "e-[Command 'db load' requires the # of bytes]"),
        ("db load 0", "e-[Command 'db load' must be >0 bytes]"),
        ("db load 901", "e-[Supplied buffer size 901 exceeds maximum of 900]"),
        ("db abc", "e-[Insufficent number of hex digits]"),
        ("db 0g", "e-[Invalid hex digit '0g']"),
        ("infer 0", "e-[Inference iterations must be >0]"),
        ("infer -1", "e-[Inference iterations must be >0]"),
        ("infer 1 -1", "e-[Inference warmup must be >=0]"),
        ("infer", "e-[Input db has 0 bytes, expected 900]"),
    ],
)
def test_errors_are_worded_as_the_protocol_words_them(runner, command, answer):
    assert runner.send(command) == [answer]


def test_the_results_are_empty_before_the_first_run(runner):
    assert runner.send("results") == ["m-results-[]"]


def test_help_names_every_command(runner):
    text = " ".join(runner.send("help"))
    for command in ("name", "profile", "timestamp", "db load N", "db HH", "infer N", "results"):
        assert command in text


def test_line_ends_after_a_command_do_no_harm(runner):
    runner.transport.write(b"\r\nname%\r\n")
    assert runner.until_ready() == ["m-name-dut-[test board]"]
    assert runner.send("\r\n  name") == ["m-name-dut-[test board]"]


def test_both_languages_share_one_port(runner):
    window = windows(1, seed=2)[0]
    device = Device(runner.transport, patience=PATIENT)
    assert device.run(window).scores.tolist() == expected_scores(window)
    assert runner.send("name") == ["m-name-dut-[test board]"]
    assert device.run(window).scores.tolist() == expected_scores(window)
    assert device.memory().bad_cobs == 0


# --- line noise ---

NAME = ["m-name-dut-[test board]"]
NOTHING = "e-[Unknown command: ]"


@pytest.mark.parametrize("byte", sorted({*range(1, 32), *range(127, 256)} - set(b"\t\r\n")))
def test_a_command_behind_one_stray_byte_is_answered(runner, byte):
    assert runner.send_after(bytes((byte,)), "name") == NAME


@pytest.mark.parametrize(
    "noise",
    [
        b"\x00\xf8",
        b"\xf8\x00\xf8\xf8",
        b"\x00\x80\x02\x80",
        b"\xff" * 3000,
        b"\x00" + b"\xff" * 3000,
        b"abc\xe0" * 400,
        encode_frame(Frame(1, 7, b"abcd"))[:5],
        encode_frame(Frame(3, 7, bytes(range(128, 256)) * 3))[:300],
        encode_frame(Frame(7, 7, b""))[1:-1],
    ],
    ids=range(9),
)
def test_a_command_behind_noise_or_half_a_frame_is_answered(runner, noise):
    assert runner.send_after(noise, "name") == NAME
    assert runner.send("name") == NAME


@pytest.mark.parametrize("blank", [b"", b"\r\n", b" "])
@pytest.mark.parametrize("noise", [b"", b"\xff", b"name%", b"\0\xff", b"\0%"])
def test_a_percent_sign_behind_a_zero_byte_does_not_spoil_the_next_command(runner, noise, blank):
    """It may begin a frame until the next byte tells; then the command is answered by itself."""
    runner.transport.write(noise + b"\0%" + blank + b"name%")
    answers = [runner.until_ready()]
    while answers[-1] != NAME or answers.count(NAME) <= noise.count(b"name"):
        answers.append(runner.until_ready())
    assert all(answer in (NAME, [NOTHING]) for answer in answers)
    assert runner.send("name") == NAME


def test_a_lone_percent_sign_behind_a_zero_byte_is_an_empty_command_after_a_silence(runner):
    runner.transport.write(b"\0%\r\n")
    assert runner.until_ready() == [NOTHING]
    assert runner.send("name") == NAME


@pytest.mark.parametrize("noise", [b"", b"\xff", b"\0", b"\0%"])
@pytest.mark.parametrize("blanks", [b"\r\n" * 300, b" " * 5000])
def test_no_number_of_blanks_makes_the_next_command_too_long(runner, noise, blanks):
    """As a terminal sends them whose owner leans on the return key."""
    assert runner.send_after(noise + blanks, "name") == NAME


def test_blanks_alone_are_no_frame_that_was_dropped(runner):
    device = Device(runner.transport, patience=PATIENT)
    runner.transport.write(b"\r\n" * 300)
    assert device.memory().bad_length == 0


def test_noise_in_the_middle_of_a_command_is_told_and_the_next_one_answered(runner):
    assert runner.send("na\x01me") == ["e-[Unknown command: me]"]
    assert runner.send("name") == NAME


def test_a_command_behind_random_noise_is_answered(runner):
    rng = random.Random(15)
    for _ in range(40):
        noise = rng.randbytes(rng.randrange(1, 60)).replace(b"%", b"")
        # What is printable at its end belongs to the command.
        noise += bytes((rng.choice((0, 1, 0x80, 0xFF)),))
        assert runner.send_after(noise, "name") == NAME


@pytest.mark.parametrize("noise", [b"", b"\xf8", b"\x00", b"\x00\xf8", b"\xf8" * 900])
def test_a_command_that_is_too_long_is_answered_with_an_error(runner, noise):
    assert runner.send_after(noise, "db " + "00" * 2000) == ["e-[Command too long]"]
    assert runner.send("name") == NAME


def test_a_frame_that_looks_like_a_command_inside_is_a_frame_and_no_command(runner):
    """Its payload holds commands between bytes that no text has; it comes in two halves."""
    device = Device(runner.transport, patience=PATIENT)
    text = b"\x80db load 9%\x80db 000000%\x80infer 1%\x80name%"
    content = (text * 30)[:900]
    window = np.frombuffer(content, np.int8)
    arrays = (window[:600].reshape(1, 200, 3), window[600:].reshape(1, 50, 6))
    write, at = runner.transport.write, itertools.cycle(range(1, 50))

    def in_halves(data: bytes) -> None:
        cut = len(data) - next(at)
        write(data[:cut])
        write(data[cut:])

    runner.transport.write = in_halves
    answers = list(device.run_many([arrays] * 30, keep_state=True))
    wanted = [expected_scores(arrays, state=n) for n in range(30)]
    assert [answer.scores.tolist() for answer in answers] == wanted
    assert device.statistics.retries == 0
    assert device.memory().bad_cobs == 0


def test_a_damaged_frame_is_dropped_and_its_bytes_are_no_command(runner):
    """Every byte of it is damaged once; what stands in its payload would answer otherwise."""
    device = Device(runner.transport, patience=PATIENT)
    frame = encode_frame(Frame(3, 9, b"\x00\x00\x00\x00\x00\x00\x80name%\x80results%\x80"))
    for place in range(1, len(frame) - 1):
        for bit in (0x01, 0x20, 0x40, 0x80):
            damaged = bytearray(frame)
            damaged[place] ^= bit
            if damaged[place]:
                runner.transport.write(bytes(damaged))
    device.memory()
    assert device._channel.reader.take_text() == ""


@pytest.mark.parametrize("nano", [1, 3_906_250, 250_000_000, 17_000_000_000, 16 * 10**15])
def test_results_are_right_for_small_and_for_large_steps(program, nano):
    """Oracle: whole numbers of Python. A step of 16.8 and more once overran 32 bits."""
    transport = PipeTransport(program, "score-nano", nano)
    runner = Runner(transport)
    window = windows(1, seed=1)[0]
    runner.load(b"".join(array.tobytes() for array in window))
    results = runner.send("infer 1 0")[-1].removeprefix("m-results-[").rstrip("]").split(",")
    transport.close()
    steps = [score + 1 for score in expected_scores(window)]
    wanted = [(nano * abs(n) + 500) // 1000 * (1 if n >= 0 else -1) for n in steps]
    assert [int(value.replace(".", "")) for value in results] == wanted
    assert min(steps) < 0 < max(steps)
