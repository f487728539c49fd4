"""Hints: a layer of the student learns a layer of the teacher, through a regressor."""

from __future__ import annotations

from collections.abc import Mapping

import keras
from keras import ops

from kd_edge.base.errors import KdEdgeError
from kd_edge.distill.batch import Batch
from kd_edge.distill.losses.record import Loss, Taps
from kd_edge.distill.losses.shapes import per_example

_REGRESSOR = "regressor"


class FitNets(Loss):
    """Mean squared difference between a regressed layer of the student and a teacher's layer.

    mean (r(student) - teacher)²; A. Romero et al., "FitNets: Hints for Thin Deep Nets", ICLR 2015,
    equation 3. r is a Dense over the last axis (a 1 x 1 convolution), trained with the student and
    thrown away. With several teachers it is the mean over them.

    Options:
        student_layer, teacher_layer: names of layers whose outputs agree in all but channels.
    """

    student_layer: str
    teacher_layer: str

    def taps(self) -> Taps:
        return Taps((self.student_layer,), (self.teacher_layer,))

    def parts(self, student: Mapping[str, tuple], teacher: Mapping[str, tuple]):
        ours, theirs = student[self.student_layer], teacher[self.teacher_layer]
        if ours[:-1] != theirs[:-1]:
            raise KdEdgeError(
                "KD_SHAPE",
                f"layer '{self.student_layer}' gives {ours}, and '{self.teacher_layer}' of the "
                f"teacher {theirs}: they may differ in channels alone",
                where="distillation",
                hint="name layers at the same resolution",
            )
        regressor = keras.layers.Dense(theirs[-1], name=_REGRESSOR)
        regressor.build((None, *ours))
        return {_REGRESSOR: regressor}

    def values(self, batch: Batch, parts):
        answers = parts[_REGRESSOR](batch.student.features[self.student_layer])
        losses = [
            per_example(ops.square(answers - ops.stop_gradient(t.features[self.teacher_layer])))
            for t in batch.taught.teachers
        ]
        return sum(losses) / len(losses)
