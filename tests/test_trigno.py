"""A Trigno base over loopback. Oracle: the recording that the emulated base streams."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import threading
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from waiting import BOUND_S, joined, program

from kd_edge.base.errors import KdEdgeError
from kd_edge.cli import run
from kd_edge.live.sources import open_source, trigno
from kd_edge.live.sources import trigno_wire as wire
from kd_edge.live.sources.trigno import Trigno
from kd_edge.live.sources.trigno_base import Fault, TrignoBase, played
from kd_edge.live.sources.trigno_wire import Channel, Layout, Sensor
from kd_edge.signals.recording import Recording, Stream

FRAME_S = 0.0135
IMU_HZ = 2 / FRAME_S


def recording(emg_hz=(29 / FRAME_S, 17 / FRAME_S), seconds=1.0, unit="V") -> Recording:
    """Sensors of several rates, each with sEMG, accelerometer and gyroscope."""
    rng = np.random.default_rng(5)
    frames, streams = round(seconds / FRAME_S), []
    for number, rate_hz in enumerate(emg_hz, start=1):
        for modality, own, n, of in (
            ("emg", rate_hz, 1, unit), ("acc", IMU_HZ, 3, "g"), ("gyr", IMU_HZ, 3, "deg/s"),
        ):  # fmt: skip
            samples = rng.normal(0, 1e-3, (frames * round(own * FRAME_S), n)).astype(np.float32)
            names = tuple(f"{number} {modality} {i}" for i in range(n))
            streams.append(Stream(modality, f"s{number:02d}", names, samples, own, of))
    return Recording(tuple(streams), "r.npz")


@contextlib.contextmanager
def serving(record: Recording, **more):
    """A base whose clock runs as fast as its client takes what it sends."""
    base = TrignoBase(played(record), ports=(0, 0, 0), **more)
    done = threading.Event()

    def run() -> None:
        now_s = 0.0
        while not done.is_set():
            if base.step(now_s, 0.001) and base.streams:
                now_s += FRAME_S

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield base
    finally:
        done.set()
        joined(thread, "the base to stop")
        base.close()


def client(base: TrignoBase, **more) -> Trigno:
    command, emg, aux = base.ports
    return Trigno("127.0.0.1", port=command, emg_port=emg, aux_port=aux, **more)


def take(source, lengths) -> list[tuple[np.ndarray, np.ndarray]]:
    """(numbers, samples) of each stream, until each has so many."""
    parts = [[] for _ in lengths]
    while any(sum(len(c.samples) for c in p) < n for p, n in zip(parts, lengths, strict=True)):
        for chunk in source.poll(0.5):
            parts[chunk.stream].append(chunk)
    return [
        (
            np.concatenate([np.arange(c.first, c.first + len(c.samples)) for c in part])[:n],
            np.concatenate([c.samples for c in part])[:n],
        )
        for part, n in zip(parts, lengths, strict=True)
    ]


def check_all_came(record, source):
    found = take(source, [stream.n_samples for stream in record.streams])
    for stream, (numbers, samples) in zip(record.streams, found, strict=True):
        np.testing.assert_array_equal(numbers, np.arange(stream.n_samples))
        np.testing.assert_array_equal(samples, stream.samples)


@pytest.mark.parametrize("seed", [None, 1, 2])
def test_every_sample_of_every_rate_comes_once_in_order_in_pieces_of_any_size(seed):
    record = recording()
    with serving(record, seed=seed) as base, client(base) as source:
        check_all_came(record, source)
        assert [s.rate_hz for s in source.facts.streams] == pytest.approx(
            [s.rate_hz for s in record.streams], rel=1e-8
        )
        assert [s.unit for s in source.facts.streams] == [s.unit for s in record.streams]
        assert not source.facts.synthetic
        assert source.facts.streams[4].channels == tuple(f"Trigno 02: ACC {a}" for a in "XYZ")


def test_sixteen_sensors_of_all_rates_come_with_their_names():
    """EMG at 1259 to 2148 Hz, IMU at 148 Hz; a name each, in the base's order."""
    rates = [n / FRAME_S for n in (17, 26, 27, 29)] * 4
    record = recording(rates, seconds=2.0)
    names = tuple(f"place {n}" for n in range(16))
    with serving(record, seed=3) as base, client(base, names=names) as source:
        check_all_came(record, source)
        assert [s.sensor for s in source.facts.streams[::3]] == list(names)


def test_sensors_with_several_emg_channels_shift_what_stands_behind_them():
    """A sensor's values begin at its start index, and its others at 9 times that."""
    one, two = recording().streams[:3], recording().streams[3:]
    wide = replace(one[0], channels=("a", "b"), samples=np.repeat(one[0].samples, 2, axis=1))
    record = Recording((wide, *one[1:], *two), "r", synthetic=True)
    with serving(record) as base, client(base) as source:
        assert source.facts.synthetic
        assert [s.start for s in base.what.layout.sensors] == [1, 3]
        check_all_came(record, source)


def test_a_base_that_sends_the_highest_byte_first_is_understood():
    record = recording()
    with serving(record) as base:
        base.can_turn = lambda *, little: False
        base.little = False
        with client(base) as source:
            check_all_came(record, source)


def test_upsampled_emg_has_2000_samples_a_second():
    """Oracle: linear interpolation at those times."""
    record = recording(seconds=0.5)
    with serving(record) as base, client(base, upsample=True) as source:
        rates = [s.rate_hz for s in source.facts.streams if s.modality == "emg"]
        assert rates == [2000.0, 2000.0]
        lengths = [s.n_samples * 27 // 29 if not i else 1 for i, s in enumerate(record.streams)]
        _, samples = take(source, lengths)[0]
    x = record.streams[0].samples[:, 0]
    exact = np.interp(np.arange(len(samples)) * 29 / 27, np.arange(len(x)), x)
    np.testing.assert_allclose(samples[:, 0], exact, atol=1e-9)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("disconnect", "closed the connection"),
        ("half-frame", "bytes of a step that was not whole"),
        ("mode", "sensor 1 changed from mode 40 to 66"),
        ("stall", "nothing has come for"),
    ],
)
def test_a_base_that_fails_is_told_in_words_and_all_that_came_is_given(fault, words):
    """Oracle: the frames before the fault."""
    record = recording()
    more = {"silence_s": 2.0} if fault == "stall" else {}
    with serving(record, fault=Fault(fault, 0.5), seed=4) as base, client(base, **more) as source:
        counts = [0] * len(record.streams)

        def read_on() -> None:
            while True:
                for chunk in source.poll(0.1):
                    counts[chunk.stream] += len(chunk.samples)

        with pytest.raises(KdEdgeError, match=words) as caught:
            read_on()
        assert caught.value.code == "KD_SOURCE_LOST"
        frames = 38  # the first that begin before 0.5 s
        least = [frames * round(s.rate_hz * FRAME_S) for s in record.streams]
        assert all(a >= b for a, b in zip(counts, least, strict=True))


def test_a_base_that_stops_late_does_not_shift_the_next_stream(monkeypatch):
    """The second client comes while the base still sends what the first one has started."""
    # A base that is not let run is no silent one.
    monkeypatch.setattr(trigno, "_SETTLE_S", 1.0)
    monkeypatch.setattr(trigno, "_UNSETTLED_S", BOUND_S)
    record = recording(seconds=1.0)
    with serving(record, fault=Fault("late-stop", 3.0), seed=6) as base:
        first = client(base)
        first.poll(0.5)
        first.close()
        with client(base) as source:
            check_all_came(record, source)


def test_the_command_serves_a_recording_until_it_is_ended(tmp_path):
    """Oracle: the recording. The process says on which ports it listens."""
    record = recording(seconds=0.5)
    path = tmp_path / "a recording.npz"
    entries = {}
    for index, stream in enumerate(record.streams):
        entries |= {
            f"s{index}": stream.samples, f"s{index}.rate_hz": stream.rate_hz,
            f"s{index}.modality": stream.modality, f"s{index}.sensor": stream.sensor,
            f"s{index}.channels": np.array(stream.channels), f"s{index}.unit": stream.unit,
        }  # fmt: skip
    np.savez(path, **entries)
    command = [sys.executable, "-m", "kd_edge", "data", "serve-trigno", path, "--ports", "0,0,0"]
    more = ["--json", "--pieces", "3"]
    with program([*command, *more], "the base's ports", stdout=subprocess.PIPE) as process:
        url = json.loads(process.stdout.readline())["url"]
        with open_source(url) as source:
            check_all_came(record, source)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--fault", "fire:3"], "late-stop"),
        (["--fault", "stall:soon"], "NAME:SECONDS"),
        (["--ports", "1,2"], "three numbers"),
    ],
)
def test_a_base_that_cannot_be_is_not_served(tmp_path, options, words, capsys):
    path = tmp_path / "r.npz"
    np.savez(path, emg=recording().streams[0].samples, **{"emg.rate_hz": 29 / FRAME_S})
    assert run(["data", "serve-trigno", str(path), *options]) == 2
    assert words in capsys.readouterr().err


# --- what comes over the wire is not trusted ---


@contextlib.contextmanager
def saying(*answers: bytes):
    """A server that says these things, one for each thing it is told, and sends no data.

    Gives the options that name its ports.
    """
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(3)]
        listener = listeners[0]

        def run() -> None:
            with contextlib.suppress(OSError):
                made, _ = listener.accept()
                with made:
                    for said in answers:
                        made.sendall(said)
                        if not made.recv(4096):
                            return

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        numbers = (one.getsockname()[1] for one in listeners)
        yield dict(zip(("port", "emg_port", "aux_port"), numbers, strict=True))
        thread.join(timeout=10)


@pytest.mark.parametrize(
    ("said", "code", "timeout_s"),
    [
        ([b"x" * 9000], "KD_SOURCE_PROTOCOL", BOUND_S),
        ([b"HTTP/1.1 400 Bad Request"], "KD_SOURCE_TIMEOUT", 0.3),
        ([b"hello" + wire.END], "KD_SOURCE_LOST", BOUND_S),
        ([b"hello" + wire.END, *[b"NO" + wire.END] * 40], "KD_SOURCE_PROTOCOL", BOUND_S),
        ([b"hello" + wire.END, *[b"YES" + wire.END] * 8], "KD_SOURCE_PROTOCOL", BOUND_S),
        ([b"hello" + wire.END, *[b"\xff\xfe" + wire.END] * 40], "KD_SOURCE_PROTOCOL", BOUND_S),
    ],
)
def test_a_server_that_is_no_base_ends_in_words(said, code, timeout_s):
    with saying(*said) as ports, pytest.raises(KdEdgeError) as caught:
        Trigno("127.0.0.1", timeout_s=timeout_s, **ports)
    assert caught.value.code == code


def test_nobody_there_says_how_to_try_without_a_base():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # and held, so that nobody else listens there meanwhile
        port = silent.getsockname()[1]
        with pytest.raises(KdEdgeError) as caught:
            open_source(f"trigno://127.0.0.1?port={port}")
    assert caught.value.code == "KD_SOURCE_TIMEOUT"
    assert "serve-trigno" in caught.value.hint


EMG = Channel(2000.0, "V")


@pytest.mark.parametrize(
    ("sensors", "words"),
    [
        ([Sensor(1, "", 16, (EMG, EMG), ())], "value 17 of a step of 16"),
        ([Sensor(1, "", 1, (EMG, EMG), ()), Sensor(2, "", 2, (EMG,), ())], "share EMG values"),
        ([Sensor(1, "", 1, (), (Channel(IMU_HZ, "g"),) * 10)], "10 AUX values"),
        ([Sensor(1, "", 1, (Channel(1000.0, "V"),), ())], "13.500 samples"),
        ([Sensor(1, "", 1, (Channel(9e6, "V"),), ())], "samples in a frame"),
    ],
)
def test_a_layout_that_cannot_be_is_refused(sensors, words):
    with pytest.raises(ValueError, match=words):
        Layout(tuple(sensors), FRAME_S)


@given(st.lists(st.text(alphabet="SENORCHAL UPMDI?0123456789", max_size=40), max_size=20))
def test_a_base_answers_whatever_it_is_told(commands):
    from kd_edge.live.sources.trigno_commands import answer

    class Still:
        what, little, upsample, streams = played(recording(seconds=0.1)), True, False, False

        def start(self):
            return True

        stop = start

        def can_upsample(self, *, on):
            return True

        can_turn = can_upsample

    for command in commands:
        assert answer(Still(), command)


def test_values_that_are_no_numbers_count_as_lost():
    record = recording(seconds=0.5)
    holed = record.streams[0].samples.copy()
    holed[40:43] = np.nan
    record = Recording((replace(record.streams[0], samples=holed), *record.streams[1:]), "r")
    with serving(record) as base, client(base) as source:
        numbers, _ = take(
            source, [s.n_samples - 3 * (not i) for i, s in enumerate(record.streams)]
        )[0]
    assert numbers.tolist() == [n for n in range(len(holed)) if n not in (40, 41, 42)]
