"""A wearer's bundle has every format whose last layer can be theirs, proved like in a build.

Oracles: the forms that they must answer as, each on its own runtime.
"""

from __future__ import annotations

import shutil
import sys
from importlib.util import find_spec

import numpy as np
import pytest
from build_samples import RECIPE
from wearer_samples import write_few

from kd_edge import cli
from kd_edge.base.formats import FORMATS
from kd_edge.pipeline.bundle import load_manifest
from kd_edge.pipeline.kept_windows import load_windows
from kd_edge.report.json import from_json
from kd_edge.runtimes.interpreter import run_windows
from kd_edge.runtimes.parity import FLOAT_TOLERANCE
from kd_edge.runtimes.registry import open_interpreter
from kd_edge.runtimes.results import Side
from kd_edge.signals.simulate import SignSettings, simulate

FORMS = ("float32", "float16", "int8", "int8-float-io", "onnx", "coreml")
BUILT = '\nformats = ["float32", "int8"]'
SWAPPED = {"sign 01": "sign 02", "sign 02": "sign 01"}
WHERE = {"int8": "tflm", "int8-float-io": "tflm", "onnx": "onnx-runtime", "coreml": "mil-numpy"}


@pytest.fixture(scope="module")
def of_all_forms(bundle, tmp_path_factory):
    """The bundle with more formats; its stages keep what was trained."""
    for name in FORMS:
        missing = [each for each in FORMATS[name].packages if find_spec(each) is None]
        if missing:
            pytest.skip(f"{', '.join(missing)} is not installed")
    folder = tmp_path_factory.mktemp("forms")
    out, recipe = folder / "before", folder / "tiny.toml"
    shutil.copytree(bundle, out)
    names = ", ".join(f'"{name}"' for name in FORMS)
    assert BUILT in RECIPE
    recipe.write_text(RECIPE.replace(BUILT, f"\nformats = [{names}]"))
    assert cli.run(["build", str(recipe), "--out", str(out)]) == 0
    assert tuple(f.format for f in load_manifest(out).model("student").formats) == FORMS
    return out


def personalise(before, folder, *, labels):
    people = simulate(SignSettings(n_signs=4, n_subjects=5, n_repetitions=7, n_sensors=1))
    data = write_few(folder / "few", people, labels=labels)
    options = ["--data", str(data), "--reader", "folder", "--repetitions", "5"]
    assert cli.run(["personalise", str(before), *options, "--out", str(folder / "own")]) == 0
    return folder / "own"


def logits(folder, form: str) -> np.ndarray:
    windows = load_windows(folder / "bench.npz").parts["parity windows"]
    path = folder / FORMATS[form].file("student")
    return run_windows(open_interpreter(WHERE[form], path), windows).logits


def test_every_form_that_can_has_the_wearers_layer(of_all_forms, tmp_path):
    own = personalise(of_all_forms, tmp_path, labels=SWAPPED)
    report = from_json((own / "report.json").read_text())
    assert report.personal.taken
    kept = [f.format for f in load_manifest(own).model("student").formats]
    assert kept == ["float32", "int8", "int8-float-io", "onnx", "coreml"]
    (said,) = [caveat for caveat in report.caveats if "cannot be replaced" in caveat]
    assert said.startswith("The last layer of float16 cannot be replaced")
    assert {row.format for row in report.rows if row.model == "student"} == set(kept)
    rows = {
        (p.left, p.right.format, p.right.runtime): p for p in report.parity if p.kind == "forms"
    }
    exact = rows[Side("int8", "tflm"), "int8-float-io", "tflm"]
    assert (exact.class_agreement, exact.max_abs) == (1.0, 0.0)
    np.testing.assert_array_equal(logits(own, "int8-float-io"), logits(own, "int8"))
    for form in ("onnx", "coreml"):
        said, was = logits(own, form), logits(of_all_forms, form)
        parity = rows[Side("float32", "litert"), form, WHERE[form]]
        assert parity.class_agreement == 1.0
        assert parity.max_abs <= FLOAT_TOLERANCE * np.abs(said).max()
        assert (said.argmax(axis=1) != was.argmax(axis=1)).any()


def test_a_layer_that_is_not_taken_leaves_every_form_as_it_was(of_all_forms, tmp_path):
    """Oracle: the bytes."""
    own = personalise(of_all_forms, tmp_path, labels=None)
    assert not from_json((own / "report.json").read_text()).personal.taken
    for form in load_manifest(own).model("student").formats:
        assert (own / form.file).read_bytes() == (of_all_forms / form.file).read_bytes()


def test_a_package_that_a_form_needs_is_told_before_any_recording_is_read(
    of_all_forms, tmp_path, capsys, monkeypatch
):
    """Oracle: the error; the recordings' folder is not there."""
    monkeypatch.setitem(sys.modules, "onnx", None)
    options = ["--data", str(tmp_path / "nowhere"), "--out", str(tmp_path / "own")]
    assert cli.run(["personalise", str(of_all_forms), *options]) == 4
    assert "needs the package 'onnx'" in "".join(capsys.readouterr())
    assert not (tmp_path / "own").exists()
