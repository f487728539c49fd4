"""The return codes of the serial link, a part of its statement."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Status:
    """One return code of the board's link, as an ERROR carries it too.

    Attributes:
        text: what the ERROR says in words; short, because it costs flash.
        detail: what the ERROR's `detail` number is; empty: 0.
    """

    name: str
    number: int
    text: str
    detail: str = ""


STATUSES = (
    Status("OK", 0, "ok"),
    Status("NOT_READY", 1, "say HELLO first"),
    Status("GAP", 2, "a frame was lost", "the sequence number awaited"),
    Status("VERSION", 3, "other version", "the board's protocol version"),
    Status("UNKNOWN", 4, "unknown message"),
    Status("LENGTH", 5, "wrong length", "bytes of the fixed fields"),
    Status("KIND", 6, "no such kind", "the kind asked for"),
    Status("SIZE", 7, "wrong size", "bytes of a window of that kind"),
    Status("ORDER", 8, "part out of order", "the offset awaited"),
    Status("REFUSED", 9, "not on this board", "of HEAD and NORMALISER: why"),
    Status("ENGINE", 10, "the engine failed", "the engine's own code"),
    Status("BUSY", 11, "busy streaming"),
    Status("RANGE", 12, "no such number", "how many there are"),
    Status("GONE", 13, "scores are gone"),
    # The rest never travels: what the C frame reader says of a byte.
    Status("MORE", 32, "nothing complete yet"),
    Status("FRAME", 33, "a frame is complete"),
    Status("TEXT", 34, "a text command is complete"),
    Status("BAD_COBS", 35, "dropped: not COBS"),
    Status("BAD_CRC", 36, "dropped: CRC-32 differs"),
    Status("BAD_LENGTH", 37, "dropped: too short or too long"),
    Status("LONG_TEXT", 38, "dropped: a text command that is too long"),
)
STATUS_BY_NUMBER = MappingProxyType({status.number: status for status in STATUSES})
