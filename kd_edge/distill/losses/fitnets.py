"""Hints: a layer of the student learns a layer of the teacher, through a regressor."""

from __future__ import annotations

from collections.abc import Mapping

import keras
from keras import ops

from kd_edge.distill.batch import Batch
from kd_edge.distill.losses.layers import LayerLoss
from kd_edge.distill.losses.shapes import per_example

_REGRESSOR = "regressor"


class FitNets(LayerLoss):
    """Mean squared difference between a regressed layer of the student and a teacher's layer.

    mean (r(student) - teacher)²; A. Romero et al., "FitNets: Hints for Thin Deep Nets", ICLR 2015,
    equation 3. r is a Dense over the last axis (a 1 x 1 convolution), trained with the student and
    thrown away. With several teachers it is the mean over them.

    Options:
        student_layer, teacher_layer: names of layers whose outputs agree in all but channels.
    """

    def layers(self, student: Mapping[str, tuple], teacher: Mapping[str, tuple]):
        self.refuse_other_places(student, teacher)
        regressor = keras.layers.Dense(teacher[self.teacher_layer][-1], name=_REGRESSOR)
        regressor.build((None, *student[self.student_layer]))
        return {_REGRESSOR: regressor}

    def values(self, batch: Batch, layers):
        regressor = layers[_REGRESSOR]
        return self.over_teachers(
            batch, lambda ours, theirs: per_example(ops.square(regressor(ours) - theirs))
        )
