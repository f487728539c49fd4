"""Tasks: what a model's output means, one file each. Nobody else takes an argmax."""

from __future__ import annotations

from kd_edge.base.errors import KdEdgeError, nearest
from kd_edge.tasks.classification import CLASSIFICATION
from kd_edge.tasks.record import Task
from kd_edge.tasks.segmentation import SEGMENTATION

__all__ = ["TASKS", "Task", "find_task"]

# name -> the task's functions.
TASKS: dict[str, Task] = {task.name: task for task in (CLASSIFICATION, SEGMENTATION)}


def find_task(name: str) -> Task:
    """The task of that name.

    Raises:
        KdEdgeError KD_UNKNOWN_NAME: no such task.
    """
    if name not in TASKS:
        raise KdEdgeError(
            "KD_UNKNOWN_NAME",
            f"there is no task '{name}'{nearest(name, TASKS)}",
            where="task",
            hint=f"tasks: {', '.join(TASKS)}",
        )
    return TASKS[name]
