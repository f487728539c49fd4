"""A front end that follows its wearer, its windows and its firmware's settings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from firmware_samples import EMG_HZ

from firmware_export.settings import FirmwareSettings
from kd_edge.base.front_end import FrontEndConstants, InputLayout, raw_samples
from kd_edge.base.roll import RollConstants
from kd_edge.base.running import RunningConstants, RunningState
from kd_edge.frontend import StreamFrontEnd, design_stream

RUNNING = RunningConstants(weight_windows=2, memory_windows=5, floor=0.125)
CHANNELS = 21
STATES = CHANNELS + 2  # and gravity's
ROLL = RollConstants("acc", (("acc", 3, 4), ("gyr", 2, 1)), (("emg", -1),), memory_windows=4)


def front_end() -> FrontEndConstants:
    """A ring of log envelopes that learn, a sensor that learns and one that is turned alone."""
    emg = StreamFrontEnd(envelope_hz=8.0, rate_hz=148.148148)
    designs = {
        "emg": (emg, EMG_HZ, 3, {"log_floor": (0.01, 0.02, 0.05), "running": RUNNING}),
        "acc": (StreamFrontEnd(), 148.148148, 9, {"running": RUNNING}),
        "gyr": (StreamFrontEnd(), 148.148148, 9, {}),
    }
    streams = tuple(
        replace(
            design_stream(
                name,
                settings,
                channels=tuple(f"{name}{i}" for i in range(n)),
                source_rate_hz=rate_hz,
                lsb=2.0**-13,
            ),
            mean=(-0.5,) * n,
            scale=(1.5,) * n,
            **fitted,
        )
        for name, (settings, rate_hz, n, fitted) in designs.items()
    )
    layout = InputLayout("t0_0", tuple(designs), (10, 40, CHANNELS))
    return FrontEndConstants(streams, (layout,), roll=ROLL)


def settings(constants: FrontEndConstants) -> FirmwareSettings:
    return FirmwareSettings(
        name="dense", labels=(), arena_bytes=0, arena_how="", front_end=constants, golden=None,
        synthetic=True, generator="kd-edge test",
    )  # fmt: skip


def windows(n, *, seed) -> list[tuple[np.ndarray, ...]]:
    """Raw windows of a person who is stronger than the training part; one clips on channel 0."""
    rng = np.random.default_rng(seed)
    constants = front_end()
    made = [
        tuple(
            rng.normal(400, 1500 + 4000 * rng.random(), (samples, len(stream.channels)))
            .clip(-32768, 32767)
            .astype(np.int16)
            for stream, samples in zip(
                constants.streams, raw_samples(constants).values(), strict=True
            )
        )
        for _ in range(n)
    ]
    made[1][0][30, 0] = 32767
    return made


def same(found, expected: RunningState) -> None:
    for name in ("mean", "square", "windows"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
