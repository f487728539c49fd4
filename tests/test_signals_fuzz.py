"""Readers under fire: any bytes give recordings or a KdEdgeError, and never a wrong number."""

from __future__ import annotations

import gzip
import io
import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kd_edge.base.errors import KdEdgeError
from kd_edge.signals import delsys, delsys_api, emgworks, folder, npz, plain_csv
from kd_edge.signals.sets import isl_alphabet_myo

DISCOVER = (
    b"Application:, Trigno Discover (1.7.0)\r\n"
    b"Date/Time:, 4/10/2026 12:13:39 PM\r\n"
    b"Collection Length (seconds):, 0.0225\n"
    b"EMG 01 (11), , , FSR 21 (22), HR Strap  (6)\r\n"
    b"sensor mode: 55, , , sensor mode: 244, sensor mode: 0\r\n"
    b"EMG 1 (mV), ACC X (G), ACC Y (G), Analog 1 (%), Heart Rate Time Series (s), "
    b"Heart Rate (BPM)\r\n"
    b"222.2222 Hz, 148.1481 Hz, 148.1481 Hz, 74.0741 Hz, , -1 Hz\r\n"
    b"-0.125, 1.5, 2.25, 50.5, 0.002, 76.5\r\n"
    b"0.25, 3.5, 4.25, 60.5, 0.014, 77.5\r\n"
    b"0.375, 5.5, 6.25, , 0.021, 78.5\r\n"
    b"0.4375, , , , , \r\n"
    b"0.5625, , , , , \r\n"
)
EMGWORKS = (
    "Label: A: EMG 1 Sampling frequency: 1.259259e+003 Number of points: 9 "
    "start: 0.000000e+000 Unit: V Domain Unit: s\r\n"
    "Label: A: GYRO.X 1 Sampling frequency: 1.481481e+002 Number of points: 3 "
    "start: 0.000000e+000 Unit: °/s Domain Unit: s\r\n\r\n"
    'X[s],"A: EMG 1",X[s],"A: GYRO.X 1"\r\n'
    "0,0.125,0,1.5\r\n0.0007941176,0.25,0.00675,3.5\r\n"
    "0.001588235,0.375,0.0135,5.5\r\n0.002382353,0.4375,,\r\n"
).encode()
PLAIN = b"# rate_hz = 100\n# sensor = w\ntime,emg_1 (mV),acc x (g)\n" + b"".join(
    f"{i / 100:.2f},{i * 0.5 - 1},{-i * 0.25}\n".encode() for i in range(6)
)
API = (
    b"(1)Avanti Sensor,,(2)Avanti Sensor\n"
    b"EMG 1 (222.222),ACC X (148.148),EMG 1 (222.222)\n"
    b"-0.125,1.5,0.5\n0.25,3.5,0.25\n0.375,5.5,0.125\n-0.4375,,1.5\n0.5625,,2.5\n"
)
RENAMED = EMGWORKS.split(b"\r\n\r\n")[1].replace(b'X[s],"A: GYRO', b'X[s].1,"A: GYRO')
MILLISECONDS = b"time (ms),emg_1 (mV)\n" + b"".join(b"%d,%d\n" % (5 * i, i % 4) for i in range(8))
GENUINE = {
    "discover.csv": (delsys.read, DISCOVER),
    "discover.csv.gz": (delsys.read, gzip.compress(DISCOVER, mtime=0)),
    "emgworks.csv": (emgworks.read, EMGWORKS),
    "plain.csv": (plain_csv.read, PLAIN),
    "api.csv": (delsys_api.read, API),
    "renamed.csv": (emgworks.read, RENAMED),
    "milliseconds.csv": (plain_csv.read, MILLISECONDS),
}
JUNK = (b"x", b"1,5", b'"1"', b"nan", b"--1", b"1e", b"0x1", b"1_0", b"1 2", b"\0", b"\xff", b"1;2")
_relaxed = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.differing_executors],
)


def outcome(read, name: str, content: bytes):
    """The recordings that `read` gives, or its KdEdgeError; anything else is a failure."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / name
        path.write_bytes(content)
        try:
            recordings = read(path)
        except KdEdgeError as error:
            return error
    for recording in recordings:
        for stream in recording.streams:
            assert np.isfinite(stream.samples).all()
            assert 0 < stream.rate_hz < np.inf
    return recordings


def samples_of(recordings) -> dict[tuple, np.ndarray]:
    (recording,) = recordings
    return {
        (s.modality, s.sensor, name): s.samples[:, i]
        for s in recording.streams
        for i, name in enumerate(s.channels)
    }


@st.composite
def mutated(draw, content: bytes) -> bytes:
    """The content with up to four pieces cut out, doubled, replaced or put in."""
    pieces = st.one_of(
        st.binary(max_size=6),
        st.sampled_from([b",", b"\n", b"\r\n", b",,", b" ", b'"', b"Hz", b"1e400", b"-", b"\xef"]),
    )
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(content)))
        end = min(start + draw(st.sampled_from([0, 0, 1, 2, 5, 40])), len(content))
        middle = draw(st.one_of(pieces, st.just(content[start:end] * 2)))
        content = content[:start] + middle + content[end:]
    return content


@pytest.mark.parametrize("name", GENUINE)
def test_the_files_to_be_spoilt_are_good(name):
    """Oracle: no error before the fuzzing."""
    read, content = GENUINE[name]
    assert isinstance(outcome(read, name, content), list)


@pytest.mark.parametrize("name", GENUINE)
@_relaxed
@given(content=st.binary(max_size=300))
def test_arbitrary_bytes_give_recordings_or_an_error(name, content):
    """Oracle: no other exception."""
    outcome(GENUINE[name][0], name, content)


@pytest.mark.parametrize("name", GENUINE)
@_relaxed
@given(data=st.data())
def test_mutated_files_give_recordings_or_an_error(name, data):
    """Oracle: no other exception, finite samples and rates."""
    read, content = GENUINE[name]
    outcome(read, name, data.draw(mutated(content)))


@pytest.mark.parametrize("name", ["discover.csv", "emgworks.csv", "plain.csv", "api.csv"])
def test_a_file_cut_anywhere_gives_an_error_or_the_beginning_of_its_samples(name):
    """Oracle: the samples of the whole file; every length is tried."""
    read, content = GENUINE[name]
    whole = samples_of(outcome(read, name, content))
    n_read = 0
    for length in range(len(content)):
        found = outcome(read, name, content[:length])
        if isinstance(found, KdEdgeError):
            continue
        n_read += 1
        for key, samples in samples_of(found).items():
            np.testing.assert_array_equal(samples, whole[key][: len(samples)])
    assert n_read < 12  # whole rows only, with either line end


@pytest.mark.parametrize("name", ["discover.csv", "emgworks.csv", "plain.csv"])
@_relaxed
@given(data=st.data())
def test_junk_in_any_cell_is_refused_in_its_row(name, data):
    """Oracle: the row that was spoilt; junk is nothing that a number may look like."""
    read, content = GENUINE[name]
    lines = content.split(b"\n")
    first = next(i for i, line in enumerate(lines) if line[:1] in b"-0" and b"," in line)
    row = data.draw(st.integers(first, len(lines) - 2))
    cells = lines[row].split(b",")
    column = data.draw(st.integers(0, len(cells) - 1))
    cells[column] = data.draw(st.sampled_from(JUNK))
    lines[row] = b",".join(cells)
    error = outcome(read, name, b"\n".join(lines))
    assert isinstance(error, KdEdgeError)
    assert f"row {row + 1}, column" in error.where


@_relaxed
@given(data=st.data())
def test_mutated_npz_files_give_recordings_or_an_error(data):
    """Oracle: no other exception."""
    stream = io.BytesIO()
    np.savez(stream, emg=np.arange(6.0), label="a", **{"emg.rate_hz": 5.0, "emg.unit": "V"})
    outcome(npz.read, "f.npz", data.draw(mutated(stream.getvalue())))


@_relaxed
@given(data=st.data())
def test_mutated_labels_give_recordings_or_an_error(data):
    """Oracle: no other exception."""
    labels = b"file,label,subject,session,trial,start,end\nplain.csv,a,S,x,0,,\n"
    labels += b'"plain.csv",b,S,x,1,0.01,0.04\n'

    def read(path: Path):
        (path.parent / "plain.csv").write_bytes(PLAIN)
        return folder.read(path.parent)

    outcome(read, "labels.csv", data.draw(mutated(labels)))


@_relaxed
@given(data=st.data())
def test_mutated_trials_of_the_sign_alphabet_give_recordings_or_an_error(data):
    """Oracle: no other exception."""
    axes = {"gyroscope": [1, 2, 3], "acceleration": [0, 0, 1], "orientation": [1, 0, 0, 0]}
    trial = {
        "timestamp": "26/06/20/10:00:01",
        "emg": {"frequency": 200, "data": [[1, 2, 3, 4, 5, 6, 7, 8]] * 2},
        "imu": {"frequency": 200, "data": [axes] * 2},
    }

    def read(path: Path):
        return isl_alphabet_myo.read(path.parent)

    outcome(read, "A.json", data.draw(mutated(json.dumps(trial).encode())))
