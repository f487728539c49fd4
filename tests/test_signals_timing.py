"""Rates, gaps and starts that columns of times give."""

from __future__ import annotations

import numpy as np
import pytest

from kd_edge.base.errors import KdEdgeError
from kd_edge.signals.timing import irregular, snap_to_trigno, timing


def test_even_times_give_their_rate_and_no_gap():
    """Oracle: times made at 200 Hz from 0.5 s on."""
    found = timing(0.5 + np.arange(100) / 200, stated_hz=None, where="f")
    assert found.rate_hz == pytest.approx(200)
    assert found.start_s == 0.5
    assert found.times_s is None
    assert found.gaps == ()


def test_a_stated_rate_that_agrees_is_kept_as_stated():
    """Oracle: 148.1481 Hz, as Trigno Discover rounds 20000/135 Hz."""
    found = timing(np.arange(500) * 0.00675, stated_hz=148.1481, where="f")
    assert found.rate_hz == 148.1481


def test_times_and_rate_that_disagree_are_refused_with_both():
    """Oracle: times at 100 Hz against a stated 200 Hz."""
    with pytest.raises(KdEdgeError) as caught:
        timing(np.arange(50) / 100, stated_hz=200, where="f.csv, column 1")
    assert caught.value.code == "KD_RATE_MISMATCH"
    assert "100 Hz" in caught.value.message
    assert "200 Hz" in caught.value.message


@pytest.mark.parametrize("stated_hz", [None, 100.0])
def test_a_gap_is_found_with_its_place_and_length(stated_hz):
    """Oracle: half a second taken out of 100 Hz after 0.99 s; the rate stays 100 Hz."""
    times = np.arange(300) / 100
    times[100:] += 0.5
    found = timing(times, stated_hz=stated_hz, where="f")
    assert found.rate_hz == pytest.approx(100)
    assert found.times_s is not None
    assert len(found.gaps) == 1
    assert found.gaps[0].start_s == pytest.approx(0.99)
    assert found.gaps[0].length_s == pytest.approx(0.5)


def test_rounding_of_times_to_seven_digits_is_no_gap():
    """Oracle: EMGworks prints seven significant digits, 0.1 ms at 1000 s, for steps of 0.79 ms."""
    times = np.array([float(f"{t:.7g}") for t in 999.5 + np.arange(5000) / 1259.2593])
    found = timing(times, stated_hz=1259.2593, where="f", digits=7)
    assert found.gaps == ()
    assert found.times_s is None


def test_times_that_go_back_are_refused_at_their_sample():
    """Oracle: the third time is before the second."""
    with pytest.raises(KdEdgeError) as caught:
        timing(np.array([0.0, 0.2, 0.1, 0.3]), stated_hz=None, where="f")
    assert caught.value.code == "KD_BAD_FORMAT"
    assert "sample 3" in caught.value.where


@pytest.mark.parametrize("last", [5e-324, 1e-12, 1e10, 1e300])
def test_times_that_cannot_be_seconds_are_refused_with_a_hint(last):
    """Oracle: nothing is sampled more than 1e7 times a second, or after the year 2286."""
    with pytest.raises(KdEdgeError) as caught:
        timing(np.array([0.0, last]), stated_hz=None, where="f")
    assert caught.value.code == "KD_BAD_FORMAT"
    assert "time (ms)" in caught.value.hint


@pytest.mark.parametrize("times", [[], [0.0]])
def test_one_time_alone_gives_no_rate(times):
    """Oracle: a rate needs two times."""
    with pytest.raises(KdEdgeError, match="fewer than two times"):
        timing(np.array(times), stated_hz=None, where="f")
    with pytest.raises(KdEdgeError, match="fewer than two times"):
        irregular(np.array(times), where="f")
    assert timing(np.array(times), stated_hz=50.0, where="f").rate_hz == 50.0


def test_a_device_that_sends_when_it_likes_has_a_mean_rate_and_its_times():
    """Oracle: three steps in 6 s."""
    found = irregular(np.array([1.0, 2.0, 5.0, 7.0]), where="f")
    assert found.rate_hz == pytest.approx(0.5)
    assert found.times_s.tolist() == [1, 2, 5, 7]


@pytest.mark.parametrize(
    ("rough", "exact"),
    [(1259.0, 17), (148.0, 2), (1111.0, 15), (2000.0, 27), (4444.0, 60), (1926.0, 26)],
)
def test_rounded_rates_snap_to_whole_samples_in_a_trigno_frame(rough, exact):
    """Oracle: samples in a frame of 13.5 ms."""
    assert snap_to_trigno(rough, 0.5 / rough) == pytest.approx(exact / 0.0135, rel=1e-12)


def test_a_rate_of_another_maker_stays_as_it_is():
    """Oracle: 200 Hz is 2.7 samples a frame."""
    assert snap_to_trigno(200.0, 1e-3) == 200.0
