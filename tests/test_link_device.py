"""The laptop's end against the real C: a test board whose answers are checksums of its windows."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from link_harness import (
    MODEL_SHA256,
    PATIENT,
    QUICK,
    PipeTransport,
    expected_scores,
    windows,
)

from kd_edge.base import wire
from kd_edge.base.errors import ExitStatus, KdEdgeError
from kd_edge.link.channel import Patience
from kd_edge.link.device import Device
from kd_edge.link.framing import Frame, encode_frame
from kd_edge.link.messages import Prediction, window_content
from kd_edge.link.stream import WindowAssembler


@pytest.fixture
def connect(program):
    """A function that starts a board with arguments and opens it; all are closed at the end."""
    opened = []

    def start(*arguments, patience=PATIENT, **options) -> Device:
        transport = PipeTransport(program, *arguments)
        opened.append(transport)
        return Device(transport, patience=patience, **options)

    yield start
    for transport in opened:
        transport.close()


def raw_windows(n, seed=5):
    rng = np.random.default_rng(seed)
    return [
        (
            rng.integers(-(2**15), 2**15, (40, 3)).astype(np.int16),
            rng.integers(-(2**15), 2**15, (15, 2)).astype(np.int16),
        )
        for _ in range(n)
    ]


def scores(answers):
    return [answer.scores.tolist() for answer in answers]


def code_of(error) -> str:
    assert error.value.exit_status == ExitStatus.BOARD
    assert error.value.hint
    return error.value.code


def test_hello_tells_what_the_board_is(connect):
    hello = connect().hello
    assert (hello.board, hello.core, hello.engine) == ("test board", "host", "checksum")
    assert hello.firmware == "0.1.2"
    assert hello.model_sha256 == MODEL_SHA256.hex()
    assert [(t.name, t.shape, t.scale, t.zero_point) for t in hello.inputs] == [
        ("emg", (1, 200, 3), 0.25, -1),
        ("imu", (1, 50, 6), 0.25, -1),
    ]
    assert [(s.name, s.channels, s.rate, s.samples) for s in hello.streams] == [
        ("emg", 3, 1111.11, 40),
        ("imu", 2, 148.0, 15),
    ]
    assert (hello.depth, hello.receive_bytes, hello.max_payload) == (8, 4096, 384)
    assert hello.ticks_kind == "instructions"


def test_every_window_is_answered_in_order_and_rightly(connect):
    """Oracle: zlib's CRC-32 of each window."""
    many = windows(60, seed=1)
    with connect() as device:
        answers = list(device.run_many(many))
        assert [answer.index for answer in answers] == list(range(60))
        assert scores(answers) == [expected_scores(window) for window in many]
        assert {answer.ticks for answer in answers} == {(1000 + 900) // 2}
        assert device.statistics.retries == 0
        assert device.statistics.frames_sent == 1 + 60 * 3


def test_raw_windows_go_over_the_wire_too(connect):
    many = raw_windows(10)
    with connect() as device:
        answers = list(device.run_many(many, kind="raw"))
        assert scores(answers) == [expected_scores(window) for window in many]
        assert all(answer.front_end_ticks for answer in answers)


def test_several_requests_are_on_their_way_at_once(connect):
    """Oracle: what the transport has been given before it is first read."""
    with connect() as device:
        transport = device._channel.transport
        written, before_reading = [], []
        write, read = transport.write, transport.read
        transport.write = lambda data: (written.append(data), write(data))
        transport.read = lambda timeout: (before_reading.append(len(written)), read(timeout))[1]
        list(device.run_many(windows(4, seed=2)))
        assert before_reading[0] == 8


def test_windows_are_taken_no_faster_than_they_are_answered(connect):
    taken = itertools.count()
    many = windows(50, seed=3)
    with connect() as device:
        answers = device.run_many(many[next(taken)] for _ in range(50))
        next(answers)
        assert next(taken) <= 1 + device.hello.depth


def test_state_is_kept_only_when_asked_for(connect):
    window = windows(1, seed=4)[0]
    with connect() as device:
        kept = scores(device.run_many([window] * 4, keep_state=True))
        assert kept == [expected_scores(window, state=n) for n in range(4)]
        device.reset()
        assert scores([device.run(window, keep_state=True)]) == [expected_scores(window)]
        assert scores([device.run(window)]) == [expected_scores(window)]


def test_selftest_profile_and_memory_come_as_the_board_counts_them(connect):
    with connect() as device:
        result = device.selftest()
        assert len(result.vectors) == 7
        assert [(vector.index, vector.differing) for vector in result.failures] == [(5, 3)]
        layers = device.profile()
        assert [layer.name for layer in layers] == [f"layer number {n}" for n in range(40)]
        assert [layer.ticks for layer in layers] == [5 * (n + 1) + (n << 32) for n in range(40)]
        memory = device.memory()
        assert (memory.stack_used, memory.static_bytes, memory.arena_bytes) == (111, 333, 444)


def test_a_stream_gives_windows_with_the_boards_answers(connect):
    with connect() as device:
        assembler = WindowAssembler(device.hello)
        made = [assembler.take(event) for event in device.stream(windows=30)]
        made = [window for window in made if window]
        assert [window.answer.index for window in made] == list(range(30))
        for window in made:
            assert window.answer.scores.tolist() == expected_scores(window.arrays)
        assert device.statistics.stream_lost == 0
        assert scores([device.run(windows(1, 1)[0])]) == [expected_scores(windows(1, 1)[0])]


def test_a_stream_ends_when_nobody_wants_more(connect):
    with connect() as device:
        for event in device.stream():
            if isinstance(event, Prediction) and event.answer.index == 20:
                break
        assert device.memory().stack_size == 222


def test_a_board_that_resets_while_it_streams_is_reported(connect):
    device = connect("reset-after", 10, "resets", 1000)
    with pytest.raises(KdEdgeError) as error:
        list(device.stream())
    assert code_of(error) == "KD_BOARD_RESET"
    assert device.statistics.restarts > 0
    window = windows(1, seed=1)[0]
    assert scores([device.run(window)]) == [expected_scores(window)]


def test_samples_that_were_lost_take_only_their_own_windows_with_them(connect):
    with connect() as device:
        events = list(device.stream(windows=10))
        assembler = WindowAssembler(device.hello)
        lost = next(i for i, event in enumerate(events) if getattr(event, "first", 0) == 60)
        made = [assembler.take(event) for event in events[:lost] + events[lost + 1 :]]
        made = [window for window in made if window]
        # Samples 60 to 79 stand in the windows that end at 80 and at 100.
        assert [w.answer.index for w in made if w.arrays is None] == [2, 3]


def test_a_window_that_is_not_the_boards_is_refused_before_it_is_sent(connect):
    with connect() as device:
        emg, imu = windows(1, seed=1)[0]
        others = [(emg.astype(dtype), imu) for dtype in (np.int16, np.uint8, np.float32, bool)]
        for wrong in ((emg,), (imu, emg), (emg[:, :-1], imu), *others):
            with pytest.raises(KdEdgeError) as error:
                device.run(wrong)
            assert error.value.code == "KD_SHAPE"
        assert scores([device.run((emg, imu))]) == [expected_scores((emg, imu))]


def test_raw_windows_are_refused_for_a_board_without_front_end(connect):
    with connect() as device:
        hello = replace(device.hello, raw_bytes=0)
        raw = raw_windows(1)[0]
        with pytest.raises(KdEdgeError) as caught:
            window_content(raw, hello, "raw")
        assert caught.value.code == "KD_BOARD_REFUSED"
        assert len(window_content(raw, device.hello, "raw")) == device.hello.raw_bytes
        assert len(window_content(windows(1, seed=1)[0], hello, "int8")) == hello.int8_bytes


def test_a_window_of_the_wrong_size_on_the_wire_is_refused_by_the_board(connect):
    with connect() as device:
        channel = device._channel
        for n, offset, status in ((10, 0, "SIZE"), (10, 890, "ORDER"), (378, 0, "SIZE")):
            answer = channel.ask("RUN", kind=0, flags=0, offset=offset, data=bytes(n))
            assert answer.status == status
        assert channel.ask("RUN", kind=7, flags=0, offset=0, data=b"").status == "KIND"
        answer = channel.ask("PART", kind=1, flags=0, offset=0, data=bytes(301))
        assert (answer.status, answer.detail) == ("SIZE", 300)
        window = windows(1, seed=1)[0]
        assert scores([device.run(window)]) == [expected_scores(window)]


def test_requests_that_make_no_sense_are_refused_by_name(connect):
    with connect() as device:
        channel = device._channel
        assert channel.ask("SELFTEST", index=7).status == "RANGE"
        assert channel.ask("PROFILE", first=40).status == "RANGE"
        assert channel.ask("SPEED", baud=9600).status == "REFUSED"
        assert not device.set_speed(9600)


def test_a_frame_longer_than_the_limit_is_dropped_and_counted(connect):
    with connect() as device:
        device._channel.transport.write(encode_frame(Frame(4, 0, bytes([1]) * 2000)))
        window = windows(1, seed=1)[0]
        assert scores([device.run(window)]) == [expected_scores(window)]
        assert device.memory().bad_length == 1


def test_text_commands_in_the_middle_of_frames_change_no_answer(connect):
    many = windows(40, seed=6)
    with connect() as device:
        transport = device._channel.transport
        once = [b"name%", b"\r\n", b"results%", b"infer 1 1%", b"%", b"what", b"db load 9%db 00%"]
        texts = itertools.cycle(once + [b"timestamp%"] * 10)
        write = transport.write
        transport.write = lambda data: write(next(texts) + data + next(texts))
        answers = list(device.run_many(many))
        assert scores(answers) == [expected_scores(window) for window in many]


def test_a_board_that_resets_is_noticed_and_asked_again(connect):
    many = windows(30, seed=7)
    with connect("reset-after", 10) as device:
        answers = list(device.run_many(many))
        assert [answer.index for answer in answers] == list(range(30))
        assert scores(answers) == [expected_scores(window) for window in many]
        assert device.statistics.restarts == 2
        assert device.hello.boot == 3


def test_a_board_that_resets_again_and_again_is_reported(connect):
    device = connect("reset-after", 2, "resets", 1000)
    done = []
    with pytest.raises(KdEdgeError) as error:
        done.extend(device.run_many(windows(100, seed=8)))
    assert code_of(error) == "KD_BOARD_RESET"
    assert "window" in error.value.where


def test_a_reset_is_reported_where_the_models_state_mattered(connect):
    device = connect("reset-after", 10)
    with pytest.raises(KdEdgeError) as error:
        list(device.run_many(windows(30, seed=7), keep_state=True))
    assert code_of(error) == "KD_BOARD_RESET"


def test_a_board_that_hangs_is_reported_after_all_that_it_answered(connect):
    many = windows(30, seed=9)
    device = connect("hang-after", 12, patience=QUICK)
    answers = device.run_many(many)
    done = []
    with pytest.raises(KdEdgeError) as error:
        done.extend(answers)
    assert code_of(error) == "KD_BOARD_TIMEOUT"
    assert scores(done) == [expected_scores(window) for window in many[:12]]


def test_an_unplugged_board_leaves_what_it_answered(connect):
    many = windows(30, seed=10)
    device = connect("hang-after", 12)
    done = []

    def run_and_unplug():
        for answer in device.run_many(many):
            done.append(answer)
            if answer.index == 11:
                device._channel.transport.program.kill()

    with pytest.raises(KdEdgeError) as error:
        run_and_unplug()
    assert code_of(error) == "KD_PORT_CLOSED"
    assert scores(done) == [expected_scores(window) for window in many[:12]]


def test_an_engine_that_fails_is_reported_with_its_code_and_window(connect):
    device = connect("fail-on-run", 5)
    done = []
    with pytest.raises(KdEdgeError, match="ENGINE") as error:
        done.extend(device.run_many(windows(10, seed=11)))
    assert code_of(error) == "KD_BOARD_REFUSED"
    assert error.value.where == "window 4, detail 42"
    assert [answer.index for answer in done][:4] == [0, 1, 2, 3]


def test_a_run_that_is_left_early_leaves_a_board_that_answers(connect):
    many = windows(10, seed=12)
    with connect() as device:
        for _ in device.run_many(many):
            break
        assert scores([device.run(many[5])]) == [expected_scores(many[5])]


def test_another_model_on_the_board_is_refused(program):
    with pytest.raises(KdEdgeError) as error:
        Device(PipeTransport(program), model_sha256="ab" * 32, patience=QUICK)
    assert code_of(error) == "KD_BOARD_MODEL"


def test_another_protocol_version_is_named(connect):
    device = connect()
    device._channel.transport.write(encode_frame(Frame(7, 0, b"", version=1)))
    with pytest.raises(KdEdgeError) as error:
        device.memory()
    assert code_of(error) == "KD_BOARD_PROTOCOL"


def test_a_slow_board_is_waited_for(connect):
    """Its answers take longer than the first wait, and none is asked for in vain for ever."""
    many = windows(3, seed=13)
    with connect("slow", 150_000, patience=Patience(timeout=0.05, retries=6)) as device:
        assert scores(device.run_many(many)) == [expected_scores(window) for window in many]


def test_an_answer_asked_again_is_the_same_and_nothing_runs_twice(connect):
    """The same RUN frame three times: with kept state a second run would answer otherwise."""
    window = raw_windows(1)[0]
    content = b"".join(array.tobytes() for array in window)
    with connect() as device:
        channel = device._channel
        payload = wire.encode("RUN", {"kind": 1, "flags": 1, "offset": 0, "data": content})
        frame = encode_frame(Frame(4, channel._next, payload))
        channel.transport.write(frame + frame)
        assert scores([device.run(window, kind="raw", keep_state=True)]) == [
            expected_scores(window, state=0)
        ]
        assert device.memory().repeats == 2
