"""What models that are fitted begin with: one vector a window, and classes to tell apart."""

from __future__ import annotations

import keras
import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.models.embedding import embedding_of
from kd_edge.models.inputs import make_inputs
from kd_edge.models.statistics import STATISTICS, window_statistics

_SEGMENTS = 4


def statistics_or_embedding(
    input_shapes,
    body: keras.Model | None,
    segments: int | None,
    statistics: tuple[str, ...] | None,
) -> tuple[list[keras.KerasTensor], keras.KerasTensor]:
    """A model's inputs, and its vector of a window: (batch, features).

    Args:
        body: a trained model whose embedding is the vector; None: statistics of the window.
        segments: parts of the window whose statistics are taken apart; 4 where None.
        statistics: keys of `STATISTICS`; all where None.

    Raises:
        KdEdgeError KD_RECIPE_VALUE: segments or statistics beside a body.
    """
    if body is None:
        inputs = make_inputs(input_shapes)
        vector = window_statistics(
            inputs,
            segments=_SEGMENTS if segments is None else segments,
            statistics=tuple(STATISTICS) if statistics is None else statistics,
        )
        return list(inputs.values()), vector
    for option, value in (("segments", segments), ("statistics", statistics)):
        if value is not None:
            raise KdEdgeError(
                "KD_RECIPE_VALUE",
                f"model option '{option}' is of windows, and this model stands on another's "
                "embedding",
                hint=f"leave out {option}, or body",
            )
    embedded = embedding_of(body)
    return embedded.inputs, embedded.outputs[0]


def classes_of(truth: np.ndarray) -> np.ndarray:
    """The classes that (n,) windows have, in their order.

    Raises:
        KdEdgeError KD_ONE_CLASS: fewer than two.
    """
    present = np.unique(truth)
    if len(present) < 2:
        raise KdEdgeError(
            "KD_ONE_CLASS", "a model needs at least two classes in its training part to be fitted"
        )
    return present
