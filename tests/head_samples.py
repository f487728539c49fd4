"""Models of a body and a last layer, small enough to compute by hand."""

from __future__ import annotations

import numpy as np
from tflite_samples import GraphBuilder, options_of

SHAPE, FEATURES, CLASSES = (4, 3), 10, 5
INPUT_SCALE, FEATURE_SCALE, SCORE_SCALE = 0.05, 0.04, 0.11
SCORE_ZERO = -7


def body_and_head(*, by_row: bool = True, bias: bool = True, shared: bool = False) -> bytes:
    """A ReLU layer of 12 values to 10 features, and a last layer of 5 scores.

    Args:
        by_row: the last layer's weights have a scale a row.
        bias: it has biases. shared: another tensor names the buffer of its weights.
    """
    rng = np.random.default_rng(11)
    graph = GraphBuilder()
    window = graph.tensor("window", (1, *SHAPE), scale=INPUT_SCALE, zero_point=3)
    body = graph.constant("v", rng.integers(-127, 128, (FEATURES, 12), dtype=np.int8), scale=0.01)
    zeros = np.zeros(FEATURES, np.int32)
    body_bias = graph.constant("c", zeros, scale=INPUT_SCALE * 0.01)
    features = graph.tensor("features", (1, FEATURES), scale=FEATURE_SCALE, zero_point=-128)
    relu = options_of("FullyConnectedOptions", fusedActivationFunction=1)
    graph.operator("FULLY_CONNECTED", (window, body, body_bias), (features,), relu)
    scales = rng.uniform(0.004, 0.02, CLASSES if by_row else 1).astype(np.float32)
    weights = rng.integers(-127, 128, (CLASSES, FEATURES), dtype=np.int8)
    head = graph.constant("w", weights, scale=scales)
    inputs = [features, head]
    if bias:
        values = rng.integers(-900, 900, CLASSES, dtype=np.int32)
        inputs.append(graph.constant("b", values, scale=FEATURE_SCALE * scales))
    if shared:  # as a converter does with equal contents: two names of one buffer
        other = graph.tensor("same", weights.shape, scale=scales)
        graph._graph.tensors[other].buffer = graph._graph.tensors[head].buffer
    scores = graph.tensor("scores", (1, CLASSES), scale=SCORE_SCALE, zero_point=SCORE_ZERO)
    graph.operator("FULLY_CONNECTED", inputs, (scores,), options_of("FullyConnectedOptions"))
    return graph.content([window], [scores])


def windows(n: int, *, seed: int) -> np.ndarray:
    """(n, 1, 4, 3) int8."""
    return np.random.default_rng(seed).integers(-128, 128, (n, 1, *SHAPE)).astype(np.int8)
