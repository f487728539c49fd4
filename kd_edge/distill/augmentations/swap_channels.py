"""No single channel may decide: some are another example's."""

from __future__ import annotations

from typing import Annotated, ClassVar

from keras import ops
from pydantic import Field

from kd_edge.distill.augmentations.record import Augmentation, Draw, beside, per_channel


class SwapChannels(Augmentation):
    """Some channels of another example of the batch; labels count by the share of channels.

    What CutMix does with regions of pictures (S. Yun et al., "CutMix: Regularization Strategy to
    Train Strong Classifiers with Localizable Features", ICCV 2019), with channels. A teacher says
    what it thinks of the whole: the student learns it where no recording has been.

    Options:
        largest_share: of the channels, 0 to 0.5. Each example draws a share up to it, and each
            channel is swapped by that chance.
    """

    largest_share: Annotated[float, Field(ge=0, le=0.5)]
    mixes: ClassVar[bool] = True

    def mix(self, inputs, others, draw: Draw):
        share = self.largest_share * (draw.uniform() + 1) / 2
        swapped = {}
        for name, x in inputs.items():
            chance = (per_channel(name, x, draw, draw.uniform) + 1) / 2
            swapped[name] = ops.where(chance < beside(share, x), others[name], x)
        return swapped, share
