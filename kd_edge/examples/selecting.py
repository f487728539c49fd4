"""The channels of a recording that a recipe names, at one rate, in one unit, from one moment on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from kd_edge.base.errors import KdEdgeError, nearest
from kd_edge.base.front_end import StreamConstants
from kd_edge.frontend import StreamFrontEnd, design_stream
from kd_edge.signals.recording import Recording, Stream, same_rate, same_unit


class Selection:
    """What every recording of a dataset gives: the first one sets channels, rates and units.

    Args:
        front_end: of the modalities wanted.
        first: the recording that the others must be like.
    """

    def __init__(self, front_end: Mapping[str, StreamFrontEnd], first: Recording):
        self._first = first.source
        self.designs = {name: _design(name, front_end[name], first) for name in front_end}

    def samples(self, recording: Recording) -> dict[str, np.ndarray]:
        """(n_samples, n_channels) of each modality, from the moment when all sensors have begun.

        Sensors may end at different times; a modality ends with the first of its own.

        Raises:
            KdEdgeError KD_CHANNEL_MISSING, KD_RATE_MISMATCH, KD_UNIT_MISMATCH (both recordings
                are named), KD_BAD_SAMPLES (sensors that share no time).
        """
        used = {name: self._used(recording, name) for name in self.designs}
        begin_s = max(stream.start_s for streams in used.values() for stream in streams)
        return {
            name: _joined(recording, design, used[name], begin_s)
            for name, design in self.designs.items()
        }

    def _used(self, recording: Recording, modality: str) -> list[Stream]:
        """The streams that hold the channels wanted, at the rate and in the unit of the first."""
        design = self.designs[modality]
        used = _streams_with(recording, modality, design.channels)
        for stream in used:
            if not same_rate(stream.rate_hz, design.source_rate_hz):
                raise KdEdgeError(
                    "KD_RATE_MISMATCH",
                    f"{recording.source} has {modality} at {stream.rate_hz:g} Hz, and "
                    f"{self._first} at {design.source_rate_hz:g} Hz",
                    where=f"sensor {stream.sensor}",
                    hint="one window needs one rate: leave that sensor or recording out",
                )
            if not same_unit(stream.unit, design.unit):
                raise KdEdgeError(
                    "KD_UNIT_MISMATCH",
                    f"{recording.source} has {modality} in {stream.unit}, and {self._first} in "
                    f"{design.unit}",
                    where=f"sensor {stream.sensor}",
                    hint="convert the recordings to one unit, or leave that one out",
                )
        return used


def _design(modality: str, settings: StreamFrontEnd, recording: Recording) -> StreamConstants:
    streams = _streams_of(recording, modality)
    names = settings.channels or tuple(name for s in streams for name in s.channels)
    used = _streams_with(recording, modality, names)
    return design_stream(
        modality,
        settings,
        channels=names,
        source_rate_hz=used[0].rate_hz,
        unit=used[0].unit,
        lsb=settings.lsb or used[0].lsb,
    )


def _streams_of(recording: Recording, modality: str) -> list[Stream]:
    streams = [s for s in recording.streams if s.modality == modality]
    if streams:
        return streams
    known = sorted({s.modality for s in recording.streams})
    raise KdEdgeError(
        "KD_CHANNEL_MISSING",
        f"{recording.source} has no '{modality}' stream{nearest(modality, known)}",
        where=f"it has {', '.join(known)}",
        hint="name one of these in front_end and windows.inputs",
    )


def _streams_with(recording: Recording, modality: str, channels: Sequence[str]) -> list[Stream]:
    """The modality's streams that hold any of the channels; every channel must be there."""
    streams = _streams_of(recording, modality)
    known = [name for stream in streams for name in stream.channels]
    for name in channels:
        if name not in known:
            raise KdEdgeError(
                "KD_CHANNEL_MISSING",
                f"{recording.source} has no channel '{name}'{nearest(name, known)}",
                where=f"its {modality} channels are {', '.join(known)}",
                hint=f"set front_end.{modality}.channels in the recipe",
            )
    return [stream for stream in streams if set(stream.channels) & set(channels)]


def _joined(
    recording: Recording, design: StreamConstants, streams: Sequence[Stream], begin_s: float
) -> np.ndarray:
    """The design's channels in order, from the sample nearest to `begin_s` on."""
    columns = {}
    for stream in streams:
        first = round((begin_s - stream.start_s) * stream.rate_hz)
        for position, name in enumerate(stream.channels):
            columns[name] = stream.samples[first:, position]
    length = min(len(columns[name]) for name in design.channels)
    if not length:
        raise KdEdgeError(
            "KD_BAD_SAMPLES",
            f"{recording.source}: the last of its sensors begins at {begin_s:.4g} s, after "
            f"another one's {design.name} has ended",
            where="start of the streams",
            hint="leave that recording or that sensor out",
        )
    return np.stack([columns[name][:length] for name in design.channels], axis=1)
