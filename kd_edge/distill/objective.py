"""What is minimised: a loss, bound to one student, its task and its teachers' shapes."""

from __future__ import annotations

from collections.abc import Mapping

from kd_edge.distill.batch import Batch, Mixed, Outputs, Taught, Tensor
from kd_edge.distill.losses import Loss
from kd_edge.distill.tapped import Tapped
from kd_edge.tasks import Task


class Objective:
    """A loss with what it trains beside the student.

    Args:
        teacher_shapes: tapped layer of the teachers -> shape of one example's output.
    """

    def __init__(
        self,
        loss: Loss,
        task: Task,
        student: Tapped,
        teacher_shapes: Mapping[str, tuple[int, ...]],
    ):
        self._loss = loss
        self._task = task
        self._layers = dict(loss.layers(student.shapes, teacher_shapes))

    @property
    def variables(self) -> list:
        """Of the loss's own layers."""
        return [v for layer in self._layers.values() for v in layer.variables]

    @property
    def trainable_variables(self) -> list:
        """Those of them that are trained with the student."""
        return [v for layer in self._layers.values() for v in layer.trainable_variables]

    def values(
        self,
        inputs: Mapping[str, Tensor],
        truth: Tensor,
        student: Outputs,
        taught: Taught | None,
        epoch: Tensor,
        mixed: Mixed | None = None,
    ) -> Tensor:
        """(batch,) of what is minimised, in the loss's unit."""
        batch = Batch(self._task, inputs, truth, student, taught, epoch, mixed)
        return self._loss.values(batch, self._layers)

    def right(self, truth: Tensor, student: Outputs) -> Tensor:
        """(batch,) share of each example that the student decides rightly."""
        return self._task.right(student.logits, truth)
