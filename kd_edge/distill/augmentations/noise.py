"""Sensors and amplifiers are noisy."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from kd_edge.distill.augmentations.record import Augmentation, Draw


class Noise(Augmentation):
    """Each value plus a normal number of its own.

    Options:
        deviation: in normalised units, 0 to 2.
    """

    deviation: Annotated[float, Field(ge=0, le=2)]

    def change(self, inputs, draw: Draw):
        return {n: x + self.deviation * draw.noise(*x.shape[1:]) for n, x in inputs.items()}
