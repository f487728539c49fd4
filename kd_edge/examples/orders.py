"""The orders in which a wearer's windows come."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from kd_edge.examples.sets import Examples
from kd_edge.signals.recording import RecordingInfo

OTHER_ORDERS = ("shuffled", "one class at a time", "cold start")


def in_order(windows: Examples, recordings: Sequence[RecordingInfo]) -> list[np.ndarray]:
    """Windows as they came, for each time that somebody put the sensors on.

    One subject's recordings of one session are one such time. They come by their start, or by trial
    where that is unknown: each gesture in turn, then each again.

    Args:
        recordings: that `windows.groups.recording` indexes.

    Returns:
        (windows,) int64 indices of each time, in the order of subjects and sessions.
    """
    own = _of_each(windows.groups.recording)
    times = defaultdict(list)
    for owner in own:
        times[recordings[owner].subject, recordings[owner].session].append(owner)
    return [
        np.concatenate(
            [own[owner] for owner in sorted(owners, key=lambda owner: recordings[owner].moment)]
        )
        for _, owners in sorted(times.items())
    ]


def _of_each(recording: np.ndarray) -> dict[int, np.ndarray]:
    """Recording -> indices of its windows; both in rising order."""
    by_recording = np.argsort(recording, kind="stable")
    owners, firsts = np.unique(recording[by_recording], return_index=True)
    return dict(zip(owners.tolist(), np.split(by_recording, firsts[1:]), strict=False))


def other_orders(
    windows: Examples, recordings: Sequence[RecordingInfo], seed: int
) -> dict[str, list[np.ndarray]]:
    """Orders that tell whether a running normaliser knows the wearer or the protocol.

    'shuffled': each person's recordings in a random order. 'one class at a time': each class of a
    person by itself, as in a stream that is mostly one class. 'cold start': each window is the
    first.

    Args:
        recordings: that `windows.groups.recording` indexes.
        seed: of the shuffled order.

    Returns:
        `OTHER_ORDERS` -> (windows,) int64 indices for each time that somebody put the sensors on.
    """
    plain = in_order(windows, recordings)
    shuffled = shuffled_orders(windows, recordings, np.random.default_rng(seed))
    by_class = [
        order[windows.strata[order] == each]
        for order in plain
        for each in np.unique(windows.strata[order])
    ]
    return dict(zip(OTHER_ORDERS, (shuffled, by_class, []), strict=True))


def shuffled_orders(
    windows: Examples, recordings: Sequence[RecordingInfo], random: np.random.Generator
) -> list[np.ndarray]:
    """`in_order` with each time's recordings in a random order; (windows,) int64 indices each."""
    shuffled = []
    for order in in_order(windows, recordings):
        own = _of_each(windows.groups.recording[order])
        mixed = random.permutation(list(own))
        shuffled.append(np.concatenate([order[own[owner]] for owner in mixed]))
    return shuffled


def each_as_first(orders: Sequence[Sequence[int]], n: int) -> list[Sequence[int]]:
    """Those orders, and one of its own for each of n windows that stands in none."""
    return [*orders, *([i] for i in sorted(set(range(n)).difference(*orders)))]
