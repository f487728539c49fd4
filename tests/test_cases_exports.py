"""Recordings of other programs in tests/cases: each gives the answer of the README there."""

from __future__ import annotations

import numpy as np
import pytest
from recording_files import CASES, only, refused, shown

from kd_edge.base.errors import KdEdgeError
from kd_edge.signals.checks import check


def test_a_renamed_time_column_is_a_time_column():
    """Oracle: the README: 2 signals, 1925.93 and 148.148 Hz."""
    recording = only(CASES / "emgworks_renamed_time.csv")
    assert shown(recording) == {"S1: EMG 1": (1925.926, 600), "S1: ACC X 1": (148.148, 46)}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("X[s]", "X[s].2"), ("X[s]", "X[s]_1"), ("X [s]", "X [s]_1"), ("X [ s ]", "X [ s ] .1"),
        ("x[s]", "x[s].1"), ("X[S]", "X[S].1"), ("X[s]...1", "X[s]...3"), ("X.s.", "X.s..1"),
        ("X_s_", "X_s__1"), ("X(s)", "X(s) 2"), ("X[s]", "X[s] #2"), ("X[s]", "Time [s]"),
        ('"X[s]"', '"X[s].1"'), ("Unnamed: 0,X[s]", "X[s].1"), (",X[s]", "X[s].1"),
    ],
)  # fmt: skip
def test_a_time_column_is_known_by_every_name_that_others_give_it(write, first, second):
    """Oracle: the case's own numbers under other titles."""
    header, body = (CASES / "emgworks_renamed_time.csv").read_text().split("\n", 1)
    header = header.replace("X[s].1", "@2").replace("X[s]", first).replace("@2", second)
    if first.count(","):
        body = "".join(f"{i},{line}\n" for i, line in enumerate(body.splitlines()))
    recording = only(write(f"{header}\n{body}"))
    assert shown(recording) == {"S1: EMG 1": (1925.926, 600), "S1: ACC X 1": (148.148, 46)}


@pytest.mark.parametrize("title", ["", "Unnamed: 2", "when", "Column3", "X[ms]", "X"])
def test_a_time_column_under_a_name_that_says_nothing_is_no_signal(write, title):
    """Oracle: the case's second time column; refused with its place, never a signal."""
    text = (CASES / "emgworks_renamed_time.csv").read_text()
    error = refused(write(text.replace("X[s].1", title)))
    assert error.code == "KD_BAD_FORMAT"
    assert "row 1, column 3" in error.where


@pytest.mark.parametrize("order", [[0, 1, 3], [0, 1, 3, 2], [0, 3, 2, 1], [0, 2, 1, 3]])
def test_a_slow_signal_without_its_own_times_is_refused(write, order):
    """Oracle: the case's columns in another order: 46 samples are not at 1925.93 Hz."""
    lines = (CASES / "emgworks_renamed_time.csv").read_text().splitlines()
    cells = [[*line.split(","), "", "", ""] for line in lines]
    error = refused(write("".join(",".join(row[i] for i in order) + "\n" for row in cells)))
    assert error.code == "KD_BAD_FORMAT"
    assert "X[s]" in error.hint


def test_an_export_that_was_cut_between_rows_is_read_with_a_note(write):
    """Oracle: the case's first 100 of 600 rows: sEMG ends after 0.052 s, acceleration is whole."""
    text = (CASES / "emgworks_renamed_time.csv").read_text()
    assert only(write(text)).notes == ()
    (note,) = only(write("".join(text.splitlines(keepends=True)[:101]))).notes
    for said in ("S1: EMG 1", "0.05192 s", "0.3105 s", "cut"):
        assert said in note


@pytest.mark.parametrize("separator", [";", "\t"])
def test_another_separator_is_named_and_never_guessed(write, separator):
    """Oracle: the case as a spreadsheet saves it where decimals have commas."""
    text = (CASES / "emgworks_renamed_time.csv").read_text()
    text = text.replace(",", separator).replace(".", ",").replace("X[s],1", "X[s].1")
    error = refused(write(text))
    assert error.code == "KD_BAD_CELL"
    assert "row 2" in error.where
    assert "separated by ','" in error.hint


def test_a_cut_between_rows_is_found_though_slow_streams_are_whole():
    """Oracle: the README: KD_TRUNCATED, naming the stream and both lengths."""
    error = refused(CASES / "discover_cut_between_rows.csv")
    assert error.code == "KD_TRUNCATED"
    for said in ("Avanti 1 (81001): EMG 1", "0.1521 s", "0.3115 s"):
        assert said in error.message


def discover(n_fast: int, *, stated_s: float, n_rows: int | None = None) -> str:
    """sEMG at 1925.9259 Hz, acceleration at 148.1481 Hz, pressure at 74.0741 Hz."""
    hz = (1925.9259, 148.1481, 74.0741)
    lengths = [round(n_fast / hz[0] * rate) for rate in hz]
    cells = [[f"{np.sin(i * (c + 1)):.5f}" if i < lengths[c] else "" for c in range(3)]
             for i in range(n_fast)]  # fmt: skip
    rows = [",".join(row) for row in cells][: n_rows or n_fast]
    return "\n".join(
        [
            "Application:, Trigno Discover (1.7.0)",
            "Date/Time:, 4/10/2026 12:13:39 PM",
            f"Collection Length (seconds):, {stated_s:.6f}",
            "EMG 01 (11),,FSR 21 (22)",
            "sensor mode: 45,,sensor mode: 244",
            "EMG 1 (mV),ACC X (G),Analog 1 (%)",
            ", ".join(f"{rate} Hz" for rate in hz),
            *rows,
            "",
        ]
    )


@pytest.mark.parametrize(
    ("seconds", "kept"), [(0.5, 0.1), (0.5, 0.9), (2.7, 0.5), (2.7, 0.97), (8.0, 0.06), (8.0, 0.99)]
)
def test_a_cut_anywhere_between_rows_is_found(write, kept, seconds):
    """Oracle: the first rows of a file that is read whole; sensors may end three frames apart."""
    n = round(seconds * 1925.9259)
    assert only(write(discover(n, stated_s=seconds))).notes == ()
    cut = discover(n, stated_s=seconds, n_rows=round(kept * n))
    error = refused(write(cut))
    assert error.code == "KD_TRUNCATED"
    assert "EMG 1" in error.message


def test_a_file_whose_first_rows_and_length_somebody_kept_is_read_with_a_note(shared_data):
    """Oracle: a genuine export of which 13,333 rows were kept.

    At 2222.22 Hz they are the 5.99985 s that the file states; its slow columns last 90 s.
    """
    recording = only(shared_data("delsys_exports/taichi_trial5_6s.csv.gz"))
    (note,) = recording.notes
    assert "90 s" in note
    assert "5.99985 s" in note


def test_the_form_of_the_vendors_python_example_is_read():
    """Oracle: the README: 1 sensor, 4 signals at their rates, 2.70 s; the file's cells."""
    recording = only(CASES / "delsys_api_example.csv")
    names = [f"(1)Avanti Sensor: {name}" for name in ("EMG 1", "ACC X", "ACC Y", "ACC Z")]
    assert {s.sensor for s in recording.streams} == {"(1)Avanti Sensor"}
    assert shown(recording) == dict(
        zip(names, [(1925.926, 5200), *[(148.148, 400)] * 3], strict=True)
    )
    assert recording.duration_s == pytest.approx(2.70, abs=1e-4)
    emg, acc = recording.streams
    assert (emg.modality, acc.modality, emg.unit) == ("emg", "acc", "")
    lines = (CASES / "delsys_api_example.csv").read_text().splitlines()[2:]
    cells = [line.split(",") for line in lines]
    np.testing.assert_array_equal(emg.samples[:, 0], np.float32([row[0] for row in cells]))
    np.testing.assert_array_equal(acc.samples, np.float32([row[1:] for row in cells[:400]]))


def api(*, pad: int = 0, strip: bool = False, times: bool = False, ends: str = "\n") -> str:
    """Two sensors, sEMG and acceleration at 1925.926 and 148.148 Hz, 520 rows."""
    blank = "," * pad
    signals = [("EMG 1", 1925.926, 520), ("ACC X", 148.148, 40)] * 2
    titles, columns, sensors = [], [], []
    for index, (name, hz, n) in enumerate(signals):
        sensors.append("" if index % 2 else f"({index // 2 + 1})Avanti Sensor")
        if times:
            titles.append(f"{name} Time Series")
            columns.append([repr(i / hz) for i in range(n)])
            sensors.append("")
        titles.append(f"{name} ({hz})")
        columns.append([f"{np.sin(i + index):.6f}" for i in range(n)])
    rows = [",".join(c[i] if i < len(c) else "" for c in columns) for i in range(520)]
    rows = [",".join(sensors) + blank, ",".join(titles) + blank, *(row + blank for row in rows)]
    return "".join((row.rstrip(",") if strip else row) + ends for row in rows)


@pytest.mark.parametrize("pad", [0, 1, 3])
@pytest.mark.parametrize("strip", [False, True])
@pytest.mark.parametrize("times", [False, True])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_several_sensors_times_and_blank_cells_make_no_difference(write, pad, strip, times, ends):
    """Oracle: the numbers that were written."""
    recording = only(write(api(pad=pad, strip=strip, times=times, ends=ends)))
    assert [(s.sensor, s.modality, s.n_samples) for s in recording.streams] == [
        ("(1)Avanti Sensor", "emg", 520),
        ("(1)Avanti Sensor", "acc", 40),
        ("(2)Avanti Sensor", "emg", 520),
        ("(2)Avanti Sensor", "acc", 40),
    ]
    for index, stream in enumerate(recording.streams):
        made = np.sin(np.arange(stream.n_samples) + index)
        np.testing.assert_allclose(stream.samples[:, 0], made, atol=1e-6)
        assert (stream.start_s, stream.times_s) == (0, None)


@pytest.mark.parametrize(
    ("old", "new", "code", "place"),
    [
        ("(2)Avanti", "Avanti", "KD_BAD_FORMAT", "row 1"),
        ("ACC X (148.148)", "ACC X", "KD_BAD_FORMAT", "row 2"),
        ("ACC X (148.148)", "ACC X (0)", "KD_BAD_FORMAT", "row 2"),
        ("EMG 1 (1925.926)", "EMG 1 (fast)", "KD_BAD_FORMAT", "row 2"),
        ("0.841471", "x", "KD_BAD_CELL", "row 3, column 2"),
        ("0.841471", "", "KD_BAD_CELL", "row 3, column 2"),
        ("0.841471", "0,841471", "KD_BAD_CELL", "row 3, column 5"),
        ("0.841471", "1e30", "KD_BAD_SAMPLES", "row 3"),
    ],
)
def test_a_malformed_file_of_the_vendors_example_is_refused_with_its_place(
    write, old, new, code, place
):
    """Oracle: one fault put into a good file."""
    error = refused(write(api().replace(old, new, 1)))
    assert (error.code, place in error.where) == (code, True)


def test_a_file_of_the_vendors_example_that_was_cut_between_rows_is_refused(write):
    """Oracle: half of the rows; the accelerometers are whole."""
    error = refused(write("".join(api().splitlines(keepends=True)[:262])))
    assert error.code == "KD_TRUNCATED"
    assert "EMG 1 lasts 0.135 s" in error.message


LINKED = """Application:, Trigno Discover (1.7.0)
Date/Time:, 4/10/2026 12:13:39 PM
Collection Length (seconds):, 0.018
EMG 01 (11), VO2 Master  (0)
sensor mode: 40, sensor mode: 0
EMG 1 (mV), Heart Rate Time Series (s), Heart Rate (BPM), FeO2 Time Series (s), FeO2 (%), \
Humidity Time Series (s), Humidity (%)
222.2222 Hz, , -1 Hz, , -1 Hz, , -1 Hz
0.1, 0.001, 70, 0.002, 20.1, 0.002, 40
0.4, 0.005, 71, 0.009, 20.3, 0.009, 41
-0.2, 0.016, 71, 0.011, 20.2, 0.011, 42
0.3, , , , , ,
"""


def test_each_quantity_of_a_link_device_is_a_stream(write):
    """Oracle: three quantities in two units; two of them share their times."""
    recording = only(write(LINKED))
    link = [s for s in recording.streams if s.modality == "link"]
    assert [(s.channels, s.unit) for s in link] == [
        (("VO2 Master  (0): Heart Rate",), "BPM"),
        (("VO2 Master  (0): FeO2",), "%"),
        (("VO2 Master  (0): Humidity",), "%"),
    ]
    check([recording])
    with pytest.raises(KdEdgeError, match="unevenly"):
        check([recording], modalities={"link"})  # no windows can be cut from it


@pytest.mark.parametrize(
    ("old", "new"),
    [("0.005, 71", "0.0005, 71"), ("0.016, 71", ", 71"), ("0.001, 70, 0.002", "0.016, 70, 0.002"),
     ("0.005, 71", "0.005, 1e30"), ("0.005, 71", "0.005, -2e10")],
)  # fmt: skip
def test_a_link_device_that_cannot_be_read_stops_nothing(write, old, new):
    """Oracle: times that go back, one that lacks, absurd numbers; a note says so."""
    recording = only(write(LINKED.replace(old, new)))
    assert recording.streams[0].n_samples == 4
    assert any("Heart Rate is absent" in note for note in recording.notes)
