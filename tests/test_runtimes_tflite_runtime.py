"""tflite-runtime 2.14, in an environment of its own: Python 3.11 and numpy < 2."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from tflite_samples import conv_windows, lstm_windows, write_conv_model, write_lstm_model
from waiting import BOUND_S

from kd_edge.runtimes.interpreter import run_windows
from kd_edge.runtimes.registry import open_interpreter

ROOT = Path(__file__).resolve().parents[1]
PYTHON = Path(
    os.environ.get(
        "KD_EDGE_TFLITE_RUNTIME_PYTHON", ROOT / ".venv-tflite-runtime" / "bin" / "python"
    )
)

RUN = """
import sys
import numpy as np
from pathlib import Path
from kd_edge.runtimes.registry import open_interpreter
from kd_edge.runtimes.interpreter import run_windows
from kd_edge.examples import Examples, Groups

model, source, out = sys.argv[1:]
inputs = dict(np.load(source))
n = len(next(iter(inputs.values())))
zeros = np.zeros(n, np.int64)
windows = Examples(inputs, zeros, Groups.each(["r"] * len(zeros)), ("A",))
session = open_interpreter("tflite-runtime", Path(model))
once = run_windows(session, windows)
twice = run_windows(session, windows)
np.savez(out, raw=once.raw, again=twice.raw, logits=once.logits)
"""

ERRORS = """
import json
from pathlib import Path
from kd_edge.base.errors import KdEdgeError
from kd_edge.runtimes.registry import available, open_interpreter, version

found = {"version": version("tflite-runtime"), "litert": available("litert")}
for runtime, path in (("litert", MODEL), ("tflite-runtime", MODEL + ".absent")):
    try:
        open_interpreter(runtime, Path(path))
    except KdEdgeError as error:
        found[f"{runtime} error"] = error.code
print(json.dumps(found))
"""


@pytest.fixture(scope="module", autouse=True)
def _environment():
    if not PYTHON.exists():
        pytest.skip(
            f"no tflite-runtime environment at {PYTHON}: make one with Python 3.11 and "
            "`pip install -r requirements/tflite-runtime.txt`"
        )


def in_environment(code: str, *arguments) -> str:
    """Standard output of Python code in the tflite-runtime environment."""
    done = subprocess.run(
        [str(PYTHON), "-c", code, *map(str, arguments)],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def answers(model: Path, windows, folder: Path):
    np.savez(folder / "windows.npz", **windows.inputs)
    in_environment(RUN, model, folder / "windows.npz", folder / "answers.npz")
    return np.load(folder / "answers.npz")


def test_int8_answers_are_near_litert_s(tmp_path):
    """Oracle: LiteRT, the same code base some years on; XNNPACK may round by a few steps."""
    model = write_conv_model(tmp_path / "conv.int8.tflite", quantised=True)
    windows = conv_windows(64)
    found = answers(model, windows, tmp_path)
    expected = run_windows(open_interpreter("litert", model), windows)
    assert found["raw"].dtype == np.int8
    assert np.abs(found["raw"].astype(int) - expected.raw).max() <= 2
    assert np.mean(found["raw"].argmax(axis=1) == expected.raw.argmax(axis=1)) > 0.98


def test_state_is_reset_before_every_window(tmp_path):
    """Oracle: LiteRT, and the same windows run a second time in the same session."""
    model = write_lstm_model(tmp_path / "lstm.float32.tflite")
    windows = lstm_windows(8)
    found = answers(model, windows, tmp_path)
    np.testing.assert_array_equal(found["raw"], found["again"])
    expected = run_windows(open_interpreter("litert", model), windows)
    np.testing.assert_allclose(found["logits"], expected.logits, atol=1e-5)


def test_runtimes_that_are_not_there_are_said_to_be_missing(tmp_path):
    """Oracle: this environment has tflite-runtime as its only runtime."""
    model = write_conv_model(tmp_path / "conv.int8.tflite", quantised=True)
    found = json.loads(in_environment(f"MODEL = {str(model)!r}\n{ERRORS}"))
    assert found == {
        "version": "2.14.0",
        "litert": False,
        "litert error": "KD_MISSING_PACKAGE",
        "tflite-runtime error": "KD_NO_FILE",
    }
