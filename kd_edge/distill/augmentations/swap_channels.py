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
        largest_share: of the channels, 0 to 0.5. Each example draws a chance up to it, and each
            channel is swapped by that chance. Labels count by the share that was.
    """

    largest_share: Annotated[float, Field(ge=0, le=0.5)]
    mixes: ClassVar[bool] = True

    def mix(self, inputs, others, draw: Draw):
        chance = self.largest_share * (draw.uniform() + 1) / 2
        changed, shares = {}, []
        for name, x in inputs.items():
            drawn = (per_channel(name, x, draw, draw.uniform) + 1) / 2
            swapped = drawn < beside(chance, x)
            changed[name] = ops.where(swapped, others[name], x)
            shares.append(ops.reshape(ops.cast(swapped, x.dtype), (-1, x.shape[-1])))
        return changed, ops.mean(ops.concatenate(shares, axis=1), axis=1)
