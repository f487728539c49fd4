"""Which mark each byte of a memory bears: what the verifiers keep their books in."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Hashable


class Marks:
    """Runs of bytes with the same mark; None for bytes that have none."""

    def __init__(self):
        self._starts = [0]
        self._marks: list[Hashable] = [None]

    def put(self, start: int, end: int, mark: Hashable) -> None:
        """Mark the bytes from `start` up to, not including, `end`; nothing if there are none."""
        if start >= end:
            return
        first = self._cut(start)
        behind = self._cut(end)
        if first and self._marks[first - 1] == mark:
            first, start = first - 1, self._starts[first - 1]  # a walk leaves one run
        self._starts[first:behind] = [start]
        self._marks[first:behind] = [mark]

    def over(self, start: int, end: int) -> set[Hashable]:
        """The marks of the bytes from `start` up to, not including, `end`."""
        first = bisect_right(self._starts, start) - 1
        return set(self._marks[first : bisect_left(self._starts, end)])

    def _cut(self, at: int) -> int:
        """The place of the run that begins at this byte, made if need be."""
        place = bisect_left(self._starts, at)
        if place == len(self._starts) or self._starts[place] != at:
            self._starts.insert(place, at)
            self._marks.insert(place, self._marks[place - 1])
        return place
