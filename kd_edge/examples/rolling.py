"""The roll of a band, taken back from cut windows as a board takes it back from raw ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from kd_edge.base.axes import vectors_among
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.front_end import FrontEndConstants, StreamConstants, spans_of
from kd_edge.base.roll import RollConstants, counts_of, turn_of, turned_back
from kd_edge.examples.following import followed
from kd_edge.examples.sets import Examples
from kd_edge.frontend import StreamFrontEnd


def roll_of(
    designs: Sequence[StreamConstants], front_end: Mapping[str, StreamFrontEnd]
) -> RollConstants | None:
    """How the roll is taken back; None where no modality has it.

    Raises:
        KdEdgeError KD_RECIPE_VALUE: two modalities have it, its own holds no vector or several, or
            its ring is none of the modalities.
    """
    asking = [design for design in designs if front_end[design.name].roll]
    if not asking:
        return None
    gravity, roll = asking[0], front_end[asking[0].name].roll
    axes = {design.name: vectors_among(design.channels) for design in designs}
    wrong = ""
    if len(asking) > 1:
        wrong = f"'{asking[1].name}' has roll as well"
    elif len(axes[gravity.name]) != 1:
        wrong = f"'{gravity.name}' holds {len(axes[gravity.name])} vectors x, y and z, not one"
    elif several := [name for name, own in axes.items() if len(own) > 1]:
        wrong = f"'{several[0]}' holds several vectors x, y and z"
    elif roll.ring and (roll.ring not in axes or axes[roll.ring]):
        wrong = f"'{roll.ring}' is no modality with a ring of channels"
    if wrong:
        raise KdEdgeError(
            "KD_RECIPE_VALUE",
            f"no roll can be read: {wrong}",
            where=f"front_end.{gravity.name}.roll",
            hint="roll is for one band with one accelerometer; its ring is another modality",
        )
    across = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[roll.about]
    return RollConstants(
        gravity.name,
        tuple((name, *(own[0][a] for a in across)) for name, own in axes.items() if own),
        ((roll.ring, roll.sense),) if roll.ring else (),
        roll.memory_windows,
    )


def rolled_back(
    windows: Examples, constants: FrontEndConstants, orders: Sequence[Sequence[int]]
) -> Examples:
    """Cut windows as a band without roll would have given them.

    Args:
        windows: as `cut_windows` leaves them.
        orders: for each time that somebody put the sensors on, indices of windows as they came. A
            window of no order is the first after putting on.
    """
    roll = constants.roll
    if roll is None:
        return windows
    widths = {stream.name: len(stream.channels) for stream in constants.streams}
    spans = [
        (layout.name, name, span)
        for layout in constants.inputs
        for name, span in spans_of(layout, constants.streams)
    ]
    inputs = {name: array.copy() for name, array in windows.inputs.items()}
    lines = {n: x.reshape(len(x), -1, x.shape[-1]) for n, x in inputs.items()}
    gravity = _gravity(lines, spans, roll)
    flat = (gravity == gravity[:, :1]).all(axis=1).any(axis=-1)
    usable = np.repeat(~flat[:, None], 2, axis=1)
    turn = turn_of(followed(gravity, orders, counts_of(roll), usable))
    for name, stream, span in spans:
        lines[name][..., span] = turned_back(
            lines[name][..., span], stream, roll, turn, channels=widths[stream]
        )
    return replace(windows, inputs=inputs)


def _gravity(
    lines: Mapping[str, np.ndarray], spans: Sequence[tuple[str, str, slice]], roll: RollConstants
) -> np.ndarray:
    """(windows, samples, 2) float32, of the first input that takes the accelerometer."""
    for name, stream, span in spans:
        if stream == roll.gravity:
            return lines[name][..., span][..., list(roll.axes_of(stream))].copy()
    raise KdEdgeError(
        "KD_RECIPE_VALUE",
        f"the roll is read from '{roll.gravity}', which no input takes",
        where=f"front_end.{roll.gravity}.roll",
        hint="name it in an input of the windows, or leave roll out",
    )
