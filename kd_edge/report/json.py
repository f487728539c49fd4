"""The report as JSON: the same tree there and back, with a schema."""

from __future__ import annotations

import json
import math
from dataclasses import fields, is_dataclass
from functools import cache

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.untrusted import parse_json
from kd_edge.report.tree import SCHEMA_VERSION, Report


def to_json(report: Report) -> str:
    """The report as JSON text, keys in the tree's order, a row of numbers on one line; no line end.

    Raises:
        ValueError: a figure is NaN or infinite; an unknown figure is None.
    """
    _refuse_not_finite(report, "report")
    return _lines(_adapter().dump_python(report, mode="json"), "")


def from_json(text: str, *, source: str = "report.json") -> Report:
    """The report that `to_json` wrote; `source` is its file, for errors.

    Raises:
        KdEdgeError KD_BUNDLE_VERSION: another schema version.
        KdEdgeError KD_BAD_FORMAT: not JSON, or not a report.
    """
    from pydantic import ValidationError

    try:
        version = parse_json(text)["schema_version"]
    except (ValueError, KeyError, TypeError) as error:
        raise KdEdgeError(
            "KD_BAD_FORMAT",
            "this is not a kd-edge report",
            where=f"{source}: {type(error).__name__}: {error}",
            hint="name the report.json of a bundle",
        ) from error
    if version != SCHEMA_VERSION:
        raise KdEdgeError(
            "KD_BUNDLE_VERSION",
            f"the report has schema version {version}; this kd-edge reads {SCHEMA_VERSION}",
            where=source,
            hint="build or bench the bundle again with this version",
        )
    try:
        return _adapter().validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise KdEdgeError(
            "KD_BAD_FORMAT",
            f"the report does not fit its schema: {first['msg']}",
            where=f"{source}, {'.'.join(str(step) for step in first['loc'])}",
            hint="build or bench the bundle again; a report is not meant to be edited",
        ) from error


def json_schema() -> dict:
    """JSON Schema (draft 2020-12) of what `to_json` writes."""
    schema = _adapter().json_schema(mode="serialization")
    schema["properties"]["schema_version"]["const"] = SCHEMA_VERSION
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


@cache
def _adapter():
    from pydantic import TypeAdapter

    return TypeAdapter(Report)


def _lines(value: object, indent: str) -> str:
    # json's own indent gives every cell of a confusion matrix a line: 50 classes take 2,500.
    items = value.values() if isinstance(value, dict) else value
    if not isinstance(value, dict | list) or not any(isinstance(i, dict | list) for i in items):
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    inner = indent + " "
    if isinstance(value, list):
        body = [inner + _lines(item, inner) for item in value]
        return "[\n" + ",\n".join(body) + f"\n{indent}]"
    body = [
        f"{inner}{json.dumps(key, ensure_ascii=False)}: {_lines(item, inner)}"
        for key, item in value.items()
    ]
    return "{\n" + ",\n".join(body) + f"\n{indent}}}"


def _refuse_not_finite(value: object, path: str) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{path} is {value}; an unknown figure is None")
    if is_dataclass(value):
        for field in fields(value):
            _refuse_not_finite(getattr(value, field.name), f"{path}.{field.name}")
    elif isinstance(value, dict):
        for key, item in value.items():
            _refuse_not_finite(item, f"{path}[{key!r}]")
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            _refuse_not_finite(item, f"{path}[{index}]")
