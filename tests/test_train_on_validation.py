"""A recipe whose models learn from the validation part too."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from build_samples import RECIPE

import kd_edge
from kd_edge.base.errors import KdEdgeError
from kd_edge.pipeline.bundle import load_manifest
from kd_edge.pipeline.inside import folds_inside
from kd_edge.recipe import parse_recipe
from kd_edge.signals.recording import RecordingInfo
from kd_edge.splits import HoldOut, Split, make_folds

DECISION = RECIPE[RECIPE.index("[decision]") : RECIPE.index("[distillation]")]
WHOLE = RECIPE.replace("[[split.test]]", "[split]\ntrain_on_validation = true\n[[split.test]]", 1)
SMALL = (
    WHOLE.replace(DECISION, "")
    .replace("epochs = 30", "epochs = 3")
    .replace("epochs = 4", "epochs = 1")
    .replace("min_agreement = 0.5", "min_agreement = 0.1")
    .replace("max_drop_points = 30.0", "max_drop_points = 100.0")
)

SECOND = """
[[students]]
name = "second"
model = "tcn"
epochs = 3
[product]
models = ["student", "second"]
rule = "average"
name = "both"
[distillation]"""


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (WHOLE, "decision"),
        (SMALL.replace('"mean-logits"', '"accuracy-weighted"'), "distillation.ensemble"),
        (SMALL.replace("alpha = 0.5", "alpha = 0.5\ndrop_teachers = true"),
         "distillation.drop_teachers"),
        (SMALL.replace("learning_rate = 0.003", "patience = 2"), "students.0.patience"),
        (SMALL.replace("epochs = 1\n", "epochs = 1\npatience = 2\n"), "teachers.0.patience"),
        (SMALL.replace("[distillation]", SECOND), "product.rule"),
    ],
)  # fmt: skip
def test_what_the_validation_part_would_decide_is_refused(text, where):
    with pytest.raises(KdEdgeError, match="train_on_validation") as caught:
        parse_recipe(text)
    assert (caught.value.code, caught.value.where) == ("KD_RECIPE_VALUE", f"recipe, {where}")


def test_a_recipe_without_it_keeps_its_digest():
    said = RECIPE.replace(
        "[[split.test]]", "[split]\ntrain_on_validation = false\n[[split.test]]", 1
    )
    assert parse_recipe(said).sha256 == parse_recipe(RECIPE).sha256
    assert parse_recipe(SMALL).sha256 != parse_recipe(SMALL.replace("= true", "= false")).sha256


def test_a_search_scores_on_nothing_that_it_learned():
    """Oracle: the parts of the same split without the key, and a copy across two of them."""
    infos = [
        RecordingInfo(
            f"{label}{trial}", label, "S1", day, trial, None, False, f"{day}{label}{trial}"
        )
        for day in ("day 1", "day 2")
        for label in "abc"
        for trial in range(3)
    ]
    split = Split(
        test=(HoldOut(kind="leave-session-out", held_out=("day 2",)),),
        validation=HoldOut(kind="last-repetitions", repetitions=1),
    )
    (apart,) = make_folds(infos, split, seed=1)
    (whole,) = make_folds(infos, replace(split, train_on_validation=True), seed=1)
    recipe = parse_recipe(SMALL)
    (inside,) = folds_inside(infos, whole, recipe, None)
    assert not inside.validates
    np.testing.assert_array_equal(inside.train.indices, apart.train.indices)
    np.testing.assert_array_equal(inside.tests[0].indices, apart.validation.indices)
    own, validating = inside.train.indices[0], inside.tests[0].indices[0]
    copy = replace(infos[own], content_sha256=infos[validating].content_sha256)
    copied = [copy if at == own else info for at, info in enumerate(infos)]
    with pytest.raises(KdEdgeError) as caught:
        folds_inside(copied, whole, recipe, None)
    assert caught.value.code == "KD_DUPLICATES"


def test_a_build_learns_from_every_recording_that_it_does_not_test(tmp_path):
    """Oracle: the parts' sizes by hand; curves and a report without a figure of that part."""
    pytest.importorskip("tensorflow")
    built = kd_edge.build(
        parse_recipe(SMALL), data=None, out=tmp_path / "out", command="", cache=False
    )
    parts = {part.name: part for part in built.report.parts}
    # Two subjects of 4 signs, one of which is unknown, 10 times each; a fifth of them is tested.
    tested = parts["random split"].n_recordings
    assert parts["training"].n_recordings == 2 * 3 * 10 - tested
    assert parts["validation"].n_recordings == 2 * 3
    assert "learn from it too" in parts["validation"].leak
    manifest = load_manifest(tmp_path / "out")
    assert len(manifest.learned) == parts["training"].n_recordings
    assert (manifest.temperature, manifest.decision, built.report.decisions) == (None,) * 3
    (curve,) = (curve for curve in built.report.curves if curve.model == "student")
    assert len(curve.loss) == 3
    assert curve.validation_loss == ()
    page = (tmp_path / "out/report.html").read_text()
    assert "models learn from it too, so it chooses nothing" in page
