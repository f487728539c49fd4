"""The students of the recipes, built for their bits and not for their accuracy.

Each is trained for a moment only, on windows of its own recipe (the seeds' are synthetic, from few
repetitions).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from eager import without_graphs

from kd_edge.base.errors import ExitStatus
from kd_edge.cli import run
from kd_edge.pipeline.boards.bundle_image import BoardBundle, load_board_bundle
from kd_edge.recipe import load_recipe, to_toml

RECIPES = Path(__file__).resolve().parents[1] / "recipes"
N_GOLDEN = 32


def _shortened(name: str):
    """A recipe with its first student alone, trained for one epoch without a teacher."""
    recipe = load_recipe(RECIPES / f"{name}.toml")
    student = recipe.students[0].model_copy(
        update={"epochs": 1, "batch_size": 64, "patience": None, "distill": False, "teachers": None}
    )
    conversion = recipe.conversion.model_copy(
        update={
            "teacher_formats": (),
            "formats": ("float32", "int8"),
            "max_drop_points": 100.0,
            "calibration_windows": 32,
        }
    )
    proof = recipe.proof.model_copy(
        update={"baselines": (), "latency_runs": 20, "parity_windows": 8, "min_agreement": 0.01}
    )
    changes = {
        # The test part that has windows enough for the golden vectors.
        "split": replace(recipe.split, test=recipe.split.test[-1:]),
        "teachers": (),
        "students": (student,),
        "distillation": None,
        "augmentation": None,
        "conversion": conversion,
        "proof": proof,
        "firmware": recipe.firmware.model_copy(update={"golden_vectors": N_GOLDEN}),
    }
    if recipe.dataset.reader == "synthetic":
        held_out = recipe.split.validation.repetitions or 0
        options = {**recipe.dataset.options, "n_repetitions": held_out + 1}
        changes["dataset"] = recipe.dataset.model_copy(update={"options": options})
    return recipe.model_copy(update=changes)


def _built(name: str, folder: Path, data: Path | None):
    recipe = folder / "recipe.toml"
    recipe.write_text(to_toml(_shortened(name)), encoding="utf-8")
    arguments = ["build", str(recipe), "--out", str(folder / "bundle")]
    with without_graphs():
        status = run([*arguments, *(["--data", str(data)] if data else [])])
    # A moment's training need not reach a gate, and the bundle is there all the same.
    assert status in (ExitStatus.OK, ExitStatus.GATE)
    return load_board_bundle(folder / "bundle")


def student_bundles(tmp_path_factory) -> Iterator[Callable[..., BoardBundle]]:
    """A function from a recipe's name and recordings to its bundle, built when first asked for."""
    made = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))

        def get(name: str, data: Path | None = None):
            if name not in made:
                made[name] = _built(name, tmp_path_factory.mktemp(name), data)
            return made[name]

        yield get
