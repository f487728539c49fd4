"""Settings of algorithms: frozen dataclasses that check their values, wherever these come from.

A notebook makes them by hand. A recipe's tables are the same classes, so that every setting, its
range and its default are stated once.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Annotated, Any, TypeVar, dataclass_transform

from pydantic import ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass

from kd_edge.base.errors import KdEdgeError, nearest

# How pydantic calls a key that a model, and one that a dataclass, does not have.
UNKNOWN_KEY = frozenset({"extra_forbidden", "unexpected_keyword_argument"})

# Of a model or an input: also a file's name, and a piece of one in C.
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=64)]
Kind = TypeVar("Kind", bound=type)


class MisfitError(ValueError):
    """Keys that do not fit together; `key` is the one to mend, below the table that found it."""

    def __init__(self, key: str, message: str):
        super().__init__(message)
        self.key = key


@dataclass_transform(frozen_default=True, kw_only_default=True)
def settings(kind: Kind) -> Kind:
    """Make a class of settings: a frozen dataclass with keywords alone and checked values.

    What makes one by hand gets KdEdgeError KD_RECIPE_KEY (no such setting, with the nearest) or
    KD_RECIPE_VALUE (missing or out of range).
    """
    config = ConfigDict(extra="forbid", allow_inf_nan=False)
    made = dataclass(frozen=True, kw_only=True, config=config)(kind)
    check = made.__init__

    @functools.wraps(check)
    def __init__(self, **values):  # noqa: N807
        try:
            check(self, **values)
        except ValidationError as error:
            names = [field.name for field in fields(made)]
            raise refusal(error, values, names, what=made.__name__, where=made.__name__) from error

    made.__init__ = __init__
    return made


def refusal(
    error: ValidationError,
    given: Mapping[str, Any],
    known: Sequence[str],
    *,
    what: str,
    where: str,
) -> KdEdgeError:
    """The first problem as an error for the user; an unknown key first.

    Args:
        given: what was validated. known: the settings that there are. what: whose they are.
        where: the table that holds them.
    """
    # A misspelt key first: it often is the one that is missing as well.
    found = error.errors(include_url=False)
    # Of a number or a table: what the table lacks says more than that it is not a number.
    first = min(found, key=lambda one: (one["type"] not in UNKNOWN_KEY, -len(one["loc"])))
    key = ".".join(map(str, _written(first["loc"], given)))
    place = f"{where}.{key}" if key else where
    has = f"it takes {', '.join(known)}" if known else "it takes no options"
    if first["type"] in UNKNOWN_KEY:
        message = f"{what} has no option '{key}'{nearest(key, known)}"
        return KdEdgeError("KD_RECIPE_KEY", message, where=place, hint=has)
    said = first["msg"].removeprefix("Value error, ")
    if first["type"] == "missing":
        said = f"option '{key}' of {what} is missing"
    elif key:
        said = f"option '{key}' of {what} is {first['input']!r}: {said}"
    return KdEdgeError("KD_RECIPE_VALUE", said, where=place, hint=has)


def _written(loc: Sequence[str | int], options: Any) -> list[str | int]:
    """The keys of a place in the options, without the names of the types that were tried there."""
    keys: list[str | int] = []
    for part in loc:
        if isinstance(options, Mapping) and (part in options or part == loc[-1]):
            options = options.get(part)
        elif isinstance(options, list | tuple) and isinstance(part, int):
            options = options[part]
        else:
            continue
        keys.append(part)
    return keys
