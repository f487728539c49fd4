"""A live source for an hour at true speed: samples lost, changed or out of order, and memory.

    python benchmarks/soak_sources.py trigno --seconds 3600 --out /tmp/soak
    python benchmarks/soak_sources.py lsl --seconds 3600 --out /tmp/soak

`trigno`: 16 sensors of an emulated base (sEMG at 1259 to 2148 Hz, IMU at 148 Hz), in TCP pieces of
random sizes. `lsl`: two outlets, 16 channels at 2000 Hz and 6 at 148 Hz, whose clocks run 50
millionths fast and slow. Another process sends what it knows, over and over; every sample is
compared as it comes, and again in the recording that is made of them. Linux alone tells memory.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from kd_edge.link.messages import Samples
from kd_edge.live.recorder import Kept, Recorder
from kd_edge.live.sources import open_source
from kd_edge.live.taking import sensors_of
from kd_edge.signals.npz_writer import write_npz
from kd_edge.signals.recording import Recording, Stream

FRAME_S = 0.0135
_FRAMES = 4000  # 54 s
_DRIFT = {"soak emg": 50e-6, "soak imu": -50e-6}  # outlet -> by how much its clock runs fast
_PUSH_S = 0.02
_BEAT_S = 0.05


def made(kind: str) -> Recording:
    """What is sent: noise, so that a sample out of its place is seen."""
    rng = np.random.default_rng(7)
    frames = _FRAMES
    if kind == "lsl":
        shapes = [("emg", "soak emg", 2000.0, 16, "µV"), ("acc", "soak imu", 148.0, 3, "g")]
        shapes.append(("gyr", "soak imu", 148.0, 3, "deg/s"))
        lengths = {2000.0: 120_000, 148.0: 8880}
    else:
        emg_hz = [n / FRAME_S for n in (17, 26, 27, 29)] * 4
        imu_hz = 2 / FRAME_S
        shapes = []
        for number, rate_hz in enumerate(emg_hz, start=1):
            name = f"s{number:02d}"
            shapes.append(("emg", name, rate_hz, 1, "V"))
            shapes += [("acc", name, imu_hz, 3, "g"), ("gyr", name, imu_hz, 3, "deg/s")]
        lengths = {rate: frames * round(rate * FRAME_S) for _, _, rate, _, _ in shapes}
    streams = []
    for modality, name, rate_hz, n, unit in shapes:
        channels = tuple(f"{name} {modality} {i}" for i in range(n))
        samples = rng.normal(0, 1e-3, (lengths[rate_hz], n)).astype(np.float32)
        streams.append(Stream(modality, name, channels, samples, rate_hz, unit))
    return Recording(tuple(streams), "soak", synthetic=True)


@contextlib.contextmanager
def _base(record: Recording, folder: Path) -> Iterator[tuple[str, int]]:
    """The URL of an emulated base, and its process."""
    path = folder / "sent.npz"
    write_npz(record, path)
    command = [sys.executable, "-m", "kd_edge", "data", "serve-trigno", path, "--ports", "0,0,0"]
    with subprocess.Popen([*command, "--json", "--pieces", "3"], stdout=subprocess.PIPE) as process:
        try:
            yield json.loads(process.stdout.readline())["url"], process.pid
        finally:
            process.terminate()


@contextlib.contextmanager
def _outlets(record: Recording, folder: Path) -> Iterator[tuple[str, int]]:
    """The URL of two outlets, and their process."""
    command = [sys.executable, __file__, "outlets", "--out", str(folder)]
    with subprocess.Popen(command) as process:
        try:
            yield f"lsl://{','.join(_DRIFT)}?timeout=60", process.pid
        finally:
            process.terminate()


def push_for_ever(record: Recording) -> None:
    """Two outlets by clocks of their own, from when both have a listener."""
    import pylsl

    sent = {}
    for name, drift in _DRIFT.items():
        streams = [s for s in record.streams if s.sensor == name]
        columns = np.concatenate([s.samples for s in streams], axis=1)
        rate_hz = streams[0].rate_hz
        info = pylsl.StreamInfo(name, "x", columns.shape[1], rate_hz, "float32", f"kd-edge {name}")
        described = info.desc().append_child("channels")
        for stream in streams:
            for label in stream.channels:
                channel = described.append_child("channel")
                for key, value in (
                    ("label", label), ("unit", stream.unit), ("type", stream.modality),
                ):  # fmt: skip
                    channel.append_child_value(key, value)
        sent[name] = [pylsl.StreamOutlet(info), columns, rate_hz * (1 + drift), 0, 0.0]
    while True:
        for each in sent.values():
            outlet, columns, rate_hz, done, begun_s = each
            if not begun_s:
                if not outlet.have_consumers():
                    continue
                each[4] = begun_s = pylsl.local_clock()
            due = int((pylsl.local_clock() - begun_s) * rate_hz)
            if due > done:
                numbers = np.arange(done, due)
                rows = columns[numbers % len(columns)]
                outlet.push_chunk(rows.tolist(), (begun_s + numbers / rate_hz).tolist())
                each[3] = due
        time.sleep(_PUSH_S)


class Checked:
    """What came of one stream, beside what was sent."""

    def __init__(self, sent: np.ndarray):
        self.sent, self.next, self.lost, self.back, self.changed = sent, 0, 0, 0, 0
        self.came = 0

    def add(self, first: int, samples: np.ndarray) -> None:
        self.lost += max(0, first - self.next)
        self.back += first < self.next
        numbers = np.arange(first, first + len(samples)) % len(self.sent)
        self.changed += int((self.sent[numbers] != samples).any(axis=1).sum())
        self.came += len(samples)
        self.next = first + len(samples)


def memory_mb(pid: int | str, what: str = "VmRSS") -> float:
    """Megabytes that a process holds; `VmHWM`: that it held at most."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(what):
            return int(line.split()[1]) / 1e3
    raise ValueError(f"/proc/{pid}/status does not say {what}")


def soak(kind: str, seconds: float, folder: Path) -> None:
    record = made(kind)
    folder.mkdir(parents=True, exist_ok=True)
    checked = [Checked(stream.samples) for stream in record.streams]
    sending = _base if kind == "trigno" else _outlets
    with sending(record, folder) as (url, pid), open_source(url) as source:
        sensors = sensors_of(source.facts, 3.0)
        recorder = Recorder(folder / f"{kind}.npz", Kept(sensors, synthetic=True), label="soak")
        begun_s = said_s = time.monotonic()
        while time.monotonic() - begun_s < seconds:
            for chunk in source.poll(_BEAT_S):
                checked[chunk.stream].add(chunk.first, chunk.samples)
                recorder.take(Samples(chunk.stream, chunk.first, 0, chunk.samples))
            if time.monotonic() >= said_s:
                said_s += seconds / 12
                _say(kind, time.monotonic() - begun_s, checked, pid)
        lasted_s = time.monotonic() - begun_s
        _say(kind, lasted_s, checked, pid)
    done = recorder.finish()
    changed = _changed(done.path, record, checked)
    print(
        f"{kind}: {done.path.stat().st_size / 1e6:.0f} MB recorded, {done.gaps} gaps, "
        f"{changed} samples of it otherwise; at most {memory_mb('self', 'VmHWM'):.0f} MB held"
    )


def _say(kind: str, lasted_s: float, checked: list[Checked], pid: int) -> None:
    came, lost, back, changed = (
        sum(getattr(one, name) for one in checked) for name in ("came", "lost", "back", "changed")
    )
    print(
        f"{kind}, {lasted_s:.0f} s: {came} samples of {len(checked)} streams, {lost} lost, "
        f"{back} out of order, {changed} changed; {memory_mb('self'):.1f} MB here, "
        f"{memory_mb(pid):.1f} MB there; {time.process_time():.0f} s of processor time",
        flush=True,
    )


def _changed(path: Path, record: Recording, checked: list[Checked]) -> int:
    """Samples of a recording that are not those that were sent, or are missing."""
    changed = 0
    with np.load(path) as kept:
        for index, (stream, one) in enumerate(zip(record.streams, checked, strict=True)):
            samples = kept[f"stream_{index}"]
            changed += abs(len(samples) - one.came)
            numbers = np.arange(len(samples)) % stream.n_samples
            changed += int((samples != stream.samples[numbers]).any(axis=1).sum())
    return changed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=["trigno", "lsl", "outlets"])
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--out", type=Path, required=True, help="gets the recording")
    asked = parser.parse_args()
    if asked.kind == "outlets":
        push_for_ever(made("lsl"))
    else:
        soak(asked.kind, asked.seconds, asked.out)


if __name__ == "__main__":
    main()
