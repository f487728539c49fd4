"""An electrode may come off."""

from __future__ import annotations

from typing import Annotated

from keras import ops
from pydantic import Field

from kd_edge.distill.augmentations.record import Augmentation, Draw, per_channel


class ChannelDropout(Augmentation):
    """Channels at 0, their mean, throughout a window.

    Options:
        share: of all channels, each by its own chance, 0 to below 1.
    """

    share: Annotated[float, Field(ge=0, lt=1)]

    def change(self, inputs, draw: Draw):
        return {name: x * self._stays(name, x, draw) for name, x in inputs.items()}

    def _stays(self, name: str, x, draw: Draw):
        chance = (per_channel(name, x, draw, draw.uniform) + 1) / 2
        return ops.cast(chance >= self.share, x.dtype)
