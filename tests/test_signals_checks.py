"""Checks before learning: one fault in otherwise good recordings, each named with its place."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kd_edge.base.errors import KdEdgeError
from kd_edge.signals.checks import check, find_duplicates, find_problems
from kd_edge.signals.recording import Recording, Stream


def recording(number: int, **changes) -> Recording:
    rng = np.random.default_rng(number)
    streams = (
        Stream("emg", "S", ("e1", "e2"), rng.normal(size=(50, 2)).astype("f4"), 1000.0, "mV"),
        Stream("acc", "S", ("x", "y", "z"), rng.normal(size=(20, 3)).astype("f4"), 100.0, "g"),
    )
    made = Recording(streams, f"r{number}.csv", label="house", subject="S1", trial=number)
    return replace(made, **changes)


def spoilt(number: int, stream: int, **changes) -> Recording:
    good = recording(number)
    streams = list(good.streams)
    streams[stream] = replace(streams[stream], **changes)
    return replace(good, streams=tuple(streams))


def with_sample(number: int, value: float) -> Recording:
    samples = recording(number).streams[1].samples.copy()
    samples[7, 2] = value
    return spoilt(number, 1, samples=samples)


def refused(recordings, **options) -> KdEdgeError:
    with pytest.raises(KdEdgeError) as caught:
        check(recordings, **options)
    return caught.value


def test_good_recordings_pass():
    """Oracle: random samples."""
    check([recording(i) for i in range(4)])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_numbers_are_named_with_their_time(value):
    """Oracle: sample 7 of channel z at 100 Hz is at 0.07 s."""
    error = refused([recording(0), with_sample(1, value)])
    assert error.code == "KD_BAD_SAMPLES"
    assert error.where == f"r1.csv: z is {value} at 0.07 s"
    assert error.hint


def test_a_stuck_channel_is_named_with_its_value_unless_allowed():
    """Oracle: channel e2 of r1 is 0.5 throughout."""
    samples = recording(1).streams[0].samples.copy()
    samples[:, 1] = 0.5
    recordings = [recording(0), spoilt(1, 0, samples=samples)]
    error = refused(recordings)
    assert error.code == "KD_BAD_SAMPLES"
    assert "stuck" in error.message
    assert error.where == "r1.csv: e2 is 0.5 throughout"
    check(recordings, allow_stuck=True)
    check(recordings, modalities=["acc"])


def test_a_channel_of_one_sample_is_not_stuck():
    """Oracle: one sample cannot move."""
    check([spoilt(0, 1, samples=np.ones((1, 3), "f4"))])


def test_a_gap_is_named_with_its_place():
    """Oracle: 0.5 s more after the sample at 0.09 s."""
    times = np.arange(20) / 100
    times[10:] += 0.5
    error = refused([spoilt(0, 1, times_s=times)])
    assert error.code == "KD_BAD_SAMPLES"
    assert "unevenly spaced" in error.message
    assert "0.51 s between two samples at 0.09 s" in error.where


def test_a_link_device_may_be_uneven_stuck_and_slow():
    """Oracle: a heart rate of 70 at three times."""
    beat = Stream(
        "link", "HR", ("rate",), np.full((3, 1), 70, "f4"), 1.0, "BPM",
        times_s=np.array([0.0, 1.0, 5.0]),
    )  # fmt: skip
    good = recording(0)
    other = replace(recording(1), streams=(*recording(1).streams, replace(beat, rate_hz=2.0)))
    check([replace(good, streams=(*good.streams, beat)), other])


def test_one_modality_at_two_rates_over_the_recordings_is_refused():
    """Oracle: acc at 100 Hz in r0 and 74 Hz in r1; rounding of rates is none."""
    error = refused([recording(0), spoilt(1, 1, rate_hz=74.0741)])
    assert error.code == "KD_RATE_MISMATCH"
    assert "100 Hz in r0.csv, 74.0741 Hz in r1.csv" in error.where
    check([recording(0), spoilt(1, 1, rate_hz=100.004)])


@pytest.mark.parametrize("other", [{"subject": "S2"}, {"label": "tree"}])
def test_identical_recordings_of_two_owners_are_refused_unless_allowed(other):
    """Oracle: the same samples under another subject, or another label."""
    copy = replace(recording(0), source="copy.csv", **other)
    error = refused([recording(0), recording(1), copy])
    assert error.code == "KD_DUPLICATES"
    assert "r0.csv" in error.where
    assert "copy.csv" in error.where
    check([recording(0), copy], allow_duplicates=True)


def test_identical_recordings_are_found_in_groups():
    """Oracle: 0 and 2 are the same, and so are 1, 3 and 4; a copy's name does not matter."""
    made = [recording(0), recording(1), replace(recording(0), source="x")]
    made += [replace(recording(1), trial=i) for i in (8, 9)]
    assert find_duplicates(made) == ((0, 2), (1, 3, 4))
    check(made)


def test_no_recordings_are_refused():
    """Oracle: an empty list."""
    assert refused([]).code == "KD_EMPTY_FOLDER"


def test_every_kind_of_fault_is_found_at_once():
    """Oracle: a NaN, and another rate, in two recordings."""
    faults = [with_sample(0, np.nan), recording(1), spoilt(2, 0, rate_hz=500.0)]
    assert [p.code for p in find_problems(faults)] == ["KD_BAD_SAMPLES", "KD_RATE_MISMATCH"]


def test_many_faults_are_counted_and_the_first_five_shown():
    """Oracle: nine recordings with a NaN."""
    error = refused([with_sample(i, np.nan) for i in range(9)])
    assert "9 streams" in error.message
    assert "r4.csv" in error.where
    assert "r5.csv" not in error.where
    assert error.where.endswith("and 4 more")


def test_a_sensor_in_two_units_is_told_with_both_recordings():
    error = refused([recording(0), recording(1), spoilt(2, 0, unit="V")])
    assert error.code == "KD_UNIT_MISMATCH"
    assert error.where == "emg of S: mV in r0.csv, V in r2.csv"


def test_a_unit_that_a_file_does_not_state_is_no_other_unit():
    check([recording(0), spoilt(1, 0, unit="")])


def test_two_spellings_of_a_unit_are_one_unit():
    """Oracle: Trigno Discover writes G for g."""
    check([recording(0), spoilt(1, 1, unit="G")])
