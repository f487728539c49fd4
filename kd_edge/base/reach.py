"""How much the tables of a `.tflite` file reach: lists that share bytes must not multiply the work.

A flatbuffer is a tree of tables by offsets, and nothing keeps two offsets from naming one place. An
honest file shares names and zero points at most, so that what its tables reach is hardly larger
than the file. A hostile one of some kilobytes can name one list a thousand times.
"""

from __future__ import annotations

import functools
from types import FunctionType

from kd_edge.base.errors import KdEdgeError

MAX_TABLES = 100_000  # the largest models for phones have about 10,000
_SHARING = 2  # times its size that a file's tables may reach: equal names may be stored once
_TABLE_BYTES = 8  # the least that a table takes: an offset to it and one to the list of its fields
_SUFFIXES = ("AsNumpy", "Length", "IsNone")
# Fields of which another field says the type -> the schema's list of types.
UNIONS = {
    "BuiltinOptions": "BuiltinOptions",
    "BuiltinOptions2": "BuiltinOptions2",
    "Details": "QuantizationDetails",
    "ArraySegments": "SparseIndexVector",
    "ArrayIndices": "SparseIndexVector",
}


def check_reach(root, n_bytes: int) -> None:
    """Walk every table, list and string that a table reaches, once for each way that leads there.

    Args:
        root: of the schema's generated reader, e.g. a `schema.Model`.
        n_bytes: size of the file.

    Raises:
        KdEdgeError KD_BAD_TFLITE: they reach more than twice the file, or 100,000 tables.
    """
    _Walk(_SHARING * n_bytes).table(root)


class _Walk:
    def __init__(self, budget: int):
        self.budget = budget
        self.n_tables = 0

    def table(self, table) -> None:
        self.n_tables += 1
        if self.n_tables > MAX_TABLES:
            raise _bad(f"it has more than {MAX_TABLES:,} tables")
        self._spend(_TABLE_BYTES)
        lists, singles = _fields(type(table))
        for name in lists:
            self._list(table, name)
        for name in singles:
            self._value(_single(table, name))

    def _list(self, table, name: str) -> None:
        length = getattr(table, f"{name}Length")()
        self._spend(length)
        entry = getattr(table, name)
        if length and not isinstance(entry(0), int | float):
            for i in range(length):
                self._value(entry(i))

    def _value(self, value) -> None:
        if isinstance(value, bytes):
            self._spend(len(value))
        elif hasattr(value, "_tab"):
            self.table(value)

    def _spend(self, n_bytes: int) -> None:
        self.budget -= n_bytes
        if self.budget < 0:
            raise _bad("its tables share bytes, or its lists are longer than the file")


@functools.cache
def _fields(kind: type) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the lists and of the other fields that a generated class reads."""
    names = {n for n, member in vars(kind).items() if isinstance(member, FunctionType)} - {"Init"}
    lists = {name for name in names if f"{name}Length" in names}
    helpers = {f"{name}{suffix}" for name in lists for suffix in _SUFFIXES}
    return tuple(sorted(lists)), tuple(sorted(names - lists - helpers))


def _single(table, name: str):
    """The field's value; a union's as the table that its type says, None for an unknown type."""
    from ai_edge_litert import schema_py_generated as schema

    value = getattr(table, name)()
    if value is None or name not in UNIONS:
        return value
    number = getattr(table, f"{name}Type")()
    types = vars(getattr(schema, UNIONS[name])).items()
    kind = next((n for n, v in types if v == number and n != "NONE" and hasattr(schema, n)), None)
    if kind is None:
        return None
    found = getattr(schema, kind)()
    found.Init(value.Bytes, value.Pos)
    return found


def _bad(reason: str) -> KdEdgeError:
    return KdEdgeError(
        "KD_BAD_TFLITE",
        f"the TFLite model is not a plain tree of tables: {reason}",
        hint="make the file again with the tool that wrote it",
    )
