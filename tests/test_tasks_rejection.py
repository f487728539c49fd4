"""Calibration, rejection and events: closed forms, scikit-learn, and streams by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import log_loss, roc_auc_score

from kd_edge.base.errors import KdEdgeError
from kd_edge.tasks.calibration import fit_temperature, measure_calibration, softmax
from kd_edge.tasks.events import Event, EventScore, Onset, match_events, score_events
from kd_edge.tasks.rejection import (
    CoveragePoint,
    auroc,
    least_sureness,
    measure_coverage,
)

RNG = np.random.default_rng(4)


@pytest.mark.parametrize("wanted", [0.5, 1.0, 3.0])
def test_the_temperature_of_logits_that_are_too_large_is_found(wanted):
    """Oracle: labels drawn from the softmax of the logits, which are then multiplied."""
    logits = RNG.normal(0, 2, (20_000, 5))
    shares = softmax(logits)
    truth = (RNG.random((20_000, 1)) > np.cumsum(shares, axis=1)).sum(axis=1)
    found = fit_temperature(wanted * logits, truth, np.arange(20_000))
    assert found == pytest.approx(wanted, rel=0.05)
    before = measure_calibration(wanted * logits, truth)
    after = measure_calibration(wanted * logits, truth, found)
    assert after.error < 0.015
    assert after.nll <= before.nll + 1e-9
    if wanted != 1.0:
        assert before.error > 3 * after.error


def test_the_likelihood_is_scikit_learns():
    """Oracle: sklearn.metrics.log_loss."""
    logits, truth = RNG.normal(0, 3, (200, 4)), RNG.integers(0, 4, 200)
    found = measure_calibration(logits, truth, 1.7)
    assert found.nll == pytest.approx(log_loss(truth, softmax(logits, 1.7), labels=range(4)))
    assert found.n_windows == 200


def test_the_calibration_error_is_the_weighted_gap_of_its_bins():
    """Oracle: by hand: 3 windows say 0.9 and 2 are right; 2 say 0.6 and both are right."""
    logits = np.log([[0.9, 0.1]] * 3 + [[0.4, 0.6]] * 2)
    found = measure_calibration(logits, np.array([0, 0, 1, 1, 1]))
    assert found.error == pytest.approx((abs(2.7 - 2) + abs(1.2 - 2)) / 5)


def test_a_few_recordings_that_are_all_right_leave_doubt():
    """Oracle: by hand: of 4 recordings and 2 classes, a share of (4 + 1) / (4 + 2) is right."""
    truth = np.array([0, 0, 1, 1])
    logits = 8.0 * np.eye(2)[truth]
    found = fit_temperature(logits, truth, np.arange(4))
    assert softmax(logits, found).max(axis=1) == pytest.approx([5 / 6] * 4, abs=1e-3)
    # Ten windows of each say no more than the recordings do.
    many = fit_temperature(np.repeat(logits, 10, 0), np.repeat(truth, 10), np.repeat(range(4), 10))
    assert many == pytest.approx(found)


def test_no_window_gives_no_temperature():
    with pytest.raises(KdEdgeError) as caught:
        fit_temperature(np.zeros((0, 3)), np.zeros(0, int), np.zeros(0, int))
    assert caught.value.code == "KD_EMPTY_PART"


def test_accuracy_against_coverage_by_hand():
    """The surest is right, the next two are equally sure and one is wrong, the last is wrong."""
    found = measure_coverage(np.array([9, 5, 5, 1]), np.array([True, False, True, False]))
    assert found.points == (
        CoveragePoint(0.25, 1.0),
        CoveragePoint(0.75, pytest.approx(2 / 3)),
        CoveragePoint(1.0, 0.5),
    )
    assert found.aurc == pytest.approx((0 + 0.5 / 2 + 1 / 3 + 2 / 4) / 4)


@given(st.integers(1, 300), st.integers(0, 2**32 - 1))
def test_the_whole_part_is_covered_at_its_accuracy(n, seed):
    rng = np.random.default_rng(seed)
    right = rng.random(n) < 0.7
    found = measure_coverage(rng.integers(0, 20, n), right)
    assert found.points[-1].coverage == 1.0
    assert found.points[-1].accuracy == pytest.approx(right.mean())
    assert len(found.points) <= 60
    # What says nothing orders at random: the risk is that of all.
    assert measure_coverage(np.zeros(n), right).aurc == pytest.approx(1 - right.mean())


@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 2**32 - 1))
def test_the_area_is_scikit_learns(n, m, seed):
    """Oracle: sklearn.metrics.roc_auc_score; few values, so that many are equal."""
    rng = np.random.default_rng(seed)
    known, unknown = rng.integers(0, 9, n), rng.integers(-3, 6, m)
    truth = np.repeat([1, 0], [n, m])
    expected = roc_auc_score(truth, np.concatenate([known, unknown]))
    assert auroc(known, unknown) == pytest.approx(expected)


@given(st.lists(st.integers(0, 30), min_size=1, max_size=50), st.floats(0, 0.99))
def test_no_more_than_the_share_lies_below_the_threshold(values, share):
    """Oracle: counting; a higher threshold would reject more than the share."""
    values = np.array(values)
    found = least_sureness(values, share)
    assert (values < found).mean() <= share
    assert (values < found + 1).mean() > share


EVENTS = (Event(0, 2, 1), Event(3, 5, 2), Event(5, 6, 1))


def test_each_event_is_found_by_one_onset_of_its_class():
    """Oracle: by hand."""
    onsets = [Onset(0.5, 1), Onset(0.9, 1), Onset(3.2, 0), Onset(5.4, 2), Onset(6.6, 1)]
    found = match_events(EVENTS, onsets, tolerance_s=0.5)
    assert found.delays_s == (0.5, pytest.approx(2.4), None)
    assert found.false_alarms == 3  # again; of another class; too late


def test_an_onset_before_its_event_is_a_false_alarm():
    found = match_events(EVENTS[1:2], [Onset(2.9, 2)], tolerance_s=1)
    assert (found.delays_s, found.false_alarms) == ((None,), 1)


def test_streams_are_scored_together():
    streams = [
        match_events(EVENTS, [Onset(0.5, 1), Onset(3.1, 2), Onset(4, 0)], tolerance_s=0),
        match_events(EVENTS[:1], [Onset(1.5, 1)], tolerance_s=0),
    ]
    found = score_events(streams, 30.0)
    assert found == EventScore(4, 3, 4, 1, 0.5, 0.5, 1.5)
    assert found.found_share == 0.75
    assert found.alarms_a_minute == 2.0


def test_what_was_not_found_has_no_delay():
    found = score_events([match_events(EVENTS, [], tolerance_s=1)], 60.0)
    assert (found.found, found.median_delay_s, found.late_delay_s) == (0, None, None)
    assert score_events([match_events([], [], tolerance_s=1)], 60.0).found_share is None
