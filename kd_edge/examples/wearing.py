"""The order in which a wearer's windows come, and what running normalisers make of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from kd_edge.base.front_end import FrontEndConstants
from kd_edge.examples.normalising import normalise, wear
from kd_edge.examples.sets import Examples
from kd_edge.signals.recording import RecordingInfo


def in_order(windows: Examples, recordings: Sequence[RecordingInfo]) -> list[np.ndarray]:
    """Windows as they came, for each time that somebody put the sensors on.

    One subject's recordings of one session are one such time. They come by their start, or by trial
    where that is unknown: each gesture in turn, then each again.

    Args:
        recordings: that `windows.groups.recording` indexes.

    Returns:
        (windows,) int64 indices of each time, in the order of subjects and sessions.
    """
    times = defaultdict(list)
    for owner in np.unique(windows.groups.recording):
        times[recordings[owner].subject, recordings[owner].session].append(owner)
    return [
        np.concatenate(
            [
                np.flatnonzero(windows.groups.recording == owner)
                for owner in sorted(owners, key=lambda owner: recordings[owner].moment)
            ]
        )
        for _, owners in sorted(times.items())
    ]


def as_worn(
    windows: Examples, constants: FrontEndConstants | None, recordings: Sequence[RecordingInfo]
) -> Examples:
    """Cut windows as a model sees them in use: normalised, each person's in their order.

    Args:
        windows: as `cut_windows` leaves them.
        constants: None for images, which stay as they are.
        recordings: that `windows.groups.recording` indexes.
    """
    if constants is None:
        return windows
    return wear(normalise(windows, constants), constants, in_order(windows, recordings))


def from_other_starts(
    windows: Examples,
    constants: FrontEndConstants,
    recordings: Sequence[RecordingInfo],
    *,
    starts: int,
    seed: int,
) -> Examples:
    """`as_worn`, and again as if each person had put the sensors on at other moments.

    Args:
        starts: how often each window comes in all, >= 1. What lies before the moment that is drawn
            comes after the rest.

    Returns:
        starts * n windows, the first n of `as_worn`; `windows` normalised alone where nothing
        learns.
    """
    normal = normalise(windows, constants)
    if not constants.learns:
        return normal
    random = np.random.default_rng(seed)
    orders = in_order(windows, recordings)
    seen = [wear(normal, constants, orders)]
    for _ in range(starts - 1):
        turned = [np.roll(order, -random.integers(len(order))) for order in orders]
        seen.append(wear(normal, constants, turned))
    return replace(
        normal.take(np.tile(np.arange(len(normal)), starts)),
        inputs={n: np.concatenate([each.inputs[n] for each in seen]) for n in normal.inputs},
    )


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
        name -> (windows,) int64 indices for each time that somebody put the sensors on.
    """
    random = np.random.default_rng(seed)
    plain = in_order(windows, recordings)
    shuffled = []
    for order in plain:
        owners = windows.groups.recording[order]
        mixed = random.permutation(np.unique(owners))
        shuffled.append(np.concatenate([order[owners == owner] for owner in mixed]))
    by_class = [
        order[windows.strata[order] == each]
        for order in plain
        for each in np.unique(windows.strata[order])
    ]
    return {"shuffled": shuffled, "one class at a time": by_class, "cold start": []}
