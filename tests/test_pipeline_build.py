"""The whole chain on a few synthetic signs: real training, real converters, real interpreters.

One build serves most tests; each is about what a user can rely on afterwards.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from eager import without_graphs

from kd_edge.base.errors import ExitStatus
from kd_edge.cli import run
from kd_edge.pipeline.bundle import load_manifest
from kd_edge.pipeline.gates import check_gates
from kd_edge.pipeline.kept_windows import StoredWindows, load_windows
from kd_edge.pipeline.lock import locked
from kd_edge.recipe import load_recipe
from kd_edge.report.json import from_json, json_schema
from kd_edge.runtimes.interpreter import run_windows
from kd_edge.runtimes.registry import open_interpreter
from kd_edge.runtimes.results import Parity, Side


def hasty(text):
    """The recipe with a student of one epoch, which no limit stops for that."""
    changes = {"epochs = 30": "epochs = 1", "max_drop_points = 30.0": "max_drop_points = 100.0"}
    for old, new in {**changes, "min_agreement = 0.5": "min_agreement = 0.01"}.items():
        assert old in text
        text = text.replace(old, new)
    return text


@pytest.fixture
def copied(bundle, tmp_path):
    return Path(shutil.copytree(bundle, tmp_path / "copy"))


def test_a_bundle_holds_what_the_design_names(bundle):
    for name in (
        "recipe.toml",
        "bundle.json",
        "emg-expert.keras",
        "student.keras",
        "student.float32.tflite",
        "student.int8.tflite",
        "golden.npz",
        "report.html",
        "report.json",
        "firmware/kd_model.c",
    ):
        assert (bundle / name).stat().st_size > 0, name
    manifest = load_manifest(bundle)
    assert manifest.synthetic
    assert load_recipe(bundle / "recipe.toml").sha256 == manifest.recipe_sha256
    assert not list((bundle / ".work").glob("*.ckpt"))
    assert not (bundle / ".lock").exists()


def test_the_report_follows_its_schema_and_says_synthetic(bundle):
    import jsonschema

    tree = json.loads((bundle / "report.json").read_text())
    jsonschema.validate(tree, json_schema())
    report = from_json((bundle / "report.json").read_text())
    assert report.synthetic
    assert [part.name for part in report.parts][:2] == ["unseen person", "random split"]
    assert [part.leaky for part in report.parts] == [False, True, False, False]
    roles = {row.role for row in report.rows}
    assert roles == {"teacher", "ensemble", "student", "baseline"}


def test_a_bundle_holds_its_decision_rule_and_what_it_does(bundle):
    """Oracle: the recipe, and its fourth sign, which no model learned."""
    manifest = load_manifest(bundle)
    rule, section = manifest.decision, from_json((bundle / "report.json").read_text()).decisions
    assert (rule.classes, rule.windows, len(rule.prototypes)) == (3, 3, 3)
    assert rule.temperature == manifest.temperature == section.temperature
    assert [each.part for each in section.calibration] == ["unseen person", "random split"]
    assert "sign 04" not in manifest.class_names
    # Ten of the unseen person, and ten of each person of the random split.
    assert [(u.n_known, u.n_unknown % 10) for u in section.unknown] == [(30, 0), (12, 0)]
    assert section.unknown[0].n_unknown == 10
    for folder in ("firmware", "firmware/aot"):
        assert "kd_decision_take" in (bundle / folder / "kd_decision.h").read_text()
        assert "prototypes[9]" in (bundle / folder / "kd_decision_rule.c").read_text()
    assert "Confidence and decisions" in (bundle / "report.html").read_text()


def test_the_student_learns_something(bundle):
    """Oracle: three classes by chance give a third."""
    report = from_json((bundle / "report.json").read_text())
    row = next(r for r in report.rows if r.model == "student" and r.format == "keras")
    assert row.accuracy["random split"].accuracy > 0.5


def test_golden_vectors_are_tflite_micros_own_answers(bundle):
    """Oracle: the TFLite Micro interpreter, run again."""
    session = open_interpreter("tflm", bundle / "student.int8.tflite")
    with np.load(bundle / "golden.npz") as golden:
        inputs = [golden[f"int8_inputs/{spec.name}"] for spec in session.inputs]
        assert len(golden["int8_outputs"]) == len(golden["labels"]) > 0
        for index, expected in enumerate(golden["int8_outputs"]):
            (found,) = session.run([array[index : index + 1] for array in inputs])
            np.testing.assert_array_equal(found[0], expected)


def test_stored_answers_are_those_of_the_float_model(bundle):
    """Oracle: the float32 model in LiteRT, to float's rounding."""
    stored = load_windows(bundle / "bench.npz")
    part = stored.parts["unseen person"]
    session = open_interpreter("litert", bundle / "student.float32.tflite")
    found = run_windows(session, part.only(("emg", "imu"))).logits
    np.testing.assert_allclose(found, stored.logits["student"]["unseen person"], atol=1e-3)


def test_a_second_build_does_nothing_again(bundle, recipe, capfd):
    models = {p: p.read_bytes() for p in bundle.glob("**/*") if p.suffix in (".tflite", ".c")}
    assert {path.suffix for path in models} == {".tflite", ".c"}
    assert run(["build", str(recipe), "--out", str(bundle)]) == ExitStatus.OK
    err = capfd.readouterr().err
    assert "kept  train student" in err
    assert "work  " not in err
    assert all(path.read_bytes() == content for path, content in models.items())


def test_a_build_in_another_folder_takes_what_the_first_has_made(bundle, recipe, tmp_path, capfd):
    """Oracle: the first bundle's own files; the second names the first's place nowhere."""
    out = tmp_path / "second"
    assert run(["build", str(recipe), "--out", str(out)]) == ExitStatus.OK
    err = capfd.readouterr().err
    assert "kept  train student" in err
    assert "work  " not in err
    said = {"recipe.toml", "report.json", "report.html"}  # the command and its time are in there
    first, second = (load_manifest(folder).files for folder in (bundle, out))
    assert first.keys() == second.keys()
    assert {name for name in first if first[name] != second[name]} <= said
    for path in (path for path in out.rglob("*") if path.is_file()):
        assert str(bundle).encode() not in path.read_bytes(), path


def test_firmware_holds_both_engines_and_the_report_their_parity(bundle):
    """Oracle: the golden vectors, which are TFLite Micro's answers."""
    files = load_manifest(bundle).files
    assert {"firmware/kd_run.cc", "firmware/aot/kd_run.c", "firmware/aot/kd_model.c"} <= set(files)
    report = from_json((bundle / "report.json").read_text())
    (parity,) = [p for p in report.parity if p.kind == "engines"]
    assert (parity.n_windows, parity.max_steps) == (4, 0)


def test_a_changed_setting_redoes_only_what_rests_on_it(copied, recipe, tmp_path, capfd):
    changed = tmp_path / "changed.toml"
    text = recipe.read_text().replace("alpha = 0.5", "alpha = 0.6")
    # One epoch teaches nothing: how forms agree is not the matter here.
    changed.write_text(hasty(text))
    with without_graphs():
        assert run(["build", str(changed), "--out", str(copied)]) == ExitStatus.OK
    err = capfd.readouterr().err
    assert "kept  train imu-expert" in err
    assert "work  train student" in err


def test_what_another_recipe_left_is_deleted_and_other_files_are_not_named(
    copied, recipe, tmp_path
):
    """Oracle: the second recipe has no student of the old name."""
    (copied / "notes.txt").write_text("mine")
    renamed = tmp_path / "renamed.toml"
    text = recipe.read_text().replace('name = "student"', 'name = "pupil"')
    renamed.write_text(hasty(text))
    with without_graphs():
        status = run(["build", str(renamed), "--out", str(copied)])
    assert status in (ExitStatus.OK, ExitStatus.GATE)
    assert not list(copied.glob("student.*"))
    assert (copied / "notes.txt").read_text() == "mine"
    files = load_manifest(copied).files
    assert "pupil.int8.tflite" in files
    assert "firmware/kd_model.c" in files
    assert not {"notes.txt", "student.keras"} & set(files)


def test_a_second_build_in_the_same_folder_is_refused_while_the_first_works(bundle, recipe, capsys):
    with locked(bundle):
        assert run(["build", str(recipe), "--out", str(bundle)]) == ExitStatus.BAD_DATA
    assert "another build works" in capsys.readouterr().err
    load_manifest(bundle)


def test_bench_measures_a_bundle_again_and_compares_it(bundle, tmp_path, capsys):
    assert run(["bench", str(bundle), "--runs", "20", "--json"]) == ExitStatus.OK
    text = capsys.readouterr().out
    report = from_json(text)
    runtimes = {row.runtime for row in report.rows if row.format == "int8"}
    assert {"litert", "tflm"} <= runtimes
    better = json.loads(text)
    for row in better["rows"]:
        if row["size"]:
            row["size"]["file_bytes"] -= 100
    (tmp_path / "old.json").write_text(json.dumps(better))
    status = run(["bench", str(bundle), "--runs", "20", "--baseline", str(tmp_path / "old.json")])
    assert status == ExitStatus.GATE
    assert "another bundle" not in capsys.readouterr().err
    (tmp_path / "old.json").write_text(json.dumps({**better, "title": "elsewhere"}))
    run(["bench", str(bundle), "--runs", "20", "--baseline", str(tmp_path / "old.json")])
    assert "another bundle, 'elsewhere'" in capsys.readouterr().err


def test_bench_takes_other_recordings_and_names_a_leak(bundle, tmp_path, capfd):
    """Oracle: recordings of S3 alone are those of the test part: its subject was never learned.

    Their channels stand in another order, and their unit is stated.
    """
    status = bench_others(bundle, tmp_path / "other", capfd, channels=[2, 0, 1], unit="G")
    assert status == ExitStatus.OK
    shown = capfd.readouterr()
    assert "tensorflow" not in shown.err.lower()
    report = from_json(shown.out)
    assert report.parts[0].leak is None
    assert "emg was taken for mV: these recordings state no unit." in report.caveats
    assert not [caveat for caveat in report.caveats if caveat.startswith("acc")]
    own = from_json((bundle / "report.json").read_text())
    found = next(r for r in report.rows if r.format == "int8" and r.runtime == "tflm")
    expected = next(r for r in own.rows if r.format == "int8" and r.runtime == "tflm")
    assert (
        found.accuracy[report.parts[0].name].accuracy == expected.accuracy["unseen person"].accuracy
    )
    again, first = (r.decisions.calibration[0].after for r in (report, own))
    assert (again.n_windows, again.nll) == (first.n_windows, pytest.approx(first.nll))
    assert report.decisions.coverage[0].answered == own.decisions.coverage[0].answered
    # The baseline is fitted again on what the bundle keeps; teachers answer again, joined too.
    for role in ("baseline", "teacher", "ensemble"):
        found = next(row for row in report.rows if row.role == role)
        expected = next(
            row for row in own.rows if (row.model, row.format) == (found.model, found.format)
        )
        figure = found.accuracy[report.parts[0].name]
        assert figure.confusion == expected.accuracy["unseen person"].confusion


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"unit": "m/s²"}, "KD_UNIT_MISMATCH"), ({"rename": "ACC W"}, "KD_CHANNEL_MISSING")],
)
def test_bench_refuses_recordings_of_another_kind(bundle, tmp_path, capfd, changes, code):
    assert bench_others(bundle, tmp_path / "other", capfd, **changes) == ExitStatus.BAD_DATA
    assert json.loads(capfd.readouterr().out)["error"]["code"] == code


def bench_others(bundle, other, capfd, *, channels=(0, 1, 2), unit="", rename=None):
    """Bench on the recordings of S3, whose accelerometer is written in another way."""
    from kd_edge.signals.simulate import SignSettings, simulate

    settings = SignSettings(n_signs=3, n_subjects=3, n_repetitions=10, n_sensors=1)
    other.mkdir()
    rows = ["file,label,subject,session,trial"]
    recordings = [r for r in simulate(settings) if r.subject == "S3"]
    for index, recording in enumerate(recordings):
        arrays = {}
        for stream in recording.streams:
            order = list(channels) if stream.modality == "acc" else slice(None)
            names = np.array(stream.channels)[order]
            arrays |= {
                stream.modality: stream.samples[:, order],
                f"{stream.modality}.rate_hz": stream.rate_hz,
                f"{stream.modality}.channels": names,
            }
        arrays["acc.unit"] = unit
        if rename:
            arrays["acc.channels"] = np.array([rename, *arrays["acc.channels"][1:]])
        np.savez(other / f"r{index}.npz", **arrays, synthetic=True)
        rows.append(f"r{index}.npz,{recording.label},S3,{recording.session},{recording.trial}")
    (other / "labels.csv").write_text("\n".join(rows) + "\n")
    capfd.readouterr()
    return run(
        ["bench", str(bundle), "--data", str(other), "--reader", "folder", "--runs", "20", "--json"]
    )


def test_a_reader_without_other_recordings_is_bad_usage(bundle, capsys):
    assert run(["bench", str(bundle), "--reader", "folder"]) == ExitStatus.USAGE
    assert "--data" in capsys.readouterr().err


def test_each_subject_in_turn_gives_a_figure_for_every_fold(recipe, tmp_path, capfd):
    """Oracle: three subjects make three folds, each tested on its own 30 recordings."""
    text = recipe.read_text().replace('held_out = ["S3"]', 'held_out = "each"')
    head, _, tail = text.partition("[[teachers]]")
    student = tail[tail.index("[[students]]") : tail.index("[distillation]")]
    rest = tail[tail.index("[conversion]") :]
    alone = student.replace("epochs = 30", "epochs = 30\ndistill = false")
    path = tmp_path / "each.toml"
    path.write_text(hasty(head + alone + rest))
    out = tmp_path / "each"
    with without_graphs():
        assert run(["build", str(path), "--out", str(out)]) == ExitStatus.OK
    folds = from_json((out / "report.json").read_text()).folds
    assert [fold.fold for fold in folds] == ["without S1", "without S2", "without S3"]
    assert [fold.accuracy.n_recordings for fold in folds] == [30, 30, 30]
    assert sorted(folder.name for folder in (out / "folds").iterdir()) == ["S2", "S3"]
    caveats = from_json((out / "report.json").read_text()).caveats
    assert any("first fold, 'without S1'" in caveat for caveat in caveats)
    capfd.readouterr()
    assert run(["build", str(path), "--out", str(out)]) == ExitStatus.OK
    err = capfd.readouterr().err
    assert "kept  accuracy of folds/S2/student.keras" in err
    assert "work  " not in err


def test_an_altered_bundle_is_refused(copied, capsys):
    model = copied / "student.int8.tflite"
    model.write_bytes(model.read_bytes()[:-1] + b"\x01")
    assert run(["bench", str(copied)]) == ExitStatus.BAD_DATA
    assert "KD_BUNDLE_ALTERED" in capsys.readouterr().err


def test_a_limit_that_is_not_held_fails_the_build_and_leaves_the_bundle(
    copied, recipe, tmp_path, capsys
):
    strict = tmp_path / "strict.toml"
    strict.write_text(recipe.read_text().replace("[proof]", "max_int8_bytes = 1000\n[proof]", 1))
    assert run(["build", str(strict), "--out", str(copied)]) == ExitStatus.GATE
    assert "KD_GATE_SIZE" in capsys.readouterr().err
    findings = from_json((copied / "report.json").read_text()).findings
    assert "KD_GATE_SIZE" in {finding.code for finding in findings}
    assert run(["build", str(strict), "--out", str(copied)]) == ExitStatus.GATE
    assert "kept  limits and lints" in (err := capsys.readouterr().err)
    assert "KD_GATE_SIZE" in err
    load_manifest(copied)


def test_int8_that_loses_accuracy_fails_and_names_the_tensors(bundle):
    """Oracle: labels chosen so that int8 is always wrong and float always right."""
    manifest = load_manifest(bundle)
    part = load_windows(bundle / "bench.npz").parts["unseen person"]
    answers = run_windows(open_interpreter("tflm", bundle / "student.int8.tflite"), part).logits
    labels = (answers.argmax(axis=1) + 1) % 3
    wrong = dataclasses.replace(part, truth=labels)
    held_out = StoredWindows({"p": wrong}, {"student": {"p": np.eye(3)[labels]}})
    failures = check_gates(
        load_recipe(bundle / "recipe.toml"), manifest, bundle, held_out=held_out, parity=()
    ).failures
    assert {failure.code for failure in failures} == {"KD_GATE_ACCURACY"}
    (failure,) = [f for f in failures if "int8 on TFLite Micro" in f.message]
    assert "loses 100.00 points" in failure.message
    assert "dB" in failure.where


def test_int8_runtimes_that_disagree_fail_the_build(bundle):
    manifest = load_manifest(bundle)
    stored = load_windows(bundle / "bench.npz")
    held_out = StoredWindows(
        {"p": stored.parts["unseen person"]},
        {"student": {"p": stored.logits["student"]["unseen person"]}},
    )
    differing = Parity(
        Side("int8", "litert"), Side("int8", "tflm"), "runtimes", 256, 0.4, 99, 1.0, model="student"
    )
    gates = check_gates(
        load_recipe(bundle / "recipe.toml"), manifest, bundle, held_out=held_out, parity=[differing]
    )
    (failure,) = [f for f in gates.failures if f.code == "KD_GATE_PARITY"]
    assert "different classes in 154 of 256 windows: 40.0 % agree" in failure.message
    assert "against int8 on TFLite Micro" in failure.message


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('model = "tcn"', 'model = "tcm"', "did you mean 'tcn'"),
        ('loss = "hinton"', 'loss = "hintn"', "did you mean 'hinton'"),
        ('baselines = ["lda"]', 'baselines = ["ldaa"]', "did you mean 'lda'"),
        ('reader = "synthetic"', 'reader = "sintetic"', "did you mean 'synthetic'"),
        ("n_signs = 4", "n_sign = 4", "did you mean 'n_signs'"),
        ('held_out = ["S3"]', 'held_out = ["S9"]', "S9"),
        ('loss = "hinton"', 'loss = "logit-mse"', "loss 'logit-mse' has no option 'temperature'"),
        ('model = "tcn"', 'model = "tcn"\noptions = { block = 2 }', "did you mean 'blocks'"),
        ('model = "tcn"', 'model = "tcn"\noptions = { kernel = 0 }', "the model 'student'"),
    ],
)
def test_a_name_that_stands_for_nothing_stops_the_build_before_any_work(
    recipe, tmp_path, capsys, old, new, words
):
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(recipe.read_text().replace(old, new, 1))
    status = run(["build", str(wrong), "--out", str(tmp_path / "out")])
    assert status in (ExitStatus.USAGE, ExitStatus.BAD_DATA)
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out" / "student.keras").exists()
