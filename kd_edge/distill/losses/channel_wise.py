"""Channel-wise distillation: where in an image each channel is strong is where the teacher's is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import keras
from keras import ops

from kd_edge.distill.batch import Batch
from kd_edge.distill.losses.layers import LayerLoss
from kd_edge.distill.losses.schedule import Temperature, require_positive, value_at
from kd_edge.distill.losses.shapes import per_example

_PROJECTION = "projection"


class ChannelWise(LayerLoss):
    """Divergence between each channel's shares over an image's places, student to teacher.

    If the channels differ, a Dense over the last axis (a 1 x 1 convolution) brings the student's to
    the teacher's number; it is trained with the student and thrown away. The layer `logits` has a
    channel a class.

    Options:
        student_layer, teacher_layer: names of layers whose outputs agree in all but channels.
        temperature: above 0; 4 in the paper.
    """

    published: ClassVar = {"temperature": 4.0}

    temperature: Temperature

    def layers(self, student: Mapping[str, tuple], teacher: Mapping[str, tuple]):
        self.refuse_without_places(student, teacher)
        ours, channels = student[self.student_layer], teacher[self.teacher_layer][-1]
        if ours[-1] == channels:
            return {}
        projection = keras.layers.Dense(channels, use_bias=False, name=_PROJECTION)
        projection.build((None, *ours))
        return {_PROJECTION: projection}

    def values(self, batch: Batch, layers):
        temperature = value_at(self.temperature, batch.epoch)
        project = layers.get(_PROJECTION, lambda features: features)
        return self.over_teachers(
            batch,
            lambda ours, theirs: channel_wise_loss(project(ours), theirs, temperature=temperature),
        )


def channel_wise_loss(student_features, teacher_features, *, temperature):
    """Kullback-Leibler divergence of each channel's distribution over the places, times T².

    T² / C * sum_c sum_x t_c(x) log(t_c(x) / s_c(x)), t_c and s_c the softmax over the places x of
    channel c divided by T; C. Shu, Y. Liu, J. Gao, Z. Yan, C. Shen, "Channel-wise Knowledge
    Distillation for Dense Prediction", ICCV 2021, equation 4.

    Args:
        student_features, teacher_features: (batch, ..., channels), of equal shape.
        temperature: > 0, a number or a tensor.

    Returns:
        (batch,) nats.

    Raises:
        KdEdgeError KD_RECIPE_VALUE: the temperature is not positive.
    """
    require_positive(temperature)
    ours, theirs = (
        ops.log_softmax(_places(features) / temperature, axis=1)
        for features in (student_features, teacher_features)
    )
    divergence = ops.sum(ops.exp(theirs) * (theirs - ours), axis=1)
    return temperature**2 * per_example(divergence)


def _places(features):
    """(batch, ..., channels) -> (batch, places, channels)."""
    return ops.reshape(features, (ops.shape(features)[0], -1, features.shape[-1]))
