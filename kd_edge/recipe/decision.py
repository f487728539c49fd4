"""[decision]: what a stream of windows leads to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, PositiveInt

from kd_edge.base.decision import MOST_WINDOWS
from kd_edge.base.settings import MisfitError, settings

if TYPE_CHECKING:
    from kd_edge.recipe.tables import Recipe

Share = Annotated[float, Field(ge=0, le=1)]
Reject = Literal["confidence", "margin", "distance"]


@settings
class Decision:
    """How the product's scores become what is said; `kd_edge.base.decision` has the steps.

    windows: that decide together, the last ones.
    combine: by the 'mean' of log-probabilities, or by the 'majority' of votes.
    enter, leave: share from which a class is said, and below which it is no more.
    least_windows: for which a class must lead in a row.
    refractory_windows: after an onset, without another.
    rest: the class that is never said.
    reject_by: what makes a window count for nothing.
    false_rejections: share of the validation part's rightly answered windows that may be rejected;
        the thresholds follow from it.
    tolerance_s: after a gesture's end, in which its onset still counts as found.
    """

    windows: Annotated[int, Field(ge=1, le=MOST_WINDOWS)] = 5
    combine: Literal["mean", "majority"] = "mean"
    enter: Share = 0.6
    leave: Share = 0.3
    least_windows: PositiveInt = 1
    refractory_windows: Annotated[int, Field(ge=0, le=10_000)] = 0
    rest: str | None = None
    reject_by: tuple[Reject, ...] = ("confidence",)
    false_rejections: Annotated[float, Field(ge=0, lt=1)] = 0.05
    tolerance_s: Annotated[float, Field(ge=0)] = 0.5


def check_decision(recipe: Recipe) -> None:
    """Decisions are made over windows of a stream, each of one class; known classes are known."""
    asked = recipe.decision
    if asked is not None:
        if recipe.task != "classification" or recipe.images:
            raise MisfitError("decision", "windows of a stream decide, and this recipe has none")
        if asked.leave > asked.enter:
            raise MisfitError("decision.leave", f"{asked.leave:g} is above enter, {asked.enter:g}")
        if len(set(asked.reject_by)) < len(asked.reject_by):
            raise MisfitError("decision.reject_by", "a reason stands there twice")
    classes, unknown = recipe.dataset.classes or (), recipe.dataset.unknown_classes
    both = [name for name in unknown if name in classes]
    if both:
        raise MisfitError(
            "dataset.unknown_classes", f"'{both[0]}' is one of dataset.classes, so it is known"
        )
