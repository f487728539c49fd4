"""Synthetic rest, movements that are no sign, and continuous recordings of both."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np

from kd_edge.signals import folder
from kd_edge.signals.simulate import SignSettings, people, simulate, simulate_stream
from kd_edge.signals.simulate.generate import movements
from kd_edge.signals.simulate.writing import write_signs

LIFE = SignSettings(n_signs=2, n_subjects=1, n_repetitions=2, n_sessions=1, n_unknown=1, n_rests=1)


def _effort(recording) -> float:
    """Mean square of the sEMG about its mean, mV²."""
    emg = [s.samples for s in recording.streams if s.modality == "emg"]
    return float(np.mean([np.var(samples) for samples in emg]))


def test_rest_and_unknown_movements_stand_behind_the_signs_and_change_none_of_them():
    """Oracle: the same settings without them."""
    whole = simulate(LIFE)
    assert Counter(r.label for r in whole) == {
        "sign 01": 2, "sign 02": 2, "unknown 01": 2, "rest": 2,
    }  # fmt: skip
    alone = simulate(replace(LIFE, n_unknown=0, n_rests=0))
    for a, b in zip(alone, whole, strict=False):
        assert (a.label, a.trial) == (b.label, b.trial)
        assert all(
            np.array_equal(s.samples, t.samples) for s, t in zip(a.streams, b.streams, strict=True)
        )


def test_an_arm_at_rest_is_far_quieter_than_one_that_signs():
    made = simulate(LIFE)
    rest = max(_effort(r) for r in made if r.label == "rest")
    assert rest < 0.1 * min(_effort(r) for r in made if r.label != "rest")


def test_a_continuous_recording_moves_when_it_says_so(tmp_path):
    """Oracle: the pieces that the reader cuts by labels.csv: rest is quiet, movements are not."""
    write_signs(LIFE, tmp_path / "day", n_streams=1)
    pieces = [r for r in folder.read(tmp_path / "day") if "stream" in r.source]
    assert {r.label for r in pieces} == {"sign 01", "sign 02", "unknown 01", "rest"}
    assert [r.label == "rest" for r in pieces] == [True, False] * 12 + [True]
    rest = max(_effort(r) for r in pieces if r.label == "rest")
    assert rest < 0.5 * min(_effort(r) for r in pieces if r.label != "rest")


def test_no_movement_of_a_continuous_recording_is_one_of_a_labelled_recording():
    """Else they would stand on both sides of a split. Oracle: the knots of every repetition."""
    streams = [simulate_stream(LIFE, 0, number=n, n_movements=4) for n in (0, 1)]
    lasting = [
        round(m.end_s - m.start_s, 9) for s in streams for m in s.movements if m.label != "rest"
    ]
    person = people.make_subject(LIFE, 0)
    labelled = [
        round(float(knots[-1] - knots[0]), 9)
        for movement in movements(LIFE)
        if movement.label != "rest"
        for knots in people.make_score(LIFE, movement.number, 0, person).knots_s
    ]
    assert len({*lasting, *labelled}) == len(lasting) + len(labelled)
