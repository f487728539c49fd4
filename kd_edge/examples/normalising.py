"""From cut windows to a model's values: logarithm, training's normaliser, the wearer's own.

The numbers are fitted on the training part and stated in the front end's constants, so that a
board runs the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from kd_edge.base.front_end import (
    FIXED,
    RUN_ON,
    FrontEndConstants,
    InputLayout,
    StreamConstants,
    spans_of,
)
from kd_edge.base.logarithm import log_float32
from kd_edge.base.running import RunningConstants, normalised
from kd_edge.examples.cutting import Windowing, layouts_of
from kd_edge.examples.following import followed
from kd_edge.examples.orders import in_order
from kd_edge.examples.rolling import roll_of, rolled_back
from kd_edge.examples.sets import Examples
from kd_edge.frontend import StreamFrontEnd
from kd_edge.signals.recording import RecordingInfo

# A channel that is silent has this floor: the least of any sensor.
_LEAST_FLOOR = 1e-12


def fit_front_end(
    training: Examples,
    designs: Sequence[StreamConstants],
    settings: Mapping[str, StreamFrontEnd],
    windowing: Windowing,
    recordings: Sequence[RecordingInfo] = (),
) -> FrontEndConstants:
    """The front end with what the training part tells: floors of logarithms, means, deviations.

    A floor is `log_floor` times the median of the channel's envelope, clamped at 0.

    Args:
        training: as `cut_windows` leaves it. designs: that it was cut with, in any order.
        settings: modality -> its front end.
        recordings: that `training.groups.recording` indexes, whose order a roll is read in.
    """
    by_name = {design.name: design for design in designs}
    layouts = tuple(layouts_of(windowing, by_name))
    unfitted = FrontEndConstants(
        tuple(designs),
        layouts,
        roll_of(designs, settings),
        runs_on=windowing.filters == RUN_ON,
        fixed=windowing.arithmetic == FIXED,
    )
    if unfitted.roll:
        training = rolled_back(training, unfitted, in_order(training, recordings))
    fitted = {}
    for layout in layouts:
        values = training.inputs[layout.name].reshape(-1, layout.shape[-1])
        for name, span in spans_of(layout, designs):
            fitted[name] = _fitted(by_name[name], settings[name], values[:, span])
    return replace(unfitted, streams=tuple(fitted.values()))


def _fitted(
    design: StreamConstants, settings: StreamFrontEnd, values: np.ndarray
) -> StreamConstants:
    """Args: values: (samples, channels) of all training windows."""
    if settings.log:
        median = np.median(np.maximum(values, 0).astype(np.float64), axis=0)
        floors = np.maximum(settings.log_floor * median, _LEAST_FLOOR)
        design = replace(design, log_floor=tuple(map(float, floors)))
    flat = _compressed(values, design).astype(np.float64)
    mean, deviation = flat.mean(axis=0), flat.std(axis=0)
    # A channel without variation (allowed by the recipe alone) is centred and left unscaled.
    deviation = np.where(deviation > 1e-12 * (1 + np.abs(mean)), deviation, 1.0)
    adapt = settings.adapt
    if not settings.normalise:
        mean, deviation = np.zeros_like(mean), np.ones_like(deviation)
    return replace(
        design,
        mean=tuple(map(float, mean)),
        scale=tuple(map(float, 1 / deviation)),
        running=adapt and RunningConstants(adapt.weight_windows, adapt.memory_windows, adapt.floor),
    )


def _compressed(values: np.ndarray, design: StreamConstants) -> np.ndarray:
    """(samples, channels) float32, its logarithm where the stream has one."""
    if not design.log_floor:
        return values
    return log_float32(np.maximum(values, np.float32(0)) + np.float32(design.log_floor))


def normalise(windows: Examples, constants: FrontEndConstants) -> Examples:
    """Windows as `cut_windows` leaves them, normalised by the training part.

    x' = (ln(max(x, 0) + floor) - mean) * scale, without logarithm where a stream has none.
    """
    streams = {stream.name: stream for stream in constants.streams}

    def of(layout: InputLayout) -> np.ndarray:
        array = windows.inputs[layout.name]
        parts = [
            standardised(array[..., span], streams[name])
            for name, span in spans_of(layout, constants.streams)
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)

    return replace(windows, inputs={layout.name: of(layout) for layout in constants.inputs})


def standardised(values: np.ndarray, stream: StreamConstants) -> np.ndarray:
    """One stream's cut values, (..., channels) float32, normalised by the training part."""
    return (_compressed(values, stream) - np.float32(stream.mean)) * np.float32(stream.scale)


def wear(
    windows: Examples,
    constants: FrontEndConstants,
    order: Sequence[Sequence[int]],
) -> Examples:
    """Normalised windows as running normalisers leave them, which see them in an order.

    Args:
        windows: of `normalise`.
        order: for each time that somebody put the sensors on, indices of windows as they came. A
            window of no order comes out as the first after putting on.
    """
    if not constants.learns:
        return windows
    inputs = {}
    channels = {layout.name: list(_running(layout, constants)) for layout in constants.inputs}
    for name, array in windows.inputs.items():
        inputs[name] = array.copy()
        for span, running in channels.get(name, ()):
            taken = array[..., span]
            z = taken.reshape(len(array), -1, taken.shape[-1])
            state = followed(z, order, running, np.ones((len(z), z.shape[-1]), bool))
            inputs[name][..., span] = normalised(z, state, running).reshape(taken.shape)
    return replace(windows, inputs=inputs)


def _running(
    layout: InputLayout, constants: FrontEndConstants
) -> Iterator[tuple[slice, RunningConstants]]:
    streams = {stream.name: stream for stream in constants.streams}
    for name, span in spans_of(layout, constants.streams):
        if streams[name].running is not None:
            yield span, streams[name].running
