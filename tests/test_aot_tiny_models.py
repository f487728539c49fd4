"""Networks of public benchmarks with random weights. Oracles: their published multiply-accumulates;
the TFLite Micro interpreter."""

from __future__ import annotations

import pytest
from aot_harness import check_exact, tflm_answers
from aot_tiny_models import TINY_MODELS, vww01

from firmware_export.aot.compiler import CompileSettings, compile_model

# Multiply-accumulates of the public files.
_MACS = {
    "ad01": 264_192,
    "str_ww": 826_368,
    "kws01": 2_656_768,
    "ic01": 12_501_632,
    "vww01": 7_489_664,
    "person_detect": 7_157_888,
    "trained_lstm": 113_120,
}


@pytest.mark.parametrize("name", _MACS)
def test_a_network_has_the_multiply_accumulates_of_its_public_file(name):
    compiled = compile_model(TINY_MODELS[name](), CompileSettings(bands=False))
    assert sum(layer.macs for layer in compiled.layers) == _MACS[name]


def test_small_and_large_networks_answer_as_tflite_micro():
    names = ("ad01", "str_ww", "ic01", "person_detect", "trained_lstm")
    check_exact([TINY_MODELS[name]() for name in names] + [vww01(clamped=True)], n_windows=4)


@pytest.mark.parametrize("name", TINY_MODELS)
def test_windows_give_different_answers(name):
    """Else every later layer would see the same values, and comparing answers would say little."""
    answers = tflm_answers(TINY_MODELS[name](), seed=0, n_windows=6)
    assert len({window[0].tobytes() for window in answers.outputs}) > 2
