"""What the front end makes of a wearer's windows, which come in an order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from kd_edge.base.front_end import FrontEndConstants
from kd_edge.examples.normalising import normalise, wear
from kd_edge.examples.orders import in_order, other_orders, shuffled_orders
from kd_edge.examples.rolling import rolled_back
from kd_edge.examples.sets import Examples
from kd_edge.signals.recording import RecordingInfo


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
    return worn(windows, constants, in_order(windows, recordings))


def worn(
    windows: Examples, constants: FrontEndConstants, orders: Sequence[Sequence[int]]
) -> Examples:
    """Cut windows as a model sees them that came in these orders.

    Args:
        windows: as `cut_windows` leaves them.
        orders: for each time that somebody put the sensors on, indices of windows as they came. A
            window of no order is the first after putting on.
    """
    turned = rolled_back(windows, constants, orders)
    return wear(normalise(turned, constants), constants, orders)


def worn_in_other_orders(
    windows: Examples,
    constants: FrontEndConstants | None,
    recordings: Sequence[RecordingInfo],
    *,
    seed: int,
) -> dict[str, Examples]:
    """`as_worn` in each of `OTHER_ORDERS`; nothing where no normaliser learns from an order.

    Args: as `as_worn`.
        seed: of the shuffled order.
    """
    if constants is None or not constants.learns:
        return {}
    orders = other_orders(windows, recordings, seed)
    return {name: worn(windows, constants, each) for name, each in orders.items()}


def from_other_starts(
    windows: Examples,
    constants: FrontEndConstants,
    recordings: Sequence[RecordingInfo],
    *,
    starts: int,
    seed: int,
) -> Examples:
    """`as_worn`, and again as if each person had made the recordings in other orders.

    A protocol that records gestures in blocks, or always in one order, would otherwise be learnt:
    what is known of a wearer then tells which gestures came before.

    Args:
        starts: how often each window comes in all, >= 1; all but the first time with each
            person's recordings in a random order.

    Returns:
        starts * n windows, the first n of `as_worn`; `windows` normalised alone where nothing
        learns.
    """
    if not constants.learns:
        return normalise(windows, constants)
    random = np.random.default_rng(seed)
    others = (shuffled_orders(windows, recordings, random) for _ in range(starts - 1))
    seen = [worn(windows, constants, orders) for orders in (in_order(windows, recordings), *others)]
    return replace(
        windows.take(np.tile(np.arange(len(windows)), starts)),
        inputs={n: np.concatenate([each.inputs[n] for each in seen]) for n in seen[0].inputs},
    )
