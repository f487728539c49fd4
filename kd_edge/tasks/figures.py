"""The figures of a task, each with its interval; unknown is None, not 0.

What a report shows of any task, it reads under the same names: `value` with its `interval`, what
they are called, `confusion`, `per_class` and `per_subject`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Interval:
    """A confidence interval.

    Attributes:
        low, high: bounds, in the figure's own unit.
        level: 0.95 for 95 %.
        method: 'Wilson' or, of a difference, 'Bonett and Price' (recordings are their trials),
            'bootstrap over recordings', or 'Clopper and Pearson' (windows are its trials).
    """

    low: float
    high: float
    level: float
    method: str


@dataclass(frozen=True)
class GroupAccuracy:
    """Accuracy of one subject, session or class."""

    name: str
    n_windows: int
    accuracy: float
    interval: Interval

    @property
    def value(self) -> float:
        """The accuracy."""
        return self.accuracy


@dataclass(frozen=True)
class Accuracy:
    """How often one model is right on one part of the data.

    Attributes:
        n_windows, n_recordings: what it was measured on.
        accuracy: fraction of windows, 0 to 1.
        interval: of `accuracy`; over recordings where a recording gives several windows.
        macro_f1: mean of the classes' F1, over the classes that the part holds, 0 to 1.
        class_names: the order of `confusion`.
        confusion: rows are true classes, columns predicted, in windows.
        per_subject, per_class: only groups that the part holds.
    """

    called: ClassVar[str] = "accuracy"
    said: ClassVar[str] = "right"
    title: ClassVar[str] = "Right answers, % of {examples}"
    counted: ClassVar[str] = "{examples}"
    meaning: ClassVar[str] = "Accuracy is the share of {examples} whose class is right."

    n_windows: int
    n_recordings: int
    accuracy: float
    interval: Interval
    macro_f1: float
    class_names: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    per_subject: tuple[GroupAccuracy, ...]
    per_class: tuple[GroupAccuracy, ...]

    @property
    def value(self) -> float:
        """The accuracy."""
        return self.accuracy

    @property
    def aside(self) -> tuple[str, float]:
        """Another figure of the same answers, by its name."""
        return "Macro-F1", self.macro_f1


@dataclass(frozen=True)
class GroupOverlap:
    """Overlap of one class, or mean overlap of one subject.

    Attributes:
        n_windows: examples that hold the class, or are the subject's.
        iou: intersection over union of the class, or its mean over classes, 0 to 1.
    """

    name: str
    n_windows: int
    iou: float
    interval: Interval

    @property
    def value(self) -> float:
        """The overlap."""
        return self.iou


@dataclass(frozen=True)
class Overlap:
    """How well predicted regions lie on the true ones.

    Attributes:
        n_windows, n_recordings: examples and their groups (images, or the drive that frames came
            from) that it was measured on.
        mean_iou: mean intersection over union of the classes that the truth holds, 0 to 1.
        interval: of `mean_iou`, over recordings.
        pixel_accuracy: share of pixels with a class that are decided rightly, 0 to 1.
        class_names: the order of `iou` and `confusion`.
        iou: of each class, 0 to 1; None for a class that neither truth nor answers hold.
        confusion: rows are true classes, columns predicted, in pixels.
        per_subject, per_class: only groups that the part holds.
    """

    called: ClassVar[str] = "mean IoU"
    said: ClassVar[str] = "mean IoU"
    title: ClassVar[str] = "Mean intersection over union, %"
    counted: ClassVar[str] = "pixels"
    meaning: ClassVar[str] = (
        "Mean IoU is the overlap of predicted and true regions, intersection over union, as a mean "
        "over the classes; pixels without a class do not count."
    )

    n_windows: int
    n_recordings: int
    mean_iou: float
    interval: Interval
    pixel_accuracy: float
    class_names: tuple[str, ...]
    iou: tuple[float | None, ...]
    confusion: tuple[tuple[int, ...], ...]
    per_subject: tuple[GroupOverlap, ...]
    per_class: tuple[GroupOverlap, ...]

    @property
    def value(self) -> float:
        """The mean intersection over union."""
        return self.mean_iou

    @property
    def aside(self) -> tuple[str, float]:
        """Another figure of the same answers, by its name."""
        return "Pixel accuracy", self.pixel_accuracy


@dataclass(frozen=True)
class Tally:
    """How far each recording of a part is decided rightly: what two models are compared by.

    Attributes:
        recordings: index of each in its dataset.
        subjects: whose each is.
        right: examples of each that are right; one that is right in part counts in part.
        n: examples of each.
    """

    recordings: tuple[int, ...]
    subjects: tuple[str, ...]
    right: tuple[float, ...]
    n: tuple[int, ...]


# What a task's score is.
Figure = Accuracy | Overlap
GroupFigure = GroupAccuracy | GroupOverlap
