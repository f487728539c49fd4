"""Whether a phone's own accelerometer and gyroscope can stand in for a model's sensors."""

from __future__ import annotations

from dataclasses import replace

from kd_edge.base.front_end import FrontEndConstants, StreamConstants

_GRAVITY = 9.80665
# Unit of a stream -> what one unit of the browser's events is in it: m/s² and degrees a second.
_FACTORS = {
    "acc": {"g": 1 / _GRAVITY, "mg": 1000 / _GRAVITY, "m/s2": 1.0, "m/s^2": 1.0, "m/s²": 1.0},
    "gyr": {"deg/s": 1.0, "dps": 1.0, "°/s": 1.0, "rad/s": 3.141592653589793 / 180},
}
# What the largest count is for sensors whose counts no recording states: m/s², degrees a second.
_RANGES = {"acc": 8 * _GRAVITY, "gyr": 2000.0}
_AXES = 3
_COUNTS = 32768


def with_counts(front_end: FrontEndConstants) -> FrontEndConstants:
    """Units a count for motion sensors that have none: those of ±8 g and ±2000 °/s in 16 bits.

    A phone gives samples in units, so that any count serves; a window is at most half a count off.
    """
    return replace(front_end, streams=tuple(_counted(stream) for stream in front_end.streams))


def _counted(stream: StreamConstants) -> StreamConstants:
    factor = _FACTORS.get(stream.name, {}).get(stream.unit)
    if stream.lsb is not None or factor is None:
        return stream
    return replace(stream, lsb=_RANGES[stream.name] * factor / _COUNTS)


def motion_of(front_end: FrontEndConstants | None) -> dict[str, object]:
    """Of each stream which sensor gives it and its factor; or `why` none does, as a sentence."""
    if front_end is None:
        return {"why": "This model takes no samples of sensors.", "streams": []}
    streams = []
    for stream in front_end.streams:
        factor = _FACTORS.get(stream.name, {}).get(stream.unit)
        if factor is None or len(stream.channels) != _AXES:
            why = (
                f"This model also needs '{stream.name}' ({len(stream.channels)} channels, "
                f"{stream.unit or 'no unit'}), which a phone does not have."
            )
            return {"why": why, "streams": []}
        streams.append({"kind": stream.name, "factor": factor})
    return {"why": None, "streams": streams}
