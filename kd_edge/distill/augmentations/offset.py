"""A channel may rest at another level on another day."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from kd_edge.distill.augmentations.record import Augmentation, Draw, per_channel


class Offset(Augmentation):
    """Each channel of each input plus a normal number.

    Options:
        deviation: in normalised units, 0 to 2.
    """

    deviation: Annotated[float, Field(ge=0, le=2)]

    def change(self, inputs, draw: Draw):
        return {
            name: x + self.deviation * per_channel(name, x, draw, draw.normal)
            for name, x in inputs.items()
        }
