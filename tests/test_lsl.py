"""The Lab Streaming Layer on this machine. Oracle: what the outlets were given."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from live_samples import FACTS, LSL_CLOCK_S, lsl_name, seen
from waiting import BOUND_S, joined

from kd_edge.base.errors import KdEdgeError
from kd_edge.live.figures import SeenDecision
from kd_edge.live.lsl_out import LslOut
from kd_edge.live.sources import open_source

pylsl = pytest.importorskip("pylsl", reason="LSL is in the extra 'live'")

EMG_HZ, IMU_HZ = 2000.0, 148.0


def outlet(name, kind, channels, rate_hz):
    """Args: channels: (label, unit, type)."""
    info = pylsl.StreamInfo(name, kind, len(channels), rate_hz, "float32", f"test {name}")
    described = info.desc().append_child("channels")
    for label, unit, of in channels:
        channel = described.append_child("channel")
        for key, value in (("label", label), ("unit", unit), ("type", of)):
            channel.append_child_value(key, value)
    return pylsl.StreamOutlet(info)


@pytest.fixture
def outlets(request):
    """sEMG, and a box whose clock runs 0.2 % fast, with two kinds of channels."""
    name = lsl_name(request.node.name)
    emg = outlet(f"emg {name}", "EMG", [(f"m{i}", "microvolts", "") for i in range(8)], EMG_HZ)
    axes = [
        (f"{kind} {a}", unit, kind)
        for kind, unit in (("ACC", "g"), ("Gyro", "deg/s"))
        for a in "XYZ"
    ]
    imu = outlet(f"imu {name}", "IMU", axes, IMU_HZ)
    return SimpleNamespace(emg=emg, imu=imu, names=f"emg {name},imu {name}")


def pushed(out, samples, rate_hz, begin_s, *, fast=1.0, first=0, size=50):
    """Pushes samples in chunks with the stamps of a clock."""
    for at in range(0, len(samples), size):
        part = samples[at : at + size]
        stamps = begin_s + (first + at + np.arange(len(part))) / (rate_hz * fast)
        out.push_chunk(part.tolist(), stamps.tolist())


def wait_for(out):
    assert out.wait_for_consumers(BOUND_S)


def opened(outlets, emg, imu, **more):
    """A source that has begun: the outlets give their first samples once it listens."""
    import threading

    begin_s = pylsl.local_clock() - 100.0

    def give() -> None:
        wait_for(outlets.emg)
        pushed(outlets.emg, emg, EMG_HZ, begin_s)
        wait_for(outlets.imu)
        pushed(outlets.imu, imu, IMU_HZ, begin_s, fast=1.002)
        for gap in more.get("after", ()):
            gap(begin_s)

    thread = threading.Thread(target=give, daemon=True)
    thread.start()
    source = open_source(f"lsl://{outlets.names}?timeout={BOUND_S:g}")
    joined(thread, "the outlets to give all")
    return source


def take(source, lengths):
    parts = [[] for _ in source.facts.streams]
    while any(sum(len(c.samples) for c in p) < n for p, n in zip(parts, lengths, strict=True)):
        for chunk in source.poll(1.0):
            parts[chunk.stream].append(chunk)
    numbers = [
        np.concatenate([np.arange(c.first, c.first + len(c.samples)) for c in p]) for p in parts
    ]
    return numbers, [np.concatenate([c.samples for c in p]) for p in parts]


def test_two_outlets_whose_clocks_drift_lose_and_reorder_nothing(outlets):
    rng = np.random.default_rng(0)
    emg = rng.normal(size=(6000, 8)).astype(np.float32)
    imu = rng.normal(size=(444, 6)).astype(np.float32)
    with opened(outlets, emg, imu) as source:
        streams = source.facts.streams
        assert [(s.modality, s.unit, s.rate_hz) for s in streams] == [
            ("emg", "µV", EMG_HZ), ("acc", "g", IMU_HZ), ("gyr", "deg/s", IMU_HZ),
        ]  # fmt: skip
        assert streams[0].channels == tuple(f"m{i}" for i in range(8))
        assert streams[2].channels == ("Gyro X", "Gyro Y", "Gyro Z")
        assert abs(streams[0].start_s - streams[1].start_s) < 2 * LSL_CLOCK_S
        numbers, found = take(source, [6000, 444, 444])
    for stream, whole in enumerate((emg, imu[:, :3], imu[:, 3:])):
        np.testing.assert_array_equal(numbers[stream], np.arange(len(whole)))
        np.testing.assert_array_equal(found[stream], whole)


def test_a_silent_outlet_keeps_nothing_of_another_waiting(outlets):
    """Oracle: samples that are sent while the first outlet, which sends no more, is waited for."""
    emg, imu = np.ones((50, 8), np.float32), np.ones((20, 6), np.float32)
    later = np.full((20, 6), 2, np.float32)
    with opened(outlets, emg, imu) as source:
        take(source, [50, 20, 20])
        first = source._inlets[0].inlet

        class Waited:
            """The first outlet's inlet: who waits for it sets off the second outlet."""

            unsent = True

            def pull_sample(self, timeout):
                if timeout and self.unsent:
                    self.unsent = False
                    begin_s = pylsl.local_clock()
                    pushed(outlets.imu, later, IMU_HZ, begin_s, fast=1.002)
                return first.pull_sample(timeout)

            pull_chunk = first.pull_chunk

        source._inlets[0].inlet = Waited()
        chunks = source.poll(BOUND_S)
    assert {chunk.stream for chunk in chunks} == {1, 2}
    assert (chunks[0].samples == 2).all()


def test_what_is_missing_between_stamps_counts_as_lost(outlets):
    """Oracle: 1,000 samples that are never pushed, half a second of the outlet's clock."""
    emg, imu = np.ones((500, 8), np.float32), np.ones((50, 6), np.float32)

    def later(begin_s):
        pushed(outlets.emg, 2 * emg, EMG_HZ, begin_s, first=1500)

    with opened(outlets, emg, imu, after=[later]) as source:
        numbers, found = take(source, [1000, 50, 50])
    assert numbers[0].tolist() == [*range(500), *range(1500, 2000)]
    assert (found[0][500:] == 2).all()


def test_a_stream_that_is_not_there_is_told():
    with pytest.raises(KdEdgeError) as caught:
        open_source("lsl://nobody has this?timeout=0.2")
    assert caught.value.code == "KD_SOURCE_TIMEOUT"


def test_scores_and_onsets_go_out_with_their_names(request):
    """Oracle: the windows that the view was told."""
    name = lsl_name(f"out {request.node.name}")
    out = LslOut(name, replace(FACTS, decides=True, here=True))
    inlets = {}
    for part in ("scores", "events"):
        (info,) = pylsl.resolve_byprop("name", f"{name} {part}", 1, BOUND_S)
        inlets[part] = pylsl.StreamInlet(info)
        inlets[part].open_stream(BOUND_S)
    channel = inlets["scores"].info(BOUND_S).desc().child("channels").child("channel")
    assert channel.child_value("label") == FACTS.classes[0]
    onset = SeenDecision("rain", "rain", 0.9, True, False, None)
    windows = [replace(seen(0), delay_ms=1000.0), replace(seen(1, best=1), decision=onset)]
    said_s = []
    for window in windows:
        before = pylsl.local_clock()
        out.window(window, None)
        said_s.append((before, pylsl.local_clock()))
    for window, (before, after) in zip(windows, said_s, strict=True):
        shares, stamp = inlets["scores"].pull_sample(BOUND_S)
        np.testing.assert_allclose(shares, window.shares, atol=1e-6)
        assert before <= stamp + (window.delay_ms or 0) / 1e3 <= after
    assert inlets["events"].pull_sample(BOUND_S)[0] == ["rain"]
