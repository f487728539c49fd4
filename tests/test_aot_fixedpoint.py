"""Fixed-point arithmetic. Oracle: gemmlowp's own header, which TensorFlow's wheel holds."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path

import numpy as np
import pytest
from programs import need

from firmware_export.aot import fixedpoint
from firmware_export.aot.fixedpoint import INT32_MAX, INT32_MIN

INTEGER_BITS = (2, 3, 4, 5)
SHIFTS = (0, 1, 7, 30)
PROGRAM = r"""
#include <cstdint>
#include <cstdio>
#include "fixedpoint/fixedpoint.h"

static void tell(std::int32_t value) { std::fwrite(&value, sizeof value, 1, stdout); }

template <int bits> void functions(std::int32_t raw)
{
    using Number = gemmlowp::FixedPoint<std::int32_t, bits>;
    tell(gemmlowp::exp_on_negative_values(Number::FromRaw(raw < 0 ? raw : -raw)).raw());
    tell(gemmlowp::logistic(Number::FromRaw(raw)).raw());
    tell(gemmlowp::tanh(Number::FromRaw(raw)).raw());
}

int main()
{
    std::int32_t pair[2];
    while (std::fread(pair, sizeof pair, 1, stdin) == 1) {
        tell(gemmlowp::SaturatingRoundingDoublingHighMul(pair[0], pair[1]));
        for (const int shift : {0, 1, 7, 30}) {
            tell(gemmlowp::RoundingDivideByPOT(pair[0], shift));
        }
        const std::int32_t raw = pair[0] == INT32_MIN ? INT32_MIN + 1 : pair[0];
        functions<2>(raw);
        functions<3>(raw);
        functions<4>(raw);
        functions<5>(raw);
    }
    return 0;
}
"""


@pytest.fixture(scope="module")
def pairs() -> np.ndarray:
    """(n, 2) int32: both ends, zero and its neighbours, small and large random numbers."""
    rng = np.random.default_rng(11)
    ends = [INT32_MIN, INT32_MIN + 1, INT32_MAX, -2, -1, 0, 1, 2, 1 << 30, -(1 << 30)]
    both = np.array([(a, b) for a in ends for b in ends])
    sizes = rng.integers(0, 31, (3000, 2))
    drawn = rng.integers(-(1 << sizes), (1 << sizes) + 1)
    return np.concatenate([both, drawn]).astype(np.int32)


@pytest.fixture(scope="module")
def expected(pairs, tmp_path_factory) -> np.ndarray:
    """(n, values) int32: what the program above tells of each pair."""
    need("g++")
    tensorflow = importlib.util.find_spec("tensorflow")
    if tensorflow is None:
        pytest.skip("tensorflow is not installed: its wheel holds gemmlowp's header")
    headers = Path(tensorflow.origin).parent / "include" / "external" / "gemmlowp"
    folder = tmp_path_factory.mktemp("gemmlowp")
    (folder / "main.cc").write_text(PROGRAM)
    build = ["g++", "-O1", f"-I{headers}", folder / "main.cc", "-o", folder / "main"]
    subprocess.run(build, check=True)
    done = subprocess.run([folder / "main"], input=pairs.tobytes(), capture_output=True, check=True)
    return np.frombuffer(done.stdout, np.int32).reshape(len(pairs), -1)


def test_products_and_quotients_round_and_saturate_as_gemmlowps(pairs, expected):
    a, b = pairs.T
    np.testing.assert_array_equal(fixedpoint.high_mul(a, b), expected[:, 0])
    for column, shift in enumerate(SHIFTS, start=1):
        np.testing.assert_array_equal(fixedpoint.divide_by_pot(a, shift), expected[:, column])


@pytest.mark.parametrize("integer_bits", INTEGER_BITS)
def test_exp_logistic_and_tanh_agree_with_gemmlowps_in_every_bit(pairs, expected, integer_bits):
    raw = np.maximum(pairs[:, 0].astype(np.int64), INT32_MIN + 1)
    first = 1 + len(SHIFTS) + 3 * INTEGER_BITS.index(integer_bits)
    exp, logistic, tanh = expected[:, first : first + 3].T
    np.testing.assert_array_equal(fixedpoint.exp_of_negative(-np.abs(raw), integer_bits), exp)
    np.testing.assert_array_equal(fixedpoint.logistic(raw, integer_bits), logistic)
    np.testing.assert_array_equal(fixedpoint.tanh(raw, integer_bits), tanh)
