"""What a lesson must be like before a model learns it."""

from __future__ import annotations

import keras
import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.distill.batch import Taught
from kd_edge.distill.logits import require_logits
from kd_edge.distill.losses import Loss
from kd_edge.distill.steps import Lesson
from kd_edge.distill.teaching import Teaching
from kd_edge.examples import Examples
from kd_edge.tasks import Task


def teacher_shapes(lesson: Lesson) -> dict[str, tuple[int, ...]]:
    """Shape of one example's output of each layer of the teachers that the loss looks at."""
    if lesson.teaching is not None:
        return lesson.teaching.shapes
    if lesson.taught is None:
        return {}
    return {n: tuple(x.shape[1:]) for n, x in lesson.taught.teachers[0].features.items()}


def check_parts(training: Examples, validation: Examples | None) -> None:
    """Refuse a part without windows."""
    for part, windows in (("training", training), ("validation", validation)):
        if windows is not None and len(windows) == 0:
            raise KdEdgeError("KD_EMPTY_PART", f"the {part} part has no windows")


def check_augmented(teacher: Teaching | Taught | None) -> None:
    """Refuse teachers that cannot be asked about windows that a step has changed."""
    if isinstance(teacher, Taught):
        raise KdEdgeError(
            "KD_RECIPE_VALUE",
            "outputs computed before training do not belong to augmented windows",
            hint="give the teachers themselves, or leave the augmentation out",
        )
    if teacher is not None and teacher.only_kept is not None:
        raise KdEdgeError(
            "KD_RECIPE_VALUE",
            f"the teacher '{teacher.only_kept}' is a file of logits: it knows its windows as they "
            "are, and augmentation changes them",
            hint="bring the teacher's network, as ONNX or .keras, or leave the augmentation out",
        )


def check_lesson(model, training, task: Task, loss: Loss, lesson: Lesson) -> None:
    """Refuse outputs, truth, weights and teachers that do not fit each other."""
    n_classes = model.output_shape[-1]
    task.check(model.output_shape, training.truth, n_classes)
    loss.check_classes(n_classes)
    has_teacher = lesson.taught is not None or lesson.teaching is not None
    if has_teacher != loss.needs_teacher:
        raise KdEdgeError(
            "KD_RECIPE_VALUE", "a distillation loss and a teacher's logits belong together"
        )
    if lesson.weights is not None and lesson.weights.shape != (len(training),):
        raise KdEdgeError("KD_SHAPE", f"weights are {lesson.weights.shape}, not {(len(training),)}")
    if lesson.taught is not None:
        check_logits(np.asarray(lesson.taught.logits), (len(training), *model.output_shape[1:]))
    if lesson.teaching is not None:
        few = {name: array[: training.at_once] for name, array in lesson.inputs.items()}
        logits = keras.ops.convert_to_numpy(lesson.teaching(few).logits)
        check_logits(logits, (len(logits), *model.output_shape[1:]))


def check_logits(logits: np.ndarray, shape: tuple[int, ...]) -> None:
    """Refuse a teacher's (n, ..., classes) outputs of another shape, not finite, or no logits."""
    if logits.shape != shape:
        raise KdEdgeError(
            "KD_SHAPE",
            f"the teacher's logits are {logits.shape}, not {shape}",
            hint="compute them on these windows",
        )
    if not np.isfinite(logits).all():
        raise KdEdgeError("KD_DIVERGED", "the teacher's logits are not all finite")
    require_logits(logits, "the teacher's outputs")
