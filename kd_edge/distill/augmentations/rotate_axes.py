"""A sensor may sit turned on the arm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from keras import ops
from pydantic import Field

from kd_edge.base.axes import vectors_among
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.front_end import InputChannel
from kd_edge.distill.augmentations.record import Augmentation, Draw, across_channels

# A turn below this, in rad, is none; no quotient is taken at 0.
_SMALLEST = 1e-6


class RotateAxes(Augmentation):
    """Each sensor's x, y and z turned as one vector, its accelerometer and gyroscope alike.

    Three channels of one modality are a vector if their names differ in x, y and z alone. The n-th
    vectors of all modalities are one sensor's. It is turned in the sensor's own units, gravity and
    all, by a rotation vector of three normal numbers; envelopes stay as they are.

    Options:
        deviation_rad: of the turn about each axis, 0 to 1.6.
    """

    deviation_rad: Annotated[float, Field(ge=0, le=1.6)]

    def change(self, inputs, draw: Draw):
        # Of all inputs, also those that one model does not take.
        vectors = {name: vectors_of(channels) for name, channels in draw.channels.items()}
        sensors = max((s + 1 for own in vectors.values() for s, _ in own), default=0)
        if sensors == 0:
            raise KdEdgeError(
                "KD_RECIPE_VALUE",
                "no input has three channels whose names differ in x, y and z alone",
                where="augmentation.rotate-axes",
                hint="leave it out: it is for accelerometers, gyroscopes and magnetometers",
            )
        turns = _turns(self.deviation_rad * draw.normal(sensors, 3))
        return {
            name: self._turned(x, turns, vectors[name], draw.channels[name])
            if vectors.get(name)
            else x
            for name, x in inputs.items()
        }

    def _turned(self, x, turns, vectors, channels):
        # Row a of vector v is channel vectors[v][1][a] of the input.
        places = np.zeros((len(vectors), 3, len(channels)), np.float32)
        for v, (_, indices) in enumerate(vectors):
            places[v, np.arange(3), indices] = 1
        own = ops.take(turns, np.array([sensor for sensor, _ in vectors]), axis=1)
        return across_channels(x, ops.einsum("vac,nvab,vbd->ncd", places, own, places), channels)


def vectors_of(channels: Sequence[InputChannel]) -> list[tuple[int, list[int]]]:
    """The vectors among an input's channels: (which sensor's, places of x, y and z)."""
    places: dict[str, dict[str, int]] = {}
    for place, channel in enumerate(channels):
        if not channel.rectified:
            places.setdefault(channel.modality, {})[channel.name] = place
    found = {
        modality: [[list(own.values())[axis] for axis in axes] for axes in vectors_among(list(own))]
        for modality, own in places.items()
    }
    return [(sensor, own) for vectors in found.values() for sensor, own in enumerate(vectors)]


def _turns(rotation):
    """Rotation matrices minus the unit matrix, of (..., 3) rotation vectors in rad.

    sin θ / θ K + (1 - cos θ) / θ² K², K the matrix of the cross product (Rodrigues).
    """
    angle = ops.sqrt(ops.sum(ops.square(rotation), axis=-1))[..., None, None]
    safe = ops.maximum(angle, _SMALLEST)
    x, y, z = rotation[..., 0], rotation[..., 1], rotation[..., 2]
    zero = ops.zeros_like(x)
    rows = [[zero, -z, y], [z, zero, -x], [-y, x, zero]]
    cross = ops.stack([ops.stack(row, axis=-1) for row in rows], axis=-2)
    half = ops.sin(safe / 2) / safe
    return ops.sin(safe) / safe * cross + 2 * half * half * ops.matmul(cross, cross)
