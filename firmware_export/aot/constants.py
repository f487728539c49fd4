"""Constant arrays and parameter structures as C text; equal contents are written once."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from firmware_export import c_text
from firmware_export.aot.program import Call

C_TYPES = {
    "int8": "int8_t",
    "uint8": "uint8_t",
    "bool": "uint8_t",
    "int16": "int16_t",
    "uint16": "uint16_t",
    "int32": "int32_t",
    "uint32": "uint32_t",
    "int64": "int64_t",
    "float32": "float",
}


class Constants:
    """Collects what the calls need and names it; the same calls give the same text.

    Attributes:
        n_bytes: of all arrays, as they lie in flash.
        call_bytes: of those that each call brought, in the order in which calls were written.
    """

    def __init__(self):
        self._arrays: dict[tuple[str, bytes], str] = {}
        self._lines: list[str] = []
        self._structs: dict[str, str] = {}
        self.n_bytes = 0
        self.call_bytes: list[int] = []

    def array(self, values: np.ndarray) -> str:
        """The name of a constant array with these values, of any shape, row after row."""
        content = np.ascontiguousarray(values)
        key = (content.dtype.name, content.tobytes())
        if key not in self._arrays:
            name = f"kd_data_{len(self._arrays)}"
            self._arrays[key] = name
            self._lines.append(_array_text(name, content))
            self.n_bytes += content.nbytes
        return self._arrays[key]

    def params(self, call: Call) -> str | None:
        """The name of the call's constant parameters; None where its kernel takes none."""
        if not call.params:
            return None
        # What can be replaced lies in RAM.
        kind = "static" if call.replaceable else "static const"
        body = f"{kind} {call.kernel}_params {{name}} = {self._initialiser(call.params)};"
        if body not in self._structs:
            self._structs[body] = f"kd_params_{len(self._structs)}"
            self._lines.append(body.replace("{name}", self._structs[body], 1))
        return self._structs[body]

    def text(self) -> str:
        """Definitions, each after what it refers to."""
        return "\n\n".join(self._lines)

    def _initialiser(self, members: Mapping, indent: int = 4) -> str:
        pad = " " * indent
        cells = [
            f"{pad}.{name} = {self._member(value, indent)}," for name, value in members.items()
        ]
        return "{\n" + "\n".join(cells) + "\n" + " " * (indent - 4) + "}"

    def _member(self, value, indent: int) -> str:
        if value is None:
            return "NULL"
        if isinstance(value, np.ndarray):
            return self.array(value)
        if isinstance(value, Mapping):
            return self._initialiser(value, indent + 4)
        if isinstance(value, float | np.floating):
            return c_text.float32(float(value))
        return integer(int(value))


def integer(value: int) -> str:
    """A C literal; the one value that has none of its own is written as a difference."""
    if value == -(1 << 31):
        return "(-2147483647 - 1)"
    return str(value) if value <= (1 << 31) - 1 else f"{value}u"


def _array_text(name: str, values: np.ndarray) -> str:
    flat = values.reshape(-1).tolist()
    if values.dtype == np.float32:
        cells = [c_text.float32(v) for v in flat]
    elif values.dtype == np.int64:
        cells = [f"INT64_C({v})" for v in flat]
    else:
        cells = [integer(int(v)) for v in flat]
    c_type = C_TYPES[values.dtype.name]
    return f"KD_ALIGNED static const {c_type} {name}[{len(flat)}] = {{\n{c_text.rows(cells)}\n}};"
