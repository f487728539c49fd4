"""Which runtime takes which format, and in which order reports name them.

Oracle: what was measured of each runtime (docs, DESIGN's table), by hand.
"""

from __future__ import annotations

import pytest

from kd_edge.base.flatbuffer import LSTM
from kd_edge.base.formats import FORMATS, REFERENCE, SHIPPED, default_formats, formats_by_choice
from kd_edge.convert.routes import ROUTES
from kd_edge.report.choose import forms_by_choice
from kd_edge.runtimes.registry import ON_PHONES, ORACLE, RUNTIMES, runtimes_by_choice, who_takes

EVERY = ("litert", "tflite-runtime", "tflm")


@pytest.mark.parametrize(
    ("form", "operators", "takers", "note"),
    [
        ("float32", (LSTM,), EVERY, ""),
        ("int8", (LSTM, "FULLY_CONNECTED"), EVERY, ""),
        ("float16", (), ("litert", "tflite-runtime"), "TFLite Micro does not take this format"),
        ("dynamic", (LSTM,), ("litert", "tflite-runtime"), "TFLite Micro does not take"),
        ("int8x4", ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"), EVERY, ""),
        ("int8-float-io", ("QUANTIZE", LSTM, "DEQUANTIZE"), EVERY, ""),
        ("onnx", ("Conv", "Loop"), ("onnx-runtime",), ""),
        ("coreml", ("conv", "linear"), ("core-ml", "mil-numpy"), ""),
        ("int16x8", ("CONV_2D",), EVERY, ""),
        ("int16x8", (LSTM,), ("tflm",), "reference kernels only: not LiteRT, not CMSIS-NN"),
    ],
)
def test_a_runtime_says_itself_what_it_takes(form, operators, takers, note):
    found, notes = who_takes(FORMATS[form], operators)
    assert found == takers
    assert note in " ".join(notes)
    assert len(notes) == (1 if note else 0)


def test_the_form_and_the_runtime_of_a_board_stand_first():
    assert forms_by_choice() == (
        *("int8", "int8x4", "int8-float-io", "int16x8", "dynamic", "float16", "float32", "onnx"),
        *("coreml", "keras", ""),
    )
    assert formats_by_choice()[0] == SHIPPED
    assert runtimes_by_choice() == (
        *("tflm", "litert", "tflite-runtime", "onnx-runtime", "core-ml", "mil-numpy", "plain-c"),
    )


def test_one_runtime_is_the_oracle_for_a_board_and_another_stands_in_for_it():
    oracles = [name for name, runtime in RUNTIMES.items() if runtime.oracle]
    assert [name for name in oracles if not RUNTIMES[name].stands_in] == [ORACLE]
    assert [RUNTIMES[name].title for name in oracles] == ["TFLite Micro", "plain C"]
    assert RUNTIMES[ON_PHONES].title == "LiteRT"


@pytest.mark.parametrize("name", RUNTIMES)
def test_what_a_phone_rounds_otherwise_stands_beside_figures_of_its_forms(name):
    """Both of TensorFlow Lite's own interpreters, and of the forms that are made for phones."""
    said = {form: RUNTIMES[name].beside(FORMATS[form]) for form in ("int8", "int8-float-io")}
    assert ("XNNPACK" in said["int8-float-io"]) == (name in ("litert", "tflite-runtime"))
    assert "XNNPACK" not in said["int8"]
    assert ("Core ML itself" in RUNTIMES[name].beside(FORMATS["coreml"])) == (name == "mil-numpy")


def test_a_recipe_that_does_not_say_gets_every_format_of_students_but_those_on_request():
    on_request = ("int8x4", "int8-float-io", "onnx", "coreml")
    assert default_formats("student") == tuple(name for name in FORMATS if name not in on_request)
    assert default_formats("teacher") == (REFERENCE,)


def test_every_format_has_a_route():
    assert set(ROUTES) == set(FORMATS)
