"""Keras as a build needs it, whatever the user's configuration says, and `.keras` files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import types
import zipfile

import pytest
from waiting import BOUND_S

from kd_edge.base.errors import KdEdgeError
from kd_edge.models import keras_start
from kd_edge.models.keras_start import load_keras, set_aside, set_keras

ODD = {"backend": "torch", "floatx": "float16", "epsilon": 1e-3,
       "image_data_format": "channels_first"}  # fmt: skip
ASK = """
from kd_edge.models.keras_start import set_keras
set_keras()
import keras
c = keras.config
print(c.backend(), c.floatx(), c.epsilon(), c.image_data_format(), keras.mixed_precision.dtype_policy().name, c.max_epochs())
"""  # noqa: E501


def test_a_users_keras_configuration_does_not_reach_a_build(tmp_path):
    """Oracle: Keras itself, in a process whose user wants torch, float16 and channels first."""
    (tmp_path / ".keras").mkdir()
    path = tmp_path / ".keras" / "keras.json"
    path.write_text(json.dumps(ODD))
    theirs = {"HOME": str(tmp_path), "KERAS_BACKEND": "torch", "KERAS_MAX_EPOCHS": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ASK], env=os.environ | theirs, cwd=tmp_path,
        capture_output=True, text=True, check=False, timeout=BOUND_S,
    )  # fmt: skip
    assert done.stdout.split() == [
        "tensorflow", "float32", "1e-07", "channels_last", "float32", "None"
    ], done.stderr  # fmt: skip
    assert json.loads(path.read_text()) == ODD


def test_keras_that_runs_on_another_backend_already_is_said(monkeypatch):
    backend = types.SimpleNamespace(backend=lambda: "torch")
    monkeypatch.setitem(sys.modules, "keras", types.SimpleNamespace(backend=backend))
    monkeypatch.setattr(os, "environ", dict(os.environ))
    with pytest.raises(KdEdgeError, match="Keras runs on torch") as caught:
        set_keras()
    assert caught.value.code == "KD_USAGE"


def test_what_is_set_aside_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    monkeypatch.setenv("KERAS_MAX_EPOCHS", "1")
    (tmp_path / "keras.json").write_text(json.dumps(ODD))
    told = " ".join(set_aside())
    assert all(word in told for word in ("KERAS_BACKEND=torch", "MAX_EPOCHS=1", "channels_first"))
    assert "float16" in told
    (tmp_path / "keras.json").write_text("[1")
    assert "not JSON" in set_aside()[-1]


def test_a_usual_configuration_sets_nothing_aside(monkeypatch, tmp_path):
    for name in ("KERAS_BACKEND", *keras_start._SET_ASIDE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "none"))
    assert set_aside() == []


def test_doctor_says_what_is_set_aside(monkeypatch, capsys):
    from kd_edge.cli import run

    monkeypatch.setenv("KERAS_BACKEND", "jax")
    run(["doctor", "--json"])
    found = {check["name"]: check["found"] for check in json.loads(capsys.readouterr().out)}
    assert "KERAS_BACKEND=jax" in found["Keras configuration"]


def test_a_keras_file_with_code_in_it_is_refused(tmp_path):
    """Oracle: a Lambda layer, which Keras would rebuild from bytecode."""
    keras = pytest.importorskip("keras")
    layer = keras.layers.Lambda(lambda x: x * 2)
    model = keras.Sequential([keras.Input((3,)), layer, keras.layers.Dense(2, name="logits")])
    path = tmp_path / "model.keras"
    model.save(path)
    with pytest.raises(KdEdgeError) as caught:
        load_keras(path)
    assert caught.value.code == "KD_BAD_FORMAT"


def test_a_keras_file_that_unpacks_without_end_is_refused_unread(tmp_path, monkeypatch):
    pytest.importorskip("keras")
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.weights.h5", b"\0" * 5_000_000)
    assert path.stat().st_size < 10_000
    monkeypatch.setattr(keras_start, "MOST_KERAS_BYTES", 1_000_000)
    with pytest.raises(KdEdgeError, match="unpacks to 5,000,000 bytes"):
        load_keras(path)
