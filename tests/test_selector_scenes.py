"""A selector of three students that answer every pixel: the rule knows neither number nor task."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from image_samples import mask_folders

from kd_edge.base.errors import ExitStatus
from kd_edge.cli import run
from kd_edge.pipeline.bundle import load_manifest
from kd_edge.pipeline.kept_windows import load_windows
from kd_edge.report.json import from_json
from kd_edge.runtimes.interpreter import model_inputs, one_window
from kd_edge.runtimes.registry import open_interpreter

RECIPE = """
name = "picked-scenes"
task = "segmentation"
[dataset]
reader = "image-masks"
[images]
size = [16, 16]
channels = "rgb"
range = [-1.0, 1.0]
resize = "stretch"
[[split.test]]
kind = "random"
fraction = 0.2
[split.validation]
kind = "random"
fraction = 0.2
STUDENTS
[conversion]
formats = ["float32", "int8"]
calibration_windows = 16
max_drop_points = 100.0
[proof]
parity_windows = 8
min_agreement = 0.1
latency_runs = 20
[firmware]
golden_vectors = 2
[product]
name = "picked"
rule = "selector"
models = ["narrow", "wide", "small"]
[selector]
model = "picking-cnn"
options = { width = 4 }
epochs = 2
folds = 2
"""
STUDENT = """
[[students]]
name = "{name}"
model = "{model}"
options = {{ width = {width}, depth = 1 }}
epochs = 2
learning_rate = 0.01
distill = false
"""
STUDENTS = {"narrow": ("unet", 4), "wide": ("unet", 6), "small": ("small-unet", 4)}


@pytest.mark.usefixtures("converter")
def test_one_of_three_answers_each_scene_and_plain_c_as_tflite_micro(tmp_path, cache):
    """Oracle: each model alone in TFLite Micro; the one that the selector names answers."""
    written = "".join(
        STUDENT.format(name=name, model=model, width=width)
        for name, (model, width) in STUDENTS.items()
    )
    (tmp_path / "recipe.toml").write_text(RECIPE.replace("STUDENTS", written))
    data, out = mask_folders(tmp_path / "set", 96), tmp_path / "out"
    command = ["build", str(tmp_path / "recipe.toml"), "--data", str(data), "--out", str(out)]
    assert run(command) == ExitStatus.OK
    report = from_json((out / "report.json").read_text())
    (engines,) = [p for p in report.parity if p.kind == "engines"]
    assert (engines.model, engines.max_steps) == ("picked", 0)
    ways = {way.name for way in report.selection.ways}
    assert {*STUDENTS, "picked", "average", "oracle"} <= ways

    manifest = load_manifest(out)
    part = report.parts[0].name
    windows = load_windows(out / "bench.npz", manifest).parts[part]
    said = {}
    for name in (*STUDENTS, "selector"):
        interpreter = open_interpreter("tflm", out / manifest.model(name).format("int8").file)
        arrays = model_inputs(interpreter, windows)
        answers = [interpreter.run(one_window(arrays, i))[0] for i in range(len(windows))]
        said[name] = np.concatenate(answers).argmax(axis=-1)
    who = said.pop("selector")
    decided = np.stack(list(said.values()))[who, np.arange(len(who))]
    row = next(r for r in report.rows if (r.model, r.runtime) == ("picked", "tflm"))
    right = np.mean(decided == windows.truth)
    assert row.accuracy[part].pixel_accuracy == pytest.approx(right)
