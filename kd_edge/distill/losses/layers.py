"""Losses that hold a layer of the student against a layer of every teacher."""

from __future__ import annotations

from collections.abc import Callable

from keras import ops

from kd_edge.base.errors import KdEdgeError
from kd_edge.distill.batch import Batch, Tensor
from kd_edge.distill.losses.record import Loss, Taps


class LayerLoss(Loss):
    """A loss of two layers; the layer `logits` of every model is its output."""

    student_layer: str
    teacher_layer: str

    def taps(self) -> Taps:
        return Taps((self.student_layer,), (self.teacher_layer,))

    def over_teachers(self, batch: Batch, loss: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """(batch,) mean over the teachers.

        Args:
            loss: of (batch, ...) outputs of the student's layer and of a teacher's, into which no
                gradient flows; (batch,).
        """
        ours = batch.student.features[self.student_layer]
        losses = [
            loss(ours, ops.stop_gradient(teacher.features[self.teacher_layer]))
            for teacher in batch.taught.teachers
        ]
        return sum(losses) / len(losses)

    def refuse_other_places(self, student, teacher) -> None:
        """Refuse layers that differ in more than channels.

        Args:
            student, teacher: tapped layer -> shape of one example's output.

        Raises:
            KdEdgeError KD_SHAPE: they do.
        """
        ours, theirs = student[self.student_layer], teacher[self.teacher_layer]
        if ours[:-1] != theirs[:-1]:
            raise KdEdgeError(
                "KD_SHAPE",
                f"layer '{self.student_layer}' gives {ours}, and '{self.teacher_layer}' of the "
                f"teacher {theirs}: they may differ in channels alone",
                where="distillation",
                hint="name layers at the same resolution",
            )

    def refuse_without_places(self, student, teacher) -> None:
        """Refuse layers that differ in more than channels, or whose outputs have channels alone.

        Args:
            student, teacher: tapped layer -> shape of one example's output.

        Raises:
            KdEdgeError KD_SHAPE: they do, or have.
        """
        self.refuse_other_places(student, teacher)
        shape = student[self.student_layer]
        if len(shape) < 2:
            raise KdEdgeError(
                "KD_SHAPE",
                f"layer '{self.student_layer}' gives {shape}: it has no places to attend to",
                where="distillation",
                hint="name a layer that keeps time, or an image's rows and columns",
            )
