"""Thresholds and figures of decisions on made-up scores, and recordings joined to streams."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from build_samples import RECIPE

from kd_edge.base.decision import NOBODY, ONE, DecisionRule, sureness
from kd_edge.base.errors import KdEdgeError
from kd_edge.examples import Examples, Groups, Windowing
from kd_edge.pipeline.deciding import measure_decisions
from kd_edge.pipeline.ruling import Fitted, Part, rest_of
from kd_edge.pipeline.streams import join_recordings, score_streams
from kd_edge.recipe import Decision, parse_recipe
from kd_edge.signals.recording import RecordingInfo

CLASSES = ("rest", "wave", "fist")
TIMING = Windowing(length_s=0.5, hop_s=0.25, inputs={"emg": ("emg",)})
RNG = np.random.default_rng(6)


def recordings(labels) -> tuple[RecordingInfo, ...]:
    return tuple(
        RecordingInfo(
            name=f"r{i}", label=str(label), subject="S1", session="", trial=i, started=None,
            synthetic=True, content_sha256=str(i),
        )
        for i, label in enumerate(labels)
    )  # fmt: skip


def windows_of(truths, each=4) -> Examples:
    """`each` windows of one recording after the other."""
    truth = np.repeat(truths, each)
    groups = Groups.each([f"r{i}" for i in range(len(truths))], subject="S1")
    owner = np.repeat(np.arange(len(truths)), each)
    return Examples({}, truth, groups.take(owner), CLASSES, synthetic=True)


def scores_for(truth, *, sure=60, noise=5) -> np.ndarray:
    """(n, classes) int8 that are right where the noise lets them."""
    scores = RNG.normal(0, noise, (len(truth), len(CLASSES)))
    scores[np.arange(len(truth)), truth] += sure
    return np.clip(np.rint(scores), -128, 127).astype(np.int8)


def test_a_gesture_follows_a_rest_of_its_person_and_no_window_lies_over_a_border():
    """Oracle: by hand: 4 windows end 0.5 to 1.25 s after their recording begins."""
    windows = windows_of([1, 0, 2, 1])
    (stream,) = join_recordings(windows, recordings("wrfw"), TIMING, rest=0)
    owners = windows.groups.recording[stream.windows]
    assert owners.tolist() == [i for i in (1, 0, 1, 2, 1, 3) for _ in range(4)]
    assert stream.ends_s[:5] == pytest.approx([0.5, 0.75, 1.0, 1.25, 1.75])
    assert [(e.start_s, e.end_s, e.label) for e in stream.events] == [
        (1.25, 2.5, 1),
        (3.75, 5.0, 2),
        (6.25, 7.5, 1),
    ]
    assert stream.seconds == 7.5


def test_without_rest_gestures_follow_each_other():
    (stream,) = join_recordings(windows_of([1, 2]), recordings("wf"), TIMING, rest=NOBODY)
    assert stream.windows.tolist() == list(range(8))
    assert [e.start_s for e in stream.events] == [0, 1.25]


def test_sure_answers_find_every_event_at_the_first_window_that_may_say_it():
    """Oracle: by hand: the second window of a gesture ends 0.75 s after its start."""
    windows = windows_of([0, 1, 2, 1])
    streams = join_recordings(windows, recordings("rwfw"), TIMING, rest=0)
    scores = scores_for(windows.truth, noise=0)
    rule = DecisionRule(3, 0.1, least_windows=2, enter=ONE // 2, rest=0)
    found = score_streams(streams, scores, rule, tolerance_s=0)
    assert (found.n_events, found.found, found.false_alarms) == (3, 3, 0)
    assert (found.median_delay_s, found.minutes) == (0.75, pytest.approx(7.5 / 60))


def fitted(scores, truth) -> Fitted:
    prototypes = tuple(map(tuple, (60 * np.eye(3, dtype=int)).tolist()))
    return Fitted(DecisionRule(3, 0.05, 1.2, prototypes=prototypes), scores, truth)


@pytest.mark.parametrize(
    "by", [("confidence",), ("margin",), ("distance",), ("confidence", "distance")]
)
def test_no_more_right_answers_are_rejected_than_the_recipe_says(by):
    """Oracle: counting; a share of less than one window's rejects none."""
    truth = RNG.integers(0, 3, 400)
    scores = scores_for(truth, sure=30, noise=20)
    right = scores.argmax(axis=1) == truth
    assert 200 < right.sum() < 400
    for share in (0.1, 0.001):
        rule = fitted(scores, truth).rule(Decision(reject_by=by, false_rejections=share), NOBODY)
        rejected = sureness(rule, scores).rejected(rule)
        assert rejected[right].mean() <= share
        if share == 0.1:
            assert rejected[right].mean() > 0.04
            assert rejected[~right].mean() > rejected[right].mean()


def test_a_recipe_that_rejects_by_nothing_rejects_nothing():
    truth = RNG.integers(0, 3, 100)
    scores = scores_for(truth, sure=5, noise=30)
    rule = fitted(scores, truth).rule(Decision(reject_by=()), 0)
    assert not sureness(rule, scores).rejected(rule).any()
    assert (rule.rest, rule.windows, rule.enter) == (0, 5, round(0.6 * ONE))


def recipe(**decision):
    made = parse_recipe(RECIPE)
    return made.model_copy(update={"decision": Decision(**decision), "windows": TIMING})


def measured(asked, *, n_unknown=40):
    truths = RNG.integers(0, 3, 30)
    windows = windows_of(truths)
    scores = scores_for(windows.truth, sure=50, noise=12)
    known = Part(windows, scores)
    whole = fitted(scores, windows.truth)
    strange = Part(
        windows.take(np.arange(n_unknown)),
        np.clip(RNG.normal(0, 12, (n_unknown, 3)), -128, 127).astype(np.int8),
    )
    return measure_decisions(
        {"unseen person": known}, whole.plain, whole.rule(asked.decision, 0), asked,
        recordings(truths.tolist()), unknown={"unseen person": strange}, n_fitted=120,
    )  # fmt: skip


def test_unknown_windows_are_told_from_known_ones_and_mostly_rejected():
    section = measured(recipe(false_rejections=0.05))
    (unknown,) = section.unknown
    assert (unknown.n_known, unknown.n_unknown) == (120, 40)
    assert min(unknown.auroc.values()) > 0.9
    assert unknown.rejected_known < 0.15
    assert unknown.rejected_unknown > 0.5
    (covered,) = section.coverage
    assert covered.answered == pytest.approx(1 - unknown.rejected_known)
    assert covered.accuracy > 0.95


def test_more_windows_together_take_longer_and_give_fewer_false_alarms():
    (found,) = measured(recipe(windows=4, rest="rest")).events
    assert [p.windows for p in found.points] == [1, 2, 3, 4, 5, 8, 12]
    assert found.recipe_windows == 4
    assert found.has_rest
    first, fourth = found.points[0].score, found.points[3].score
    assert fourth.false_alarms <= first.false_alarms
    assert fourth.median_delay_s > first.median_delay_s


def test_recordings_of_one_window_give_no_events_and_a_sentence():
    asked = recipe()
    alone = asked.model_copy(update={"windows": replace(TIMING, hop_s=None)})
    section = measured(alone)
    assert section.events == ()
    assert any("one window each" in note for note in section.notes)


def test_a_rest_that_is_no_class_is_refused():
    assert rest_of(None, CLASSES) == NOBODY
    assert rest_of(Decision(rest="fist"), CLASSES) == 2
    with pytest.raises(KdEdgeError) as caught:
        rest_of(Decision(rest="rests"), CLASSES)
    assert (caught.value.code, caught.value.where) == ("KD_UNKNOWN_NAME", "decision.rest")
    assert "did you mean 'rest'" in caught.value.message
