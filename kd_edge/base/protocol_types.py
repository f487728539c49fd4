"""What the statement of the serial link is written in: fields, messages, blocks."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

# struct's letter for each scalar type.
SCALARS = MappingProxyType(
    {"u8": "B", "u16": "H", "u32": "I", "u64": "Q", "i8": "b", "i32": "i", "f32": "f", "f64": "d"}
)


@dataclass(frozen=True)
class Field:
    """One field of a payload.

    Attributes:
        name: as in Python and, in capitals, in C.
        type: a key of `SCALARS`; `str` (u16 length, UTF-8); `list` (u8 count, then that many times
            `items`); `i8*`, `i16*` or `text*` (all that is left of the payload).
        meaning: one line.
        unit: of the number, where it has one.
        count: how many of a scalar stand in a row.
        items: fields of one entry of a list.
        later: a block may end before it, and it is then empty: it came after the first firmwares,
            and tells what theirs do not have.
    """

    name: str
    type: str
    meaning: str
    unit: str = ""
    count: int = 1
    items: tuple[Field, ...] = ()
    later: bool = False

    @property
    def fixed(self) -> bool:
        return self.type in SCALARS


@dataclass(frozen=True)
class Message:
    """One kind of frame.

    Attributes:
        name: as in `KD_MSG_<name>`.
        number: the frame's type byte.
        sender: "host" or "board".
        meaning: what it asks or tells.
        fields: the payload; fields of fixed size first.
    """

    name: str
    number: int
    sender: str
    meaning: str
    fields: tuple[Field, ...] = ()

    @property
    def fixed(self) -> tuple[Field, ...]:
        return tuple(field for field in self.fields if field.fixed)


@dataclass(frozen=True)
class Block:
    """Bytes that several messages carry together, because they may be longer than a frame.

    Attributes:
        name: as `wire.decode` takes it.
        meaning: what it tells, and which messages carry it.
        fields: the bytes, in order.
    """

    name: str
    meaning: str
    fields: tuple[Field, ...]

    @property
    def fixed(self) -> tuple[Field, ...]:
        return tuple(field for field in self.fields if field.fixed)
