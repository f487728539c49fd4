"""The rounding rule: against the formula in exact arithmetic, and its edges."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.quantisation import dequantize, quantize

FLOAT32 = st.floats(width=32, allow_nan=False, allow_infinity=False)
SCALES = st.floats(min_value=2.0**-20, max_value=2.0**10, width=32)


@given(value=FLOAT32, scale=SCALES, zero_point=st.integers(-128, 127))
def test_rounding_goes_half_away_from_zero_in_float32(value, scale, zero_point):
    """Oracle: the formula in exact fractions on the float32 quotient, up to the float32 sum."""
    with np.errstate(over="ignore"):
        quotient = np.float32(value) / np.float32(scale)
        total = quotient + np.float32(math.copysign(0.5, quotient))
    steps = math.trunc(Fraction(float(total))) if np.isfinite(total) else math.copysign(1e9, value)
    expected = min(127, max(-128, steps + zero_point))
    assert quantize(np.float32(value), scale, zero_point) == expected


def test_halves_and_ends_of_the_range_are_as_written():
    """Oracle: written by hand from the rule."""
    values = [0.5, -0.5, 1.5, -1.5, 0.49, 1000, -1000, np.nan, np.inf, -np.inf, -0.0]
    expected = [4, 2, 5, 1, 3, 127, -128, 3, 127, -128, 3]
    assert quantize(values, 1.0, 3).tolist() == expected


@given(zero_point=st.integers(-128, 127), scale=SCALES)
def test_every_int8_value_survives_the_way_there_and_back(zero_point, scale):
    """Oracle: the identity."""
    integers = np.arange(-128, 128, dtype=np.int8)
    assert np.array_equal(
        quantize(dequantize(integers, scale, zero_point), scale, zero_point), integers
    )


def test_sixteen_bits_use_their_whole_range():
    """Oracle: the ends of int16."""
    assert quantize([-2.0, 2.0, 0.5], 1 / 32768, 0, np.int16).tolist() == [-32768, 32767, 16384]


@pytest.mark.parametrize(("scale", "zero_point"), [(0, 0), (-1, 0), (np.nan, 0), (1, 128)])
def test_a_scale_or_zero_point_that_cannot_be_is_refused(scale, zero_point):
    """Oracle: the docstring's KD_SHAPE."""
    with pytest.raises(KdEdgeError) as caught:
        quantize([0.0], scale, zero_point)
    assert caught.value.code == "KD_SHAPE"
