"""The figures of a task, each with its interval; unknown is None, not 0."""

from __future__ import annotations

from dataclasses import dataclass


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

    n_windows: int
    n_recordings: int
    accuracy: float
    interval: Interval
    macro_f1: float
    class_names: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    per_subject: tuple[GroupAccuracy, ...]
    per_class: tuple[GroupAccuracy, ...]
