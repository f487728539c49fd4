"""Relational distillation: examples lie to each other as the teacher has them lie."""

from __future__ import annotations

from typing import ClassVar

from keras import ops
from pydantic import NonNegativeFloat

from kd_edge.distill.batch import Batch
from kd_edge.distill.losses.layers import LayerLoss
from kd_edge.distill.losses.shapes import rows

# Squared distances below this, of features scaled to a mean distance near 1, are none.
_SMALLEST = 1e-12


class Rkd(LayerLoss):
    """Distances between, and angles among, the examples of a batch, as a teacher's layer has them.

    Options:
        student_layer, teacher_layer: names of layers, of any two shapes.
        distance_weight: 0 or more.
        angle_weight: 0 or more, twice the other in the paper.
    """

    published: ClassVar = {"distance_weight": 1.0, "angle_weight": 2.0}

    distance_weight: NonNegativeFloat
    angle_weight: NonNegativeFloat

    def values(self, batch: Batch, layers):
        del layers
        return self.over_teachers(
            batch,
            lambda ours, theirs: (
                self.distance_weight * distance_loss(ours, theirs)
                + self.angle_weight * angle_loss(ours, theirs)
            ),
        )


def distance_loss(student_features, teacher_features):
    """Huber's difference of the distances between two examples, in units of their mean.

    mean_{j ≠ i} h(d_s(i, j) - d_t(i, j)), d(i, j) = ||f_i - f_j|| / mean over all pairs of distinct
    examples, h(x) = x² / 2 up to 1, |x| - 1/2 beyond; W. Park, D. Kim, Y. Lu, M. Cho, "Relational
    Knowledge Distillation", CVPR 2019, section 3.2.1. The mean over the batch is the paper's sum
    over its number of pairs.

    Args:
        student_features, teacher_features: (batch, ...), each example one vector.

    Returns:
        (batch,), of an example's pairs; 0 in a batch of one.
    """
    return _mean_of_others(_huber(_distances(student_features) - _distances(teacher_features)))


def angle_loss(student_features, teacher_features):
    """Huber's difference of the cosines of the angles at an example between two others.

    mean_{i ≠ k} h(a_s(i, j, k) - a_t(i, j, k)), a = the cosine between f_i - f_j and f_k - f_j, of
    all batch³ triplets at once;
    Park et al. 2019, section 3.2.2, h as in `distance_loss`.

    Args:
        student_features, teacher_features: (batch, ...), each example one vector.

    Returns:
        (batch,), of the angles at an example j; 0 in a batch of fewer than three.
    """
    difference = _huber(_cosines(student_features) - _cosines(teacher_features))
    n = ops.cast(ops.shape(difference)[0], "float32")
    return ops.sum(difference, axis=(1, 2)) / ops.maximum((n - 1) * (n - 2), 1.0)


def _products(features):
    """(batch, batch) inner products; moving all examples together changes no relation."""
    vectors = rows(features)
    vectors = vectors - ops.mean(vectors, axis=0, keepdims=True)
    return ops.matmul(vectors, ops.transpose(vectors))


def _lengths(products):
    """(batch, batch) distances; 0, without a gradient, from an example to itself."""
    squares = ops.diagonal(products)
    squared = squares[:, None] + squares[None, :] - 2 * products
    # Rounding makes small squares negative, and no root has a gradient at 0.
    floor = _SMALLEST * (1 + ops.max(ops.stop_gradient(squares)))
    apart = ops.logical_and(squared > floor, ops.logical_not(_same(products)))
    return ops.where(apart, ops.sqrt(ops.where(apart, squared, 1.0)), 0.0)


def _distances(features):
    lengths = _lengths(_products(features))
    mean = ops.mean(_mean_of_others(lengths))
    return lengths / ops.maximum(mean, _SMALLEST)


def _cosines(features):
    """(j, i, k): of the angle at j between i and k; 0 where two of them are one."""
    products = _products(features)
    lengths = _lengths(products)
    # (f_i - f_j)(f_k - f_j) = f_i f_k - f_i f_j - f_j f_k + f_j f_j
    own = ops.diagonal(products)[:, None, None]
    sides = products[None] - products[:, :, None] - products[:, None, :] + own
    both = lengths[:, :, None] * lengths[:, None, :]
    same = _same(products)[None]
    there = ops.logical_and(both > 0, ops.logical_not(same))
    return ops.where(there, sides / ops.where(there, both, 1.0), 0.0)


def _same(square):
    """(batch, batch) bool: an example and itself."""
    n = ops.shape(square)[0]
    return ops.equal(ops.arange(n)[:, None], ops.arange(n)[None, :])


def _mean_of_others(square):
    """(batch, batch) of which the diagonal is 0 -> (batch,) mean over the others."""
    others = ops.cast(ops.shape(square)[0], "float32") - 1
    return ops.sum(square, axis=1) / ops.maximum(others, 1.0)


def _huber(x):
    size = ops.abs(x)
    return ops.where(size < 1, ops.square(x) / 2, size - 0.5)
