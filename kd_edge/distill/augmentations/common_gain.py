"""An arm may be tense, or the skin dry, for all channels at once."""

from __future__ import annotations

from typing import Annotated

from keras import ops
from pydantic import Field

from kd_edge.distill.augmentations.record import Augmentation, Draw


class CommonGain(Augmentation):
    """All channels of an input times one factor, whose logarithm is normal.

    Options:
        deviation: of the logarithm, 0 to 2.
    """

    deviation: Annotated[float, Field(ge=0, le=2)]

    def change(self, inputs, draw: Draw):
        return {n: x * ops.exp(self.deviation * self._one(x, draw)) for n, x in inputs.items()}

    def _one(self, x, draw: Draw):
        return draw.normal(*(1,) * (len(x.shape) - 1))
