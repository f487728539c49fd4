"""Products of several models from a recipe: one training, a cascade, an average and a selector."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace

import numpy as np
import pytest
from product_samples import dense

import kd_edge
from kd_edge.base.composition import Composition
from kd_edge.base.errors import ExitStatus, KdEdgeError
from kd_edge.cli import run
from kd_edge.pipeline.answers import VALIDATION_FILE
from kd_edge.pipeline.bundle import load_manifest
from kd_edge.pipeline.dataset import read_recordings
from kd_edge.pipeline.gates import check_gates
from kd_edge.pipeline.instructions import estimated_instructions
from kd_edge.pipeline.kept_windows import PARITY_PART, load_windows
from kd_edge.recipe import load_recipe
from kd_edge.report.json import from_json
from kd_edge.runtimes.interpreter import model_inputs, one_window
from kd_edge.runtimes.registry import open_interpreter

pytest.importorskip("tensorflow")

RECIPE = """
name = "two-students"
[dataset]
reader = "synthetic"
options = { n_signs = 3, n_subjects = 2, n_repetitions = 8, n_sensors = 1 }
[front_end.emg]
envelope_hz = 8.0
rate_hz = 37.037037
[front_end.acc]
[windows]
length_s = 2.7
[windows.inputs]
emg = ["emg"]
acc = ["acc"]
[[split.test]]
kind = "last-repetitions"
repetitions = 3
[split.validation]
kind = "random"
fraction = 0.2
[[students]]
name = "emg-only"
model = "tcn"
inputs = ["emg"]
epochs = 6
batch_size = 16
learning_rate = 0.003
distill = false
[[students]]
name = "both"
model = "tcn"
epochs = 6
batch_size = 16
learning_rate = 0.003
distill = false
[conversion]
formats = ["float32", "int8"]
calibration_windows = 16
max_drop_points = 100.0
[proof]
parity_windows = 16
min_agreement = 0.1
latency_runs = 20
[firmware]
golden_vectors = 6
"""
CASCADE = """
[product]
name = "first-sure"
rule = "cascade"
models = ["emg-only", "both"]
margin = 0.3
"""
AVERAGE = """
[product]
name = "mean"
rule = "average"
models = ["emg-only", "both"]
"""


@pytest.fixture(scope="module")
def cascade(tmp_path_factory, cache):
    """A bundle whose product asks one student, and the other where the first is not sure."""
    folder = tmp_path_factory.mktemp("products")
    (folder / "recipe.toml").write_text(RECIPE + CASCADE)
    assert run(["build", str(folder / "recipe.toml"), "--out", str(folder / "cascade")]) == 0
    return folder / "cascade"


def report_of(bundle):
    return from_json((bundle / "report.json").read_text())


def own_answers(bundle, name, part):
    """A model's int8 scores on a part's windows, alone in TFLite Micro, and its scale."""
    manifest = load_manifest(bundle)
    model = manifest.model(name)
    windows = load_windows(bundle / "bench.npz", manifest).parts[part].only(model.inputs)
    session = open_interpreter("tflm", bundle / model.format("int8").file)
    arrays = model_inputs(session, windows)
    scores = [session.run(one_window(arrays, i))[0][0] for i in range(len(windows))]
    return np.array(scores), session.outputs[0], windows.truth


def test_a_cascade_answers_by_its_margin_and_the_report_says_who(cascade):
    """Oracle: each student alone in TFLite Micro, and the margin by hand."""
    manifest, report = load_manifest(cascade), report_of(cascade)
    part = report.parts[0].name
    first, output, truth = own_answers(cascade, "emg-only", part)
    second, _, _ = own_answers(cascade, "both", part)
    least = math.ceil(0.3 / output.scale)
    assert manifest.composition == Composition(
        "cascade", ("emg-only", "both"), least_margins=(least,)
    )
    ordered = np.sort(first.astype(int), axis=1)
    sure = ordered[:, -1] - ordered[:, -2] >= least
    decided = np.where(sure, first.argmax(axis=1), second.argmax(axis=1))
    row = next(r for r in report.rows if (r.role, r.runtime) == ("composition", "tflm"))
    assert row.accuracy[part].accuracy == pytest.approx(np.mean(decided == truth))
    assert row.answered[part] == {"emg-only": sure.sum(), "both": (~sure).sum()}
    assert 0 < sure.sum() < len(sure)


def test_the_products_row_has_the_bytes_and_arenas_of_its_models(cascade):
    """Oracle: the files, and the models' own rows."""
    rows = {
        r.model: r for r in report_of(cascade).rows if (r.format, r.runtime) == ("int8", "tflm")
    }
    product, one, two = (rows[name] for name in ("first-sure", "emg-only", "both"))
    files = [f"{name}.int8.tflite" for name in ("emg-only", "both")]
    assert product.size.file_bytes == sum((cascade / name).stat().st_size for name in files)
    assert product.arena.used_bytes == one.arena.used_bytes + two.arena.used_bytes
    assert product.size.macs is None  # it depends on the window
    assert product.latency.n_runs == 20


def test_limits_hold_for_all_models_of_the_product_together(cascade):
    """Oracle: a limit that each file keeps, and both together do not."""
    manifest, recipe = load_manifest(cascade), load_recipe(cascade / "recipe.toml")
    stored = load_windows(cascade / "bench.npz", manifest)
    limit = sum((cascade / f"{n}.int8.tflite").stat().st_size for n in ("emg-only", "both")) - 1
    tight = recipe.conversion.model_copy(update={"max_int8_bytes": limit})
    parts = {name: part for name, part in stored.parts.items() if name != PARITY_PART}
    held_out = replace(stored, parts=parts)
    found = check_gates(
        recipe.model_copy(update={"conversion": tight}),
        manifest,
        cascade,
        held_out=held_out,
        parity=report_of(cascade).parity,
    )
    (failure,) = [f for f in found.failures if f.code == "KD_GATE_SIZE"]
    assert "emg-only.int8.tflite + both.int8.tflite" in failure.message
    assert {gate.model for gate in found.gates} == {"emg-only", "both", "first-sure"}


def test_the_bundle_holds_both_engines_and_their_parity(cascade):
    """Oracle: the golden vectors, by the rule over each model in TFLite Micro."""
    files = set(load_manifest(cascade).files)
    for folder in ("firmware", "firmware/aot"):
        names = ("kd_model_emg_only.c", "kd_model_both.c", "kd_rule.c", "kd_golden.c")
        assert {f"{folder}/{name}" for name in names} <= files
    (parity,) = [p for p in report_of(cascade).parity if p.kind == "engines"]
    assert (parity.model, parity.n_windows, parity.max_steps) == ("first-sure", 6, 0)
    with np.load(cascade / "golden.npz") as golden:
        assert len(golden["int8_answered"]) == len(golden["labels"]) == 6


def test_a_loaded_cascade_tells_who_answered(cascade):
    product = kd_edge.load(cascade)
    recipe = load_recipe(cascade / "recipe.toml")
    recordings = read_recordings(recipe, None, progress=lambda *told: None)
    said = [product.predict(recording) for recording in recordings]
    assert {name for one in said for name in one.answered} == {"emg-only", "both"}
    assert all(one.raw.shape == (len(one.answered), 3) for one in said)


@pytest.mark.qemu
def test_an_emulated_board_answers_as_the_host(cascade, tmp_path):
    """Oracle: TFLite Micro and the rule on this host; `eval` ends with 6 where a bit differs."""
    out = tmp_path / "eval"
    command = ["eval", str(cascade), "--board", "qemu-an386", "--out", str(out)]
    assert run([*command, "--limit", "12"]) == ExitStatus.OK
    (board,) = from_json((out / "report.json").read_text()).boards
    assert board.agreement[0].same_scores == board.n_answered == 12
    assert sum(board.answered.values()) == 12
    assert board.golden_passed == 6
    # A window that the second answers runs the first as well.
    ticks = board.answered_ticks
    assert ticks.keys() == {name for name, n in board.answered.items() if n}
    assert ticks["both"] > 1.5 * ticks["emg-only"] > 0
    low, high = board.inference.smallest, board.inference.largest
    assert low <= min(ticks.values()) < max(ticks.values()) <= high


@pytest.mark.qemu
def test_an_emulated_board_that_streams_answers_as_the_host(cascade, capsys):
    """Oracle: TFLite Micro and the rule on this host, for every window that the board cut."""
    command = ["live", str(cascade), "--board", "qemu-an386", "--windows", "10", "--json"]
    assert run(command) == ExitStatus.OK
    figures = json.loads(capsys.readouterr().out.splitlines()[-1])["figures"]
    assert (figures["compared"], figures["same_scores"], figures["lost_frames"]) == (10, 10, 0)


def test_another_rule_trains_nothing_again(cascade, tmp_path, capfd):
    """Oracle: the mean of what both students say, in real numbers."""
    out = shutil.copytree(cascade, tmp_path / "average")
    (tmp_path / "recipe.toml").write_text(RECIPE + AVERAGE)
    assert run(["build", str(tmp_path / "recipe.toml"), "--out", str(out)]) == ExitStatus.OK
    err = capfd.readouterr().err
    assert "kept  train both" in err
    assert "work  prove" in err
    part = report_of(out).parts[0].name
    reals = []
    for name in ("emg-only", "both"):
        scores, output, truth = own_answers(out, name, part)
        reals.append((scores.astype(float) - output.zero_point) * output.scale)
    row = next(r for r in report_of(out).rows if (r.role, r.runtime) == ("composition", "tflm"))
    mean = np.mean(reals, axis=0)
    # Rounding to the common scale may move a window whose two best classes are that near.
    ordered = np.sort(mean, axis=1)
    clear = ordered[:, -1] - ordered[:, -2] > 0.2
    right = (mean.argmax(axis=1) == truth)[clear].sum()
    hits = row.accuracy[part].accuracy * len(truth)
    assert right <= hits <= right + (~clear).sum()
    assert row.answered == {}
    (parity,) = [p for p in report_of(out).parity if p.kind == "engines"]
    assert parity.max_steps == 0


def test_a_cascade_may_find_its_margin_on_the_validation_part(cascade, tmp_path, capfd):
    """Oracle: each student alone in TFLite Micro on that part, and every margin in turn."""
    out = shutil.copytree(cascade, tmp_path / "found")
    (tmp_path / "recipe.toml").write_text(
        RECIPE + CASCADE.replace("margin = 0.3", "max_drop_points = 5.0")
    )
    assert run(["build", str(tmp_path / "recipe.toml"), "--out", str(out)]) == ExitStatus.OK
    assert "kept  train both" in capfd.readouterr().err
    manifest, report = load_manifest(out), report_of(out)
    validation = load_windows(out / VALIDATION_FILE).parts["validation"]
    right, steps = [], []
    for name in ("emg-only", "both"):
        model = manifest.model(name)
        session = open_interpreter("tflm", out / model.format("int8").file)
        arrays = model_inputs(session, validation.only(model.inputs))
        scores = np.array(
            [session.run(one_window(arrays, i))[0][0] for i in range(len(validation))], int
        )
        ordered = np.sort(scores, axis=1)
        steps.append(ordered[:, -1] - ordered[:, -2])
        right.append(scores.argmax(axis=1) == validation.truth)
    each = [
        right[1] - np.where(steps[0] >= least, right[0], 1.0 * right[1]) for least in range(257)
    ]
    lost = [one.mean() for one in each]
    certain = [one.mean() - one.std() / len(one) ** 0.5 for one in each]
    allowed = [
        least
        for least in range(257)
        if lost[least] <= 0.05 + 1e-9 and max(certain[least:]) <= 0.05 + 1e-9
    ]
    assert manifest.composition.least_margins == (min(allowed),)
    selection = report.selection
    assert selection.n_fitted == len(validation)
    assert selection.fitted_drop == pytest.approx(lost[min(allowed)])
    assert "found on" in (out / "report.html").read_text()


def test_the_report_sets_every_way_to_answer_beside_the_product(cascade):
    """Oracle: the models' and the product's own rows, and their sizes."""
    report = report_of(cascade)
    selection, part = report.selection, report.parts[0].name
    rows = {r.model: r for r in report.rows if (r.format, r.runtime) == ("int8", "tflm")}
    ways = {way.name: way for way in selection.ways}
    figures = {name: {f.part: f for f in way.figures}[part] for name, way in ways.items()}
    for name in ("emg-only", "both", "first-sure"):
        assert figures[name].value == pytest.approx(rows[name].accuracy[part].accuracy)
        assert ways[name].file_bytes == rows[name].size.file_bytes
    assert figures["first-sure"].answered == rows["first-sure"].answered[part]
    assert figures["oracle"].value >= max(figures[n].value for n in ("emg-only", "both"))
    asked = figures["first-sure"].answered["both"] / sum(figures["first-sure"].answered.values())
    small, large = (rows[name].size.macs for name in ("emg-only", "both"))
    assert figures["first-sure"].macs == pytest.approx(small + asked * large)
    for core, named in ((selection.core, "m4"), ("Cortex-M55 with Helium", "m55")):
        small, large = (
            estimated_instructions(cascade / f"{name}.int8.tflite", named)
            for name in ("emg-only", "both")
        )
        figure = figures["first-sure"]
        told = figure.instructions if named == "m4" else figure.elsewhere[core]
        assert told == pytest.approx(small + asked * large)
        assert f"estimated for {core}" in (cascade / "report.html").read_text()
    (curve,) = [each for each in selection.curves if each.part == part]
    ends = curve.points[0], curve.points[-1]
    assert [end.asked for end in ends] == [0.0, 1.0]
    assert ends[1].right == pytest.approx(figures["both"].value)
    (against,) = [each for each in selection.against if each.part == part]
    assert against.model == "both"
    assert against.drop == pytest.approx(figures["both"].value - figures["first-sure"].value)
    assert against.saved_elsewhere[core] == pytest.approx(1 - (small + asked * large) / large)


def selector(folder, manifest):
    """A hand-made model that picks by the accelerometer."""
    shape = manifest.input_shapes["acc"]
    return dense(folder / "which.tflite", {"acc": (shape, 0.05, 0)}, 2, (0.1, 0), seed=3)


def test_a_selector_of_ones_own_makes_a_product_of_a_built_bundle(cascade, tmp_path):
    """Oracle: the selector alone in TFLite Micro; plain C equals the rule bit for bit."""
    manifest = load_manifest(cascade)
    composition = Composition("selector", ("emg-only", "both"), selector="which")
    report = kd_edge.compose(
        cascade,
        tmp_path / "picked",
        composition,
        name="picked",
        models={"which": selector(tmp_path, manifest)},
    )
    made = load_manifest(tmp_path / "picked")
    assert (made.product, made.composition) == ("picked", composition)
    part = report.parts[0].name
    picks, _, _ = own_answers(tmp_path / "picked", "which", part)
    row = next(r for r in report.rows if (r.model, r.runtime) == ("picked", "tflm"))
    first = int((picks.argmax(axis=1) == 0).sum())
    assert row.answered[part] == {"emg-only": first, "both": len(picks) - first}
    assert next(r for r in report.rows if r.model == "which").accuracy == {}
    (parity,) = [p for p in report.parity if p.kind == "engines"]
    assert (parity.model, parity.max_steps) == ("picked", 0)
    assert run(["bench", str(tmp_path / "picked"), "--runs", "20"]) == ExitStatus.OK
    assert kd_edge.load(tmp_path / "picked").manifest.product == "picked"
    # The bundle that it came from is as it was.
    assert load_manifest(cascade).product == "first-sure"


def test_models_that_a_bundle_lacks_are_named_with_the_nearest(cascade, tmp_path):
    for composition, name, code, told in (
        (
            Composition("average", ("emg-only", "bth")),
            "mean",
            "KD_UNKNOWN_NAME",
            "did you mean 'both'",
        ),
        (Composition("average", ("emg-only", "both")), "both", "KD_USAGE", "otherwise"),
    ):
        with pytest.raises(KdEdgeError, match=told) as caught:
            kd_edge.compose(cascade, tmp_path / "out", composition, name=name)
        assert caught.value.code == code
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("rule", "vote"),
        ("models", ["emg-only", "gone"]),
        ("least_margins", [1, 2]),
        ("least_margins", [300]),
        ("selector", "both"),
    ],
)
def test_a_damaged_composition_is_an_altered_bundle(cascade, tmp_path, key, value):
    fields = json.loads((cascade / "bundle.json").read_text())
    fields["composition"][key] = value
    (tmp_path / "bundle.json").write_text(json.dumps({**fields, "files": {}}))
    with pytest.raises(KdEdgeError) as caught:
        load_manifest(tmp_path)
    assert caught.value.code == "KD_BUNDLE_ALTERED"
