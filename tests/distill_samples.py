"""What tests of losses hand to a loss."""

from __future__ import annotations

import numpy as np

from kd_edge.distill.batch import Batch, Outputs, Taught
from kd_edge.tasks import find_task

LABELS = np.array([0, 1, 2, 3, 4, 0])


def batch(
    student,
    teacher,
    labels=LABELS,
    epoch=0.0,
    features=None,
    *,
    task="classification",
    mixed=None,
    others=(),
):
    """What a training step hands to a loss.

    Args:
        teacher: logits of one; None for no teacher.
        features: of the student and of that teacher, layer -> array.
        others: features of further teachers.
    """
    ours, theirs = features or ({}, {})
    teachers = tuple(Outputs(teacher, each) for each in (theirs, *others))
    return Batch(
        task=find_task(task),
        inputs={},
        truth=labels,
        student=Outputs(student, ours),
        taught=None if teacher is None else Taught(teacher, teachers),
        epoch=epoch,
        mixed=mixed,
    )
