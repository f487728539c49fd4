"""EMGworks exports: the genuine file, and small ones with preamble, faults and gaps."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from kd_edge.base.errors import KdEdgeError
from kd_edge.signals import emgworks, find_reader


def preamble(label: str, rate: str, points: int, unit: str) -> str:
    return (
        f"Label: {label} Sampling frequency: {rate} Number of points: {points} "
        f"start: 0.000000e+000 Unit: {unit} Domain Unit: s\r\n"
    )


TITLES = (
    'X[s],"Mini sensor 1: EMG 1",X[s],"Mini sensor 1: ACC.X 1",'
    'X[s],"Mini sensor 1: ACC.Y 1",X[s],"Mini sensor 1: GYRO.X 1"\r\n'
)
ROWS = (
    "0,0.1,0,1,0,2,0,9\r\n"
    "0.0007941176,0.2,0.00675,3,0.00675,4,0.00675,8\r\n"
    "0.001588235,0.3,0.0135,5,0.0135,6,0.0135,7\r\n"
    "0.002382353,0.4,,,,,,\r\n"
)
PREAMBLE = (
    preamble("Mini sensor 1: EMG 1", "1.259259e+003", 81141, "V")
    + preamble("Mini sensor 1: ACC.X 1", "1.481481e+002", 3, "g")
    + preamble("Mini sensor 1: ACC.Y 1", "1.481481e+002", 3, "g")
    + preamble("Mini sensor 1: GYRO.X 1", "1.481481e+002", 3, "°/s")
    + "Start Trigger Method: None\r\nStop Trigger Method: None\r\n\r\n"
)


def refused(path: Path) -> KdEdgeError:
    with pytest.raises(KdEdgeError) as caught:
        emgworks.read(path)
    return caught.value


def test_the_genuine_export_has_the_documented_sensors_and_signals(shared_data):
    """Oracle: 12 sensors and 69 signals, in the data's README."""
    path = shared_data("delsys_exports") / "emgworks.csv"
    assert find_reader(path).name == "emgworks-csv"
    (recording,) = emgworks.read(path)
    assert len({s.sensor for s in recording.streams}) == 12
    assert sum(len(s.channels) for s in recording.streams) == 69
    rates = {s.modality: s.rate_hz for s in recording.streams if "sensor 2" in s.sensor}
    assert rates == pytest.approx({"emg": 17 / 0.0135, "acc": 2 / 0.0135, "gyr": 2 / 0.0135})


def test_every_sample_of_the_genuine_export_is_the_number_in_its_cell(shared_data):
    """Oracle: the csv module and float(), cell by cell."""
    path = shared_data("delsys_exports") / "emgworks.csv"
    with open(path, newline="") as stream:
        titles, *rows = csv.reader(stream)
    expected = {
        title: np.array([float(row[i]) for row in rows], dtype=np.float32)
        for i, title in enumerate(titles)
        if title != "X[s]"
    }
    (recording,) = emgworks.read(path)
    found = {c: s.samples[:, i] for s in recording.streams for i, c in enumerate(s.channels)}
    assert set(found) == set(expected) != set()
    for title, samples in expected.items():
        np.testing.assert_array_equal(found[title], samples)


def test_the_preamble_gives_rates_and_units_and_its_counts_may_exceed_the_rows(write):
    """Oracle: the small file, read by eye; 81141 points are stated and four are there."""
    (recording,) = emgworks.read(write(PREAMBLE + TITLES + ROWS))
    emg, acc, gyr = recording.streams
    assert (emg.rate_hz, emg.unit, emg.sensor) == (1259.259, "V", "Mini sensor 1")
    assert acc.samples.tolist() == [[1, 2], [3, 4], [5, 6]]
    assert acc.channels == ("Mini sensor 1: ACC.X 1", "Mini sensor 1: ACC.Y 1")
    assert (gyr.modality, gyr.unit, gyr.rate_hz) == ("gyr", "°/s", 148.1481)
    assert len(recording.notes) == 1
    assert "81141" in recording.notes[0]


def test_without_a_preamble_the_times_give_trigno_rates_and_no_unit(write):
    """Oracle: 17 and 2 samples in a frame of 13.5 ms."""
    (recording,) = emgworks.read(write(TITLES + ROWS))
    assert [s.rate_hz for s in recording.streams] == pytest.approx(
        [17 / 0.0135, 2 / 0.0135, 2 / 0.0135], rel=1e-9
    )
    assert {s.unit for s in recording.streams} == {""}


def test_one_time_column_may_serve_all_signals(write):
    """Oracle: two signals at 100 Hz beside one time column."""
    text = 'X[s],"A: EMG 1","A: EMG 2"\n0,1,2\n0.01,3,4\n0.02,5,6\n'
    (recording,) = emgworks.read(write(text))
    (stream,) = recording.streams
    assert stream.rate_hz == pytest.approx(100)
    assert stream.samples.tolist() == [[1, 2], [3, 4], [5, 6]]


def test_a_gap_in_the_times_is_kept_and_noted(write):
    """Oracle: 100 Hz with 0.5 s missing before the last two samples."""
    times = [0, 0.01, 0.02, 0.03, 0.54, 0.55]
    text = 'X[s],"A: EMG 1"\n' + "".join(f"{t},{i}\n" for i, t in enumerate(times))
    (recording,) = emgworks.read(write(text))
    assert recording.streams[0].times_s.tolist() == times
    assert "0.5 s without samples after 0.03 s" in recording.notes[0]


@pytest.mark.parametrize(
    ("old", "new", "code", "place"),
    [
        ("0.0135,5,", "0.0135,five,", "KD_BAD_CELL", "row 11, column 4 (Mini sensor 1: ACC.X 1)"),
        ("0.0135,5,", "0.0135,,", "KD_BAD_FORMAT", "column 4"),
        ("0.00675,3,", "0.00675,,", "KD_BAD_CELL", "row 10, column 4"),
        ("0.002382353,0.4,,,,,,\r\n", "0.002382353,0.4,,,", "KD_TRUNCATED", "row 12"),
        ("0.002382353,0.4,,,,,,\r\n", "0.002382353,0.4,,,\r\n", "KD_TRUNCATED", "row 12"),
        ("1.259259e+003", "2.259259e+003", "KD_RATE_MISMATCH", "column 2"),
        ("1.259259e+003", "fast", "KD_BAD_FORMAT", "row 1"),
        ("Label: Mini sensor 1: ACC.Y 1", "Label: Mini 1: ACC.Y 1", "KD_BAD_FORMAT", "row 8"),
        (
            "Label: Mini sensor 1: ACC.Y 1",
            "Label: Mini sensor 1: ACC.X 1",
            "KD_BAD_FORMAT",
            "row 3",
        ),
        ('"Mini sensor 1: ACC.Y 1"', '""', "KD_BAD_FORMAT", "row 8, column 6"),
        ('X[s],"Mini sensor 1: EMG 1"', 'time,"Mini sensor 1: EMG 1"', "KD_BAD_FORMAT", "rows"),
        ("0.0135,5,0.0135,6", "0.0035,5,0.0135,6", "KD_BAD_FORMAT", "column 4"),
    ],
)
def test_a_malformed_export_is_refused_with_its_place(write, old, new, code, place):
    """Oracle: one fault put into the small file, counted by eye (titles stand in row 8)."""
    text = PREAMBLE + TITLES + ROWS
    assert text.count(old) == 1
    error = refused(write(text.replace(old, new)))
    assert error.code == code
    assert place in error.where


def test_another_encoding_of_the_degree_sign_is_refused(write):
    """Oracle: ° in Latin-1 is one byte, no UTF-8; it stands in row 4."""
    error = refused(write((PREAMBLE + TITLES + ROWS).encode("latin-1")))
    assert "UTF-8" in error.message
    assert "row 4" in error.where


def test_titles_without_samples_are_truncated(write):
    """Oracle: the file up to its titles."""
    assert refused(write(PREAMBLE + TITLES)).code == "KD_TRUNCATED"
    assert refused(write(TITLES.rstrip())).code == "KD_TRUNCATED"
    assert refused(write("X[s]\n0\n1\n")).code == "KD_BAD_FORMAT"
