"""Options of losses and augmentations: a recipe's table as a validated object, or a clear error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from kd_edge.base.errors import KdEdgeError, nearest

Options = TypeVar("Options", bound=BaseModel)


def read_options(kind: type[Options], options: Mapping[str, Any], *, what: str, where: str):
    """The object that holds the options.

    Args:
        kind: a model whose fields are the options. what: its name, for errors.
        where: the recipe's table.

    Raises:
        KdEdgeError KD_RECIPE_KEY: no such option. KD_RECIPE_VALUE: missing or out of range.
    """
    try:
        return kind(**options)
    except ValidationError as error:
        # A misspelt key first: it often is the one that is missing as well.
        found = error.errors(include_url=False)
        # Of a number or a table: what the table lacks says more than that it is not a number.
        first = min(found, key=lambda one: (one["type"] != "extra_forbidden", -len(one["loc"])))
    key = ".".join(map(str, _written(first["loc"], options)))
    known = list(kind.model_fields)
    has = f"it takes {', '.join(known)}" if known else "it takes no options"
    if first["type"] == "extra_forbidden":
        raise KdEdgeError(
            "KD_RECIPE_KEY",
            f"{what} has no option '{key}'{nearest(key, known)}",
            where=f"{where}.{key}",
            hint=has,
        )
    told = "is missing" if first["type"] == "missing" else f"is {first['input']!r}: {first['msg']}"
    raise KdEdgeError(
        "KD_RECIPE_VALUE", f"option '{key}' of {what} {told}", where=f"{where}.{key}", hint=has
    )


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
