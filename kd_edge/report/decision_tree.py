"""The report's figures of confidence, rejection and decisions over a stream."""

from __future__ import annotations

from dataclasses import dataclass

from kd_edge.tasks.calibration import Calibration
from kd_edge.tasks.events import EventScore
from kd_edge.tasks.rejection import Coverage


@dataclass(frozen=True)
class Calibrated:
    """A part's confidence as the model gives it, and at the fitted temperature."""

    part: str
    before: Calibration
    after: Calibration


@dataclass(frozen=True)
class Covered:
    """Accuracy against coverage of one part, where the least confident windows are rejected.

    Attributes:
        answered: share of windows that the recipe's thresholds do not reject, 0 to 1; None without
            thresholds.
        accuracy: of those; None also where none is left.
    """

    part: str
    curve: Coverage
    answered: float | None
    accuracy: float | None


@dataclass(frozen=True)
class Unknown:
    """Windows of classes that no model learned, beside a part's.

    Attributes:
        n_known, n_unknown: windows; the unknown are of the part's people and days.
        auroc: by 'confidence', 'margin' and 'distance': how often a known window is surer than an
            unknown one, 0 to 1.
        rejected_known, rejected_unknown: share that the thresholds reject, 0 to 1; None without.
    """

    part: str
    n_known: int
    n_unknown: int
    auroc: dict[str, float]
    rejected_known: float | None
    rejected_unknown: float | None


@dataclass(frozen=True)
class EventPoint:
    """Events of a part's streams, decided over so many windows together."""

    windows: int
    score: EventScore


@dataclass(frozen=True)
class StreamEvents:
    """Events of one part: its recordings, joined person by person in their order.

    Attributes:
        has_rest: rest stands between two gestures.
        points: over fewer and more windows together; `recipe_windows` are the recipe's.
    """

    part: str
    has_rest: bool
    recipe_windows: int
    points: tuple[EventPoint, ...]


@dataclass(frozen=True)
class DecisionSection:
    """What is known of the product's confidence, in int8.

    Attributes:
        temperature: fitted on the validation part's `n_fitted` windows.
        unknown_classes: labels that no model learned.
        notes: what a reader of the figures must know.
    """

    temperature: float
    n_fitted: int
    unknown_classes: tuple[str, ...]
    calibration: tuple[Calibrated, ...]
    coverage: tuple[Covered, ...]
    unknown: tuple[Unknown, ...]
    events: tuple[StreamEvents, ...]
    notes: tuple[str, ...] = ()
