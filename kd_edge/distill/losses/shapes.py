"""From values of every pixel, or of every feature, to one an example."""

from __future__ import annotations

from keras import ops


def per_example(values):
    """(batch, ...) -> (batch,), the mean over all else; (batch,) stays as it is."""
    axes = tuple(range(1, len(values.shape)))
    return ops.mean(values, axis=axes) if axes else values
