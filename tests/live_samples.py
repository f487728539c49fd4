"""A board that streams, facts and answers that the tests of `live` share."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from emulated import unhurried
from firmware_samples import two_input_model
from programs import need

from firmware_export.boards import find_board
from firmware_export.boards.emulator import start
from firmware_export.firmware import build_firmware, firmware_sources
from firmware_export.sensors import StreamSettings
from firmware_export.settings import FirmwareSettings
from kd_edge.base.decision import Decision
from kd_edge.base.front_end import FrontEndConstants, InputLayout, raw_samples
from kd_edge.frontend import StreamFrontEnd, design_stream
from kd_edge.link.device import Device
from kd_edge.link.messages import Answer, Samples
from kd_edge.link.stream import StreamWindow
from kd_edge.live.facts import Facts, Sensor, facts_of
from kd_edge.live.figures import Figures, HostAnswer, Seen, Tally, seen_window
from kd_edge.live.host import Host

CLASSES = ("wash", "rain", "<b>house</b>", "tree", "मित्र")
EMG_HZ, IMU_HZ, ACC_HZ = 1e4 / 9, 4e3 / 27, 2e3 / 27
HOP_S = 0.1
# LSL asks for an outlet's clock several times, and leaves out answers that took 128 ms and more: on
# a busy machine it knows that clock to half of that.
LSL_CLOCK_S = 0.064

EMG = Sensor("emg", ("left arm: EMG 1", "left arm: EMG 2"), "mV", 1.678e-4, EMG_HZ, 360)
ACC = Sensor("acc", ("ACC X", "ACC Y", "ACC Z"), "g", 2.0**-13, IMU_HZ, 48)
FACTS = Facts(
    board="test board", core="host", engine="none", firmware="0.1.2", port="/dev/none",
    clock_hz=25_000_000, ticks_kind="instructions", model_sha256="00" * 32, sensors=(EMG, ACC),
    classes=CLASSES, scale=0.5, zero_point=-3, title="a <i>title</i>", host="TFLite Micro",
)  # fmt: skip


def lsl_name(test: str) -> str:
    """A name for outlets that no other run gives: LSL looks for it in the whole network."""
    return f"{test} {uuid.uuid4().hex[:8]}"


def front_end() -> FrontEndConstants:
    """sEMG at 1111 Hz that becomes an envelope at 148 Hz, and accelerometers at 74 Hz."""
    emg = StreamFrontEnd(band_pass_hz=(20, 450), envelope_hz=20, rate_hz=148.148148)
    streams = (
        design_stream(
            "emg", emg, channels=tuple(f"arm: EMG {i}" for i in range(1, 7)),
            source_rate_hz=EMG_HZ, unit="mV", lsb=1.678e-4,
        ),
        design_stream(
            "acc", StreamFrontEnd(),
            channels=tuple(f"{sensor}: ACC {axis}" for sensor in (1, 2, 3) for axis in "XYZ"),
            source_rate_hz=ACC_HZ, unit="g", lsb=2.0**-13,
        ),
    )  # fmt: skip
    layouts = (InputLayout("emg", ("emg",), (40, 6)), InputLayout("acc:0", ("acc",), (20, 9)))
    return FrontEndConstants(streams, layouts)


def replay(n_windows: int = 6):
    """Raw windows that sensors play: bursts and slow turns, the same each time."""
    rng = np.random.default_rng(8)
    samples = raw_samples(front_end())
    windows = []
    for number in range(n_windows):
        burst = rng.normal(0, 400 + 1500 * (number % 3), (samples["emg"], 6))
        turn = 8000 * np.sin(number + np.arange(9) + np.linspace(0, 1, samples["acc"])[:, None])
        windows.append({"emg": burst.astype(np.int16), "acc": turn.astype(np.int16)})
    return windows


@contextlib.contextmanager
def streaming_board(
    folder: Path, name: str, *, runs_on: bool = False
) -> Iterator[tuple[str, Host]]:
    """A real image that streams on an emulated board: its port, and the host for its model."""
    made = replace(front_end(), runs_on=runs_on)
    board = find_board(name)
    need(board.core_facts.compiler or "cc")
    model = two_input_model(folder)
    settings = FirmwareSettings(
        name="live", labels=CLASSES, arena_bytes=0, arena_how="", front_end=made,
        golden=None, synthetic=True, generator="kd-edge test",
    )  # fmt: skip
    firmware = firmware_sources(
        model,
        board,
        settings,
        stream=unhurried(StreamSettings(hop_s=HOP_S), board),
        replay=replay(),
    )
    image = build_firmware(firmware, board, folder / "image")
    with start(board, image.elf, count_instructions=board.counts_instructions) as emulator:
        yield emulator.url, Host(model, made)


def facts_for(device: Device, host: Host) -> Facts:
    return facts_of(
        device.hello, device.name, classes=CLASSES, front_end=host.front_end, title="live test",
        host=host.name,
    )  # fmt: skip


def samples_of(stream: int, first: int, n: int, *, seed: int = 0) -> Samples:
    """n samples of a sensor of FACTS, the same for the same arguments."""
    rng = np.random.default_rng([stream, first, seed])
    n_channels = len(FACTS.sensors[stream].channels)
    values = rng.integers(-(2**15), 2**15, (n, n_channels)).astype(np.int16)
    return Samples(stream, first, first * 900, values)


def seen(
    number: int,
    *,
    best: int = 0,
    host: HostAnswer | None = None,
    decision: Decision | None = None,
    **more,
) -> Seen:
    """A window's answer; `best` has all of the score."""
    scores = np.full(len(CLASSES), -20, dtype=np.int8)
    scores[best] = 10
    window = StreamWindow(
        number * 100_000,
        None,
        Answer(number, scores, 1000 + number, 500, 250 + number, decision=decision),
    )
    ends = (360 + 111 * number, 48 + 15 * number)
    found = seen_window(window, FACTS, ends=ends, late_ms=1.5, host_scores=None, **more)
    return replace(found, host=host)


def figures_after(windows: list[Seen]) -> Figures:
    tally = Tally(len(FACTS.sensors))
    for window in windows:
        tally.add_window(window)
    return tally.figures(seconds=1.25, lost_frames=2, damaged_frames=1)
