"""What ships: one student, or several and a rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from kd_edge.base.errors import nearest
from kd_edge.base.settings import MisfitError, Name, settings


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


@settings
class Product:
    """The students that ship.

    models: names of students, in the order in which a cascade asks them. One needs no rule.
    rule: 'average', 'cascade' or 'selector', of two models or more.
    name: of the composition, in tables.
    margin: of a cascade, in the unit of the models' scores: a model answers where its best score is
        so much above its next. One number, or one for each model but the last.
    max_drop_points: of a cascade, in place of a margin: what it may lose against its last model on
        the validation part, in percentage points. The build finds the margin.
    """

    models: Annotated[tuple[str, ...], Field(min_length=1)]
    rule: Literal["average", "cascade", "selector"] | None = None
    name: Name | None = None
    margin: Annotated[tuple[Annotated[float, Field(ge=0)], ...], BeforeValidator(_as_list)] = ()
    max_drop_points: Annotated[float, Field(ge=0)] | None = None

    @property
    def margins(self) -> tuple[float, ...]:
        """One for each model but the last; () for other rules than a cascade."""
        if len(self.margin) == 1:
            return self.margin * (len(self.models) - 1)
        return self.margin

    def check(self, students: Sequence[str], others: Sequence[str]) -> None:
        """Raise MisfitError, which names the key, where it does not fit itself or the models.

        Args:
            students: names of the recipe's students. others: of its teachers.
        """
        for position, name in enumerate(self.models):
            if name not in students:
                told = f"no student is called '{name}'{nearest(name, students)}"
                raise MisfitError(f"models.{position}", f"{told}; there are {', '.join(students)}")
        if len(set(self.models)) < len(self.models):
            raise MisfitError("models", "a student answers once")
        several = len(self.models) > 1
        if several and (self.rule is None or self.name is None):
            key = "name" if self.name is None else "rule"
            raise MisfitError(key, f"several models need a rule and a name; {key} is missing")
        for key in ("rule", "name") if not several else ():
            if getattr(self, key) is not None:
                raise MisfitError(key, f"one model answers alone: leave {key} out")
        if self.name in (*students, *others):
            raise MisfitError(
                "name", f"a model is called '{self.name}': name the product otherwise"
            )
        self._check_margin()

    def _check_margin(self) -> None:
        cascade = self.rule == "cascade"
        stated = [bool(self.margin), self.max_drop_points is not None]
        if any(stated) and not cascade:
            raise MisfitError(
                "margin" if stated[0] else "max_drop_points", "only a cascade has a margin"
            )
        if cascade and sum(stated) != 1:
            raise MisfitError(
                "margin",
                "a cascade needs margin, or max_drop_points to find it by; not both",
            )
        if self.margin and len(self.margins) != len(self.models) - 1:
            raise MisfitError(
                "margin",
                f"one number, or {len(self.models) - 1} for {len(self.models)} models: the last "
                "one answers in any case",
            )
