"""The plain-C engine behind the functions of the TFLite Micro engine, and its part of a bundle."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from aot_fuzz import lstm_model as step_model
from firmware_samples import STRICT, T, settings_for, two_input_model, write_model

from firmware_export import golden_here
from firmware_export.aot.engine import engine_files, export_engine
from firmware_export.golden_here import run_golden_here
from firmware_export.library import HOST_COMPILERS
from firmware_export.settings import FirmwareSettings, Golden
from firmware_export.tflm import render_files
from kd_edge.base.product import read_product
from kd_edge.pipeline.firmware import prove_plain_c
from kd_edge.runtimes.registry import open_interpreter
from kd_edge.tasks.classification import CLASSIFICATION

needs_compiler = pytest.mark.skipif(
    not any(shutil.which(name) for name in HOST_COMPILERS), reason="no C compiler is installed"
)


@pytest.fixture
def model(tmp_path) -> Path:
    path = tmp_path / "student.int8.tflite"
    path.write_bytes(step_model())
    return path


def with_answers(path: Path, n: int = 6) -> FirmwareSettings:
    """Settings whose golden vectors are TFLite Micro's own, each window from fresh state."""
    session = open_interpreter("tflm", path)
    rng = np.random.default_rng(7)
    inputs = [
        rng.integers(-128, 128, (n, *spec.shape[1:])).astype(np.int8) for spec in session.inputs
    ]
    outputs = [session.run([values[i : i + 1] for values in inputs])[0] for i in range(n)]
    golden = Golden(tuple(inputs), np.concatenate(outputs), tuple(range(n)))
    return settings_for(path, labels=(), golden=golden, golden_count=n, front_end=None)


@needs_compiler
@pytest.mark.parametrize("make", [two_input_model, None])
def test_the_portable_sources_answer_as_tflite_micro_on_golden_vectors(tmp_path, model, make):
    path = make(tmp_path) if make else model
    settings = with_answers(path)
    answers = run_golden_here(path, settings)
    assert np.array_equal(answers, settings.golden.outputs.reshape(len(answers), -1))


@needs_compiler
def test_the_folder_builds_by_itself_with_front_end_and_golden_vectors(tmp_path):
    path, out = two_input_model(tmp_path), tmp_path / "aot"
    export_engine(path, out, "host", settings_for(path))
    assert {"kd_front_end.c", "kd_golden.c", "kd_run.c", "kd_run.h"} <= {
        file.name for file in out.iterdir()
    }
    subprocess.run(["make", "-s", "libkd_model.a"], cwd=out, check=True)
    sources = [file.name for file in sorted(out.glob("*.c"))]
    command = ["gcc", "-std=c99", *STRICT, "-fsyntax-only", "-I.", *sources]
    subprocess.run(command, cwd=out, check=True)


@needs_compiler
def test_the_readme_shows_the_shared_functions_and_its_example_builds(model, tmp_path):
    out = tmp_path / "aot"
    export_engine(model, out, "host", with_answers(model))
    readme = (out / "README.md").read_text()
    example = readme.split("```c\n")[1].split("```")[0]
    assert "kd_run(inputs, scores)" in example
    (out / "main.c").write_text(
        example + "const int8_t window_0[KD_MODEL_INPUT_0_SIZE] = {0};\n"
        "int main(void)\n{\n    return best_class() > 2;\n}\n"
    )
    text = (out / "main.c").read_text().replace('#include "kd_run.h"', "", 1)
    (out / "main.c").write_text('#include "kd_run.h"\n#include "kd_model.h"\n' + text)
    command = ["gcc", "-std=c99", "-Wall", "-Werror", "-I.", "-o", "example"]
    subprocess.run([*command, *(f.name for f in out.glob("*.c"))], cwd=out, check=True)
    assert subprocess.run([out / "example"], check=False).returncode == 0


def test_both_engines_have_the_same_functions_and_settings(model):
    """Oracle: the TFLite Micro export of the same model."""
    settings = with_answers(model)
    tflm = render_files(read_product({"m": model}), settings)
    _, files = engine_files(model, "host", settings)
    same = ("kd_run.h", "kd_settings.c", "kd_quantize.c", "kd_quantize.h", "kd_golden.c")
    assert all(files[name] == tflm[name] for name in same)


def test_the_manifest_says_engine_core_and_digests(model, tmp_path):
    export_engine(model, tmp_path / "aot", "m4", with_answers(model))
    manifest = json.loads((tmp_path / "aot" / "manifest.json").read_text())
    assert (manifest["engine"], manifest["core"]) == ("aot", "m4")
    assert "kd_run.c" in {entry["path"] for entry in manifest["files"]}


@needs_compiler
def test_equal_answers_are_told_as_parity_without_a_failure(model, tmp_path):
    proven = prove_plain_c(
        model, tmp_path / "aot", "host", with_answers(model), "student", CLASSIFICATION
    )
    (parity,) = proven.parity
    assert (parity.kind, parity.max_steps, parity.class_agreement) == ("engines", 0, 1.0)
    assert not proven.failures
    assert not proven.caveats


@needs_compiler
def test_answers_that_are_not_tflite_micros_fail_the_build(model, tmp_path):
    settings = with_answers(model)
    settings.golden.outputs[2, 0] ^= 1
    proven = prove_plain_c(model, tmp_path / "aot", "host", settings, "student", CLASSIFICATION)
    assert [failure.code for failure in proven.failures] == ["KD_GATE_PARITY"]
    assert "1 of 6" in proven.failures[0].message


def test_a_model_that_the_engine_refuses_gives_a_caveat_and_no_folder(tmp_path):
    path = write_model(
        tmp_path / "odd.tflite",
        (T("x", (1, 4)), T("y", (1, 4))),
        (("RSQRT", (0,), (1,)),),
        inputs=(0,),
        outputs=(1,),
    )
    settings = settings_for(path, labels=(), front_end=None)
    proven = prove_plain_c(path, tmp_path / "aot", "host", settings, "student", CLASSIFICATION)
    assert "RSQRT" in proven.caveats[0]
    assert "operator 0" in proven.caveats[0]
    assert not (tmp_path / "aot").exists()
    assert not proven.failures


def test_where_there_is_no_compiler_the_proof_says_not_run_here(model, tmp_path, monkeypatch):
    settings = with_answers(model)
    monkeypatch.setattr(golden_here, "host_compiler", lambda: None)
    proven = prove_plain_c(model, tmp_path / "aot", "host", settings, "student", CLASSIFICATION)
    assert "not run here" in proven.caveats[0]
    assert (tmp_path / "aot" / "kd_model.c").exists()
