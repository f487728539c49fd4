"""A transport between two ends that flips, loses, doubles and inserts bytes, both ways."""

from __future__ import annotations

import random


class FaultyTransport:
    """Wraps a transport; about one byte in `one_in` meets a fault, in either direction.

    Attributes:
        faults: how many were made, by kind.
    """

    KINDS = ("flipped", "lost", "doubled", "inserted", "burst lost")

    def __init__(self, inner, *, one_in: float, seed: int):
        self.inner = inner
        self.name = inner.name
        self.faults = dict.fromkeys(self.KINDS, 0)
        self._one_in = one_in
        self._random = random.Random(seed)
        self._until_next = self._gap()

    @property
    def total(self) -> int:
        return sum(self.faults.values())

    def write(self, data: bytes) -> None:
        self.inner.write(self._damage(data))

    def read(self, timeout: float) -> bytes:
        return self._damage(self.inner.read(timeout))

    @property
    def has_speed(self) -> bool:
        return self.inner.has_speed

    def set_speed(self, baud: int) -> bool:
        return self.inner.set_speed(baud)

    def close(self) -> None:
        self.inner.close()

    def _gap(self) -> int:
        return 1 + int(self._random.expovariate(1 / self._one_in))

    def _damage(self, data: bytes) -> bytes:
        pieces = []
        at = 0
        while at + self._until_next <= len(data):
            hit = at + self._until_next - 1
            pieces.append(data[at:hit])
            piece, used = self._fault(data, hit)
            pieces.append(piece)
            at = hit + used
            self._until_next = self._gap()
        self._until_next -= max(len(data) - at, 0)
        return b"".join([*pieces, data[at:]])

    def _fault(self, data: bytes, at: int) -> tuple[bytes, int]:
        """What comes instead of the byte at `at`, and how many bytes it replaces."""
        byte = data[at]
        kind = self._random.choice(self.KINDS)
        self.faults[kind] += 1
        anything = self._random.choice((0, 0x25, 0x0D, self._random.randrange(256)))
        return {
            "flipped": (bytes((byte ^ 1 << self._random.randrange(8),)), 1),
            "lost": (b"", 1),
            "doubled": (bytes((byte, byte)), 1),
            "inserted": (bytes((anything, byte)), 1),
            "burst lost": (b"", self._random.randrange(2, 40)),
        }[kind]
