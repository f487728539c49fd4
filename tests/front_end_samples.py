"""Front ends that the tests of the board's front end share."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kd_edge.base.front_end import FrontEndConstants, InputLayout
from kd_edge.examples.raw import from_counts
from kd_edge.frontend import StreamFrontEnd, apply_stream, design_stream

EMG_HZ = 1e6 / 900


IMU_HZ = 1e6 / 6750


PLAIN = StreamFrontEnd()


# name -> streams (name, settings, rate, units a count, channels), inputs (name, streams, samples).
DESIGNS = {
    "ISL: envelope at 200 Hz": (
        [
            ("emg", StreamFrontEnd(envelope_hz=5.0), 200.0, 1.0, 8),
            ("gyr", PLAIN, 200.0, 0.0625, 3),
            ("acc", PLAIN, 200.0, 2.0**-11, 3),
        ],
        [("all", ("emg", "gyr", "acc"), 400)],
    ),
    "seed, single: band-pass, envelope, 2 of 15": (
        [
            (
                "emg",
                StreamFrontEnd(band_pass_hz=(20, 450), envelope_hz=8.0, rate_hz=148.148148),
                EMG_HZ,
                1.678e-4,
                3,
            ),
            ("acc", PLAIN, IMU_HZ, 2.0**-13, 9),
            ("gyr", PLAIN, IMU_HZ, 1 / 65.5, 9),
        ],
        [("all", ("emg", "acc", "gyr"), 400)],
    ),
    "seed, several inputs: band-pass, envelope": (
        [
            ("emg", StreamFrontEnd(band_pass_hz=(20, 450), envelope_hz=8.0), EMG_HZ, 1.678e-4, 3),
            ("acc", PLAIN, IMU_HZ, 2.0**-13, 9),
            ("gyr", PLAIN, IMU_HZ, 1 / 65.5, 9),
        ],
        [("emg", ("emg",), 3000), ("acc", ("acc",), 400), ("gyr", ("gyr",), 400)],
    ),
    "demo: band-pass, notch, envelope, 2 of 15; two joined": (
        [
            (
                "emg",
                StreamFrontEnd(
                    band_pass_hz=(20, 450), notch_hz=(50,), envelope_hz=8.0, rate_hz=148.148148
                ),
                EMG_HZ,
                1.678e-4,
                3,
            ),
            ("acc", PLAIN, IMU_HZ, 2.0**-13, 9),
            ("gyr", PLAIN, IMU_HZ, 1 / 65.5, 9),
        ],
        [("emg", ("emg",), 400), ("imu", ("acc", "gyr"), 400)],
    ),
    "high-pass of order 8; notches; 1 of 2": (
        [
            ("a", StreamFrontEnd(high_pass_hz=20, order=8, rate_hz=500), 1000.0, 0.01, 2),
            ("b", StreamFrontEnd(notch_hz=(50, 100), notch_q=10), 500.0, 0.5, 1),
        ],
        [("x", ("a", "b"), 200)],
    ),
    "1 of 64; 3 of 7; a stream in two inputs": (
        [
            ("a", StreamFrontEnd(rate_hz=31.25), 2000.0, 1.0, 2),
            ("b", StreamFrontEnd(rate_hz=300.0, envelope_hz=20), 700.0, 0.25, 3),
        ],
        [("x", ("a",), 20), ("y", ("b",), 37), ("z", ("b", "b"), 37)],
    ),
    "logarithm of an envelope, running; a stream twice; one as it is": (
        [
            ("emg", StreamFrontEnd(envelope_hz=5.0, rate_hz=50.0), 200.0, 0.25, 4),
            ("acc", PLAIN, 50.0, 2.0**-11, 3),
            ("gyr", PLAIN, 50.0, 0.0625, 3),
        ],
        [("a", ("emg", "acc"), 100), ("b", ("gyr", "emg"), 100)],
    ),
    "differences, two behind a band-pass and one of raw samples; a ring": (
        [
            (
                "emg",
                StreamFrontEnd(
                    band_pass_hz=(20, 450), envelope_hz=5.0, rate_hz=200.0, differences=2
                ),
                1000.0,
                1e-3,
                3,
            ),
            ("ring", StreamFrontEnd(envelope_hz=5.0, rate_hz=50.0, differences=1), 200.0, 1.0, 4),
            ("acc", PLAIN, 50.0, 2.0**-11, 3),
        ],
        [("x", ("emg",), 40), ("y", ("ring", "acc", "ring"), 25)],
    ),
}


def constants_of(streams, inputs, fitted) -> FrontEndConstants:
    """The design, normalised by what noise of full scale becomes."""
    rng = np.random.default_rng(2)
    designed = []
    for name, settings, rate_hz, lsb, channels in streams:
        stream = design_stream(
            name,
            settings,
            channels=tuple(f"{name}{i}" for i in range(channels)),
            source_rate_hz=rate_hz,
            unit="mV",
            lsb=lsb,
        )
        stream = replace(stream, **fitted.get(name, {}))
        y = apply_stream(from_counts(noise(rng, 4000, channels), lsb), stream)
        if stream.log_floor:
            y = np.log(np.maximum(y, 0) + stream.log_floor)
        mean, scale = y.mean(axis=0), 1 / y.std(axis=0)
        designed.append(
            replace(stream, mean=tuple(map(float, mean)), scale=tuple(map(float, scale)))
        )
    width = {stream.name: len(stream.features) for stream in designed}
    layouts = [InputLayout(n, s, (samples, sum(width[m] for m in s))) for n, s, samples in inputs]
    return FrontEndConstants(tuple(designed), tuple(layouts))


def noise(rng, n, channels) -> np.ndarray:
    return np.clip(rng.normal(300, 6000, (n, channels)), -32768, 32767).astype(np.int16)
