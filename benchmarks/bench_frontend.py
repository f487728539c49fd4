"""The front end on a Delsys recording, against SciPy's zero-phase filters doing the same work.

pytest benchmarks/bench_frontend.py --benchmark-json=front_end.json
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal

from kd_edge.examples import Windowing, cut_windows
from kd_edge.frontend import StreamFrontEnd, apply_stream, design_stream
from kd_edge.signals.simulate import SignSettings, simulate

RATE_HZ = 1e6 / 900
SETTINGS = StreamFrontEnd(band_pass_hz=(20, 450), notch_hz=(50,), envelope_hz=8, rate_hz=148.148148)
SAMPLES = np.random.default_rng(0).normal(size=(3000, 3))


def zero_phase() -> np.ndarray:
    """The same steps forwards and backwards, as a script for a paper would have them."""
    band = signal.butter(4, [20, 450], "bandpass", fs=RATE_HZ, output="sos")
    low = signal.butter(2, 8, fs=RATE_HZ, output="sos")
    notch = signal.tf2sos(*signal.iirnotch(50, 30, fs=RATE_HZ))
    x = signal.sosfiltfilt(np.concatenate([band, notch]), SAMPLES, axis=0)
    x = signal.sosfiltfilt(low, np.abs(x), axis=0)
    return signal.resample_poly(x, 2, 15, axis=0)


@pytest.mark.benchmark(group="front end, 3 sEMG channels x 3,000 samples")
def test_front_end(benchmark):
    """Designed once, as for a dataset; run on one recording."""
    constants = design_stream("emg", SETTINGS, channels=("a", "b", "c"), source_rate_hz=RATE_HZ)
    assert benchmark(apply_stream, SAMPLES, constants).shape == (400, 3)


@pytest.mark.benchmark(group="front end, 3 sEMG channels x 3,000 samples")
def test_peer_scipy_zero_phase(benchmark):
    """SciPy, filters designed on each call."""
    assert benchmark(zero_phase).shape == (400, 3)


@pytest.mark.benchmark(group="windows of 40 recordings")
def test_cutting_windows(benchmark):
    """Front end and windows of 40 recordings of 3 sensors."""
    recordings = simulate(SignSettings(n_signs=2, n_subjects=2, n_repetitions=10))
    front_end = {"emg": SETTINGS, "acc": StreamFrontEnd(), "gyr": StreamFrontEnd()}
    windows = Windowing(length_s=2.7, steps=10, inputs={"all": ("emg", "acc", "gyr")})
    names = tuple(sorted({recording.label for recording in recordings}))
    cut, _ = benchmark(cut_windows, recordings, front_end, windows, names)
    assert cut.input_shapes == {"all": (10, 40, 21)}
