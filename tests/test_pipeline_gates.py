"""Gates: what fails a build, what is only said, and that no caption decides it."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from firmware_export.library import host_compiler
from kd_edge.base.errors import ExitStatus
from kd_edge.pipeline import gates
from kd_edge.pipeline.bundle import load_manifest
from kd_edge.pipeline.gates import Gates, check_gates
from kd_edge.pipeline.kept_windows import StoredWindows, load_windows
from kd_edge.recipe import load_recipe
from kd_edge.report import words
from kd_edge.report.tree import Gate
from kd_edge.runtimes.interpreter import run_windows
from kd_edge.runtimes.results import PLAIN_C, Parity, Side
from kd_edge.tasks.figures import Interval

KERAS, LITERT, TFLM = Side("keras", "keras"), Side("int8", "litert"), Side("int8", "tflm")


def parity(n_differing: int, n: int = 256, *, left=LITERT, right=TFLM, model="student") -> Parity:
    return Parity(left, right, "runtimes", n, 1 - n_differing / n, 4, 1.0, model=model)


def checked(bundle: Path, *parities: Parity, agreement=0.99, drop=1.0, held_out=None) -> Gates:
    """The gates of the built student under these limits."""
    recipe = load_recipe(bundle / "recipe.toml")
    recipe = recipe.model_copy(
        update={
            "proof": recipe.proof.model_copy(update={"min_agreement": agreement}),
            "conversion": recipe.conversion.model_copy(update={"max_drop_points": drop}),
        }
    )
    if held_out is None:
        stored = load_windows(bundle / "bench.npz")
        name = "unseen person"
        held_out = StoredWindows(
            {name: stored.parts[name]}, {"student": {name: stored.logits["student"][name]}}
        )
    return check_gates(
        recipe, load_manifest(bundle), bundle, held_out=held_out, parity=list(parities)
    )


def codes(found: Gates, severity: str) -> list[str]:
    return [f.code for f in found.findings if f.severity == severity and "LINT" not in f.code]


def test_three_of_256_windows_are_chance_under_a_limit_of_99_percent(bundle):
    """Oracle: Clopper and Pearson's interval of 253 of 256 is 96.6 to 99.76 %, which holds 99."""
    found = checked(bundle, parity(3))
    assert found.failures == ()
    assert codes(found, "warning") == ["KD_GATE_PARITY"]
    (gate,) = [g for g in found.gates if g.code == "KD_GATE_PARITY"]
    assert (gate.verdict, gate.tested, gate.against) == ("unsure", LITERT, TFLM)
    assert gate.interval.low == pytest.approx(96.61, abs=0.01)
    assert gate.interval.high == pytest.approx(99.76, abs=0.01)
    (said,) = [f.message for f in found.findings if f.code == "KD_GATE_PARITY"]
    assert "3 of 256 windows" in said
    assert "it may be chance" in said
    assert "loses 0.00 points" in said
    assert Gates.from_json(found.to_json()).gates == found.gates


def test_a_warning_about_a_gate_that_is_held_says_that_it_is(bundle):
    """Oracle: 255 of 256 are 99.6 %, above 99."""
    found = checked(bundle, parity(1))
    (said,) = [f.message for f in found.findings if f.code == "KD_GATE_PARITY"]
    assert "99.6 % agree, which holds proof.min_agreement = 0.99. On" in said


@pytest.mark.parametrize(
    ("points", "told"),
    [
        (0.43, "loses 0.43 points [-0.31 to 1.16] against"),
        (-0.4, "gains 0.40 points [-1.16 to 0.31] against"),
    ],
)
def test_what_a_form_gains_is_told_as_a_gain(points, told):
    """Oracle: the same interval, turned round."""
    bounds = Interval(-0.31, 1.16, 0.95, "")
    gate = Gate("KD_GATE_ACCURACY", "student", LITERT, TFLM, points, bounds, None, "points", 9, "")
    assert told in words.lost(gate)


def test_more_than_chance_may_do_fails_whatever_the_captions_say(bundle, monkeypatch):
    """Oracle: 249 of 256: the interval ends at 98.9 %. Captions are put into another language."""
    monkeypatch.setattr(words, "side", lambda side: "Seite")
    monkeypatch.setattr(words, "RUNTIMES", {})
    found = checked(bundle, parity(7))
    assert [failure.code for failure in found.failures] == ["KD_GATE_PARITY"]
    assert checked(bundle, parity(6)).failures == ()


def test_a_limit_of_one_lets_no_window_differ(bundle):
    assert checked(bundle, parity(1), agreement=1.0).failures
    assert not checked(bundle, parity(0), agreement=1.0).failures


@pytest.mark.parametrize(
    "other",
    [
        {"model": "other"},
        {"left": Side("float32", "litert"), "right": Side("float32", "tflm")},
        {"left": Side("int16x8", "litert")},
    ],
)
def test_another_model_or_format_is_not_the_int8_gate(bundle, other):
    assert not [g for g in checked(bundle, parity(200, **other)).gates if g.unit == "%"]


def test_a_runtime_on_which_accuracy_falls_fails_though_the_board_is_right(bundle, monkeypatch):
    """Oracle: LiteRT's answers are turned by a class by hand: it is right where it was wrong."""

    opened = gates.open_interpreter
    phones = []

    def open_and_note(runtime, path):
        session = opened(runtime, path)
        if runtime == "litert":
            phones.append(session)
        return session

    def answers(session, part):
        found = run_windows(session, part)
        if session not in phones:
            return found
        return SimpleNamespace(logits=np.roll(found.logits, 1, axis=1))

    monkeypatch.setattr(gates, "open_interpreter", open_and_note)
    monkeypatch.setattr(gates, "run_windows", answers)
    found = checked(bundle, parity(0))
    assert [failure.code for failure in found.failures] == ["KD_GATE_ACCURACY"]
    assert "in int8 on LiteRT" in found.failures[0].message
    verdicts = {(g.tested, g.against): g.verdict for g in found.gates if g.unit == "points"}
    assert verdicts == {
        (LITERT, KERAS): "failed",
        (TFLM, KERAS): "held",
        (LITERT, TFLM): "stated",
    }
    (lost,) = [g for g in found.gates if g.verdict == "stated"]
    assert lost.value > 80
    assert lost.limit is None


def test_a_loss_that_few_windows_cannot_tell_from_chance_is_a_warning(bundle):
    """Oracle: float is made right in every window; int8 is wrong in one of 30, which is 3.3 points
    with an interval of about -3 to 9."""
    stored = load_windows(bundle / "bench.npz")
    part = stored.parts["unseen person"]
    session = gates.open_interpreter("tflm", bundle / "student.int8.tflite")
    labels = run_windows(session, part).logits.argmax(axis=1)
    labels[0] = (labels[0] + 1) % 3
    held_out = StoredWindows(
        {"p": dataclasses.replace(part, truth=labels)}, {"student": {"p": np.eye(3)[labels]}}
    )
    found = checked(bundle, held_out=held_out)
    assert found.failures == ()
    assert set(codes(found, "warning")) == {"KD_GATE_ACCURACY"}
    gate = next(g for g in found.gates if g.tested == TFLM and g.unit == "points")
    assert gate.value == pytest.approx(100 / 30)
    assert gate.interval.low < 1 < gate.interval.high


def test_every_gate_has_words_for_people():
    from report_samples import full_report

    said = [(words.gate(g), words.measured(g), words.limit(g)) for g in full_report().gates]
    assert said == [
        ("loss, int8 on TFLite Micro against Keras", "0.40 points [-0.30 to 1.10]",
         "at most 1 points"),
        ("same class, int8 on LiteRT as int8 on TFLite Micro", "98.8 % [96.6 to 99.8]",
         "at least 99 %"),
        ("loss, int8 on LiteRT against int8 on TFLite Micro", "0.20 points [-0.40 to 0.80]",
         "none"),
        ("size of int8", "31,480 B", "at most 30,000 B"),
    ]  # fmt: skip


_WITHOUT_THE_WHEEL = """
import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "tflite_micro":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Hidden())
from kd_edge.cli import main
main()
"""


@pytest.mark.skipif(host_compiler() is None, reason="no C compiler is installed")
def test_a_bench_without_tflite_micro_holds_runtimes_against_plain_c(bundle):
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT_THE_WHEEL, "bench", str(bundle), "--json"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == ExitStatus.OK, done.stderr
    report = json.loads(done.stdout)
    rows = {(row["format"], row["runtime"]) for row in report["rows"]}
    assert ("int8", PLAIN_C) in rows
    assert "tflm" not in {runtime for _, runtime in rows}
    assert "plain C" in " ".join(report["caveats"])
    beside = [p for p in report["parity"] if p["right"]["runtime"] == PLAIN_C]
    assert beside
    assert all(p["class_agreement"] > 0.9 for p in beside)
