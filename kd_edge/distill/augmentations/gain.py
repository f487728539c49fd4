"""A channel may be stronger or weaker on another day."""

from __future__ import annotations

from typing import Annotated

from keras import ops
from pydantic import Field

from kd_edge.distill.augmentations.record import Augmentation, Draw, per_channel


class Gain(Augmentation):
    """Each channel of each input times a factor, whose logarithm is normal.

    Options:
        deviation: of the logarithm, 0 to 2.
    """

    deviation: Annotated[float, Field(ge=0, le=2)]

    def change(self, inputs, draw: Draw):
        return {
            name: x * ops.exp(self.deviation * per_channel(name, x, draw, draw.normal))
            for name, x in inputs.items()
        }
