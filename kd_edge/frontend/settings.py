"""What a recipe says of a front end: the steps that each modality goes through."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, field_validator, model_validator

from kd_edge.base.front_end import MOST_DIFFERENCES
from kd_edge.base.settings import settings


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
    differences: Annotated[int, Field(ge=0, le=MOST_DIFFERENCES, strict=True)] = 0
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
