"""Signals for the eye. Oracle: the extremes of each stretch, by NumPy from the whole signal."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kd_edge.live.trace import Trace

CHANNELS = 2


def expected(pieces, size):
    """number -> (low, high) of every stretch that has ended, from the samples that came."""
    found, end = {}, 0
    for first, values in pieces:
        end = first + len(values)
        for offset, value in enumerate(values):
            found.setdefault((first + offset) // size, []).append(value)
    return {
        number: (tuple(np.min(values, axis=0)), tuple(np.max(values, axis=0)))
        for number, values in found.items()
        if (number + 1) * size <= end
    }


@given(
    rate_hz=st.sampled_from([40.0, 148.148, 1111.11, 4000.0]),
    lengths=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 90)), max_size=12),
    long_gap=st.booleans(),
    seed=st.integers(0, 99),
)
def test_a_stretch_has_the_extremes_of_its_samples_whatever_comes(rate_hz, lengths, long_gap, seed):
    rng = np.random.default_rng(seed)
    trace = Trace(rate_hz, CHANNELS, seconds=1000)
    pieces, first, done = [], 0, []
    for gap, n in lengths:
        first += gap * (400 if long_gap else 7)
        pieces.append((first, rng.integers(-(2**15), 2**15, (n, CHANNELS)).astype(np.int16)))
        done += trace.add(*pieces[-1])
        first += n
    pieces = [piece for piece in pieces if len(piece[1])]
    numbers = [stretch.number for stretch in done]
    assert numbers == sorted(set(numbers))
    got = {stretch.number: (stretch.low, stretch.high) for stretch in done}
    wanted = expected(pieces, trace.size)
    # A stretch before a trailing gap has ended too, though its last sample never came.
    assert {k: got[k] for k in wanted} == wanted
    assert list(trace.kept) == done


def test_what_is_older_than_asked_is_let_go():
    trace = Trace(200.0, 1, seconds=2)
    for first in range(0, 2000, 50):
        trace.add(first, np.arange(first, first + 50, dtype=np.int16)[:, None])
    assert trace.size == 2
    assert [stretch.low[0] for stretch in trace.kept] == list(range(1600, 2000, 2))
