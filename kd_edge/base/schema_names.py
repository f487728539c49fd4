"""Names of the TFLite schema for the numbers that stand in a file."""

from __future__ import annotations

import functools
import re
from typing import NoReturn

import numpy as np

from kd_edge.base.errors import KdEdgeError

_ENUM_OPTIONS = {
    "fused_activation_function": "ActivationFunctionType",
    "padding": "Padding",
    "quantized_bias_type": "TensorType",
}


def bad(message: str) -> NoReturn:
    """Refuse the file; who reads it adds its name."""
    raise KdEdgeError("KD_BAD_TFLITE", message, hint="make the file again with `kd-edge build`")


def printable(name: str | bytes | None) -> str:
    """A name of the file as text on one line; bytes that are no printable UTF-8 are escaped."""
    if not isinstance(name, str):
        name = (name or b"").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else _escaped(c) for c in name)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def type_name(code: int) -> str:
    """The schema's name of a tensor's type in lower case; 'type 99' for an unknown number."""
    from ai_edge_litert import schema_py_generated as schema

    return (_known_name(schema.TensorType, code) or f"type {code}").lower()


def enum_name(enum: type, code: int) -> str:
    name = _known_name(enum, code)
    if name is None:
        bad(f"the schema's {enum.__name__} knows no number {code}")
    return name


def _known_name(enum: type, code: int) -> str | None:
    return _names_by_number(enum).get(code)


@functools.cache
def _names_by_number(enum: type) -> dict[int, str]:
    return {value: name for name, value in vars(enum).items() if name.isupper()}


def operator_name(code) -> str:
    """The schema's name of an `OperatorCodeT`; 'CUSTOM:<code>' for a custom operator."""
    from ai_edge_litert import schema_py_generated as schema

    # Files older than the 32-bit field carry the number in the 8-bit one alone.
    number = max(code.builtinCode, code.deprecatedBuiltinCode)
    name = _known_name(schema.BuiltinOperator, number) or f"OPERATOR_{number}"
    return name if name != "CUSTOM" else f"CUSTOM:{printable(code.customCode)}"


def options(raw) -> dict[str, object]:
    """An operator's options by their names in snake_case; activations and paddings by name."""
    fields = vars(raw) if raw is not None else {}
    named = {_snake_case(field): value for field, value in fields.items()}
    return {name: _option(name, value) for name, value in named.items()}


def _snake_case(field: str) -> str:
    return re.sub("([A-Z])", lambda match: "_" + match[1].lower(), field)


def _option(name: str, value):
    from ai_edge_litert import schema_py_generated as schema

    if name in _ENUM_OPTIONS:
        return enum_name(getattr(schema, _ENUM_OPTIONS[name]), value)
    if isinstance(value, np.ndarray | list):
        return tuple(np.asarray(value).tolist())
    return value
