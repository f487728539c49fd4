"""Convolutions of the plain-C engine; the oracle is the TFLite Micro interpreter's every byte."""

from __future__ import annotations

from aot_harness import check_exact
from aot_window_models import cases, fits, model
from hypothesis import given, settings
from hypothesis import strategies as st

_SETTINGS = settings(max_examples=6, deadline=None, derandomize=True)


def _some(op: str, **limits):
    return st.lists(cases(op, **limits).filter(fits), min_size=12, max_size=12)


@_SETTINGS
@given(_some("CONV_2D"))
def test_convolutions_of_any_shape_answer_as_tflite_micro(drawn):
    check_exact([model(case) for case in drawn], n_windows=6)
