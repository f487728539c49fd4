"""Whether numbers that a file gives can be a front end's."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from kd_edge.base.front_end import (
    MOST_DIFFERENCES,
    Biquads,
    FrontEndConstants,
    StreamConstants,
)
from kd_edge.base.roll import RollConstants
from kd_edge.frontend.filters import LARGEST_RATIO_TERM, tap_count
from kd_edge.signals.recording import same_rate

# More than any recipe's front end has; a file that asks for more is damaged.
_LARGEST_WINDOW_VALUES = 50_000_000
_MOST_SECTIONS = 64
_MOST_WINDOWS = 1_000_000


def check_constants(constants: FrontEndConstants) -> None:
    """Refuse numbers that no front end can have; for constants that come from a file.

    Raises:
        ValueError: with a sentence on the first that is wrong.
    """
    streams = {stream.name: stream for stream in constants.streams}
    if not streams or len(streams) < len(constants.streams):
        raise ValueError("the front end has no stream, or two of one name")
    for stream in constants.streams:
        if wrong := _wrong_in(stream):
            raise ValueError(f"the front end's stream {stream.name!r} has {wrong}")
    _check_layouts(constants, streams)
    if constants.roll and not _roll_fits(constants.roll, streams):
        raise ValueError("the front end has a roll that its streams cannot have")
    if constants.roll and constants.runs_on:
        raise ValueError("the front end takes back a roll, and its filters run on")
    if constants.roll and constants.fixed:
        raise ValueError("the front end takes back a roll, and computes in integers")
    if constants.fixed and any(stream.differences for stream in constants.streams):
        raise ValueError("the front end takes differences, and computes in integers")


def _check_layouts(constants: FrontEndConstants, streams: Mapping[str, StreamConstants]) -> None:
    names = [layout.name for layout in constants.inputs]
    if not names or len(set(names)) < len(names):
        raise ValueError("the front end has no input, or two of one name")
    for layout in constants.inputs:
        channels = [len(streams[s].features) for s in layout.streams if s in streams]
        if not channels or len(channels) < len(layout.streams):
            raise ValueError(f"the input {layout.name!r} has no stream, or an unknown one")
        dimensions = len(layout.shape) in (1, 2, 3) and min(layout.shape) > 0
        if not dimensions or layout.shape[-1] != sum(channels):
            raise ValueError(f"the input {layout.name!r} has the shape {layout.shape}")
        if np.prod(layout.shape, dtype=float) > _LARGEST_WINDOW_VALUES:
            raise ValueError(f"the input {layout.name!r} has more values than any window")


def _roll_fits(roll: RollConstants, streams: Mapping[str, StreamConstants]) -> bool:
    named = {name for name, *_ in (*roll.vectors, *roll.rings)}
    return (
        named <= streams.keys()
        and roll.axes_of(roll.gravity) is not None
        and len(named) == len(roll.vectors) + len(roll.rings)
        and all(0 <= min(a, b) < max(a, b) < len(streams[n].channels) for n, a, b in roll.vectors)
        and all(sense in (1, -1) for _, sense in roll.rings)
        and 1 <= roll.memory_windows <= _MOST_WINDOWS
    )


def _wrong_in(stream: StreamConstants) -> str:
    """What is wrong with a stream's constants, or the empty string."""
    rates = (stream.source_rate_hz, stream.rate_hz, 1.0 if stream.lsb is None else stream.lsb)
    if wrong := _wrong_in_normaliser(stream):
        return wrong
    if min(rates) <= 0:
        return "a rate or a count's size that is not above 0"
    terms = (stream.up, stream.down)
    if not 1 <= min(terms) <= max(terms) <= LARGEST_RATIO_TERM or not same_rate(
        stream.source_rate_hz * stream.up / stream.down, stream.rate_hz
    ):
        return "rates that up and down do not lead to"
    if len(stream.fir) != tap_count(stream.up, stream.down):
        return "another number of taps than up and down take"
    filters = ((stream.sos, stream.sos_zi), (stream.envelope_sos, stream.envelope_zi))
    if not all(_stable(sections, states) for sections, states in filters):
        return "a filter that is not one of stable biquads with two states each"
    return ""


def _wrong_in_normaliser(stream: StreamConstants) -> str:
    if not 0 <= stream.differences <= (MOST_DIFFERENCES if stream.rectify else 0):
        return "differences that it cannot take"
    n_features, running = len(stream.features), stream.running
    if not n_features or not len(stream.mean) == len(stream.scale) == n_features:
        return "not one mean and one scale a channel"
    if len(stream.log_floor) not in (0, n_features) or not all(f > 0 for f in stream.log_floor):
        return "not one floor of its logarithm a channel, above 0"
    if running and not (
        1 <= running.weight_windows <= _MOST_WINDOWS
        and 1 <= running.memory_windows <= _MOST_WINDOWS
        and 0 < running.floor <= 1
    ):
        return "a running normaliser that cannot run"
    return ""


def _stable(sections: Biquads, states: Biquads) -> bool:
    """Whether these are biquads with their states, and their poles lie inside the unit circle."""
    return (
        len(sections) == len(states) <= _MOST_SECTIONS
        and all(len(section) == 6 for section in sections)
        and all(len(pair) == 2 for pair in states)
        and all(s[3] == 1 and abs(s[5]) < 1 and abs(s[4]) < 1 + s[5] for s in sections)
    )
