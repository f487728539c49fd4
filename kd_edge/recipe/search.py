"""The [search] table: which keys of a recipe `kd-edge search` varies, and within which limits."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import (
    Discriminator,
    Field,
    PositiveInt,
    StrictFloat,
    StrictInt,
    Tag,
    field_validator,
    model_validator,
)

from kd_edge.base.errors import KdEdgeError, nearest
from kd_edge.base.settings import MisfitError
from kd_edge.recipe.tables import Recipe, Table
from kd_edge.splits import HoldOut, Split

Number = StrictInt | StrictFloat


class Range(Table):
    """Numbers from `low` to `high`, both included; whole ones if both bounds are.

    log: try orders of magnitude alike, as for a learning rate.
    step: only `low` and what lies so far above it.
    """

    low: Number
    high: Number
    log: bool = False
    step: Number | None = None

    @model_validator(mode="after")
    def _is_one(self):
        if not self.low < self.high:
            raise MisfitError("high", f"it must be above low, {self.low}")
        if self.log and (self.low <= 0 or self.step is not None):
            raise MisfitError("log", "it needs a low above 0 and takes no step")
        if self.step is not None and not 0 < self.step <= self.high - self.low:
            raise MisfitError("step", "it must be above 0 and no longer than the range")
        if self.whole and isinstance(self.step, float):
            raise MisfitError("step", "a range of whole numbers takes a whole step")
        return self

    @property
    def whole(self) -> bool:
        """Whether it holds whole numbers alone."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def holds(self, value: Any) -> bool:
        """Whether a value of a recipe lies in it."""
        if isinstance(value, bool) or not isinstance(value, int if self.whole else int | float):
            return False
        if not self.low <= value <= self.high:
            return False
        steps = 0.0 if self.step is None else (value - self.low) / self.step
        return abs(steps - round(steps)) < 1e-9

    @property
    def ends(self) -> tuple[int | float, int | float]:
        """Its bounds."""
        return (self.low, self.high)


class Choices(Table):
    """The values that a key may have, in the recipe file a list. A table stands for itself."""

    values: Annotated[tuple[Any, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _each_once(self):
        if len(set(self.texts)) < len(self.texts):
            raise ValueError(f"a choice stands there twice: {', '.join(self.texts)}")
        return self

    @property
    def texts(self) -> tuple[str, ...]:
        """Each as JSON."""
        return tuple(json.dumps(value, sort_keys=True) for value in self.values)

    def holds(self, value: Any) -> bool:
        """Whether a value of a recipe is one of them."""
        return json.dumps(value, sort_keys=True) in self.texts

    @property
    def ends(self) -> tuple[Any, ...]:
        """All of them."""
        return self.values


def _kind(table: Any) -> str:
    return "[choices]" if isinstance(table, Choices) or "values" in table else "[range]"


# Brackets, as pydantic's own names of types: no place in a recipe is called so.
Values = Annotated[
    Annotated[Choices, Tag("[choices]")] | Annotated[Range, Tag("[range]")], Discriminator(_kind)
]


class Budget(Table):
    """The most that the student may need. A trial beyond it is not trained.

    int8_bytes: of the int8 `.tflite`; without it: conversion.max_int8_bytes.
    arena_bytes: that TFLite Micro's interpreter uses, on this host.
    macs: multiply-accumulates a window.
    instructions: a window, as plain C on `core`, estimated from measured rates.
    """

    int8_bytes: PositiveInt | None = None
    arena_bytes: PositiveInt | None = None
    macs: PositiveInt | None = None
    instructions: PositiveInt | None = None
    core: str | None = None

    @model_validator(mode="after")
    def _names_a_core(self):
        if (self.instructions is None) != (self.core is None):
            raise MisfitError("core", "instructions are those of a core: name both, or neither")
        return self


class Search(Table):
    """What `kd-edge search` tries, and how it judges.

    space: dotted key of the recipe -> a list of choices, or a range.
    score: people or days inside the training part, set apart to score trials; without it trials are
        scored on the recipe's validation part.
    folds: names that the recipe's folds hold out, whose training parts are used; the first without.
    seeds: trainings of each trial and fold, with seeds from the recipe's on.
    pruner: 'median' ends a trial that is below the median of those before it, 'halving' all but
        the best quarter at each rung. Over epochs if a trial is one training, else over trainings.
    sampler: 'tpe' learns from earlier trials; 'random' does not, so that the trials are the same
        however many run at once.
    """

    space: dict[str, Values]
    score: HoldOut | None = None
    folds: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    trials: PositiveInt = 30
    seeds: PositiveInt = 1
    pruner: Literal["median", "halving", "none"] = "median"
    sampler: Literal["tpe", "random"] = "tpe"
    budget: Budget = Budget()

    @field_validator("space", mode="before")
    @classmethod
    def _flat(cls, tables: Any) -> Any:
        if not isinstance(tables, Mapping):
            return tables
        flat = dict(_keys(tables, ""))
        if not flat:
            raise ValueError("it names no key: there is nothing to search")
        return flat


def _keys(tables: Mapping, start: str) -> Iterator[tuple[str, Any]]:
    """Every key with its dots, whether a file writes it in quotes or as tables."""
    for key, value in tables.items():
        if not isinstance(value, Mapping):
            yield start + key, {"values": value if isinstance(value, list) else [value]}
        elif {"low", "high"} & value.keys():
            yield start + key, value
        else:
            yield from _keys(value, f"{start}{key}.")


def split_inside(split: Split, score: HoldOut, validating: tuple[str, ...]) -> Split:
    """How what a fold learns from is split again, with a part to score on.

    Args:
        validating: names of the subjects or sessions of the fold's validation part, for a split
            whose validation part is the next one after each.

    Raises:
        KdEdgeError KD_RECIPE_VALUE: the two parts cannot stand beside each other.
    """
    validation = split.validation
    if score.held_out == "each" and score.kind == validation.kind:
        validation = replace(validation, held_out="next")
    elif validation.held_out == "next":
        validation = replace(validation, held_out=validating)
    return Split(
        test=(score,), validation=validation, train_on_validation=split.train_on_validation
    )


def check_score(recipe: Recipe, search: Search) -> None:
    """Make sure that the part to score on can stand beside the recipe's validation part.

    Raises:
        MisfitError: it cannot.
    """
    if search.score is None:
        return
    try:
        split_inside(recipe.split, search.score, ("one",))
    except KdEdgeError as error:
        said = f"it cannot stand beside the recipe's validation part: {error.message}"
        raise MisfitError("score", said) from error


# --- a recipe with other values ---

# What trials must have in common, or their figures could not be compared.
_FIXED = {
    "name": "trials share it",
    "summary": "it changes nothing",
    "seed": "search.seeds says how many a trial has",
    "form": "--quick chooses it",
    "task": "trials must answer the same question",
    "dataset": "trials must have the same recordings",
    "split": "trials must have the same parts; search.score sets one apart to score on",
    "product": "the search scores one student",
    "proof": "it changes no model",
    "firmware": "it changes no model",
}
# Tables whose keys are names that the recipe itself gives.
_NAMED = ("front_end", "windows.inputs")


def values_of(recipe: Recipe) -> dict[str, Any]:
    """The recipe's tables, defaults filled in, absent values left out."""
    return recipe.model_dump(mode="json", exclude_none=True)


def place_of(tables: Mapping[str, Any], key: str) -> tuple[Any, str | int]:
    """The table or list that holds a dotted key, and the key's own place in it.

    A list of tables takes a number from 0, or the name of one of them.

    Raises:
        MisfitError: no such table, or the key is not one to vary; with the nearest.
    """
    steps = key.split(".")
    if steps[0] in _FIXED:
        raise MisfitError(key, f"a search cannot vary '{steps[0]}': {_FIXED[steps[0]]}")
    node: Any = tables
    for depth, step in enumerate(steps):
        last = depth == len(steps) - 1
        above = ".".join(steps[:depth])
        found = _found(node, step)
        if found is None:
            known = _known(node)
            if last and isinstance(node, dict) and above not in _NAMED:
                return node, step  # the recipe's own check says whether there is such a key
            if not known:
                raise MisfitError(key, f"'{above}' is {node!r} in this recipe, not a table")
            raise MisfitError(
                key, f"the recipe has no '{step}'{nearest(step, known)}; it has {', '.join(known)}"
            )
        if last:
            return node, found
        node = node[found]
    raise MisfitError(key, "a key is missing")


def _found(node: Any, step: str) -> str | int | None:
    if isinstance(node, dict):
        return step if step in node else None
    if isinstance(node, list):
        if step.isdecimal():
            return int(step) if int(step) < len(node) else None
        return next((i for i, n in enumerate(node) if _name(n) == step), None)
    return None


def _known(node: Any) -> list[str]:
    if isinstance(node, list):
        return [*map(str, range(len(node))), *filter(None, map(_name, node))]
    return [name for name in node if name not in _FIXED] if isinstance(node, dict) else []


def _name(node: Any) -> str | None:
    return node.get("name") if isinstance(node, dict) else None
