"""Counts of a live session. Oracles: hand-made sessions whose counts are evident."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from live_samples import CLASSES, FACTS, figures_after, seen
from scipy.special import softmax

from kd_edge.base.decision import NOBODY, ONE, Decision
from kd_edge.link.messages import Answer
from kd_edge.link.stream import StreamWindow
from kd_edge.live.figures import (
    HostAnswer,
    Lateness,
    SeenDecision,
    Tally,
    seen_window,
    shares,
)
from kd_edge.live.plain import figure_lines, said_of_decision


def test_agreement_counts_classes_and_scores_apart():
    figures = figures_after(
        [
            seen(0, host=HostAnswer(0, True, 0)),
            seen(1, host=HostAnswer(0, True, 2)),
            seen(2, host=HostAnswer(3, False, 7)),
            seen(3, host=None, not_compared="samples of the window were lost"),
        ]
    )
    assert (figures.windows, figures.compared) == (4, 3)
    assert (figures.same_class, figures.same_scores, figures.largest_steps) == (2, 1, 7)
    assert figures.differing == (1, 2)


def test_nothing_compared_is_unknown_and_not_zero():
    figures = Tally(2).figures(seconds=0.0, lost_frames=0, damaged_frames=0)
    unknown = (figures.largest_steps, figures.median_us, figures.p95_us, figures.late_ms)
    assert unknown == (None,) * 4


def test_numbers_that_never_came_are_missing_windows():
    assert figures_after([seen(2), seen(3), seen(7)]).missing_windows == 2 + 3


def test_latency_is_of_the_windows_that_came():
    """Oracle: the median and the nearest-rank 95th percentile of 250 … 349."""
    figures = figures_after([seen(number) for number in range(100)])
    assert figures.median_us == 299.5
    assert figures.p95_us == 344


def test_lateness_is_what_an_answer_took_beyond_the_quickest():
    late = Lateness()
    # The board's clock began 5 s before the host's.
    assert late.add(5_000_000, 0.020) == 0
    assert late.add(5_100_000, 0.145) == pytest.approx(25)
    assert late.add(5_200_000, 0.210) == 0
    assert late.add(5_300_000, 0.320) == pytest.approx(10)


def test_lateness_follows_clocks_that_drift_apart():
    """Oracle: a clock that is 1e-4 too slow falls 6 ms behind in a minute, 3 ms in half of it."""
    late = Lateness()
    shown = [late.add(round(now * 1e6 * (1 - 1e-4)), now) for now in np.arange(0, 60, 0.1)]
    assert max(shown) == pytest.approx(3, abs=0.1)


def test_a_windows_answer_is_named_and_compared_with_the_hosts():
    board = np.array([3, -7, 40, 39, -128], dtype=np.int8)
    host = np.array([3, -7, 38, 39, 127], dtype=np.int8)
    window = StreamWindow(7, None, Answer(12, board, 900, 100, 40))
    found = seen_window(window, FACTS, ends=(1111, 300), late_ms=0.5, host_scores=host)
    assert (found.window, found.best, found.name) == (12, 2, CLASSES[2])
    assert found.scores[:2] == (3.0, -2.0)  # (q + 3) / 2
    assert found.at_s == pytest.approx(300 / FACTS.sensors[1].rate_hz)
    assert found.host == HostAnswer(best=4, same_class=False, steps=255)
    assert sum(found.shares) == pytest.approx(1)


ONSET = Decision(said=2, leading=2, confidence=3 * ONE // 4, onset=True, rejected=False)
REJECTED = Decision(said=NOBODY, leading=1, confidence=ONE // 4, onset=False, rejected=True)


def test_a_decision_is_named_and_compared_with_the_hosts():
    begun = seen(0, decision=ONSET, host_decision=ONSET)
    assert begun.decision == SeenDecision(CLASSES[2], CLASSES[2], 0.75, True, False, True)
    refused = seen(1, decision=REJECTED, host_decision=replace(REJECTED, rejected=False))
    assert refused.decision == SeenDecision(None, CLASSES[1], 0.25, False, True, False)
    alone = seen(2, decision=REJECTED)
    assert alone.decision.same is None
    figures = figures_after([begun, refused, alone, seen(3)])
    assert (figures.onsets, figures.rejected) == (1, 2)
    assert (figures.decisions_compared, figures.same_decision) == (2, 1)


def test_a_terminal_says_what_begins_and_what_is_rejected():
    begun = seen(0, decision=ONSET, host_decision=ONSET)
    refused = seen(1, decision=REJECTED, host_decision=ONSET)
    assert said_of_decision(begun) == f"says {CLASSES[2]}, begins  "
    assert said_of_decision(refused) == ("says nothing, window rejected, host decides otherwise  ")
    assert said_of_decision(seen(2)) == ""
    lines = figure_lines(figures_after([begun, refused]), replace(FACTS, decides=True))
    assert "decisions  1 onset, 1 window rejected; as the host decides in 1 of 2" in lines


def test_shares_of_logits_are_their_softmax():
    logits = np.array([-3.5, 0.0, 2.25, 100.0], dtype=np.float32)
    np.testing.assert_allclose(shares(logits, FACTS), softmax(logits.astype(float)), rtol=1e-6)
    warm = shares(logits, replace(FACTS, temperature=2.5))
    np.testing.assert_allclose(warm, softmax(logits / 2.5), rtol=1e-6)


def test_shares_of_a_softmax_are_its_own_scores():
    scores = np.array([0.5, 0.25, 0.25], dtype=np.float32)
    np.testing.assert_allclose(
        shares(scores, replace(FACTS, scale=1 / 256, zero_point=-128)), scores
    )
