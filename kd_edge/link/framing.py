"""Frames into bytes, and frames and text out of a stream of bytes that may be damaged anywhere."""

from __future__ import annotations

import enum
import struct
import zlib
from dataclasses import dataclass, field

from cobs import cobs

from kd_edge.base.protocol import CRC_BYTES, HEADER_BYTES, VERSION

_HEADER = struct.Struct("<BBH")
_CRC = struct.Struct("<I")
_TEXT = frozenset(b"\t\r\n") | frozenset(range(0x20, 0x7F))
# A longer run of bytes without zero is no frame: payloads of 65,535 bytes and COBS's own.
_LONGEST = 66_000
_TEXT_KEPT = 4096


class Drop(enum.Enum):
    """Why what stood between two zero bytes was dropped."""

    COBS = "cobs"
    CRC = "crc"
    LENGTH = "length"


@dataclass(frozen=True)
class Frame:
    """One frame; `version` is the sender's, everything else means what that version says."""

    type: int
    sequence: int
    payload: bytes
    version: int = VERSION


def encode_frame(frame: Frame) -> bytes:
    """The frame's bytes on the wire, both delimiters among them."""
    header = _HEADER.pack(frame.version, frame.type, frame.sequence & 0xFFFF)
    content = header + frame.payload
    return b"\0" + cobs.encode(content + _CRC.pack(zlib.crc32(content))) + b"\0"


def encoded_bytes(n_payload: int) -> int:
    """The most bytes that a frame with such a payload takes on the wire."""
    raw = HEADER_BYTES + n_payload + CRC_BYTES
    return raw + raw // 254 + 3


def decode_frame(coded: bytes) -> Frame | Drop:
    """The frame that stood between two delimiters, or why it is none."""
    try:
        content = cobs.decode(coded)
    except cobs.DecodeError:
        return Drop.COBS
    if len(content) < HEADER_BYTES + CRC_BYTES:
        return Drop.LENGTH
    body, crc = content[:-CRC_BYTES], content[-CRC_BYTES:]
    if _CRC.unpack(crc)[0] != zlib.crc32(body):
        return Drop.CRC
    version, kind, sequence = _HEADER.unpack_from(body)
    return Frame(kind, sequence, body[HEADER_BYTES:], version)


@dataclass
class FrameReader:
    """Takes bytes as they come; finds its way back after any damage at the next zero byte.

    Attributes:
        drops: how many frames were dropped, by reason.
        text: what came between frames and was printable, the latest 4096 characters.
        longest: more bytes than this without a zero are dropped.
    """

    longest: int = _LONGEST
    text: str = ""
    drops: dict[Drop, int] = field(default_factory=lambda: dict.fromkeys(Drop, 0))
    _pending: bytearray = field(default_factory=bytearray)
    _too_long: bool = False

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that `data` completes."""
        frames = []
        *ended, rest = data.split(b"\0")
        for piece in ended:
            self._append(piece)
            self._end(frames)
        self._append(rest)
        return frames

    def has_heard(self, words: str) -> bool:
        """Whether these words came as text since the last `take_text`."""
        return words in self.text or words.encode("ascii") in self._pending

    def take_text(self) -> str:
        """What text came since the last call; the unfinished end of it stays."""
        if self._pending and not self._too_long and all(byte in _TEXT for byte in self._pending):
            self._keep_text()
            self._pending.clear()
        text, self.text = self.text, ""
        return text

    def _append(self, piece: bytes) -> None:
        self._pending += piece
        if len(self._pending) > self.longest:
            self._too_long = True
            del self._pending[: -self.longest]

    def _end(self, frames: list[Frame]) -> None:
        if self._too_long:
            self.drops[Drop.LENGTH] += 1
        elif self._pending:
            if all(byte in _TEXT for byte in self._pending):
                self._keep_text()
            else:
                found = decode_frame(bytes(self._pending))
                if isinstance(found, Frame):
                    frames.append(found)
                else:
                    self.drops[found] += 1
        self._pending.clear()
        self._too_long = False

    def _keep_text(self) -> None:
        self.text = (self.text + self._pending.decode("ascii"))[-_TEXT_KEPT:]
