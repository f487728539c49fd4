"""Options of losses and augmentations: a recipe's table as a validated object, or a clear error."""

from __future__ import annotations

from collections.abc import Mapping
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
        first = min(found, key=lambda one: one["type"] != "extra_forbidden")
    key = ".".join(map(str, first["loc"]))
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
