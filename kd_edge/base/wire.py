"""Payloads of the serial link from values and back, as kd_edge.base.protocol states them."""

from __future__ import annotations

import dataclasses
import functools
import struct
from collections.abc import Iterable, Mapping
from typing import Any

from kd_edge.base.protocol import FORMATS
from kd_edge.base.protocol_types import SCALARS, Field, Message

_LENGTH = struct.Struct("<H")


class WireError(ValueError):
    """A payload that is not what its message states."""


def encode(name: str, values: Mapping[str, Any]) -> bytes:
    """The bytes of the message or block `name`.

    Args:
        name: as in protocol.MESSAGES or protocol.BLOCKS.
        values: field name to value; lists hold mappings, or bare values where
            an entry has one field. Fields that came later may be left out, from one of them on.

    Raises:
        WireError: a field is missing, unknown or does not fit.
    """
    message = FORMATS[name]
    later = [field.name for field in message.fields if field.later]
    wanted = {field.name for field in message.fields}
    # The first later one that is left out ends the bytes.
    if set(values) not in [wanted.difference(later[n:]) for n in range(len(later) + 1)]:
        raise WireError(f"{name} has the fields {[field.name for field in message.fields]}")
    return _encode_all([field for field in message.fields if field.name in values], values)


def decode(name: str, payload: bytes):
    """The values of a message's or a block's bytes, as a frozen dataclass with its fields.

    `i8*` and `i16*` come as bytes; lists as tuples, of bare values where an entry has one field.

    Raises:
        WireError: the payload is shorter or longer than its fields, or its text is not UTF-8.
    """
    message = FORMATS[name]
    values, end = _decode_all(message.fields, payload, 0)
    if end != len(payload):
        raise WireError(f"{name} has {len(payload) - end} bytes too many")
    return _record(message.name, message.fields)(*values)


def fixed_bytes(message: Message) -> int:
    """Bytes of the message's fields of fixed size."""
    return struct.calcsize(_letters(message.fixed))


def offsets(message: Message) -> tuple[int, ...]:
    """Where each field of fixed size starts in the payload."""
    return tuple(
        struct.calcsize(_letters(message.fixed[:position]))
        for position in range(len(message.fixed))
    )


def _letters(fields: Iterable[Field]) -> str:
    return "<" + "".join(f"{field.count}{SCALARS[field.type]}" for field in fields)


@functools.cache
def _record(name: str, fields: tuple[Field, ...]) -> type:
    title = "".join(word.capitalize() for word in name.split("_"))
    return dataclasses.make_dataclass(title, [field.name for field in fields], frozen=True)


def _encode_all(fields: Iterable[Field], values: Mapping[str, Any]) -> bytes:
    return b"".join(_encode_one(field, values[field.name]) for field in fields)


def _encode_one(field: Field, value: Any) -> bytes:
    if field.fixed:
        numbers = (value,) if field.count == 1 else tuple(value)
        try:
            return struct.pack(_letters((field,)), *numbers)
        except (struct.error, OverflowError) as error:
            raise WireError(
                f"{field.name} = {value!r} is no {field.count} x {field.type}"
            ) from error
    if field.type == "str":
        text = value.encode("utf-8")
        if len(text) > 0xFFFF:
            raise WireError(f"{field.name} has {len(text)} bytes; 65535 fit")
        return _LENGTH.pack(len(text)) + text
    if field.type == "list":
        if len(value) > 255:
            raise WireError(f"{field.name} has {len(value)} entries; 255 fit")
        return bytes((len(value),)) + b"".join(_encode_entry(field, entry) for entry in value)
    return value.encode("utf-8") if field.type == "text*" else bytes(value)


def _encode_entry(field: Field, entry: Any) -> bytes:
    if len(field.items) == 1:
        return _encode_one(field.items[0], entry)
    return _encode_all(field.items, entry)


def _decode_all(fields: tuple[Field, ...], payload: bytes, at: int) -> tuple[list, int]:
    values = []
    for field in fields:
        if field.later and at == len(payload):
            values.append("" if field.type == "str" else ())
            continue
        value, at = _decode_one(field, payload, at)
        values.append(value)
    return values, at


def _take(field: Field, payload: bytes, at: int, n_bytes: int) -> bytes:
    if at + n_bytes > len(payload):
        raise WireError(f"the payload ends within {field.name}")
    return payload[at : at + n_bytes]


def _decode_one(field: Field, payload: bytes, at: int) -> tuple[Any, int]:
    if field.fixed:
        letters = _letters((field,))
        chunk = _take(field, payload, at, struct.calcsize(letters))
        numbers = struct.unpack(letters, chunk)
        return (numbers[0] if field.count == 1 else numbers), at + len(chunk)
    if field.type == "str":
        (length,) = _LENGTH.unpack(_take(field, payload, at, _LENGTH.size))
        at += _LENGTH.size
        return _text(field, _take(field, payload, at, length)), at + length
    if field.type == "list":
        return _decode_list(field, payload, at)
    rest = payload[at:]
    if field.type == "i16*" and len(rest) % 2:
        raise WireError(f"{field.name} has half a value at its end")
    return (_text(field, rest) if field.type == "text*" else rest), len(payload)


def _decode_list(field: Field, payload: bytes, at: int) -> tuple[tuple, int]:
    count = _take(field, payload, at, 1)[0]
    at += 1
    entries = []
    for _ in range(count):
        values, at = _decode_all(field.items, payload, at)
        one = len(field.items) == 1
        entries.append(values[0] if one else _record(field.name, field.items)(*values))
    return tuple(entries), at


def _text(field: Field, content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise WireError(f"{field.name} is not UTF-8") from error
