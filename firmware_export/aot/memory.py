"""Where each buffer lies in the one static arena: offsets by lifetime."""

from __future__ import annotations

import random
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

# Orders that first-fit tries by rule, then shuffled ones until the bound is met.
_SHUFFLES = 300
_MOST_COMPARISONS = 30_000_000  # of two buffers, over all shuffled orders: some seconds


@dataclass(frozen=True)
class Buffer:
    """Bytes that are in use from one moment to another, both included.

    Attributes:
        key: what it holds, unique; of buffers that are alike otherwise its text decides.
        first, last: moments in the order of execution.
        align: its offset is a multiple of this, a power of two.
    """

    key: Hashable
    n_bytes: int
    first: int
    last: int
    align: int


@dataclass(frozen=True)
class Plan:
    """Offsets of all buffers.

    Attributes:
        offsets: key -> bytes from the start of the arena.
        arena_bytes: what the arena must hold.
        bound_bytes: most bytes in use at any one moment: no plan can need less.
    """

    offsets: Mapping[Hashable, int]
    arena_bytes: int
    bound_bytes: int


def plan_memory(buffers: Sequence[Buffer]) -> Plan:
    """A plan whose arena is as small as first-fit over many orders makes it; always the same one.

    Packing intervals is NP-hard; on the graphs of real models one of the orders nearly always
    meets the lower bound, and then the search ends.
    """
    bound = most_live_bytes(buffers)
    best: dict[Hashable, int] = {}
    best_bytes = -1
    for order in _orders(list(buffers)):
        offsets = _first_fit(order, best_bytes)
        if offsets is None:
            continue
        needed = max((offsets[b.key] + b.n_bytes for b in buffers), default=0)
        if best_bytes < 0 or needed < best_bytes:
            best, best_bytes = offsets, needed
        if best_bytes <= bound:
            break
    return Plan(offsets=best, arena_bytes=max(best_bytes, 0), bound_bytes=bound)


def most_live_bytes(buffers: Sequence[Buffer]) -> int:
    """The largest sum of bytes in use at one moment."""
    return max(
        (sum(b.n_bytes for b in buffers if b.first <= at.first <= b.last) for at in buffers),
        default=0,
    )


def _orders(buffers: list[Buffer]):
    keys = (
        lambda b: (-b.n_bytes, b.first, str(b.key)),
        lambda b: (-(b.last - b.first), -b.n_bytes, str(b.key)),
        lambda b: (-b.n_bytes * (b.last - b.first + 1), b.first, str(b.key)),
        lambda b: (b.first, -b.n_bytes, str(b.key)),
        lambda b: (-b.last, -b.n_bytes, str(b.key)),
    )
    for key in keys:
        yield sorted(buffers, key=key)
    shuffled = sorted(buffers, key=keys[0])
    generator = random.Random(0)
    for _ in range(min(_SHUFFLES, _MOST_COMPARISONS // max(len(buffers), 1) ** 2)):
        # Mostly by size, with neighbours swapped: large ones first is nearly always right.
        weights = {b.key: b.n_bytes * generator.uniform(0.3, 1.0) for b in shuffled}
        yield sorted(buffers, key=lambda b, w=weights: (-w[b.key], str(b.key)))


def _first_fit(order: Sequence[Buffer], worse_than: int) -> dict[Hashable, int] | None:
    """Each buffer at the lowest offset that is free throughout its life; None if no better."""
    offsets: dict[Hashable, int] = {}
    placed: list[Buffer] = []
    for buffer in order:
        taken = sorted(
            (offsets[other.key], offsets[other.key] + other.n_bytes)
            for other in placed
            if other.first <= buffer.last and buffer.first <= other.last
        )
        offset = 0
        for start, end in taken:
            if offset + buffer.n_bytes <= start:
                break
            offset = max(offset, -(-end // buffer.align) * buffer.align)
        if 0 <= worse_than <= offset + buffer.n_bytes:
            return None
        offsets[buffer.key] = offset
        placed.append(buffer)
    return offsets
