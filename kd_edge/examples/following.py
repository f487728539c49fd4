"""What is known of each wearer at each window: all the times that sensors were put on, at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kd_edge.base.running import RunningConstants, RunningState, advanced, first_state, means_of
from kd_edge.examples.orders import each_as_first


def followed(
    z: np.ndarray,
    orders: Sequence[Sequence[int]],
    constants: RunningConstants,
    usable: np.ndarray,
) -> RunningState:
    """The state at each window, which has moved it already: bit for bit what one by one gives.

    Args:
        z: (windows, samples, channels) float32.
        orders: for each time that somebody put the sensors on, indices of windows as they came,
            each window in one order at most. A window of no order is the first after putting on.
        usable: (windows, channels) bool; the others move nothing.

    Returns:
        Of arrays (windows, channels).
    """
    mean, square = means_of(z)
    chains = sorted(each_as_first(orders, len(z)), key=len, reverse=True)
    lengths = np.array([len(chain) for chain in chains], np.int64)
    indices, starts = np.concatenate([*chains, []]).astype(np.int64), np.cumsum(lengths) - lengths
    found = first_state(*mean.shape)
    state = first_state(len(chains), z.shape[-1])
    for step in range(max(lengths, default=0)):
        longer = np.count_nonzero(lengths > step)
        at = indices[starts[:longer] + step]
        before = RunningState(*(array[:longer] for array in _arrays(state)))
        state = advanced(mean[at], square[at], before, constants, usable[at])
        for array, now in zip(_arrays(found), _arrays(state), strict=True):
            array[at] = now
    return found


def _arrays(state: RunningState) -> tuple[np.ndarray, ...]:
    return state.mean, state.square, state.windows
