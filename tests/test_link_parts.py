"""Answers and facts that are larger than a frame arrive whole, over the real C under sanitizers."""

from __future__ import annotations

import itertools
import subprocess

import numpy as np
import pytest
from faulty_transport import FaultyTransport
from link_harness import (
    PATIENT,
    STRICT,
    PipeTransport,
    build_board,
    expected_scores,
    hello_values,
    need,
    windows,
)

from firmware_export.link_header import LINK_SOURCES
from kd_edge.base.errors import KdEdgeError
from kd_edge.link.channel import Patience
from kd_edge.link.device import Device
from kd_edge.link.stream import WindowAssembler

N_SCORES = 3000
# As a converter writes them: the names of everything that was fused into the tensor.
LONG = ";".join(f"StatefulPartitionedCall/model/branch_{n}/lstm/मित्र" for n in range(12))


def large_values():
    """3,000 scores, 40 inputs with names of 600 bytes, 30 sensors: 29 kB of facts."""
    tensor = {"scale": 0.25, "zero_point": -1}
    shapes = [(1, 200, 3), (1, 50, 6 - 1), *[(1, 1)] * 38, (1, 12)]
    return hello_values(
        output_bytes=N_SCORES,
        outputs=[{"name": LONG, "shape": (1, N_SCORES // 3, 3), **tensor}],
        inputs=[{"name": f"{n} {LONG}", "shape": s, **tensor} for n, s in enumerate(shapes)],
        streams=[
            {"name": "emg", "channels": 3, "rate": 1111.11, "samples": 40},
            {"name": "imu " + LONG, "channels": 2, "rate": 148.0, "samples": 15},
        ],
    )


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    return build_board(tmp_path_factory.mktemp("board"), large_values())


@pytest.fixture
def transport(program):
    transport = PipeTransport(program)
    yield transport
    transport.close()


def large_windows(n, seed):
    """The usual windows' bytes, cut for this board's inputs."""
    cut = []
    for window in windows(n, seed):
        content = np.concatenate([array.reshape(-1) for array in window])
        arrays, at = [], 0
        for tensor in large_values()["inputs"]:
            size = int(np.prod(tensor["shape"]))
            arrays.append(content[at : at + size].reshape(tensor["shape"]))
            at += size
        cut.append(tuple(arrays))
    return cut


def expected(window, **more):
    return expected_scores(window, n_scores=N_SCORES, **more)


def test_facts_of_any_length_arrive_whole(transport):
    hello = Device(transport, patience=PATIENT).hello
    assert [tensor.name for tensor in hello.inputs] == [f"{n} {LONG}" for n in range(41)]
    assert hello.outputs[0].shape == (1, 1000, 3)
    assert [stream.name for stream in hello.streams] == ["emg", "imu " + LONG]


def test_an_answer_of_3000_scores_arrives_whole(transport):
    """Oracle: zlib's CRC-32 of each window; the address sanitizer on the board's side."""
    many = large_windows(12, seed=1)
    with Device(transport, patience=PATIENT) as device:
        answers = list(device.run_many(many))
        assert [a.scores.tolist() for a in answers] == [expected(window) for window in many]
        assert device.statistics.retries == 0
        # 64 scores an answer: the RUN's, and 46 more.
        kept = list(device.run_many(many[:4], keep_state=True))
        # With kept state a second run of a window would change every later answer.
        first = kept[0].scores.tolist()
        state = next(n for n in range(50) if first == expected(many[0], state=n))
        wanted = [expected(window, state=state + n) for n, window in enumerate(many[:4])]
        assert [a.scores.tolist() for a in kept] == wanted


def test_a_stream_brings_3000_scores_a_window(transport):
    with Device(transport, patience=PATIENT) as device:
        assembler = WindowAssembler(device.hello)
        made = [w for w in map(assembler.take, device.stream(windows=20)) if w]
        assert [window.answer.index for window in made] == list(range(20))
        for window in made:
            assert window.answer.scores.tolist() == expected(window.arrays)
        assert device.statistics.stream_lost == 0


def test_a_damaged_line_never_mixes_the_parts_of_two_answers(program):
    """With kept state, so that a window that ran twice would show in every later answer."""
    faulty = FaultyTransport(PipeTransport(program), one_in=4000, seed=7)
    many = large_windows(40, seed=2)
    with Device(faulty, patience=Patience(timeout=0.03, retries=60)) as device:
        answers = list(device.run_many(many, keep_state=True))
    assert faulty.total > 20
    wanted = [expected(window, state=n) for n, window in enumerate(many)]
    assert [answer.scores.tolist() for answer in answers] == wanted


def test_a_damaged_stream_gives_whole_scores_or_none(program):
    faulty = FaultyTransport(PipeTransport(program), one_in=20_000, seed=8)
    with Device(faulty, patience=Patience(timeout=0.05, retries=20)) as device:
        assembler = WindowAssembler(device.hello)
        made = [w for w in map(assembler.take, device.stream(windows=120)) if w]
        lost = device.statistics.stream_lost
    assert lost > 0
    assert 0 < len(made) < 120
    for window in made:
        if window.arrays is not None:
            assert window.answer.scores.tolist() == expected(window.arrays)


def test_scores_that_a_text_command_has_overwritten_are_asked_anew(transport):
    """`infer` runs another window between a RUN and the SCORES that belong to it."""
    many = large_windows(6, seed=3)
    with Device(transport, patience=PATIENT) as device:
        load = b"db load 900%" + b"".join(b"db " + b"00" * 100 + b"%" for _ in range(9))
        texts = itertools.chain([b""] * 9, [load + b"infer 1 0%"], itertools.repeat(b""))
        port = device._channel.transport
        write = port.write
        port.write = lambda data: write(data + next(texts))
        before = device.statistics.frames_sent
        answers = list(device.run_many(many))
        counted = device.statistics
    assert [a.scores.tolist() for a in answers] == [expected(window) for window in many]
    # A window was asked for once more than there are windows, and not because a frame was lost.
    assert counted.retries == 0
    assert counted.frames_sent - before > 6 * (3 + 46)


def test_scores_are_given_of_the_run_that_is_named_and_of_no_other(transport):
    window = large_windows(1, seed=4)[0]
    with Device(transport, patience=PATIENT) as device:
        channel = device._channel
        device.run(window)
        run = (channel._next - 47) & 0xFFFF
        answer = channel.ask("SCORES", run=run, offset=64)
        assert list(np.frombuffer(answer.scores, np.int8)) == expected(window)[64:128]
        assert channel.ask("SCORES", run=run, offset=N_SCORES).status == "RANGE"
        assert channel.ask("SCORES", run=run ^ 1, offset=64).status == "GONE"
        device.selftest()
        assert channel.ask("SCORES", run=run, offset=64).status == "GONE"
        assert channel.ask("FACTS", offset=65_536).status == "RANGE"


# --- limits ---


@pytest.mark.parametrize(
    ("define", "says"),
    [
        ("KD_LINK_SCORES_BYTES=1005u", "KD_LINK_SCORES_BYTES does not fit"),
        ("KD_LINK_SCORES_BYTES=19u", "KD_LINK_SCORES_BYTES is below 20"),
        ("KD_LINK_MAX_PAYLOAD=127u", "KD_LINK_MAX_PAYLOAD is not between"),
        ("KD_LINK_MAX_PAYLOAD=65536u", "KD_LINK_MAX_PAYLOAD is not between"),
        ("KD_LINK_DEPTH=0u", "KD_LINK_DEPTH is not a power of two"),
        ("KD_LINK_DEPTH=7u", "KD_LINK_DEPTH is not a power of two"),
        ("KD_LINK_DEPTH=256u", "KD_LINK_DEPTH is not a power of two"),
    ],
)
def test_a_configuration_that_would_overrun_a_buffer_does_not_compile(define, says, tmp_path):
    need("gcc")
    command = ["gcc", *STRICT, f"-D{define}", "-fsyntax-only", LINK_SOURCES / "kd_link.c"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode
    assert says in done.stderr


DEVICES = """
#include <stdio.h>
#include "kd_link.h"
static uint8_t window[4];
static const uint8_t hello[KD_HELLO_ANSWER_FIXED];
static unsigned said;
static void count(void *user, const uint8_t *bytes, size_t n)
{
    (void)user; (void)bytes; (void)n;
    said++;
}
static uint32_t now(void *user) { (void)user; return 0; }
static void try_device(kd_link_device device)
{
    static kd_link link;
    said = 0;
    const kd_status status = kd_link_init(&link, &device);
    kd_link_receive(&link, (const uint8_t *)"timestamp%", 10);
    (void)kd_link_poll(&link);
    printf("%d %d\\n", (int)status, said > 0u);
}
int main(void)
{
    const kd_link_device sound = {
        .write = count, .now_us = now, .hello = hello, .hello_bytes = sizeof hello,
        .window = window, .window_bytes = {4, 0}, .output_bytes = 5,
        .receive_bytes = KD_FRAME_CODED_BYTES + 2u,
    };
    try_device(sound);
    kd_link_device device = sound;
    device.output_bytes = 0;
    try_device(device);
    device = sound;
    device.hello_bytes--;
    try_device(device);
    device = sound;
    device.receive_bytes--;
    try_device(device);
    device = sound;
    device.window_bytes[0] = 0;
    try_device(device);
    return 0;
}
"""


def test_a_device_that_cannot_be_is_refused_at_the_start_and_says_nothing(tmp_path):
    """The first one is sound; KD_STATUS_SIZE is 7."""
    need("gcc")
    source = tmp_path / "devices.c"
    source.write_text(DEVICES)
    program = tmp_path / "devices"
    subprocess.run(
        ["gcc", *STRICT, "-fsanitize=address,undefined", f"-I{LINK_SOURCES}", source,
         *LINK_SOURCES.glob("*.c"), "-o", program],
        check=True,
    )  # fmt: skip
    told = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    assert told.splitlines() == ["0 1", *["7 0"] * 4]


def test_a_board_that_cannot_be_reached_again_while_facts_come_is_reported(program):
    """Facts are asked for in parts; the board is unplugged in the middle of them."""
    transport = PipeTransport(program)
    write, sent = transport.write, []

    def unplug_later(data: bytes) -> None:
        sent.append(data)
        if len(sent) == 5:
            transport.program.kill()
        write(data)

    transport.write = unplug_later
    with pytest.raises(KdEdgeError) as caught:
        Device(transport, patience=PATIENT)
    assert caught.value.code == "KD_PORT_CLOSED"
