"""Which rows the results have: a recipe, a test part and its people, and what to compare with."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)

from kd_edge.base.errors import KdEdgeError, nearest
from kd_edge.base.files import sha256_text
from kd_edge.base.settings import Name
from kd_edge.recipe import Recipe
from kd_edge.splits import Fold


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Published(_Table):
    """What others report on the same data and split; without `percent`, why nobody does."""

    percent: float | None = None
    note: str


class RowSettings(_Table):
    """One row.

    Attributes:
        name: of the row and of its JSON file.
        title: set and split, in words.
        recipe: name of a recipe. data: folder of the set; None for one that needs none.
        part: test part of the recipe.
        largest: of the folds, those of so many people with the most recordings; None: all.
        people: of the folds, those of these people; None: all.
        vote: seconds that a decision looks at, or 'recording'; None: each window decides.
        unknown: classes that no model learns; the row tells whether they are rejected.
        personal: repetitions of each class that somebody gives, for a last layer of their own.
        student: name of the recipe's student that the row is about; None: the product.
        goal: in words. baseline: that the student has to beat, as measured before, in words.
    """

    name: Name
    title: str
    recipe: Name
    data: str | None = None
    part: str
    largest: PositiveInt | None = None
    people: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    vote: PositiveFloat | Literal["recording"] | None = None
    unknown: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    personal: Annotated[tuple[NonNegativeInt, ...], Field(min_length=1)] | None = None
    student: Name | None = None
    goal: str = ""
    baseline: str = ""
    published: Published

    @model_validator(mode="after")
    def _one_choice(self):
        if self.largest is not None and self.people is not None:
            raise ValueError("largest and people both choose folds: give one of them")
        return self

    def asked(self, recipe: Recipe) -> Recipe:
        """The recipe as the row asks for it: without its unknown classes."""
        if self.unknown is None:
            return recipe
        known, dataset = recipe.dataset.classes, recipe.dataset
        if known is not None:
            known = tuple(name for name in known if name not in self.unknown)
        dataset = dataset.model_copy(update={"classes": known, "unknown_classes": self.unknown})
        return recipe.model_copy(update={"dataset": dataset})

    def folds(self, folds: Sequence[Fold]) -> tuple[Fold, ...]:
        """The row's folds, in the split's order; a single fold stays as it is.

        Raises:
            KdEdgeError KD_RECIPE_VALUE: the data lack somebody, or so many people.
        """
        if len(folds) == 1 or (self.largest is None and self.people is None):
            return tuple(folds)
        if self.people is not None:
            wanted = set(self.people)
        else:
            sizes = {fold.held_out: self._size(fold) for fold in folds}
            wanted = set(sorted(sizes, key=lambda name: -sizes[name])[: self.largest])
        found = tuple(fold for fold in folds if fold.held_out in wanted)
        if len(found) < (self.largest or len(wanted)):
            raise KdEdgeError(
                "KD_RECIPE_VALUE",
                f"the row '{self.name}' asks for people whom the data lack",
                where=f"{', '.join(sorted(wanted))} of {len(folds)} folds",
                hint="change people or largest of that row",
            )
        return found

    def _size(self, fold: Fold) -> int:
        return max((len(part.indices) for part in fold.tests if part.name == self.part), default=0)


def rests_on(recipe: Recipe, *, decided: bool) -> str:
    """SHA-256 of what a recipe says, on which a row's figures rest.

    What it leaves at its default is no part of it: a key that is new in recipes changes no figure.

    Args:
        decided: the row tells of decisions; without, the decision rule is no part of it.
    """
    chosen = recipe if decided else recipe.model_copy(update={"decision": None})
    asked = chosen.reading(None).with_files(lambda file: Path(file).name)
    return sha256_text(
        json.dumps(asked.model_dump(mode="json", exclude_defaults=True), sort_keys=True)
    )


class _Rows(_Table):
    rows: Annotated[tuple[RowSettings, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _names(self):
        names = [row.name for row in self.rows]
        if len(set(names)) < len(names):
            raise ValueError(f"rows need different names; these are {names}")
        return self


def load_rows(path: Path) -> tuple[RowSettings, ...]:
    """The rows of a TOML file, in its order.

    Raises:
        KdEdgeError KD_NO_FILE, KD_RECIPE_SYNTAX, KD_RECIPE_VALUE.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise KdEdgeError(
            "KD_NO_FILE",
            f"cannot read the rows: {error.strerror or error}",
            where=str(path),
            hint="name the file of rows with --rows; results/rows.toml is kd-edge's own",
        ) from error
    except ValueError as error:
        raise KdEdgeError(
            "KD_RECIPE_SYNTAX", f"not valid TOML: {error}", where=str(path), hint="mend that line"
        ) from error
    try:
        return _Rows.model_validate(tables).rows
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise KdEdgeError(
            "KD_RECIPE_VALUE",
            first["msg"].removeprefix("Value error, "),
            where=f"{path}, {'.'.join(map(str, first['loc']))}",
            hint=f"a row has {', '.join(RowSettings.model_fields)}; see docs/results.md",
        ) from error


def chosen_rows(rows: Sequence[RowSettings], names: Sequence[str]) -> tuple[RowSettings, ...]:
    """The rows of these names, in the file's order; all if none is named.

    Raises:
        KdEdgeError KD_UNKNOWN_NAME: with the nearest.
    """
    known = {row.name: row for row in rows}
    for name in names:
        if name not in known:
            raise KdEdgeError(
                "KD_UNKNOWN_NAME",
                f"no row is called '{name}'{nearest(name, known)}",
                where="ROW",
                hint=f"rows: {', '.join(known)}",
            )
    return tuple(row for row in rows if not names or row.name in names)
