"""The front end: from a sensor's samples to what windows are cut from, stated once as numbers.

`design_stream` turns settings into `StreamConstants`; `apply_stream` runs them here. A
board runs the same: biquads, differences, rectifier, biquads, polyphase filter. Then come logarithm and
normalisers, whose numbers `examples.normalising` fits.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, PositiveFloat, field_validator, model_validator
from scipy import signal

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.front_end import (
    MOST_DIFFERENCES,
    Biquads,
    FrontEndConstants,
    StreamConstants,
)
from kd_edge.base.roll import RollConstants
from kd_edge.base.settings import settings
from kd_edge.signals.recording import same_rate

# Resampling ratios beyond this need filters that no board would run.
LARGEST_RATIO_TERM = 64
# More than any recipe's front end has; a file that asks for more is damaged.
LARGEST_WINDOW_VALUES = 50_000_000
_MOST_SECTIONS = 64
_MOST_WINDOWS = 1_000_000


@settings
class Adapt:
    """A running normaliser: the wearer's own mean and deviation take the training part's place.

    Attributes:
        weight_windows: windows that the training part's statistics count for.
        memory_windows: windows of a wearer that count in full; older ones fade.
        floor: the least deviation of a wearer, as a part of the training part's.
        starts: training shows each person's recordings so often, first in their order and then in
            random ones, each time from putting the sensors on.
    """

    weight_windows: Annotated[int, Field(ge=1, le=10_000)] = 6
    memory_windows: Annotated[int, Field(ge=1, le=1_000_000)] = 200
    floor: Annotated[float, Field(gt=0, le=1)] = 0.125
    starts: Annotated[int, Field(ge=1, le=64)] = 3


@settings
class Roll:
    """Take back by how much a band is turned around the limb, which gravity tells.

    Of an accelerometer. It turns the vectors of every modality, and the channels of a ring.

    Attributes:
        about: the sensor's axis along the limb.
        ring: modality whose channels lie around the limb, in the order of their places.
        sense: 1 if these are numbered from the first axis across the limb towards the second (y
            to z about x, z to x about y, x to y about z); -1 if they are numbered against that.
        memory_windows: windows of a wearer that count in full; older ones fade.
    """

    about: Literal["x", "y", "z"] = "x"
    ring: str | None = None
    sense: Literal[1, -1] = 1
    memory_windows: Annotated[int, Field(ge=1, le=1_000_000)] = 200


@settings
class StreamFrontEnd:
    """Steps for one modality, applied in this order.

    Attributes:
        channels: channel names, in order; None takes all.
        band_pass_hz: Butterworth of `order` between two edges in Hz.
        high_pass_hz: Butterworth of `order` from one edge in Hz on; not beside a band-pass.
        order: of either, 1 to 8.
        notch_hz: mains frequency and any harmonics in Hz.
        notch_q: quality factor of each notch.
        envelope_hz: rectify, then low-pass at this frequency in Hz (second-order Butterworth).
        differences: beside the signal's envelope, give those of so many of its differences from
            sample to sample: the faster the signal, the larger. 0 to 2.
        rate_hz: decimate to this rate by a polyphase filter; a ratio of small integers to the
            source's.
        log: take the logarithm of the envelope.
        log_floor: what is added before it, as a part of the envelope's median over the training
            part.
        lsb: size of one sensor count, in the stream's unit, if the recordings do not say it. Boards
            that take 16-bit samples need it.
        normalise: subtract the training part's mean and divide by its deviation, per channel.
        adapt: then follow the wearer by a running normaliser; a table of `Adapt`, or true.
        roll: take back the roll of a band, by the gravity in this modality; a table of `Roll`, or
            true. One modality may have it.
        causal: False filters forwards and backwards; such a front end cannot be exported.
    """

    channels: tuple[str, ...] | None = None
    band_pass_hz: tuple[PositiveFloat, PositiveFloat] | None = None
    high_pass_hz: PositiveFloat | None = None
    order: Annotated[int, Field(ge=1, le=8)] = 4
    notch_hz: tuple[PositiveFloat, ...] = ()
    notch_q: PositiveFloat = 30.0
    envelope_hz: PositiveFloat | None = None
    differences: Annotated[int, Field(ge=0, le=MOST_DIFFERENCES)] = 0
    rate_hz: PositiveFloat | None = None
    log: bool = False
    log_floor: Annotated[float, Field(gt=0, le=1)] = 0.1
    lsb: PositiveFloat | None = None
    normalise: bool = True
    adapt: Adapt | None = None
    roll: Roll | None = None
    causal: bool = True

    @field_validator("adapt", "roll", mode="before")
    @classmethod
    def _defaults(cls, value):
        return {True: {}, False: None}[value] if isinstance(value, bool) else value

    @model_validator(mode="after")
    def _fits(self):
        if self.log and self.envelope_hz is None:
            raise ValueError("log is for an envelope: give envelope_hz as well")
        if self.differences and self.envelope_hz is None:
            raise ValueError("differences are of an envelope's signal: give envelope_hz as well")
        if self.adapt and not self.normalise:
            raise ValueError("adapt begins with the training part's statistics: leave normalise on")
        if self.roll and (self.band_pass_hz or self.high_pass_hz or self.envelope_hz):
            raise ValueError("roll reads gravity, which a high-pass, band-pass or envelope removes")
        return self

    @model_validator(mode="after")
    def _one_edge(self):
        if self.band_pass_hz and self.high_pass_hz:
            raise ValueError("give band_pass_hz or high_pass_hz, not both")
        if self.band_pass_hz and not self.band_pass_hz[0] < self.band_pass_hz[1]:
            raise ValueError("band_pass_hz is [low, high] with low < high")
        return self


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
        if np.prod(layout.shape, dtype=float) > LARGEST_WINDOW_VALUES:
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
    if len(stream.fir) != _tap_count(stream.up, stream.down):
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


def design_stream(
    modality: str,
    settings: StreamFrontEnd,
    *,
    channels: tuple[str, ...],
    source_rate_hz: float,
    unit: str = "",
    lsb: float | None = None,
) -> StreamConstants:
    """Coefficients for one modality, with a normaliser that does nothing yet.

    Raises:
        KdEdgeError KD_RECIPE_VALUE: a frequency at or beyond half the rate, or a rate that is no
            ratio of integers up to 64.

    Example:
        >>> settings = StreamFrontEnd(high_pass_hz=20, order=2, rate_hz=200)
        >>> design = design_stream("emg", settings, channels=("EMG 1",), source_rate_hz=1000)
        >>> design.up, design.down, len(design.sos), len(design.fir)
        (1, 5, 1, 101)
    """
    sections = _filter_sections(modality, settings, source_rate_hz)
    envelope = _envelope_sections(modality, settings, source_rate_hz)
    up, down = _ratio(modality, settings.rate_hz, source_rate_hz)
    n_features = len(channels) * (settings.differences + 1)
    return StreamConstants(
        name=modality,
        channels=channels,
        unit=unit,
        source_rate_hz=source_rate_hz,
        rate_hz=source_rate_hz * up / down,
        lsb=lsb,
        sos=_rows(sections),
        sos_zi=_rows(_steady_state(sections)),
        envelope_sos=_rows(envelope),
        envelope_zi=_rows(_steady_state(envelope)),
        up=up,
        down=down,
        fir=_taps(up, down),
        mean=(0.0,) * n_features,
        scale=(1.0,) * n_features,
        causal=settings.causal,
        differences=settings.differences,
    )


def apply_stream(samples: np.ndarray, constants: StreamConstants) -> np.ndarray:
    """Filter, take differences, rectify, filter and resample; the normaliser is not applied.

    Args:
        samples: (n_samples, n_channels) in `constants.unit`.

    Returns:
        (ceil(n_samples * up / down), n_features) float32.

    Example:
        >>> settings = StreamFrontEnd(rate_hz=200)
        >>> design = design_stream("emg", settings, channels=("EMG 1",), source_rate_hz=1000)
        >>> apply_stream(np.ones((501, 1)), design).shape
        (101, 1)
    """
    x = np.asarray(samples, dtype=np.float64)
    x = _filter(x, constants.sos, constants.sos_zi, causal=constants.causal)
    if constants.rectify:
        x = np.abs(with_differences(x, x[:1], constants))
        x = _filter(x, constants.envelope_sos, constants.envelope_zi, causal=constants.causal)
    if constants.fir:
        x = _resample(x, constants)
    return x.astype(np.float32)


def with_differences(x: np.ndarray, before: np.ndarray, constants: StreamConstants) -> np.ndarray:
    """A filtered signal, and behind its channels those of each difference from sample to sample.

    Args:
        x: (samples, channels). before: (1 or more, channels), the samples before them; what would be
            before those is alike.
    """
    n = constants.differences
    past = np.concatenate([np.repeat(before[:1], n, axis=0), before])[len(before) :]
    line = np.concatenate([past, x])
    return np.concatenate([np.diff(line[n - k :], k, axis=0) for k in range(n + 1)], axis=1)


def _filter_sections(modality: str, settings: StreamFrontEnd, rate_hz: float) -> np.ndarray:
    sections = []
    if settings.band_pass_hz:
        edges = [_below_half(f, rate_hz, modality, "band_pass_hz") for f in settings.band_pass_hz]
        sections.append(signal.butter(settings.order, edges, "bandpass", fs=rate_hz, output="sos"))
    if settings.high_pass_hz:
        edge = _below_half(settings.high_pass_hz, rate_hz, modality, "high_pass_hz")
        sections.append(signal.butter(settings.order, edge, "highpass", fs=rate_hz, output="sos"))
    for frequency in settings.notch_hz:
        centre = _below_half(frequency, rate_hz, modality, "notch_hz")
        sections.append(signal.tf2sos(*signal.iirnotch(centre, settings.notch_q, fs=rate_hz)))
    return np.concatenate(sections) if sections else np.zeros((0, 6))


def _envelope_sections(modality: str, settings: StreamFrontEnd, rate_hz: float) -> np.ndarray:
    if settings.envelope_hz is None:
        return np.zeros((0, 6))
    edge = _below_half(settings.envelope_hz, rate_hz, modality, "envelope_hz")
    return signal.butter(2, edge, "lowpass", fs=rate_hz, output="sos")


def _below_half(frequency_hz: float, rate_hz: float, modality: str, key: str) -> float:
    if frequency_hz < rate_hz / 2:
        return frequency_hz
    raise KdEdgeError(
        "KD_RECIPE_VALUE",
        f"{frequency_hz:g} Hz is not below half the sample rate, {rate_hz / 2:g} Hz",
        where=f"front_end.{modality}.{key}",
        hint="name a lower frequency, or leave the filter out",
    )


def _ratio(modality: str, wanted_hz: float | None, source_hz: float) -> tuple[int, int]:
    if wanted_hz is None:
        return 1, 1
    where = f"front_end.{modality}.rate_hz"
    if wanted_hz > source_hz * (1 + 1e-4):
        raise KdEdgeError(
            "KD_RECIPE_VALUE",
            f"rate_hz {wanted_hz:g} is above the recordings' {source_hz:g} Hz",
            where=where,
            hint="windows are decimated, never interpolated upwards; name a lower rate",
        )
    ratio = Fraction(wanted_hz / source_hz).limit_denominator(LARGEST_RATIO_TERM)
    nearest = max(ratio, Fraction(1, LARGEST_RATIO_TERM))
    if not same_rate(source_hz * ratio, wanted_hz):
        raise KdEdgeError(
            "KD_RECIPE_VALUE",
            f"{source_hz:g} Hz to {wanted_hz:g} Hz is no ratio of integers up to "
            f"{LARGEST_RATIO_TERM}",
            where=where,
            hint=f"the nearest is {float(source_hz * nearest):.6g} Hz ({nearest})",
        )
    return ratio.numerator, ratio.denominator


def _taps(up: int, down: int) -> tuple[float, ...]:
    """Linear-phase low-pass at the lower half rate, as long as SciPy's resample_poly makes it."""
    if up == down:
        return ()
    cutoff = 1 / max(up, down)
    taps = signal.firwin(_tap_count(up, down), cutoff, window=("kaiser", 5.0)) * up
    return tuple(float(tap) for tap in taps)


def _tap_count(up: int, down: int) -> int:
    return 0 if up == down else 20 * max(up, down) + 1


def _steady_state(sections: np.ndarray) -> np.ndarray:
    return signal.sosfilt_zi(sections) if len(sections) else np.zeros((0, 2))


def _rows(array: np.ndarray) -> Biquads:
    return tuple(tuple(float(value) for value in row) for row in array)


def _filter(x: np.ndarray, sos: Biquads, zi: Biquads, *, causal: bool) -> np.ndarray:
    if not sos:
        return x
    sections = np.array(sos)
    if not causal:
        return signal.sosfiltfilt(sections, x, axis=0)
    # One state a section and channel, scaled by the first sample: (sections, 2, channels).
    state = np.array(zi)[:, :, None] * x[0][None, None, :]
    return signal.sosfilt(sections, x, axis=0, zi=state)[0]


def _resample(x: np.ndarray, constants: StreamConstants) -> np.ndarray:
    """Polyphase resampling; where causal, output m uses inputs up to m * down / up."""
    up, down, taps = constants.up, constants.down, np.array(constants.fir)
    n_out = -(-len(x) * up // down)
    if not constants.causal:
        return signal.resample_poly(x, up, down, axis=0, window=taps / up, padtype="edge")[:n_out]
    # The past is the first sample, held, for as many inputs as the taps reach back, rounded up so
    # that the first output falls on a whole output step.
    history = -(-(len(taps) - 1) // (up * down)) * down
    padded = np.concatenate([np.repeat(x[:1], history, axis=0), x])
    first = history * up // down
    return signal.upfirdn(taps, padded, up, down, axis=0)[first : first + n_out]
