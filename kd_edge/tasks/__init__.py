"""Tasks: what a model's output means, one file each. Nobody else takes an argmax."""

from __future__ import annotations

from kd_edge.base.registry import Registry
from kd_edge.tasks.classification import CLASSIFICATION
from kd_edge.tasks.record import Task
from kd_edge.tasks.segmentation import SEGMENTATION

__all__ = ["TASKS", "Task", "find_task"]

TASKS: Registry[Task] = Registry("task", (CLASSIFICATION, SEGMENTATION), home=__name__)


def find_task(name: str) -> Task:
    """The task of that name.

    Raises:
        KdEdgeError KD_UNKNOWN_NAME: no such task.
    """
    return TASKS.find(name, where="task")
