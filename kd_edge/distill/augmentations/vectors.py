"""Which channels of an input are the x, y and z of one sensor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kd_edge.base.axes import vectors_among
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.front_end import InputChannel
from kd_edge.distill.augmentations.record import Draw


@dataclass(frozen=True)
class Vector:
    """Three channels of an input.

    Attributes:
        modality: of the stream that they were.
        sensor: the n-th vectors of all modalities are sensor n's.
        places: of x, y and z among the input's channels.
    """

    modality: str
    sensor: int
    places: tuple[int, int, int]


def vectors_by_input(draw: Draw, augmentation: str) -> dict[str, list[Vector]]:
    """The vectors of each input of the recipe, also of those that one model does not take.

    Raises:
        KdEdgeError KD_RECIPE_VALUE: there is none.
    """
    vectors = {name: vectors_of(channels) for name, channels in draw.channels.items()}
    if not any(vectors.values()):
        raise KdEdgeError(
            "KD_RECIPE_VALUE",
            "no input has three channels whose names differ in x, y and z alone",
            where=f"augmentation.{augmentation}",
            hint="leave it out: it is for accelerometers, gyroscopes and magnetometers",
        )
    return vectors


def vectors_of(channels: Sequence[InputChannel]) -> list[Vector]:
    """The vectors among an input's channels; envelopes are none."""
    places: dict[tuple[str, int], dict[str, int]] = {}
    for place, channel in enumerate(channels):
        if not channel.rectified:
            # A stream's differences are vectors beside those of its signal.
            own = places.setdefault((channel.modality, channel.difference), {})
            own[channel.name] = place
    found = []
    for (modality, _), own in places.items():
        among = list(own.values())
        for sensor, (x, y, z) in enumerate(vectors_among(list(own))):
            found.append(Vector(modality, sensor, (among[x], among[y], among[z])))
    return found
