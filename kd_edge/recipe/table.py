"""What every table of a recipe is: frozen, with finite numbers, and strict about its keys."""

from __future__ import annotations

from math import isfinite
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict


def _plain(value: Any) -> Any:
    """Options that JSON and TOML both hold, so that a recipe reads back as it was written."""
    items = value.values() if isinstance(value, dict) else value
    if isinstance(value, dict | list):
        for item in items:
            _plain(item)
    elif not isinstance(value, str | int) and not (isinstance(value, float) and isfinite(value)):
        raise ValueError(f"an option is text, a finite number, true or false, not {value}")
    return value


Options = Annotated[dict[str, Any], AfterValidator(_plain)]


class Table(BaseModel):
    """A TOML table: frozen, numbers finite, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class OpenTable(Table):
    """A table whose other keys belong to what it names, and are checked there."""

    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False)
    __pydantic_extra__: dict[str, Annotated[Any, AfterValidator(_plain)]]

    @property
    def options(self) -> dict[str, Any]:
        """Those other keys, in their order."""
        return dict(self.model_extra or {})
