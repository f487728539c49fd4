"""Keys that correct a student become labelled data. Oracle: the samples that were streamed."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from live_samples import FACTS, samples_of, seen

from kd_edge.base.errors import KdEdgeError
from kd_edge.live.correcting import KEYS, NOTHING, RIGHT, Corrections
from kd_edge.live.figures import SeenDecision
from kd_edge.signals import read

DECIDES = replace(FACTS, decides=True)


def onset_of(name, at_s):
    decision = SeenDecision(name, name, 0.9, True, False, None)
    return replace(seen(0), at_s=at_s, decision=decision)


class Keyboard:
    pressed = ""

    def __call__(self) -> str:
        key, self.pressed = self.pressed, ""
        return key


def run(tmp_path, keys, *, late_s=1.0, facts=DECIDES):
    """Four seconds of both sensors; an onset at 2 s, and a key so much later."""
    keyboard, told = Keyboard(), []
    view = Corrections(
        facts, tmp_path, subject="S1", session="day 1", key=keyboard, tell=told.append
    )
    keys, streamed = list(keys), {0: [], 1: []}
    for beat in range(80):
        now_s = beat / 20
        for stream, n in ((0, 55), (1, 7)):
            piece = samples_of(stream, beat * n, n)
            streamed[stream].append(piece.values)
            view.samples(piece)
        if beat == 40:
            view.window(onset_of("rain", 2.0), None)
        if now_s >= 2.0 + late_s and keys:
            keyboard.pressed = keys.pop(0)
    figures = SimpleNamespace(seconds=120.0)
    view.end(SimpleNamespace(figures=figures))
    return view, told, {s: np.concatenate(parts) for s, parts in streamed.items()}


@pytest.mark.parametrize(
    ("key", "label", "counted"),
    [
        (KEYS[3], "tree", (0, 1, 0)),
        (KEYS[1], "rain", (0, 0, 1)),
        (RIGHT, "rain", (0, 0, 1)),
        (NOTHING, "Rest", (1, 0, 0)),
    ],
)
def test_a_key_keeps_the_onsets_window_with_the_label_that_was_meant(tmp_path, key, label, counted):
    rests = replace(DECIDES, classes=("wash", "rain", "Rest", "tree", "x"))
    view, told, streamed = run(tmp_path, [key], facts=rests)
    (recording,) = read(tmp_path)
    assert (recording.label, recording.subject, recording.session) == (label, "S1", "day 1")
    assert (view.false_alarms, view.corrected, view.confirmed) == counted
    for stream, sensor in enumerate(DECIDES.sensors):
        begin = round((2.0 - sensor.window_s) * sensor.rate_hz)
        kept = recording.streams[stream].samples
        counts = streamed[stream][begin : begin + sensor.samples]
        np.testing.assert_allclose(kept, counts * np.float32(sensor.lsb), rtol=1e-6)
    rate = counted[0] / 2
    assert told[-1].startswith(f"false alarms {counted[0]}, {rate:.2f} a minute")


def test_a_second_key_without_an_onset_keeps_nothing_more(tmp_path):
    _, told, _ = run(tmp_path, [RIGHT, NOTHING])
    assert len(read(tmp_path)) == 1
    assert "no onset to correct" in told


def test_a_false_alarm_of_a_bundle_without_rest_is_counted_alone(tmp_path):
    view, told, _ = run(tmp_path, [NOTHING])
    assert view.false_alarms == 1
    assert any("counted as a false alarm" in what for what in told)
    assert not list(tmp_path.iterdir())


def test_keys_that_mean_nothing_are_left(tmp_path):
    run(tmp_path, ["~", "Q"])
    assert not list(tmp_path.iterdir())


def test_corrections_need_somebody_who_decides(tmp_path):
    with pytest.raises(KdEdgeError, match="onsets"):
        Corrections(FACTS, tmp_path, subject="", session="", key=str, tell=print)
