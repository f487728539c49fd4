"""Live sources and what stands behind them. Oracle: the recording that is replayed."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from kd_edge.base.errors import KdEdgeError
from kd_edge.frontend import StreamFrontEnd, design_stream
from kd_edge.live.figures import SeenDecision
from kd_edge.live.joining import Joining
from kd_edge.live.plain import Events
from kd_edge.live.sources import open_source
from kd_edge.live.sources.replay import Replay
from kd_edge.live.sources.source import Chunk, SourceFacts, SourceStream
from kd_edge.signals.recording import Recording, Stream

EMG_HZ = 1e4 / 9


class Clock:
    """A clock that stands, but for what sleeps."""

    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


def recording() -> Recording:
    rng = np.random.default_rng(0)
    emg = rng.normal(size=(1300, 2)).astype(np.float32)
    acc = rng.normal(size=(150, 3)).astype(np.float32)
    times_s = 0.1 + np.concatenate([np.arange(80), np.arange(100, 170)]) / 148.0
    return Recording(
        (
            Stream("emg", "left", ("a", "b"), emg, EMG_HZ, "mV"),
            Stream("acc", "left", ("X", "Y", "Z"), acc, 148.0, "g", start_s=0.1, times_s=times_s),
        ),
        "r.npz",
    )


def all_of(source) -> tuple[list[Chunk], float]:
    chunks = []
    while not source.ended:
        chunks += source.poll(0.1)
    return chunks, sum(len(chunk.samples) for chunk in chunks)


def joined(chunks, stream):
    mine = [chunk for chunk in chunks if chunk.stream == stream]
    numbers = [np.arange(c.first, c.first + len(c.samples)) for c in mine]
    return np.concatenate(numbers), np.concatenate([chunk.samples for chunk in mine])


@pytest.mark.parametrize("speed", [1.0, 4.0, 0.0])
def test_a_replay_gives_every_sample_once_in_order_and_says_what_is_missing(speed):
    clock, record = Clock(), recording()
    chunks, _ = all_of(Replay(record, speed=speed, clock=clock, sleep=clock.sleep))
    for index, stream in enumerate(record.streams):
        numbers, samples = joined(chunks, index)
        np.testing.assert_array_equal(samples, stream.samples)
        times_s = stream.start_s + numbers / stream.rate_hz
        expected = stream.times_s if index else np.arange(1300) / EMG_HZ
        np.testing.assert_allclose(times_s, expected, atol=1e-6)


def test_samples_come_when_they_were_taken():
    """Oracle: the clock: no sample before its time, and none more than a beat later."""
    clock, record = Clock(), recording()
    source = Replay(record, speed=2.0, clock=clock, sleep=clock.sleep)
    source.poll(0)
    while not source.ended:
        for chunk in source.poll(0.1):
            stream = record.streams[chunk.stream]
            last_s = stream.start_s + (chunk.first + len(chunk.samples) - 1) / stream.rate_hz
            assert chunk.taken_s == pytest.approx(1000.0 + last_s / 2.0)
            assert 0 <= clock.now_s - chunk.taken_s <= 0.021
    assert clock.now_s == pytest.approx(1000.0 + (0.1 + 169 / 148) / 2, abs=0.03)


# --- from a source's channels to a front end's ---


def stream_facts(sensor: str, *channels: str, rate_hz=1000.0, unit="V", start_s=0.0):
    return SourceStream("emg", sensor, channels, rate_hz, unit, start_s=start_s)


def design(*channels: str, unit="V"):
    return design_stream(
        "emg", StreamFrontEnd(), channels=channels, source_rate_hz=1000.0, unit=unit
    )


def test_channels_of_several_sensors_come_side_by_side_by_name_and_in_one_unit():
    """Oracle: written by hand: sensor 2 begins 2 samples later, and loses sample 5 (7 of all)."""
    facts = SourceFacts("s", (stream_facts("1", "x", "y"), stream_facts("2", "z", start_s=0.002)))
    joining = Joining(facts, [design("z", "y", unit="mV")])
    one = np.arange(20, dtype=np.float32).reshape(10, 2)
    two = np.arange(100, 110, dtype=np.float32).reshape(10, 1)
    found = [
        *joining.take(Chunk(0, 0, one[:3], 0.0)),
        *joining.take(Chunk(1, 0, two[:5], 0.0)),
        *joining.take(Chunk(0, 3, one[3:], 0.0)),
        *joining.take(Chunk(1, 6, two[6:], 0.0)),
    ]
    rows = {part.first + i: row.tolist() for part in found for i, row in enumerate(part.samples)}
    z = {n: 1000.0 * (100 + n) for n in (0, 1, 2, 3, 4, 6, 7)}
    assert rows == {n: [value, 1000.0 * (2 * (n + 2) + 1)] for n, value in z.items()}
    sorted_, *converted = joining.notes
    assert "taken by its names" in sorted_
    assert converted == ["emg is converted from V to mV"] * 2


@pytest.mark.parametrize(
    ("streams", "code", "words"),
    [
        ([replace(stream_facts("1", "a", "b"), modality="eeg")], "KD_CHANNEL_MISSING", "no 'emg'"),
        ([stream_facts("1", "a")], "KD_CHANNEL_MISSING", "no channel 'b'"),
        ([stream_facts("1", "a", "b", rate_hz=1259.0)], "KD_RATE_MISMATCH", "1259 Hz"),
        ([stream_facts("1", "a", "b", unit="g")], "KD_UNIT_MISMATCH", "in g"),
    ],
)
def test_a_source_that_does_not_give_what_the_bundle_takes_is_refused(streams, code, words):
    with pytest.raises(KdEdgeError, match=words) as caught:
        Joining(SourceFacts("s", tuple(streams)), [design("a", "b")])
    assert caught.value.code == code


def test_channels_of_other_names_are_taken_in_order_only_where_that_is_asked_for():
    facts = SourceFacts("s", (stream_facts("1", "x", "y"),))
    with pytest.raises(KdEdgeError, match="no channel 'a'") as caught:
        Joining(facts, [design("a", "b")])
    assert "--in-order" in caught.value.hint
    joining = Joining(facts, [design("a", "b")], in_order=True)
    samples = np.float32([[1, 2]])
    (part,) = joining.take(Chunk(0, 0, samples, 0.0))
    np.testing.assert_array_equal(part.samples, samples)
    assert joining.notes == ["emg is taken in order: 'x' as 'a', 'y' as 'b'"]


# --- URLs ---


@pytest.mark.parametrize(
    ("url", "code", "words"),
    [
        ("REC.npz", "KD_USAGE", "not the URL"),
        ("fil://REC.npz", "KD_UNKNOWN_NAME", "fil"),
        ("file://none.npz?sped=2", "KD_USAGE", "sped"),
        ("file://none.npz?speed=-1", "KD_USAGE", "speed=-1"),
        ("file://none.npz?speed=nan", "KD_USAGE", "speed=nan"),
        ("file://none.npz", "KD_NO_FILE", "none.npz"),
    ],
)
def test_a_url_that_names_no_source_is_refused_with_what_to_write(url, code, words):
    with pytest.raises(KdEdgeError, match=words) as caught:
        open_source(url)
    assert caught.value.code == code


def test_events_say_when_a_sign_begins_and_ends():
    """Oracle: the decisions, by hand."""
    lines = []
    facts = SimpleNamespace(decides=True)
    events = Events(facts, lines.append)
    said = [None, "house", "house", None, None]
    for number, name in enumerate(said):
        decision = SeenDecision(name, "house", 0.9, number == 1, False, None)
        events.window(SimpleNamespace(at_s=float(number), decision=decision), None)
    assert lines == ["    1.00 s  house  confidence 90.0 %", "    3.00 s  house ends"]
    with pytest.raises(KdEdgeError, match="none"):
        Events(SimpleNamespace(decides=False), lines.append)
