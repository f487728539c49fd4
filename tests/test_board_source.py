"""A board's port as a source. Oracle: what the board's sensors play, sample by sample."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from faulty_transport import FaultyTransport
from link_harness import (
    MODEL_SHA256,
    PATIENT,
    PipeTransport,
    build_board,
    hello_values,
)
from live_samples import front_end, replay, streaming_board

from kd_edge.base.errors import KdEdgeError
from kd_edge.cli import run
from kd_edge.examples.raw import from_counts
from kd_edge.link import stream
from kd_edge.link.channel import Patience
from kd_edge.link.device import Device
from kd_edge.link.messages import Samples
from kd_edge.live import labels, prompted
from kd_edge.live.prompted import Asked, Session, Timing
from kd_edge.live.prompts import Prompt
from kd_edge.live.recorder import recover
from kd_edge.live.sources import Chunk, Known, SourceFacts, SourceStream, open_source
from kd_edge.live.sources.board import Board
from kd_edge.live.taking import Take
from kd_edge.signals import read

RATES = {"emg": 1111.11, "imu": 148.0}


def played(stream: int, numbers: np.ndarray, channels: int) -> np.ndarray:
    """The signal of tests/link_board.c, in counts."""
    values = numbers[:, None] * 31 + np.arange(channels) * 7 + stream * 1000
    return values.astype(np.uint16).view(np.int16).astype(np.float32)


def numbers_of(first: float, n: int) -> np.ndarray:
    """The numbers of n samples of stream 0 in a row, up to 65536, by the first's value."""
    return int(first) % 65536 * pow(31, -1, 65536) % 65536 + np.arange(n)


def chunks_of(source, *, samples: int) -> list:
    """What comes until stream 0 has given so many samples."""
    found = []
    while sum(len(chunk.samples) for chunk in found if chunk.stream == 0) < samples:
        found += source.poll(1.0)
    return found


# --- what comes is what the board plays ---


@pytest.mark.parametrize("board", ["host", pytest.param("qemu-an386", marks=pytest.mark.qemu)])
def test_samples_of_a_real_image_are_what_its_sensors_play_bit_for_bit(board, tmp_path):
    constants = front_end()
    with streaming_board(tmp_path, board) as (url, _):
        with Device.open(url) as device:
            sha256 = device.hello.model_sha256
        with open_source(url, known=Known(sha256, constants, synthetic=True)) as source:
            assert source.facts.synthetic
            assert source.facts.notes == ()
            for said, given in zip(source.facts.streams, constants.streams, strict=True):
                assert (said.modality, said.channels) == (given.name, given.channels)
                assert (said.rate_hz, said.unit) == (given.source_rate_hz, given.unit)
                assert said.lsb == given.lsb
            began_s = time.monotonic()
            chunks = chunks_of(source, samples=800)
    for index, sensor in enumerate(constants.streams):
        loop = np.concatenate([window[sensor.name] for window in replay()])
        mine = [chunk for chunk in chunks if chunk.stream == index]
        numbers = np.concatenate([c.first + np.arange(len(c.samples)) for c in mine])
        samples = np.concatenate([chunk.samples for chunk in mine])
        assert (np.diff(numbers) > 0).all()
        wanted = from_counts(loop[numbers % len(loop)], sensor.lsb)
        np.testing.assert_array_equal(samples, wanted)
        assert all(began_s <= c.taken_s <= time.monotonic() for c in mine)


def test_without_a_bundle_samples_are_counts_and_it_says_so(terminal):
    with open_source(terminal.name) as source:
        (note,) = source.facts.notes
        assert "--bundle" in note
        assert [s.channels for s in source.facts.streams] == [
            ("emg 1", "emg 2", "emg 3"), ("imu 1", "imu 2"),
        ]  # fmt: skip
        assert {s.unit for s in source.facts.streams} == {"count"}
        for chunk in chunks_of(source, samples=400):
            channels = len(source.facts.streams[chunk.stream].channels)
            numbers = chunk.first + np.arange(len(chunk.samples))
            np.testing.assert_array_equal(chunk.samples, played(chunk.stream, numbers, channels))
    assert source.ended
    assert source.poll(0.0) == ()
    with Device.open(terminal.name, patience=PATIENT) as device:
        assert device.memory().stack_size == 222  # it answers, and no stream is in the way


def test_lost_samples_leave_their_numbers_out(program):
    transport = FaultyTransport(PipeTransport(program), one_in=5000, seed=4)
    device = Device(transport, patience=Patience(timeout=0.05, retries=20))
    with Board(device) as source:
        chunks = [c for c in chunks_of(source, samples=20_000) if c.stream == 0]
    numbers = np.concatenate([c.first + np.arange(len(c.samples)) for c in chunks])
    assert (np.diff(numbers) > 1).any()
    assert (np.diff(numbers) > 0).all()
    samples = np.concatenate([chunk.samples for chunk in chunks])
    np.testing.assert_array_equal(samples, played(0, numbers, 3))


def test_signs_are_recorded_from_a_port_as_the_board_played_them(
    terminal, tmp_path, monkeypatch, capfd
):
    """The folder's reader gives every take's samples."""
    monkeypatch.setattr(prompted, "GRACE_S", 60.0)  # a loaded machine may stand still
    (tmp_path / "signs.txt").write_text("house\ntree\n")
    out = tmp_path / "recordings"
    command = ["record", "--source", terminal.name, "--prompts", str(tmp_path / "signs.txt")]
    more = ["--subject", "ann", "--out", str(out), "--repetitions", "2", "--seconds", "0.5"]
    assert run([*command, *more, "--ready", "0", "--rest", "0", "--anyway"]) == 0
    assert "4 of 4 recorded" in capfd.readouterr().out
    recordings = read(out)
    assert sorted(r.label for r in recordings) == ["house", "house", "tree", "tree"]
    for recording in recordings:
        emg, imu = recording.streams
        assert (emg.modality, emg.rate_hz, emg.unit) == ("emg", RATES["emg"], "count")
        assert emg.n_samples >= round(0.5 * RATES["emg"])
        numbers = numbers_of(emg.samples[0, 0], emg.n_samples)
        np.testing.assert_array_equal(emg.samples, played(0, numbers, 3))
        own = numbers_of(imu.samples[0, 0] - 1000, imu.n_samples)
        np.testing.assert_array_equal(imu.samples, played(1, own, 2))


@pytest.mark.parametrize("late_s", [0.0, 0.004, 0.05])
def test_a_take_is_as_long_in_every_stream_as_was_asked_for(late_s):
    """Also if a stream's first samples came just before it. Oracle: its times, by hand."""
    streams = (
        SourceStream("emg", "", ("e",), 1000.0, "mV"),
        SourceStream("acc", "", ("a",), 100.0, "g"),
    )
    take = Take(SourceFacts("s", streams), 10.0, 10.5)
    # Source time 0 is 9.0; a tenth of a second in a chunk, and acc comes earlier by late_s.
    taken = [[], []]
    for tenth in range(30):
        for index, rate in ((1, 100), (0, 1000)):
            n = rate // 10
            at_s = 9.1 + tenth / 10 + 0.037 - (late_s if index else 0.0)
            before = len(take.stretches()[index].samples)
            samples = np.arange(tenth * n, tenth * n + n, dtype=np.float32)[:, None]
            take.add(Chunk(index, tenth * n, samples, at_s))
            taken[index] += [take.stretches()[index].samples[before:, 0]]
        if take.whole:
            break
    emg, acc = (np.concatenate(part) for part in taken)
    assert (np.diff(emg) == 1).all()
    assert (np.diff(acc) == 1).all()
    both_s = min((emg[-1] + 1) / 1000, (acc[-1] + 1) / 100) - max(emg[0] / 1000, acc[0] / 100)
    assert 0.5 <= both_s < 0.5 + 0.02
    assert [stretch.missing for stretch in take.stretches()] == [0, 0]


# --- what goes wrong ---


class Pulling:
    """A screen that pulls the cable at the second sign."""

    def __init__(self, pull):
        self.pull, self.told, self.performed = pull, [], 0
        self.was = None

    def show(self, phase, prompt, left_s, progress):
        if (phase, progress.kept) == ("perform", 1):
            self.pull()

    def tell(self, what):
        self.told.append(what)

    def key(self):
        return None


def test_an_unplugged_board_leaves_every_take_and_what_came_of_the_last(terminal, tmp_path):
    screen = Pulling(terminal.unplug)
    asked = Asked(
        folder=tmp_path, subject="ann", session="1",
        prompts=(Prompt("house", 0), Prompt("tree", 0)),
        timing=Timing(ready_s=0.0, perform_s=30.0, rest_s=0.0), anyway=True,
    )  # fmt: skip
    with open_source(terminal.name) as source:
        done = Session(source, asked, screen).run()
    assert done.error.code == "KD_PORT_CLOSED"
    assert done.error.exit_status == 5
    assert done.progress.kept == labels.count(tmp_path, subject="ann", session="1")["house"] == 1
    (part,) = tmp_path.glob("*.part")
    assert str(part) in screen.told[-1]
    recover(part)
    house, *_ = read(tmp_path)
    emg = house.streams[0]
    numbers = numbers_of(emg.samples[0, 0], emg.n_samples)
    np.testing.assert_array_equal(emg.samples, played(0, numbers, 3))


def test_what_came_before_an_error_is_given_before_it(program):
    """Samples and the break of the line in one read."""

    def streaming(beat_s):
        yield None
        yield Samples(0, 0, 0, np.int16([[1, 2, 3]]))
        raise KdEdgeError("KD_PORT_CLOSED", "gone", hint="")

    with Board(device_that(program, streaming)) as source:
        (chunk,) = source.poll(1.0)
        assert chunk.samples.tolist() == [[1, 2, 3]]
        for _ in range(2):
            with pytest.raises(KdEdgeError, match="gone"):
                source.poll(1.0)


def test_a_board_that_stops_streaming_is_no_source_any_more(program):
    def streaming(beat_s):
        yield None

    with (
        Board(device_that(program, streaming)) as source,
        pytest.raises(KdEdgeError, match="has stopped streaming") as caught,
    ):
        source.poll(0.0)
    assert caught.value.code == "KD_BOARD_TIMEOUT"


def device_that(program, streaming):
    """A device with the test board's streams, and a stream of the test's."""
    with Device(PipeTransport(program), patience=PATIENT) as device:
        hello = device.hello
    return SimpleNamespace(hello=hello, name="pipe", stream=streaming, close=lambda: None)


def test_a_port_that_another_program_has_is_in_use(terminal):
    with (
        open_source(terminal.name),
        pytest.raises(KdEdgeError) as caught,
    ):
        open_source(terminal.name)
    assert caught.value.code == "KD_PORT_BUSY"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"model_sha256": "ab" * 32}, "KD_BOARD_MODEL"),
        ({}, "KD_SHAPE"),
        ({"front_end": replace(front_end(), streams=())}, "KD_SHAPE"),
    ],
)
def test_a_board_that_does_not_run_the_bundle_is_refused_and_let_go(terminal, changes, code):
    known = replace(Known(MODEL_SHA256.hex(), front_end(), synthetic=False), **changes)
    with pytest.raises(KdEdgeError) as caught:
        open_source(terminal.name, known=known)
    assert caught.value.code == code
    assert "flash the firmware of this bundle" in caught.value.hint
    with open_source(terminal.name) as source:
        assert source.facts.name == f"test board on {terminal.name}"


def test_a_board_without_sensors_is_no_source(tmp_path):
    transport = PipeTransport(build_board(tmp_path, hello_values(streams=[], raw_bytes=0)))
    with (
        Device(transport, patience=PATIENT) as device,
        pytest.raises(KdEdgeError, match="no sensors") as caught,
    ):
        Board(device)
    assert caught.value.code == "KD_BOARD_REFUSED"


def test_a_board_is_not_silent_while_nobody_listens(monkeypatch):
    """Somebody takes the events once in a hundred seconds, by a clock of the test's."""
    hello = SimpleNamespace(streams=(SimpleNamespace(name="emg", channels=1),))
    now = SimpleNamespace(s=0.0)
    monkeypatch.setattr(stream, "time", SimpleNamespace(monotonic=lambda: now.s))
    channel = SimpleNamespace(
        unasked=deque(),
        patience=SimpleNamespace(timeout=1.0, retries=1),
        statistics=SimpleNamespace(stream_lost=0),
    )
    coming = deque(range(3))

    def pump(wait):
        now.s += wait
        if coming:
            first = coming.popleft()
            content = SimpleNamespace(stream=0, first=first, stamp_us=0, values=bytes(2))
            channel.unasked.append((SimpleNamespace(sequence=first, type=0xC1), content))

    channel.pump = pump
    found = []
    for event in stream.events(channel, hello, windows=0, beat_s=0.25):
        found.append(event and event.first)
        now.s += 100.0
    assert found == [None, 0, None, 1, None, 2, *[None] * 8]  # and two seconds of silence


# --- URLs ---


@pytest.mark.parametrize(
    ("url", "code", "words"),
    [
        ("/dev/ttyNONE", "KD_PORT_ABSENT", "no port /dev/ttyNONE"),
        ("serial:///dev/ttyNONE?baud=9600", "KD_PORT_ABSENT", "no port /dev/ttyNONE"),
        ("COM77", "KD_PORT_ABSENT", "no port COM77"),
        (r"\\.\com77", "KD_PORT_ABSENT", "no port"),
        ("socket://127.0.0.1:1", "KD_PORT_ABSENT", "no port socket://127.0.0.1:1"),
        ("serial://", "KD_USAGE", "names no port"),
        ("serial:///dev/ttyNONE?bud=9600", "KD_USAGE", "did you mean 'baud'"),
        ("serial:///dev/ttyNONE?baud=fast", "KD_USAGE", "baud=fast"),
        ("serial:///dev/ttyNONE?reset=hammer", "KD_UNKNOWN_NAME", "hammer"),
        ("COMING.npz", "KD_USAGE", "not the URL of a source"),
    ],
)
def test_a_port_is_a_source_and_what_is_wrong_with_it_is_said(url, code, words):
    with pytest.raises(KdEdgeError) as caught:
        open_source(url)
    assert caught.value.code == code
    assert words in str(caught.value)
