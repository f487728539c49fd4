"""The recogniser on phones' processors. Oracles: TFLite Micro, and the host's front end."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from phone_machines import MACHINES, answers_of
from phone_samples import RULE, host_scores, sample_product, sample_sources
from project_samples import sample_counts, sample_front_end

from kd_edge.examples.raw import quantised_window

# A cascade as kd_signal.h has it, on a click and the silence behind it.
FADES = """
#include <stdio.h>
#include "kd_signal_arithmetic.h"
static const kd_biquad biquads[3] = {BIQUADS};
int main(void)
{
    const kd_cascade cascade = {.biquads = biquads, .count = 3, .gain = 0.0f};
    const kd_lanes zero = {0};
    static kd_lanes memory[6], x[N];
    static float y[N]; /* of the last lane, which has what each has */
    uint32_t i;
    for (i = 0; i < KD_LANES; i++) {
        KD_LANE(x[1], i) = 30000.0f;
    }
    kd_filter(&cascade, memory, zero, x, N);
    for (i = 0; i < sizeof y / sizeof *y; i++) {
        y[i] = KD_LANE(x[i], KD_LANES - 1u);
    }
    return fwrite(y, sizeof y, 1, stdout) == 1 ? 0 : 1;
}
"""
# b0, b1, b2, a1, a2: poles of radius 0.9, 0.8 and 0.7.
BIQUADS = ((0.2, 0.4, 0.2, -1.2, 0.81), (0.3, -0.6, 0.3, 0.5, 0.64), (0.5, 0.1, 0.2, -0.3, 0.49))
N = 1200


@pytest.fixture(scope="module")
def product(tmp_path_factory):
    return sample_product(tmp_path_factory.mktemp("model"))


@pytest.mark.parametrize("machine", MACHINES)
def test_golden_vectors_and_raw_windows_are_answered_bit_for_bit(product, machine, tmp_path):
    model, golden = product
    own, front_end, raw = MACHINES[machine], sample_front_end(), sample_counts()
    sources = sample_sources(model, own.core)
    found = answers_of(own, sources, golden, raw, front_end, tmp_path)
    np.testing.assert_array_equal(found.golden, golden.outputs.reshape(found.golden.shape))
    for counts, inputs, scores in zip(raw, found.inputs, found.scores, strict=True):
        assert scores[: RULE.classes].tolist() == host_scores(model, counts).tolist()
        expected = quantised_window(counts, front_end, model.inputs)
        np.testing.assert_array_equal(inputs, np.concatenate([a.reshape(-1) for a in expected]))


@pytest.mark.parametrize("machine", [name for name, own in MACHINES.items() if own.native])
def test_a_filter_fades_through_denormals_as_ieee_754_says(product, machine, tmp_path):
    """NEON's floats of 32-bit Arm know no denormals. Oracle: NumPy's float32, an operation each."""
    own = MACHINES[machine]
    rows = ", ".join("{" + ", ".join(f"{value}f" for value in row) + "}" for row in BIQUADS)
    main = FADES.replace("BIQUADS", rows).replace("[N]", f"[{N}]").replace(", N)", f", {N})")
    sources = sample_sources(product[0], own.core)
    files = {**sources.files, "main.c": main}
    found = np.frombuffer(own.run(replace(sources, files=files), b"", tmp_path), np.float32)
    x = np.zeros(N, np.float32)
    x[1] = 30000
    for row in np.float32(BIQUADS):
        x = filtered(x, row)
    tiny = np.abs(x[(x != 0) & (np.abs(x) < np.finfo(np.float32).tiny)])
    assert len(tiny) > 20  # denormals
    np.testing.assert_array_equal(found.view(np.uint32), x.view(np.uint32))


def filtered(x: np.ndarray, row: np.ndarray) -> np.ndarray:
    """A biquad in direct form II transposed, float32, each operation rounded by itself."""
    b0, b1, b2, a1, a2 = row
    s0 = s1 = np.float32(0)
    out = np.empty_like(x)
    for i, value in enumerate(x):
        y = b0 * value + s0
        s0 = b1 * value - a1 * y + s1
        s1 = b2 * value - a2 * y
        out[i] = y
    return out
