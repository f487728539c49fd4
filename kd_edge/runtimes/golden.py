"""Golden vectors: int8 inputs with the outputs that every runtime, engine and board must give."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.product import Product, as_product
from kd_edge.base.tensors import match_inputs
from kd_edge.examples import Examples, spread_evenly
from kd_edge.runtimes.composed import open_product
from kd_edge.runtimes.interpreter import model_inputs, one_window
from kd_edge.runtimes.registry import ORACLE


@dataclass(frozen=True, eq=False)
class GoldenVectors:
    """Vectors from TFLite Micro, the oracle for a board: its kernels agree with it bit for bit.

    Attributes:
        window_indices: (n,) which windows.
        input_names: of the model's inputs, in its order: the window inputs that feed them.
        inputs: one array a model input, in the model's order: (n, *shape) in the model's type.
        outputs: (n, classes) in the model's type.
        labels: (n,) true class indices; a board may well answer otherwise.
        answered: of a composition: (n,) int8 which model answered; None of one model.
    """

    window_indices: np.ndarray
    input_names: tuple[str, ...]
    inputs: tuple[np.ndarray, ...]
    outputs: np.ndarray
    labels: np.ndarray
    answered: np.ndarray | None = None


def make_golden(
    source: Path | Product, windows: Examples, n: int, seed: int, *, most_bytes: int | None = None
) -> GoldenVectors:
    """Golden vectors of `n` windows (fewer where there are fewer), as even over classes as they go.

    Args:
        most_bytes: of all inputs and outputs together; so many as fit, but one at least.

    Raises:
        KdEdgeError KD_EMPTY_PART: no windows.
        KdEdgeError: as `open_interpreter` for TFLite Micro.
    """
    if len(windows) == 0 or n < 1:
        raise KdEdgeError("KD_EMPTY_PART", "there is no window to make golden vectors from")
    product = as_product(source)
    interpreter = open_product(product, ORACLE)
    if most_bytes is not None:
        tensors = (*interpreter.inputs, *interpreter.outputs)
        n = min(n, max(1, most_bytes // sum(math.prod(spec.shape) for spec in tensors)))
    indices = spread_evenly(windows.strata, windows.groups.subject, n, seed)
    arrays = model_inputs(interpreter, windows.take(indices))
    outputs = [interpreter.run(one_window(arrays, i)) for i in range(len(indices))]
    composed = product.composition is not None
    names = match_inputs(interpreter.inputs, windows.input_shapes)
    return GoldenVectors(
        indices,
        # Two inputs of a composition may be fed by one window input.
        tuple(spec.name for spec in interpreter.inputs) if composed else names,
        arrays,
        np.concatenate([each[0] for each in outputs]),
        windows.truth[indices],
        np.concatenate([each[1].reshape(1) for each in outputs]) if composed else None,
    )
