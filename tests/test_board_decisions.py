"""`kd-edge eval` of a board that decides: every decision beside Python's."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from bundle_samples import sample_bundle
from decision_samples import decide_all
from programs import need

from kd_edge.base.decision import ONE, Decision, DecisionRule
from kd_edge.base.errors import ExitStatus
from kd_edge.base.flatbuffer import read_tflite
from kd_edge.cli import run
from kd_edge.link.messages import Answer
from kd_edge.pipeline.boards.deciding import decisions_alike
from kd_edge.pipeline.boards.work import Done
from kd_edge.pipeline.bundle import MANIFEST_FILE

RULE = DecisionRule(classes=3, scale=0.1, windows=2, enter=ONE // 2)
RNG = np.random.default_rng(9)


def done_of(scores, decisions, *, missing=()) -> Done:
    answers = {
        (i, repeat): Answer(i, row, 1, 0, 1, decision=decision)
        for i, (row, decision) in enumerate(zip(scores, decisions, strict=True))
        for repeat in (0, 1)
        if i not in missing
    }
    return Done(answers=answers)


def test_decisions_are_compared_in_their_order():
    """Oracle: kd_edge.base.decision over two recordings of five windows."""
    scores = RNG.integers(-60, 60, (10, 3)).astype(np.int8)
    decisions = decide_all(RULE, scores[:5]) + decide_all(RULE, scores[5:])
    goes_on = set(range(10)) - {0, 5}
    found = decisions_alike(RULE, done_of(scores, decisions), goes_on)
    assert (found.n_windows, found.same) == (10, 10)
    assert found.onsets == sum(d.onset for d in decisions)
    decisions[7] = replace(decisions[7], confidence=decisions[7].confidence - 1)
    assert decisions_alike(RULE, done_of(scores, decisions), goes_on).same == 9


def test_behind_a_window_without_an_answer_nothing_is_compared_until_the_next_recording():
    scores = RNG.integers(-60, 60, (10, 3)).astype(np.int8)
    decisions = decide_all(RULE, scores[:5]) + decide_all(RULE, scores[5:])
    done = done_of(scores, decisions, missing=(2,))
    found = decisions_alike(RULE, done, set(range(10)) - {0, 5})
    assert (found.n_windows, found.same) == (2 + 5, 7)


def test_a_board_that_told_no_decision_is_not_compared():
    scores = RNG.integers(-60, 60, (3, 3)).astype(np.int8)
    found = decisions_alike(RULE, done_of(scores, [None] * 3), {1, 2})
    assert asdict(found) == {"n_windows": 0, "same": 0, "onsets": 0, "rejected": 0}


@pytest.fixture
def bundle(tmp_path):
    folder = sample_bundle(tmp_path / "bundle")
    model = read_tflite(next(folder.glob("*.int8.tflite")))
    output = model.tensors[model.outputs[0]]
    rule = DecisionRule(
        classes=output.shape[-1],
        scale=output.scales[0],
        windows=3,
        enter=ONE // 4,
        least_share=ONE // 5,
    )
    manifest = json.loads((folder / MANIFEST_FILE).read_text())
    manifest["decision"] = asdict(rule)
    (folder / MANIFEST_FILE).write_text(json.dumps(manifest))
    return folder


def test_every_decision_of_a_real_board_is_pythons(bundle, tmp_path, capsys):
    """The host board: the same firmware as a process."""
    need("cc")
    arguments = ["eval", str(bundle), "--board", "host", "--json", "--out", str(tmp_path / "out")]
    assert run(arguments) == ExitStatus.OK
    (section,) = json.loads(capsys.readouterr().out)["boards"]
    assert section["decisions"]["n_windows"] == section["n_answered"] > 0
    assert section["decisions"]["same"] == section["n_answered"]
    assert all(a["same_scores"] == a["n_windows"] for a in section["agreement"][:1])


def test_a_bundle_whose_rule_has_other_classes_is_altered(bundle, capsys):
    manifest = json.loads((bundle / MANIFEST_FILE).read_text())
    manifest["decision"] |= {"classes": 2}
    (bundle / MANIFEST_FILE).write_text(json.dumps(manifest))
    assert run(["bench", str(bundle)]) == ExitStatus.BAD_DATA
    assert "decision rule is for another number of classes" in capsys.readouterr().err


def test_a_decision_says_nothing_of_another_repetition():
    scores = RNG.integers(-60, 60, (2, 3)).astype(np.int8)
    good = decide_all(RULE, scores)
    done = done_of(scores, good)
    done.answers[1, 1] = replace(done.answers[1, 1], decision=Decision(0, 0, 0, True, True))
    assert decisions_alike(RULE, done, {1}).same == 2
