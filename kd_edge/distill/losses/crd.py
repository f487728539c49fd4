"""Contrastive distillation: each example's teacher is told from the batch's other teachers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import keras
import numpy as np
from keras import ops
from pydantic import PositiveInt

from kd_edge.distill.batch import Batch
from kd_edge.distill.losses.layers import LayerLoss
from kd_edge.distill.losses.schedule import Temperature, require_positive, value_at
from kd_edge.distill.losses.shapes import rows, unit

# Far below every similarity: what is left out of a softmax.
_NOWHERE = -1e9


class Crd(LayerLoss):
    """A student's example is nearer to its teacher's than to those of other classes in the batch.

    After contrastive distillation, without its memory: the examples of the batch alone are
    compared.

    Options:
        student_layer, teacher_layer: names of layers, of any two shapes.
        dimension: numbers that each layer is projected to, trained with the student; 128 in the
            authors' program.
        temperature: above 0; 0.07 there.
    """

    published: ClassVar = {"dimension": 128, "temperature": 0.07}

    dimension: PositiveInt
    temperature: Temperature

    def layers(self, student: Mapping[str, tuple], teacher: Mapping[str, tuple]):
        return {
            "student": self._projection(student[self.student_layer]),
            "teacher": self._projection(teacher[self.teacher_layer]),
        }

    def _projection(self, shape: tuple[int, ...]) -> keras.layers.Dense:
        layer = keras.layers.Dense(self.dimension)
        layer.build((None, int(np.prod(shape))))
        return layer

    def values(self, batch: Batch, layers):
        temperature = value_at(self.temperature, batch.epoch)
        return self.over_teachers(
            batch,
            lambda ours, theirs: contrastive_loss(
                layers["student"](rows(ours)),
                layers["teacher"](rows(theirs)),
                batch.truth,
                temperature=temperature,
            ),
        )


def contrastive_loss(student_vectors, teacher_vectors, truth, *, temperature):
    """Cross-entropy of telling an example's own partner from the other examples', both ways.

    -(log softmax_j(s_i t_j / T)_i + log softmax_j(t_i s_j / T)_i) / 2 of vectors of length 1, over
    i itself and every j that is a negative; A. van den Oord, Y. Li, O. Vinyals, "Representation
    Learning with Contrastive Predictive Coding", 2018, arXiv 1807.03748, equation 4, of the pairs
    of Y. Tian, D. Krishnan, P. Isola, "Contrastive Representation Distillation", ICLR 2020, which
    draws thousands of negatives from a memory of all examples. Here they are the
    batch's. As in the authors' program an example of the same class is not a negative; if examples
    have many classes, all others are.

    Args:
        student_vectors, teacher_vectors: (batch, dimension), of any length.
        truth: (batch,) or (batch, ...) integers.
        temperature: > 0, a number or a tensor.

    Returns:
        (batch,) nats.

    Raises:
        KdEdgeError KD_RECIPE_VALUE: the temperature is not positive.
    """
    require_positive(temperature)
    ours, theirs = unit(student_vectors), unit(teacher_vectors)
    similar = ops.matmul(ours, ops.transpose(theirs)) / temperature
    left_out = _NOWHERE * _of_one_class(truth, ops.shape(similar)[0])
    return (_telling(similar + left_out) + _telling(ops.transpose(similar) + left_out)) / 2


def _telling(similar):
    """(batch, batch) -> (batch,) -log of the share of the diagonal in its row."""
    return ops.logsumexp(similar, axis=1) - ops.diagonal(similar)


def _of_one_class(truth, n):
    """(batch, batch) 1 for two different examples of one class."""
    if len(truth.shape) > 1:
        return ops.zeros((n, n))
    same = ops.cast(ops.equal(truth[:, None], truth[None, :]), "float32")
    return same * (1 - ops.eye(n))
