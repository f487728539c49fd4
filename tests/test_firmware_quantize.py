"""kd_quantize in C gives the integers that kd_edge.base.quantisation gives, bit for bit."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from firmware_samples import STRICT, lstm_model, run, settings_for
from programs import need

from firmware_export.tflm import export_tflm
from kd_edge.base.quantisation import dequantize, quantize

HOST = r"""
#include <stdio.h>
#include <stdlib.h>
#include "kd_quantize.h"
/* records of (float scale, int32 zero point, uint32 count, count floats) -> count int8 values,
 * then the floats that those stand for */
int main(void)
{
    float scale;
    while (fread(&scale, sizeof scale, 1, stdin) == 1) {
        int32_t zero_point;
        uint32_t count;
        float *x;
        int8_t *q;
        if (fread(&zero_point, 4, 1, stdin) != 1 || fread(&count, 4, 1, stdin) != 1) {
            return 1;
        }
        x = malloc(count * sizeof *x);
        q = malloc(count);
        if (!x || !q || fread(x, sizeof *x, count, stdin) != count) {
            return 1;
        }
        kd_quantize_input(x, count, scale, zero_point, q);
        fwrite(q, 1, count, stdout);
        kd_dequantize_output(q, count, scale, zero_point, x);
        fwrite(x, sizeof *x, count, stdout);
        free(x);
        free(q);
    }
    return 0;
}
"""


def build(folder, *command):
    export_tflm(path := lstm_model(folder), folder / "out", settings_for(path))
    (folder / "host.c").write_text(HOST)
    run(
        *command, "-std=c99", *STRICT, "-I", folder / "out", folder / "host.c",
        folder / "out" / "kd_quantize.c", "-o", folder / "host",
    )  # fmt: skip
    return folder / "host"


SANITIZED = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


@pytest.fixture(
    scope="module",
    params=[("gcc", *SANITIZED), ("clang", *SANITIZED), ("gcc", "-O3"), ("clang", "-O3")],
    ids=lambda command: " ".join(command[:2]),
)
def host(request, tmp_path_factory):
    need(request.param[0])
    return build(tmp_path_factory.mktemp("quantize"), *request.param)


def records():
    """(scale, zero point, float32 values): ties, ends of the range, odd and random floats."""
    rng = np.random.default_rng(20)
    scales = [0.0280651804, 1 / 3, 1.0, 2.0**-20, 1e-30, 1e30, float(np.float32(1e-45))]
    with np.errstate(over="ignore"):
        for scale in (*scales, *rng.lognormal(-3, 2, 40)):
            scale32 = np.float32(scale)
            for zero_point in (-128, -17, 0, 127, int(rng.integers(-128, 128))):
                halves = (np.arange(-600, 601) * np.float32(0.5)).astype(np.float32) * scale32
                near = np.concatenate([np.nextafter(halves, s) for s in np.float32([-9e9, 9e9])])
                bits = rng.integers(0, 2**32, 2000, dtype=np.uint32).view(np.float32)
                values = rng.normal(0, 100, 500).astype(np.float32) * scale32
                odd = np.float32(
                    [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-45, -1e-45, 1e-40, 3.4e38, -3.4e38]
                )
                yield scale32, zero_point, np.concatenate([halves, near, bits, values, odd])


def test_c_and_python_round_alike(host):
    """Oracle: kd_edge.base.quantisation; zero differences in 1.2 million values, no undefined
    behaviour."""
    cases = list(records())
    stdin = b"".join(
        struct.pack("<fiI", scale, zero_point, len(x)) + x.tobytes()
        for scale, zero_point, x in cases
    )
    out = run(host, stdin=stdin)
    total = 0
    for scale, zero_point, x in cases:
        q = np.frombuffer(out, np.int8, len(x), total * 5)
        expected = quantize(x, float(scale), zero_point)
        wrong = np.flatnonzero(q != expected)
        assert not wrong.size, (scale, zero_point, x[wrong[:5]], q[wrong[:5]], expected[wrong[:5]])
        real = np.frombuffer(out, np.float32, len(x), total * 5 + len(x))
        with np.errstate(over="ignore"):
            np.testing.assert_array_equal(real, dequantize(q, float(scale), zero_point))
        total += len(x)
    assert len(out) == 5 * total
    assert total > 1_000_000


def test_halves_go_away_from_zero_and_not_a_number_becomes_the_zero_point(host):
    """Oracle: by hand."""
    x = np.float32([0.5, -0.5, 1.5, -1.5, np.nan, np.inf, -np.inf])
    out = run(host, stdin=struct.pack("<fiI", 1.0, 7, len(x)) + x.tobytes())
    assert np.frombuffer(out, np.int8, len(x)).tolist() == [8, 6, 9, 5, 7, 127, -128]
