"""The labels' own loss, so that it can be weighed like any other."""

from __future__ import annotations

from kd_edge.distill.batch import Batch
from kd_edge.distill.losses.record import Loss


class Labels(Loss):
    """The task's loss to the truth: cross-entropy for classification and for each pixel."""

    @property
    def needs_teacher(self) -> bool:
        return False

    def values(self, batch: Batch, parts):
        del parts
        return batch.task.hard_loss(batch.student.logits, batch.truth)
