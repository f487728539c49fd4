"""The Makefile's targets that change things: what they leave alone, and what they remember."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")


def make(root, *arguments: str) -> str:
    """What make says; a make that runs the tests is nothing to it."""
    apart = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(
        ["make", *arguments], cwd=root, capture_output=True, text=True, check=True, env=apart
    )
    return done.stdout


def test_cleaning_leaves_bundles_alone(pytestconfig):
    """Oracle: what make would run."""
    removed = make(pytestconfig.rootpath, "--dry-run", "clean").split()
    assert removed[:2] == ["rm", "-rf"]
    assert ".venv" in removed
    assert "build" not in removed


def test_every_recipe_is_built_whole_and_one_without_recordings_is_skipped(pytestconfig, tmp_path):
    """Oracle: what make would run, with a folder of public sets that has none."""
    for made in ("python", "test"):
        (tmp_path / made).touch()
    places = (f"BIN={tmp_path}", f"STAMPS={tmp_path}", "SETS=nowhere")
    shown = make(pytestconfig.rootpath, "--dry-run", "recipes", *places)
    for path in (pytestconfig.rootpath / "recipes").glob("*.toml"):
        assert f"kd-edge build recipes/{path.name} " in shown
    assert shown.count("--seed 0 --seeds 3") == len(list(path.parent.glob("*.toml")))
    said = make(pytestconfig.rootpath, "recipe-isl-alphabet", *places)
    assert "skipped: no recordings at nowhere/isl_alphabet_myo" in said


def test_an_environment_that_could_not_be_made_is_tried_again(pytestconfig, tmp_path):
    """Oracle: a Python that names another one, which does not exist."""
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text("#!/bin/sh\necho /nowhere/python3.11\n")
    python.chmod(0o755)
    stamp = tmp_path / "stamps" / "tflite-runtime"
    said = make(
        pytestconfig.rootpath,
        f"BIN={python.parent}",
        f"STAMPS={stamp.parent}",
        f"TFLITE_VENV={tmp_path / 'venv'}",
        str(stamp),
    )
    assert "its tests are skipped" in said
    assert not stamp.exists()
    assert sorted(os.listdir(tmp_path)) == ["bin", "stamps"]
