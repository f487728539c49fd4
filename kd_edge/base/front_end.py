"""The front end and one window of it as values: what Python and a board both run."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.roll import RollConstants
from kd_edge.base.running import RunningConstants

# What a recipe and HELLO say of filters that run on from window to window of a stream.
RUN_ON = "run-on"
# What a recipe says of a front end that a board computes in integers.
FIXED = "fixed"

Biquads = tuple[tuple[float, ...], ...]

# The biquad behind a stream's filters that makes the signal its first or its second difference.
_DIFFERENCES = ((), ((1.0, -1.0, 0.0, 1.0, 0.0, 0.0),), ((1.0, -2.0, 1.0, 1.0, 0.0, 0.0),))
MOST_DIFFERENCES = len(_DIFFERENCES) - 1


@dataclass(frozen=True)
class StreamConstants:
    """Every number of one modality's front end.

    Attributes:
        name: modality. channels: in order. unit: of the samples that go in.
        source_rate_hz, rate_hz: samples a second before and after.
        lsb: units a count where known, for boards that take raw 16-bit samples.
        sos: biquads (b0, b1, b2, 1, a1, a2) in order, direct form II transposed.
        sos_zi: their two states for a constant input of 1; a stream starts as if its first
            sample had stood there for ever, so that an offset makes no transient.
        envelope_sos, envelope_zi: the same, after rectification; empty where there is no envelope.
        differences: besides the signal's envelope, those of so many of its differences from sample
            to sample come out; 0 to 2.
        up, down, fir: polyphase resampling, taps at `up` times the source rate; 1, 1, () for none.
        mean, scale: per feature, y = (x - mean) * scale; fitted on the training part.
        log_floor: per feature; before the normaliser comes x = ln(max(x, 0) + log_floor). Empty
            where there is no logarithm.
        running: how the wearer's own mean and deviation take the training part's place, after
            the normaliser; None where they do not.
        causal: False for a front end that cannot be exported.
    """

    name: str
    channels: tuple[str, ...]
    unit: str
    source_rate_hz: float
    rate_hz: float
    lsb: float | None
    sos: Biquads
    sos_zi: Biquads
    envelope_sos: Biquads
    envelope_zi: Biquads
    up: int
    down: int
    fir: tuple[float, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    causal: bool
    log_floor: tuple[float, ...] = ()
    running: RunningConstants | None = None
    differences: int = 0

    @property
    def rectify(self) -> bool:
        """Whether samples are rectified between the two filters."""
        return bool(self.envelope_sos)

    @property
    def filters(self) -> tuple[Biquads, ...]:
        """The biquads before rectification, of the signal and of each of its differences."""
        return tuple(self.sos + own for own in _DIFFERENCES[: self.differences + 1])

    @property
    def features(self) -> tuple[str, ...]:
        """What comes out: every channel, then the first difference of every channel, and so on."""
        marks = ("", " (1st difference)", " (2nd difference)")[: self.differences + 1]
        return tuple(channel + mark for mark in marks for channel in self.channels)


@dataclass(frozen=True)
class InputLayout:
    """One model input: the modalities whose channels it joins, in order, and one window's shape."""

    name: str
    streams: tuple[str, ...]
    shape: tuple[int, ...]


@dataclass(frozen=True)
class InputChannel:
    """One channel of a model input, and how its numbers came from the sensor's.

    Attributes:
        modality, name: of the stream and the channel that it was.
        difference: which of the channel's differences it is; 0 for its signal.
        mean, scale: y = (x - mean) * scale.
        rectified: whether it is an envelope.
    """

    modality: str
    name: str
    mean: float
    scale: float
    rectified: bool
    difference: int = 0


@dataclass(frozen=True)
class FrontEndConstants:
    """The whole front end of a model, as numbers that a board can run.

    Attributes:
        roll: how the roll of a band is taken back, first of all; None where it is not.
        runs_on: filters of a stream run on from window to window; else each window is filtered
            from rest.
        fixed: boards compute in integers, as `kd_edge.base.fixed` has them; else in float32.
    """

    streams: tuple[StreamConstants, ...]
    inputs: tuple[InputLayout, ...]
    roll: RollConstants | None = None
    runs_on: bool = False
    fixed: bool = False

    @property
    def input_channels(self) -> dict[str, tuple[InputChannel, ...]]:
        """The channels of each model input, in the order of its last axis."""
        own = {
            stream.name: tuple(
                InputChannel(
                    stream.name,
                    stream.channels[at % len(stream.channels)],
                    stream.mean[at],
                    stream.scale[at],
                    stream.rectify,
                    at // len(stream.channels),
                )
                for at in range(len(stream.features))
            )
            for stream in self.streams
        }
        return {i.name: tuple(c for s in i.streams for c in own[s]) for i in self.inputs}

    @property
    def input_rates_hz(self) -> dict[str, float]:
        """Samples a second of each model input."""
        rates = {stream.name: stream.rate_hz for stream in self.streams}
        return {i.name: rates[i.streams[0]] for i in self.inputs}

    @property
    def causal(self) -> bool:
        return all(stream.causal for stream in self.streams)

    @property
    def learns(self) -> bool:
        """Whether something is learnt of the wearer from window to window."""
        return self.roll is not None or any(stream.running for stream in self.streams)


# What counts of one window are: stream name -> (samples, channels) int16.
Counts = Mapping[str, np.ndarray]


def spans_of(layout: InputLayout, streams: Iterable[StreamConstants]) -> list[tuple[str, slice]]:
    """The channels of an input that each of its streams gives."""
    sizes = {stream.name: len(stream.features) for stream in streams}
    ends = list(itertools.accumulate(sizes[name] for name in layout.streams))
    return [
        (name, slice(end - sizes[name], end))
        for name, end in zip(layout.streams, ends, strict=True)
    ]


def layout_samples(layout: InputLayout) -> int:
    """Samples of one window of an input, after the front end."""
    return int(np.prod(layout.shape[:-1]))


def raw_samples(constants: FrontEndConstants) -> dict[str, int]:
    """How many samples of each stream the first window needs, at the sensor's own rate."""
    wanted = {
        name: layout_samples(layout) for layout in constants.inputs for name in layout.streams
    }
    return {
        stream.name: (wanted[stream.name] - 1) * stream.down // stream.up + 1
        for stream in constants.streams
        if stream.name in wanted
    }


def lsb_of(stream: StreamConstants) -> float:
    """Units a count.

    Raises:
        KdEdgeError KD_COUNTS: the recordings do not say.
    """
    if stream.lsb is None:
        raise KdEdgeError(
            "KD_COUNTS",
            f"the recordings do not say what a count of '{stream.name}' is",
            where=f"front_end.{stream.name}",
            hint=f"set front_end.{stream.name}.lsb in the recipe and build again, or send int8 "
            "windows",
        )
    return stream.lsb


def dc_gain(sections: Biquads) -> float:
    """Of biquads one after the other for a constant input; 1 for none."""
    return float(np.prod([sum(section[:3]) / sum(section[3:]) for section in sections]))
