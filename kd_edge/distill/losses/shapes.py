"""From values of every pixel, or of every feature, to one an example; vectors of one length."""

from __future__ import annotations

from keras import ops

# Squares below this are no length: 1e-10 in the features' unit.
_SMALLEST = 1e-20


def per_example(values):
    """(batch, ...) -> (batch,), the mean over all else; (batch,) stays as it is."""
    axes = tuple(range(1, len(values.shape)))
    return ops.mean(values, axis=axes) if axes else values


def rows(features):
    """(batch, ...) -> (batch, all else in one row)."""
    return ops.reshape(features, (ops.shape(features)[0], -1))


def length(vectors):
    """(..., n) -> (..., 1) Euclidean lengths; of zeros a tiny one that has no gradient."""
    squares = ops.sum(ops.square(vectors), axis=-1, keepdims=True)
    return ops.sqrt(ops.maximum(squares, _SMALLEST))


def unit(vectors):
    """(..., n) of length 1; zeros stay zeros."""
    return vectors / length(vectors)
