"""Attention transfer: where the student's layer is active is where the teacher's is."""

from __future__ import annotations

from collections.abc import Mapping

from keras import ops

from kd_edge.distill.batch import Batch
from kd_edge.distill.losses.layers import LayerLoss
from kd_edge.distill.losses.shapes import per_example, rows, unit


class Attention(LayerLoss):
    """Squared difference of where two layers are active, whatever their channels.

    Options:
        student_layer, teacher_layer: names of layers whose outputs agree in all but channels.
    """

    def layers(self, student: Mapping[str, tuple], teacher: Mapping[str, tuple]):
        self.refuse_without_places(student, teacher)
        return {}

    def values(self, batch: Batch, layers):
        del layers
        return self.over_teachers(batch, attention_loss)


def attention_loss(student_features, teacher_features):
    """Mean squared difference of attention maps of length one.

    mean_x (q_s(x) - q_t(x))², q = a / ||a||, a(x) = sum_c f(x, c)² over channels c at place x;
    S. Zagoruyko, N. Komodakis, "Paying More Attention to Attention", ICLR 2017, section 3.1 with
    p = 2. Equation 2 has the difference's length; here, as in the authors' program, it is squared
    and averaged.

    Args:
        student_features, teacher_features: (batch, ..., channels), of equal shape but for channels.

    Returns:
        (batch,), 0 to 2 / places.
    """
    return per_example(ops.square(_map(student_features) - _map(teacher_features)))


def _map(features):
    """(batch, ..., channels) -> (batch, places) of length 1."""
    return unit(rows(ops.sum(ops.square(features), axis=-1)))
