"""Reading a Trigno Discover export of the usual size, against general CSV parsers.

The file has 18 sensors, 111 signals at four rates and about 17 MB: 13,333 rows in which no column
has ended yet, as the genuine one of the public package `delsys` has. The peers only turn cells into
a table of doubles: no sensors, rates or units, no ends of columns, no refusal of a broken file.

    pytest benchmarks/bench_reading.py --benchmark-json=reading.json
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from kd_edge.signals import delsys

SECONDS = 6.0
N_ROWS = 13_333
EMG_SENSORS = 13
IMU_SIGNALS = ("ACC X (G)", "ACC Y (G)", "ACC Z (G)", "GYRO X (deg/s)", "GYRO Y (deg/s)")
IMU_SIGNALS += ("GYRO Z (deg/s)",)
# sensors of one kind: (how many, name, signals, rates in Hz)
KINDS = (
    (EMG_SENSORS, "EMG", ("EMG 1 (mV)", *IMU_SIGNALS), (1259.2593, *[148.1481] * 6)),
    (3, "Quattro", tuple(f"EMG {i} (mV)" for i in range(1, 5)), (2222.2222,) * 4),
    (2, "FSR", tuple(f"Analog {i} (%)" for i in range(1, 5)), (518.5185,) * 4),
)


@pytest.fixture(scope="module")
def export(tmp_path_factory) -> Path:
    """An export of 18 sensors and 111 signals, with values of seven decimals, made from noise."""
    path = tmp_path_factory.mktemp("reading") / "export.csv"
    sensors, modes, titles, rates = [], [], [], []
    for count, name, signals, hz in KINDS:
        for _ in range(count):
            number = sum(bool(s) for s in sensors) + 1
            sensors += [f"{name} {number:02d} ({80000 + number})"] + [""] * (len(signals) - 1)
            modes += ["sensor mode: 55"] + [""] * (len(signals) - 1)
            titles += signals
            rates += hz
    assert (sum(bool(s) for s in sensors), len(titles)) == (18, 111)
    rng = np.random.default_rng(0)
    columns = [[f"{x:.7f}" for x in rng.normal(scale=3, size=N_ROWS)] for _ in rates]
    with open(path, "w", newline="") as stream:
        stream.write("Application:, Trigno Discover (1.7.0)\r\n")
        stream.write("Date/Time:, 4/10/2026 12:13:39 PM\r\n")
        stream.write(f"Collection Length (seconds):, {SECONDS:.6f}\n")
        header = (sensors, modes, titles, [f"{rate:.4f} Hz" for rate in rates])
        for row in (*header, *zip(*columns, strict=True)):
            stream.write(", ".join(row) + "\r\n")
    size_mb = path.stat().st_size / 1e6
    assert 16 < size_mb < 19, size_mb
    return path


def read_with_pandas(path: Path) -> int:
    """A data frame of the same cells."""
    import pandas as pd

    return pd.read_csv(path, skiprows=7, header=None, skipinitialspace=True).size


def read_with_numpy(path: Path) -> int:
    """An array of the same cells; empty ones become NaN."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.genfromtxt(path, delimiter=",", skip_header=7).size


def test_reading_an_export(benchmark, export):
    """The whole reader: header, checked cells, streams. At most 2 s."""
    (recording,) = benchmark.pedantic(delsys.read, (export,), rounds=5, warmup_rounds=1)
    assert sum(len(s.channels) for s in recording.streams) == 111
    assert benchmark.stats.stats.median < 2.0


def test_peer_pandas_read_csv(benchmark, export):
    """pandas.read_csv: C, forgiving."""
    assert benchmark.pedantic(read_with_pandas, (export,), rounds=5, warmup_rounds=1)


def test_peer_numpy_genfromtxt(benchmark, export):
    """numpy.genfromtxt: the usual advice for files with empty cells."""
    assert benchmark.pedantic(read_with_numpy, (export,), rounds=1)
