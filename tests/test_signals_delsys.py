"""Trigno Discover exports: genuine files, and small ones with every trait and fault."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest

from kd_edge.base.errors import KdEdgeError
from kd_edge.signals import delsys, find_reader

HEADER = (
    "Application:, Trigno Discover (1.7.0)\r\n"
    "Date/Time:, 4/10/2026 12:13:39 PM\r\n"
    "Collection Length (seconds):, 0.027\n"
)
PLAIN = HEADER + (
    "EMG 01 (11), , , FSR 21 (22)\r\n"
    "sensor mode: 55, , , sensor mode: 244\r\n"
    "EMG 1 (mV), ACC X (G), ACC Y (G), Analog 1 (%)\r\n"
    "222.2222 Hz, 148.1481 Hz, 148.1481 Hz, 74.0741 Hz\r\n"
    "0.1, 1, 2, 50\r\n"
    "0.2, 3, 4, 60\r\n"
    "0.3, 5, 6, \r\n"
    "0.4, 7, 8, \r\n"
    "0.5, , , \r\n"
    "0.6, , , \r\n"
)
LINKED = HEADER + (
    "EMG 01 (11), , HR Strap  (6), , VO2  (5)\r\n"
    "sensor mode: 40, , sensor mode: 0, , sensor mode: 0\r\n"
    "EMG 1 Time Series (s), EMG 1 (mV), Heart Rate Time Series (s), Heart Rate (BPM), "
    "Cycle Time Series (s), Cycle (Cycle(s))\r\n"
    ", 222.2222 Hz, , -1 Hz, , -1 Hz\r\n"
    "0, 0.1, 0.002, 76, , \r\n"
    "0.0045, 0.2, 0.012, 77, , \r\n"
    "0.009, 0.3, 0.020, 78, , \r\n"
    "0.0135, 0.4, , , , \r\n"
)
OLD = (
    "Application:, Trigno Discover (1.4.2)\r\n"
    "Date/Time:, 4/12/2022 5:23:09 PM\r\n"
    "Collection Length (seconds):, 0.013500\n"
    "EMG 01 (11), , Analog 12 trigger (22), \r\n"
    "sensor mode: 55, , sensor mode: 423, \r\n"
    "EMG 1 (1259Hz), ACC X (148Hz), Analog I (4444Hz), \r\n"
    "0.1, 1, 5\r\n"
    "0.2, , 6\r\n"
)


def refused(path: Path) -> KdEdgeError:
    with pytest.raises(KdEdgeError) as caught:
        delsys.read(path)
    return caught.value


@pytest.mark.parametrize(
    ("name", "sensors", "signals"),
    [
        ("discover150.csv", 10, 64),
        ("discover164_basic.csv", 10, 37),
        ("discover164_mvc.csv", 9, 9),
        ("discover170.csv", 18, 111),
        ("taichi_trial5_6s.csv.gz", 18, 111),
    ],
)
def test_genuine_exports_have_the_documented_sensors_and_signals(
    shared_data, name, sensors, signals
):
    """Oracle: the counts in the data's README, taken by the `delsys` package."""
    path = shared_data("delsys_exports") / name
    assert find_reader(path).name == "delsys-csv"
    (recording,) = delsys.read(path)
    assert len({stream.sensor for stream in recording.streams}) == sensors
    channels = [channel for stream in recording.streams for channel in stream.channels]
    assert len(channels) == signals
    assert len(set(channels)) == signals


@pytest.mark.parametrize("name", ["discover150.csv", "discover170.csv", "discover164_mvc.csv"])
def test_every_sample_of_a_genuine_export_is_the_number_in_its_cell(shared_data, name):
    """Oracle: the csv module and float(), cell by cell."""
    path = shared_data("delsys_exports") / name
    with open(path, newline="") as stream:
        rows = [[cell.strip() for cell in row] for row in csv.reader(stream)]
    titles, cells = rows[5], rows[7:]
    columns = [[float(r[i]) for r in cells if r[i]] for i in range(len(titles))]
    expected = [np.array(c, dtype=np.float32) for c in columns if c]
    (recording,) = delsys.read(path)
    found = [s.samples[:, i] for s in recording.streams for i in range(len(s.channels))]
    assert expected
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_array_equal(one, other)


def test_absent_link_channels_are_noted_and_not_counted(shared_data):
    """Oracle: VO2 Master in discover164_mvc.csv, ten titles at -1 Hz without a sample."""
    (recording,) = delsys.read(shared_data("delsys_exports") / "discover164_mvc.csv")
    assert len(recording.notes) == 10
    assert all("VO2 Master" in note and "absent" in note for note in recording.notes)


def test_streams_have_their_own_rate_unit_sensor_and_length(write):
    """Oracle: the small file, read by eye."""
    (recording,) = delsys.read(write(PLAIN))
    emg, acc, fsr = recording.streams
    assert (emg.modality, emg.sensor, emg.unit, emg.rate_hz) == (
        "emg",
        "EMG 01 (11)",
        "mV",
        222.2222,
    )
    assert emg.samples[:, 0].tolist() == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    assert acc.channels == ("EMG 01 (11): ACC X", "EMG 01 (11): ACC Y")
    assert acc.samples.tolist() == [[1, 2], [3, 4], [5, 6], [7, 8]]
    assert (fsr.modality, fsr.sensor, fsr.unit, fsr.n_samples) == ("fsr", "FSR 21 (22)", "%", 2)
    assert recording.started == "2026-04-10T12:13:39"
    assert not recording.synthetic


def test_separators_line_ends_and_packing_do_not_change_the_samples(write, tmp_path):
    """Oracle: the same file with ', ' and CRLF."""
    packed = tmp_path / "g.csv.gz"
    packed.write_bytes(gzip.compress(PLAIN.encode()))
    (first,) = delsys.read(write(PLAIN))
    for path in (
        write(PLAIN.replace("\r\n", "\n"), "lf.csv"),
        write(PLAIN.replace("0.1, 1, 2, 50", "0.1,1,2,50"), "comma.csv"),
        write(PLAIN.replace("\r\n", ", \r\n"), "trailing.csv"),
        write("\ufeff" + PLAIN, "bom.csv"),
        packed,
    ):
        (other,) = delsys.read(path)
        assert other.content_sha256 == first.content_sha256


def test_link_devices_are_read_at_the_times_they_give(write):
    """Oracle: the small file, read by eye; the heart rate comes after 2, 12 and 20 ms."""
    (recording,) = delsys.read(write(LINKED))
    emg, heart = recording.streams
    assert emg.rate_hz == 222.2222
    assert emg.times_s is None
    assert (heart.modality, heart.unit, heart.start_s) == ("link", "BPM", 0.002)
    assert heart.samples[:, 0].tolist() == [76, 77, 78]
    assert heart.times_s.tolist() == [0.002, 0.012, 0.020]
    assert heart.rate_hz == pytest.approx(2 / 0.018)
    assert any("VO2" in note and "absent" in note for note in recording.notes)


def test_rates_in_titles_are_read_as_the_trigno_rates_that_round_to_them(write):
    """Oracle: 17, 2 and 60 samples in a frame of 13.5 ms."""
    (recording,) = delsys.read(write(OLD))
    assert [s.rate_hz for s in recording.streams] == pytest.approx(
        [17 / 0.0135, 2 / 0.0135, 60 / 0.0135]
    )
    assert [s.unit for s in recording.streams] == ["", "", ""]
    assert any("whole-numbered" in note for note in recording.notes)


def test_a_file_that_says_synthetic_gives_a_synthetic_recording(write):
    """Oracle: the word in the application row."""
    made = PLAIN.replace("(1.7.0)", "(1.7.0), synthetic signs by kd-edge")
    assert delsys.read(write(made))[0].synthetic


def test_a_gap_in_the_time_column_is_noted_with_its_place(write):
    """Oracle: 45 ms more between the third and fourth time."""
    gap = LINKED.replace("0.0135, 0.4", "0.0585, 0.4")
    (recording,) = delsys.read(write(gap))
    assert recording.streams[0].times_s.tolist() == [0, 0.0045, 0.009, 0.0585]
    assert any("0.045 s without samples after 0.009 s" in note for note in recording.notes)


@pytest.mark.parametrize(
    ("old", "new", "code", "place"),
    [
        ("0.3, 5, 6, ", "0.3, 5, x, ", "KD_BAD_CELL", "row 10, column 3 (ACC Y (G))"),
        ("0.3, 5, 6, ", "0.3, , 6, ", "KD_BAD_CELL", "row 10, column 2 (ACC X (G))"),
        ("0.3, 5, 6, ", "0.3, 5, 6, , 7", "KD_BAD_CELL", "row 10, column 5"),
        ("0.3, 5, 6, ", "0.3, 5", "KD_BAD_CELL", "row 10, column 3"),
        ("0.3, 5, 6, ", "0,3, 5, 6, ", "KD_BAD_CELL", "row 10, column 5"),
        ("0.3, 5, 6, ", "0.3\0, 5, 6, ", "KD_BAD_CELL", "row 10, column 1"),
        ("0.6, , , \r\n", "0.6, , ", "KD_TRUNCATED", "row 13"),
        ("0.6, , , \r\n", "0.6, , , ", "KD_TRUNCATED", "row 13"),
        ("Length (seconds):, 0.027", "Length (seconds):, 30", "KD_TRUNCATED", "row 3"),
        ("Length (seconds):, 0.027", "Length (seconds):, x", "KD_BAD_FORMAT", "row 3"),
        (", 74.0741 Hz", "", "KD_BAD_FORMAT", "row 7"),
        (", 74.0741 Hz", ", 74.0741 Hz, 74.0741 Hz", "KD_BAD_FORMAT", "row 7"),
        (", 74.0741 Hz", ", 0 Hz", "KD_BAD_FORMAT", "row 7"),
        (", 74.0741 Hz", ", -1 Hz", "KD_BAD_FORMAT", "column 4"),
        ("222.2222 Hz, 148.1481 Hz, 148.1481 Hz, 74.0741 Hz\r\n", "", "KD_BAD_FORMAT", "row 6"),
        (", , FSR 21 (22)", ", , FSR 21 (22), , x", "KD_BAD_FORMAT", "row 4"),
        ("sensor mode: 55, , , ", "sensor mode: 55, , ", "KD_BAD_FORMAT", "row 5"),
        ("ACC Y (G)", "", "KD_BAD_FORMAT", "row 6"),
        ("Date/Time:", "Subject:", "KD_BAD_FORMAT", "row 2"),
    ],
)
def test_a_malformed_export_is_refused_with_its_place(write, old, new, code, place):
    """Oracle: one fault put into the small file, counted by eye."""
    assert PLAIN.count(old) == 1
    error = refused(write(PLAIN.replace(old, new)))
    assert error.code == code
    assert place in error.where
    assert "f.csv" in error.where


def test_channels_of_a_sensor_that_end_far_apart_are_refused(write):
    """Oracle: ACC X has one sample and ACC Y four; a frame holds two."""
    text = PLAIN
    for old, new in (("0.2, 3,", "0.2, ,"), ("0.3, 5,", "0.3, ,"), ("0.4, 7,", "0.4, ,")):
        text = text.replace(old, new)
    error = refused(write(text))
    assert error.code == "KD_TRUNCATED"
    assert "1 samples" in error.message


def test_channels_of_a_sensor_that_end_within_a_frame_are_cut_to_the_shortest(write):
    """Oracle: ACC X has three samples and ACC Y four."""
    (recording,) = delsys.read(write(PLAIN.replace("0.4, 7, 8", "0.4, , 8")))
    assert recording.streams[1].samples.tolist() == [[1, 2], [3, 4], [5, 6]]
    assert any("cut to the 3 samples" in note for note in recording.notes)


def test_a_time_column_against_its_rate_is_refused(write):
    """Oracle: times 4.5 ms apart are 222 Hz, not 111 Hz."""
    error = refused(write(LINKED.replace("222.2222 Hz", "111.1111 Hz")))
    assert error.code == "KD_RATE_MISMATCH"


def test_a_header_without_samples_and_a_cut_header_are_truncated(write):
    """Oracle: the first seven rows, and the first five."""
    rows = PLAIN.split("\n")
    assert refused(write("\n".join(rows[:7]) + "\n")).code == "KD_TRUNCATED"
    assert refused(write("\n".join(rows[:5]))).code == "KD_TRUNCATED"


def test_unreadable_files_are_refused_by_what_they_are(write, tmp_path):
    """Oracle: one file of each kind."""
    assert refused(tmp_path / "none.csv").code == "KD_NO_FILE"
    assert refused(tmp_path).code == "KD_BAD_FORMAT"
    assert "empty" in refused(write("")).message
    cut = tmp_path / "cut.csv.gz"
    cut.write_bytes(gzip.compress(PLAIN.encode())[:-20])
    assert refused(cut).code == "KD_TRUNCATED"
    wrong = tmp_path / "wrong.csv.gz"
    wrong.write_bytes(PLAIN.encode())
    assert refused(wrong).code == "KD_BAD_FORMAT"
    latin = tmp_path / "latin.csv"
    latin.write_bytes(PLAIN.replace("(G)", "(°)").encode("latin-1"))
    assert "not UTF-8" in refused(latin).message
    assert "row 6" in refused(latin).where
    wide = tmp_path / "wide.csv"
    wide.write_bytes(PLAIN.encode("utf-16"))
    assert "UTF-16" in refused(wide).message


def test_a_missing_file_names_the_nearest_ones(write, tmp_path):
    """Oracle: the folder holds trial_07.csv."""
    write(PLAIN, "trial_07.csv")
    assert "trial_07.csv" in refused(tmp_path / "trial_7.csv").hint
