"""Options of losses and augmentations: a recipe's table as a validated object, or a clear error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from kd_edge.base.settings import refusal

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
        raise refusal(error, options, list(kind.model_fields), what=what, where=where) from error
