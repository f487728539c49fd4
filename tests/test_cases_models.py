"""Small models that other converters write; the oracle is the TFLite Micro interpreter."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from aot_harness import check_exact
from aot_models import OperatorModel, Quantised
from tflite_samples import options_of
from waiting import BOUND_S

ROOT = Path(__file__).resolve().parents[1]
CASES = ROOT / "tests" / "cases"
NAMES = ("fc_int4", "conv_int4", "uint8_in_out", "int32_out")


@pytest.mark.parametrize(
    "core", ["host", *(pytest.param(c, marks=pytest.mark.qemu) for c in ("m3", "m4", "m55"))]
)
def test_int4_weights_and_other_types_at_the_border_answer_bit_for_bit(core):
    check_exact([(CASES / f"{name}.tflite").read_bytes() for name in NAMES], core=core)


def test_values_at_the_border_have_their_own_type_in_c():
    uint8, int32 = check_exact(
        [(CASES / f"{name}.tflite").read_bytes() for name in ("uint8_in_out", "int32_out")]
    )
    assert "uint8_t *m0_input_0(void);" in uint8.files["m0.h"]
    assert "const uint8_t *m0_output_0(void);" in uint8.files["m0.h"]
    assert "const int32_t *m1_output_0(void);" in int32.files["m1.h"]


def float_border_model() -> bytes:
    """float32, QUANTIZE, a dense layer in int8, DEQUANTIZE, float32."""
    graph = OperatorModel()
    rng = np.random.default_rng(5)
    x, y = (
        make(Quantised((1, n), None, 0, "float32"))
        for make, n in ((graph.input, 12), (graph.output, 5))
    )
    inner_x, inner_y = (
        graph.inner(Quantised((1, n), scale, zero))
        for n, scale, zero in ((12, 0.03, 4), (5, 0.1, -9))
    )
    weights = graph.constant(rng.integers(-127, 128, (5, 12)).astype(np.int8), scale=0.01)
    graph.operator("QUANTIZE", (x,), (inner_x,))
    options = options_of("FullyConnectedOptions")
    graph.operator("FULLY_CONNECTED", (inner_x, weights, -1), (inner_y,), options)
    graph.operator("DEQUANTIZE", (inner_y,), (y,))
    return graph.content()


@pytest.mark.parametrize("core", ["host", pytest.param("m4", marks=pytest.mark.qemu)])
def test_an_int8_body_takes_and_gives_floats(core):
    (compiled,) = check_exact([float_border_model()], core=core)
    assert "float *m0_input_0(void);" in compiled.files["m0.h"]
    assert "const float *m0_output_0(void);" in compiled.files["m0.h"]


def test_a_folder_of_models_is_compared_and_what_is_refused_says_why(tmp_path):
    (tmp_path / "good.tflite").write_bytes((CASES / "fc_int4.tflite").read_bytes())
    (tmp_path / "cut.tflite").write_bytes((CASES / "fc_int4.tflite").read_bytes()[:99])
    command = [sys.executable, "-m", "benchmarks.check_models", str(tmp_path)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=BOUND_S, check=False
    )
    assert done.returncode == 0, done.stderr
    cut, good, total = done.stdout.splitlines()
    assert cut.startswith("refused")
    assert "KD_BAD_TFLITE" in cut
    assert good.split()[:2] == ["exact", "20"]
    assert total == "1 exact, 1 refused"
