"""Short trainings without graphs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator


@contextlib.contextmanager
def without_graphs() -> Iterator[None]:
    """TensorFlow operation by operation while the block runs.

    Making the graph of a training step takes seconds, on a network with LSTMs ten. Use this where
    a model is trained for a few steps and something else is the matter: the arithmetic is the
    same, up to its rounding.
    """
    from kd_edge.models.keras_start import set_keras

    set_keras()
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)
