"""Protocol buffers' wire format, read without their compiler and without copies.

https://protobuf.dev/programming-guides/encoding/ has the format. Everything here raises ValueError
with a sentence where the bytes do not fit.
"""

from __future__ import annotations

from collections.abc import Iterator

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_WIDTHS = {_FIXED64: 8, _FIXED32: 4}
_MOST_VARINT_BYTES = 10


def read_message(content: memoryview) -> dict[int, list[int | memoryview]]:
    """The fields of a message by number, each as often as it stands there.

    Returns:
        numbers as they stand, without sign; everything else as views of `content`.
    """
    fields: dict[int, list[int | memoryview]] = {}
    at = 0
    while at < len(content):
        key, at = _varint(content, at)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, at = _varint(content, at)
        else:
            if kind == _BYTES:
                length, at = _varint(content, at)
            elif kind in _WIDTHS:
                length = _WIDTHS[kind]
            else:
                raise ValueError(f"a field of kind {kind}, which is not known")
            if length > len(content) - at:
                raise ValueError("a field that is longer than its message")
            value, at = content[at : at + length], at + length
        fields.setdefault(number, []).append(value)
    return fields


def read_varints(content: memoryview) -> Iterator[int]:
    """The numbers of a packed field, without sign."""
    at = 0
    while at < len(content):
        value, at = _varint(content, at)
        yield value


def signed(value: int) -> int:
    """A number as the 64 bits with a sign that `int32` and `int64` fields mean."""
    return value - (1 << 64) if value >> 63 else value


def _varint(content: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for index, byte in enumerate(content[at : at + _MOST_VARINT_BYTES]):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            if value >> 64:
                break
            return value, at + index + 1
    raise ValueError("a number that does not end")
