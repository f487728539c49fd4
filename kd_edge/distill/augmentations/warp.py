"""A gesture may be faster here and slower there."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
from keras import ops
from pydantic import Field

from kd_edge.distill.augmentations.record import Augmentation, Draw, at_places, rate_of, timeline

# Half waves over a window, each of which bends the time.
_WAVES = 2


class Warp(Augmentation):
    """The time of a window bent smoothly, all inputs alike; both ends stay where they are.

    Its time u from 0 to 1 is read at u + sum_k a_k sin(π k u) / (π k), k = 1, 2, each a_k even
    within ±strength / 2. After the time warping of T. T. Um et al., "Data Augmentation of Wearable
    Sensor Data for Parkinson's Disease Monitoring using Convolutional Neural Networks", ICMI 2017.

    Options:
        strength: how much faster or slower at most, as a share of the speed, 0 to 0.9.
    """

    strength: Annotated[float, Field(ge=0, le=0.9)]

    def change(self, inputs, draw: Draw):
        bends = self.strength / _WAVES * draw.uniform(_WAVES)
        return {name: self._warped(name, x, bends, draw) for name, x in inputs.items()}

    def _warped(self, name: str, x, bends, draw: Draw):
        rate_of(name, draw, "warp")  # windows of all inputs last as long: u is the same time
        line = timeline(x)
        samples = line.shape[1]
        u = np.arange(samples) / samples
        waves = np.stack([np.sin(np.pi * k * u) / (math.pi * k) for k in range(1, _WAVES + 1)])
        moved = samples * ops.matmul(bends, waves.astype("float32"))
        place = ops.clip(np.arange(samples, dtype="float32") + moved, 0.0, samples - 1.0)
        before = ops.floor(place)
        part = (place - before)[:, :, None]
        left = ops.cast(before, "int32")
        values = at_places(line, left)
        right = at_places(line, ops.minimum(left + 1, samples - 1))
        return ops.reshape(values + part * (right - values), ops.shape(x))
