"""Requantisation where double and single precision of the scales' product part.

Oracle: TFLite Micro, on sums that lie between the rounding boundaries of the two.
"""

from __future__ import annotations

import numpy as np
import pytest
from aot_harness import check_exact
from fixed_point import multiply_by_quantized_multiplier
from tflite_samples import GraphBuilder, options_of

from firmware_export.aot.numbers import quantize_multiplier, wide_multiplier

LAYERS = ("FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV")
GATE_SCALE = 2.0**-12
ABSENT = -1
N_MODELS = 4


def factors(source: np.float32, weights: np.float32, result: float) -> tuple[tuple[int, int], ...]:
    """Multiplier and shift from the product in single and in double precision."""
    single = float(source * weights) / float(result)
    double = float(source) * float(weights) / float(result)
    return quantize_multiplier(single), quantize_multiplier(double)


def telling_sums(source: np.float32, weights: np.float32, result: float) -> list[int]:
    """Sums that a multiplier from the product in single precision would round otherwise."""
    single, double = factors(source, weights, result)
    exact = float(source) * float(weights) / float(result)
    boundaries = [int((step + 0.5) / exact) for step in range(-120, 120)]
    near = [boundary + offset for boundary in boundaries for offset in range(-3, 4)]
    return [
        total
        for total in near
        if abs(total) < 1 << 30
        and multiply_by_quantized_multiplier(total, *single)
        != multiply_by_quantized_multiplier(total, *double)
    ]


def telling_wide_sums(source: np.float32, weights: np.float32, result: float) -> list[int]:
    """Large sums where the multiplier's 15 bits differ too; none where they do not."""
    single, double = (wide_multiplier(*pair) for pair in factors(source, weights, result))
    if single == double:
        return []
    exact = float(source) * float(weights) / float(result)
    return [int(step / exact) for step in range(-24000, 24000, 97)]


def telling(sums_of, draw) -> list[tuple]:
    """(scales, sums) of so many models, from drawn scales for which there are such sums."""
    rng, found = np.random.default_rng(1), []
    while len(found) < N_MODELS:
        scales = draw(rng)
        sums = sums_of(*scales)
        if sums:
            found.append((scales, sums))
    return found


def model(name: str, scales, sums: list[int], dtype: str) -> bytes:
    """One layer of zero weights, whose biases are the sums."""
    source, weights, result = map(float, scales)
    graph, n = GraphBuilder(), len(sums)
    filters = {
        "FULLY_CONNECTED": (n, 4),
        "DEPTHWISE_CONV_2D": (1, 1, 1, n),
    }.get(name, (n, 1, 1, 4))
    shape = {"FULLY_CONNECTED": (1, 4), "DEPTHWISE_CONV_2D": (1, 1, 1, n)}.get(name, (1, 1, 1, 4))
    x = graph.tensor("x", shape, dtype, scale=source)
    w = graph.constant("w", np.zeros(filters, np.int8), scale=weights)
    biases = np.array(sums, np.int32 if dtype == "int8" else np.int64)
    inputs = (x, w, graph.constant("b", biases, scale=source * weights))
    y = graph.tensor("y", (*shape[:-1], n), dtype, scale=result)
    if name == "TRANSPOSE_CONV":
        size = graph.constant("size", np.array([1, 1, 1, n], np.int32))
        inputs = (size, w, x, inputs[2])
    options = {
        "FULLY_CONNECTED": ("FullyConnectedOptions", {}),
        "CONV_2D": ("Conv2DOptions", {"strideW": 1, "strideH": 1, "padding": 1}),
        "DEPTHWISE_CONV_2D": (
            "DepthwiseConv2DOptions",
            {"strideW": 1, "strideH": 1, "padding": 1, "depthMultiplier": 1},
        ),
        "TRANSPOSE_CONV": ("TransposeConvOptions", {"strideW": 1, "strideH": 1, "padding": 1}),
    }[name]
    graph.operator(name, inputs, (y,), options_of(options[0], **options[1]), version=3)
    return graph.content((x,), (y,))


@pytest.mark.parametrize("name", LAYERS)
def test_one_scale_for_all_weights_is_multiplied_in_double_precision(name):
    def draw(rng):
        scales = rng.uniform(1e-4, 1e-2), rng.uniform(1e-5, 1e-3), rng.uniform(0.5, 2)
        return tuple(np.float32(scale) for scale in scales)

    models = [model(name, *case, "int8") for case in telling(telling_sums, draw)]
    check_exact(models, n_windows=4)


@pytest.mark.parametrize("name", LAYERS)
def test_so_it_is_where_sums_have_64_bits(name):
    def draw(rng):
        scales = rng.uniform(1e-4, 1e-2), rng.uniform(1e-5, 1e-3), rng.uniform(1e-3, 1e-2)
        return tuple(np.float32(scale) for scale in scales)

    models = [model(name, *case, "int16") for case in telling(telling_wide_sums, draw)]
    check_exact(models, n_windows=4)


def lstm_model(scales, sums: list[int], dtype: str, hidden_scale: float) -> bytes:
    """An LSTM of zero weights, whose biases are the sums in each gate."""
    source, weights = map(float, scales[:2])
    graph, n = GraphBuilder(), len(sums)

    def zeros(columns):
        return [
            graph.constant("w", np.zeros((n, columns), np.int8), scale=weights) for _ in range(4)
        ]

    x = graph.tensor("x", (1, 2, 4), dtype, scale=source)
    rng, wide = np.random.default_rng(2), np.int32 if dtype == "int8" else np.int64
    biases = [
        graph.constant("b", rng.permutation(np.array(sums, wide)), scale=source * weights)
        for _ in range(4)
    ]
    hidden = graph.tensor("hidden", (1, n), dtype, scale=hidden_scale, variable=True)
    cell = graph.tensor("cell", (1, n), "int16", scale=2.0**-15, variable=True)
    y = graph.tensor("y", (1, 2, n), dtype, scale=hidden_scale)
    inputs = (x, *zeros(4), *zeros(n), *(ABSENT,) * 3, *biases, *(ABSENT,) * 2)
    options = options_of("UnidirectionalSequenceLSTMOptions", fusedActivationFunction=4)
    inputs += (hidden, cell, *(ABSENT,) * 4)
    graph.operator("UNIDIRECTIONAL_SEQUENCE_LSTM", inputs, (y,), options)
    return graph.content((x,), (y,))


@pytest.mark.parametrize(
    ("dtype", "sums_of", "hidden_scale"),
    [("int8", telling_sums, 2.0**-14), ("int16", telling_wide_sums, 2.0**-15)],
)
def test_so_are_the_scales_of_an_lstms_gates(dtype, sums_of, hidden_scale):
    """The hidden state is fine enough to show one step of a gate."""

    def draw(rng):
        scales = rng.uniform(1e-4, 1e-2), rng.uniform(1e-5, 1e-3)
        return *(np.float32(scale) for scale in scales), GATE_SCALE

    models = [
        lstm_model(scales, sums[:: len(sums) // 100 + 1], dtype, hidden_scale)
        for scales, sums in telling(sums_of, draw)
    ]
    check_exact(models, n_windows=4)
