"""A front end and its counts, for the tests of firmware that runs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from firmware_samples import (
    EMG_HZ,
    IMU_HZ,
)

from kd_edge.base.front_end import Counts, FrontEndConstants, InputLayout, raw_samples
from kd_edge.frontend import StreamFrontEnd, design_stream


def front_end() -> FrontEndConstants:
    """Every step for the sEMG at the sensors' own rates, none for the accelerometer."""
    emg = StreamFrontEnd(band_pass_hz=(20, 450), notch_hz=(50,), envelope_hz=20, rate_hz=148.148148)
    streams = (
        replace(
            design_stream("emg", emg, channels=("a", "b", "c"), source_rate_hz=EMG_HZ, lsb=2e-4),
            mean=(0.3, 0.31, 0.29),
            scale=(4.0, 3.5, 4.5),
        ),
        replace(
            design_stream(
                "acc", StreamFrontEnd(), channels=("x", "y"), source_rate_hz=IMU_HZ, lsb=2.0**-14
            ),
            mean=(0.01, -0.02),
            scale=(1.5, 1.25),
        ),
    )
    layouts = (InputLayout("emg", ("emg",), (4, 12, 3)), InputLayout("acc", ("acc",), (2,)))
    return FrontEndConstants(streams, layouts)


def counts(rng) -> Counts:
    samples = raw_samples(front_end())
    return {
        "emg": np.clip(rng.normal(500, 3000, (samples["emg"], 3)), -32768, 32767).astype(np.int16),
        "acc": rng.integers(-32768, 32768, (samples["acc"], 2)).astype(np.int16),
    }
