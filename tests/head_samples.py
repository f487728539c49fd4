"""Models of a body and a last layer, small enough to compute by hand."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np
from tflite_samples import GraphBuilder, options_of

from kd_edge.base.flatbuffer import read_tflite
from kd_edge.base.head import find_head, with_head

SHAPE, FEATURES, CLASSES = (4, 3), 10, 5
INPUT_SCALE, FEATURE_SCALE, SCORE_SCALE = 0.05, 0.04, 0.11
SCORE_ZERO = -7


def body_and_head(
    *,
    by_row: bool = True,
    bias: bool = True,
    shared: bool = False,
    shape: tuple[int, ...] = SHAPE,
    features: int = FEATURES,
    classes: int = CLASSES,
) -> bytes:
    """A ReLU layer of a window to its features, and a last layer of a score for each class.

    Args:
        by_row: the last layer's weights have a scale a row.
        bias: it has biases. shared: another tensor names the buffer of its weights.
    """
    rng = np.random.default_rng(11)
    graph = GraphBuilder()
    window = graph.tensor("window", (1, *shape), scale=INPUT_SCALE, zero_point=3)
    inner = rng.integers(-127, 128, (features, prod(shape)), dtype=np.int8)
    body = graph.constant("v", inner, scale=0.01)
    zeros = np.zeros(features, np.int32)
    body_bias = graph.constant("c", zeros, scale=INPUT_SCALE * 0.01)
    embedding = graph.tensor("features", (1, features), scale=FEATURE_SCALE, zero_point=-128)
    relu = options_of("FullyConnectedOptions", fusedActivationFunction=1)
    graph.operator("FULLY_CONNECTED", (window, body, body_bias), (embedding,), relu)
    scales = rng.uniform(0.004, 0.02, classes if by_row else 1).astype(np.float32)
    weights = rng.integers(-127, 128, (classes, features), dtype=np.int8)
    head = graph.constant("w", weights, scale=scales)
    inputs = [embedding, head]
    if bias:
        values = rng.integers(-900, 900, classes, dtype=np.int32)
        inputs.append(graph.constant("b", values, scale=FEATURE_SCALE * scales))
    if shared:  # as a converter does with equal contents: two names of one buffer
        other = graph.tensor("same", weights.shape, scale=scales)
        graph._graph.tensors[other].buffer = graph._graph.tensors[head].buffer
    scores = graph.tensor("scores", (1, classes), scale=SCORE_SCALE, zero_point=SCORE_ZERO)
    graph.operator("FULLY_CONNECTED", inputs, (scores,), options_of("FullyConnectedOptions"))
    return graph.content([window], [scores])


def another(content: bytes, *, seed: int) -> bytes:
    """The same body with a last layer of other weights, biases and scales."""
    rng = np.random.default_rng(seed)
    old = find_head(read_tflite(content))
    return with_head(
        content,
        replace(
            old,
            weights=rng.integers(-127, 128, old.weights.shape).astype(np.int8),
            bias=rng.integers(-900, 900, old.bias.shape).astype(np.int32),
            scales=(old.scales * rng.uniform(0.5, 1.5, old.scales.shape)).astype(np.float32),
        ),
    )


def windows(n: int, *, seed: int) -> np.ndarray:
    """(n, 1, 4, 3) int8."""
    return np.random.default_rng(seed).integers(-128, 128, (n, 1, *SHAPE)).astype(np.int8)
