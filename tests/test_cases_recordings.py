"""The recordings of tests/cases: each gives the answer of the README there, and so do its kin."""

from __future__ import annotations

import numpy as np
import pytest
from recording_files import CASES, only, refused, shown

from kd_edge.base.errors import KdEdgeError
from kd_edge.signals import read
from kd_edge.signals.checks import check

# --- clocks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["time_ms_column.csv", "time_us_column.csv"])
def test_a_time_column_is_read_in_its_unit(name):
    """Oracle: the README: 1000 Hz, 2 s."""
    recording = only(CASES / name)
    assert shown(recording) == {"emg_1": (1000, 2000), "emg_2": (1000, 2000)}
    assert recording.duration_s == pytest.approx(2)


@pytest.mark.parametrize(
    ("title", "unit_s"),
    [
        ("time", 1), ("t", 1), ("seconds", 1), ("time_s", 1), ("Time (s)", 1), ("t [sec]", 1),
        ("time (ms)", 1e-3), ("Time [MS]", 1e-3), ("t_ms", 1e-3), ("timestamp (ms)", 1e-3),
        ("time ms", 1e-3), ("milliseconds", 1e-3), ("Elapsed Time (ms)", 1e-3),
        ("time (us)", 1e-6), ("time (µs)", 1e-6), ("time (\u03bcs)", 1e-6), ("timestamp_us", 1e-6),
        ("t (ns)", 1e-9), ("time_stamp [nanoseconds]", 1e-9), ("time (min)", 60), ("t_min", 60),
        ("time/ms", 1e-3), ("time in ms", 1e-3), ("time.ms", 1e-3), ("timeMs", 1e-3),
        ("Time {ms}", 1e-3), ("epoch_ms", 1e-3), ("Unix Time (ms)", 1e-3), ("clock", 1),
        ("ts_us", 1e-6), ("host_time_us", 1e-6), ("time since start (ms)", 1e-3),
        ("timestamp_ms_utc", 1e-3), ("sampleTime (s)", 1),
    ],
)  # fmt: skip
def test_every_unit_of_time_gives_the_same_rate_and_length(write, title, unit_s):
    """Oracle: 400 samples at 200 Hz, whatever the unit that their times are written in."""
    rows = "".join(f"{i / 200 / unit_s:.9g},{i % 7}\n" for i in range(400))
    stated = only(write(f"# rate_hz = 200\n# modality = emg\n{title},a\n{rows}"))
    assert [s.channels for s in stated.streams] == [("a",)]
    recording = only(write(f"{title},emg\n{rows}"))
    assert [s.modality for s in recording.streams] == ["emg"]
    assert recording.streams[0].rate_hz == pytest.approx(200, rel=1e-6)
    assert recording.streams[0].times_s is None
    assert recording.duration_s == pytest.approx(2)


@pytest.mark.parametrize(
    "title",
    ["time (h)", "time (samples)", "t [°C]", "time (mV)", "t_us (ms)", "timestamp (days)",
     "time_h", "time hours", "timestamp_frames"],
)  # fmt: skip
def test_a_time_column_in_no_unit_of_time_is_refused(write, title):
    """Oracle: the reader never guesses."""
    error = refused(write(f"{title},emg\n0,1\n1,2\n2,3\n"))
    assert error.code == "KD_BAD_FORMAT"
    assert title in error.message
    assert "column 1" in error.where
    assert "ms" in error.hint


def test_a_rate_and_times_in_milliseconds_must_agree(write):
    """Oracle: 5 ms are 200 Hz."""
    rows = "".join(f"{5 * i},{i % 3}\n" for i in range(50))
    assert only(write(f"# rate_hz = 200\ntime (ms),emg\n{rows}")).streams[0].rate_hz == 200
    assert refused(write(f"# rate_hz = 100\ntime (ms),emg\n{rows}")).code == "KD_RATE_MISMATCH"


def test_a_second_clock_is_no_signal(write):
    """Oracle: one signal; the note says which column was left out."""
    recording = only(write("time (s),timestamp (ms),emg\n0,7,1\n0.1,107,2\n0.2,207,1\n"))
    assert [s.modality for s in recording.streams] == ["emg"]
    assert any("timestamp" in note for note in recording.notes)


def test_a_second_clock_of_the_same_name_is_no_signal_either(write):
    """Oracle: docs/recordings.md: of two columns of times the first one counts."""
    recording = only(write("time (s),time (ms),emg\n0,7,1\n0.1,107,2\n0.2,207,1\n"))
    assert shown(recording) == {"emg": (10, 3)}


@pytest.mark.parametrize("title", ["zeit (ms)", "ms", "datetime", "ch 1", "x"])
@pytest.mark.parametrize("keys", ["", "# rate_hz = 1111\n# modality = emg\n"])
@pytest.mark.parametrize("step", ["{:.3f}", "{:.0f}"])
def test_a_column_of_times_under_a_name_that_says_nothing_is_no_signal(write, title, keys, step):
    """Oracle: times at 1111 Hz, exact and in whole ms; refused with their column."""
    rows = "".join(f"{i % 7},{step.format(i / 1.111)}\n" for i in range(400))
    error = refused(write(f"{keys}emg,{title}\n{rows}"))
    assert error.code == "KD_BAD_FORMAT"
    assert "column 2" in error.where
    assert title in error.message


@pytest.mark.parametrize("title", ["sample", "Index", "no", "Frame Number"])
def test_a_column_that_counts_the_rows_is_left_out_with_a_note(write, title):
    """Oracle: whole numbers in steps of 1; a sensor's own signal may do the same."""
    rows = "".join(f"{i + 5},{i}\n" for i in range(50))
    recording = only(write(f"# rate_hz = 50\n{title},emg\n{rows}"))
    assert shown(recording) == {"emg": (50, 50)}
    assert any("counts the rows" in note for note in recording.notes)


@pytest.mark.parametrize("hz", [200, 1000, 2148])
def test_milliseconds_without_a_unit_are_not_taken_for_seconds(write, hz):
    """Oracle: 5 s between two samples is no sensor's rate; '(s)' says that it is meant."""
    rows = "".join(f"{1000 * i / hz:.4f},{i % 5}\n" for i in range(90))
    error = refused(write(f"time,emg\n{rows}"))
    assert error.code == "KD_BAD_FORMAT"
    assert "time (ms)" in error.hint
    assert only(write(f"time (s),emg\n{rows}")).streams[0].rate_hz < 5


@pytest.mark.parametrize("cell", ["2024-03-01T10:00:00.005", "10:00:00.005", "1.3.2024 10:00"])
def test_a_date_among_the_times_is_refused_with_what_to_write(write, cell):
    """Oracle: times are numbers; the hint says so."""
    error = refused(write(f"time,emg\n{cell},1\n{cell},2\n"))
    assert error.code == "KD_BAD_CELL"
    assert "plain numbers" in error.hint


@pytest.mark.parametrize("name", ["", "Unnamed: 0"])
def test_a_column_of_row_numbers_is_no_signal(write, name):
    """Oracle: the column that pandas writes in front; other numbers there are refused."""
    text = f"# rate_hz = 100\n{name},emg\n0,5\n1,6\n2,5\n"
    assert [s.modality for s in only(write(text)).streams] == ["emg"]
    assert refused(write(text.replace("1,6", "3,6"))).code == "KD_BAD_FORMAT"


@pytest.mark.parametrize("case", ["labels_late_clock", "labels_epoch_clock"])
def test_spans_count_from_the_first_sample_whatever_the_clock_says(case):
    """Oracle: the README: two spans of 200 samples; the file's own samples."""
    values = np.loadtxt(CASES / case / "a.csv", delimiter=",", skiprows=1)[:, 1]
    rest, fist = read(CASES / case)
    assert (rest.label, fist.label) == ("rest", "fist")
    for recording, samples in ((rest, values[:200]), (fist, values[200:400])):
        np.testing.assert_array_equal(recording.streams[0].samples[:, 0], samples.astype("f4"))
        assert recording.duration_s == pytest.approx(1)


def test_a_unix_clock_is_a_date_and_no_length():
    """Oracle: the README: 2 s, started at that date; the date by `date -u -d @1700000000`."""
    recording = only(CASES / "labels_epoch_clock" / "a.csv")
    assert recording.duration_s == pytest.approx(2, abs=1e-6)
    assert recording.begin_s == 0
    assert recording.started == "2023-11-14T22:13:20+00:00"


@pytest.mark.parametrize(
    ("title", "scale", "hz"),
    [("time", 1, 1259.2593), ("timestamp (ms)", 1e3, 2000.0), ("t_us", 1e6, 148.148148)],
)
def test_a_unix_clock_in_any_unit_keeps_rate_and_length(write, title, scale, hz):
    """Oracle: 1,000 samples at `hz` from a date on; what the file states beats the clock."""
    times = (1_700_000_000.25 + np.arange(1000) / hz) * scale
    rows = "".join(f"{t:.6f},{i % 5}\n" for i, t in enumerate(times))
    recording = only(write(f"{title},emg\n{rows}"))
    assert recording.streams[0].rate_hz == pytest.approx(hz, rel=1e-5)
    assert recording.duration_s == pytest.approx(1000 / hz, rel=1e-5)
    assert recording.started.startswith("2023-11-14T22:13:20.25")
    stated = only(write(f"# started = 2024-01-01\n{title},emg\n{rows}"))
    assert stated.started == "2024-01-01T00:00:00"


def test_a_unix_clock_in_milliseconds_without_a_unit_is_refused(write):
    """Oracle: 1.7e12 s is the year 55840."""
    rows = "".join(f"{1_700_000_000_000 + 5 * i},{i % 5}\n" for i in range(9))
    error = refused(write(f"time,emg\n{rows}"))
    assert error.code == "KD_BAD_FORMAT"
    assert "time (ms)" in error.hint


def test_a_late_clock_adds_nothing_to_a_length(write):
    """Oracle: 50 samples at 100 Hz last 0.5 s, also with a gap of 1 s in them."""
    times = 7.5 + np.arange(50) / 100
    text = "time,emg\n" + "".join(f"{t:.2f},{i % 3}\n" for i, t in enumerate(times))
    assert only(write(text)).duration_s == pytest.approx(0.5)
    times[20:] += 1
    text = "time,emg\n" + "".join(f"{t:.2f},{i % 3}\n" for i, t in enumerate(times))
    recording = only(write(text))
    assert recording.streams[0].duration_s == pytest.approx(1.5)
    assert recording.duration_s == pytest.approx(1.5)


# --- even times -----------------------------------------------------------------------------------


def test_even_times_in_an_npz_are_even():
    """Oracle: the README."""
    recording = only(CASES / "even_times_148hz.npz")
    assert recording.streams[0].times_s is None
    check([recording])


@pytest.mark.parametrize("hz", [50.0, 148.148148, 200.0, 1111.1111, 1259.2593, 1925.9259, 4370.37])
@pytest.mark.parametrize("begin_s", [0.0, 0.5, 3000.0])
@pytest.mark.parametrize("kind", ["float64", "float32", "whole ms", "whole µs"])
def test_even_times_are_even_at_any_rate_and_rounding(tmp_path, hz, begin_s, kind):
    """Oracle: times made from the rate; 900 s of float32 times are 0.2 ms apart and more."""
    times = begin_s + np.arange(2000) / hz
    rounded = {"whole ms": np.round(times, 3), "whole µs": np.round(times, 6)}
    times = rounded[kind] if kind in rounded else times.astype(kind)
    samples = np.sin(np.arange(2000.0))
    path = tmp_path / "f.npz"
    np.savez(path, emg=samples, **{"emg.rate_hz": hz, "emg.times_s": times})
    recording = only(path)
    assert recording.streams[0].times_s is None
    check([recording])


@pytest.mark.parametrize("hz", [100.0, 1000.0, 1259.2593])
@pytest.mark.parametrize("digits", [3, 6])
@pytest.mark.parametrize("lost", [1, 5])
def test_a_loss_shows_however_coarse_the_times_are(tmp_path, hz, digits, lost):
    """Oracle: samples taken out of the middle of even times."""
    times = np.round(np.delete(np.arange(1000) / hz, slice(500, 500 + lost)), digits)
    path = tmp_path / "f.npz"
    samples = np.sin(np.arange(len(times)))
    np.savez(path, emg=samples, **{"emg.rate_hz": hz, "emg.times_s": times})
    recording = only(path)
    assert recording.streams[0].times_s is not None
    with pytest.raises(KdEdgeError, match="unevenly"):
        check([recording])


def test_whole_milliseconds_give_the_true_rate(write):
    """Oracle: 1259.26 Hz; the usual step of 1 ms would be 1000 Hz."""
    rows = "".join(f"{round(i / 1.2592593)},{i % 5}\n" for i in range(3000))
    recording = only(write(f"time (ms),emg\n{rows}"))
    assert recording.streams[0].rate_hz == pytest.approx(1259.26, rel=1e-3)
    assert recording.notes == ()


@pytest.mark.parametrize("hz", [800.0, 1111.111, 1259.2593, 2148.148])
def test_short_recordings_in_whole_milliseconds_agree_on_their_rate(write, hz):
    """Oracle: one device; recordings of 0.3 to 0.6 s, whose ends are rounded by up to 1 ms."""
    for n in (400, 500, 613):
        rows = "".join(f"{round(i / hz * 1e3 + 0.3)},{i % 5}\n" for i in range(n))
        assert only(write(f"time (ms),emg\n{rows}")).streams[0].rate_hz == pytest.approx(hz, 5e-4)


@pytest.mark.parametrize("hz", [800.0, 1000.0, 1111.111, 2148.148])
def test_what_is_left_beside_a_gap_in_whole_milliseconds_has_the_true_rate(write, tmp_path, hz):
    """Oracle: 3,000 samples of which 40 are lost; labels.csv cuts the second before the gap out."""
    times = np.delete(np.arange(3000), slice(2500, 2540)) / hz
    rows = "".join(f"{t * 1e3:.0f},{i % 5}\n" for i, t in enumerate(times))
    whole = only(write(f"time (ms),emg\n{rows}"))
    assert len(whole.notes) == 1
    labels = "file,label,subject,session,trial,start,end\nf.csv,a,s,1,1,0.05,1.05\n"
    (tmp_path / "labels.csv").write_text(labels)
    (cut,) = read(tmp_path)
    assert cut.streams[0].times_s is None
    assert cut.streams[0].rate_hz == pytest.approx(hz, 1e-3)
    assert cut.duration_s == pytest.approx(1, 3e-3)


# --- EMGworks through other programs --------------------------------------------------------------


# --- Trigno Discover cut between rows -------------------------------------------------------------


# --- the vendor's Python example ------------------------------------------------------------------


# --- link devices ---------------------------------------------------------------------------------
