"""Requantisation where double and single precision of the scales' product part.

Oracle: TFLite Micro, on sums that lie between the rounding boundaries of the two.
"""

from __future__ import annotations

import numpy as np
import pytest
from aot_harness import check_exact
from tflite_samples import GraphBuilder, options_of

from firmware_export.aot.numbers import multiply_by_quantized_multiplier, quantize_multiplier


def telling_sums(source: np.float32, weights: np.float32, result: np.float32) -> list[int]:
    """Sums that a multiplier from the product in single precision would round otherwise."""
    single = quantize_multiplier(float(source * weights) / float(result))
    exact = float(source) * float(weights) / float(result)
    double = quantize_multiplier(exact)
    boundaries = [int((step + 0.5) / exact) for step in range(-120, 120)]
    near = [boundary + offset for boundary in boundaries for offset in range(-3, 4)]
    return [
        total
        for total in near
        if abs(total) < 1 << 30
        and multiply_by_quantized_multiplier(total, *single)
        != multiply_by_quantized_multiplier(total, *double)
    ]


def model(name: str, scales, sums: list[int]) -> bytes:
    """One layer of zero weights, whose biases are the sums."""
    source, weights, result = map(float, scales)
    graph = GraphBuilder()
    dense = name == "FULLY_CONNECTED"
    shape, filters = ((1, 4), (len(sums), 4)) if dense else ((1, 1, 1, 4), (len(sums), 1, 1, 4))
    x = graph.tensor("x", shape, scale=source)
    w = graph.constant("w", np.zeros(filters, np.int8), scale=weights)
    b = graph.constant("b", np.array(sums, np.int32), scale=source * weights)
    y = graph.tensor("y", (*shape[:-1], len(sums)), scale=result)
    if dense:
        options, version = options_of("FullyConnectedOptions"), 4
    else:
        options, version = options_of("Conv2DOptions", strideW=1, strideH=1, padding=1), 3
    graph.operator(name, (x, w, b), (y,), options, version=version)
    return graph.content((x,), (y,))


@pytest.mark.parametrize("name", ["FULLY_CONNECTED", "CONV_2D"])
def test_one_scale_for_all_weights_is_multiplied_in_double_precision(name):
    rng = np.random.default_rng(1)
    models = []
    while len(models) < 4:
        scales = (rng.uniform(1e-4, 1e-2), rng.uniform(1e-5, 1e-3), rng.uniform(0.5, 2))
        scales = tuple(np.float32(scale) for scale in scales)
        sums = telling_sums(*scales)
        if sums:
            models.append(model(name, scales, sums))
    check_exact(models, n_windows=4)
