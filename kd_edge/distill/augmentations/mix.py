"""What lies between two examples is between them for the teacher as well."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from kd_edge.distill.augmentations.record import Augmentation, Draw, beside


class Mix(Augmentation):
    """Each example plus a share of another one of the batch; labels count by the same shares.

    (1 - λ) x_i + λ x_j; H. Zhang, M. Cisse, Y. N. Dauphin, D. Lopez-Paz, "mixup: Beyond Empirical
    Risk Minimization", ICLR 2018. λ is even from 0 to `largest_share`: up to 0.5 either example
    has the larger share as often, as if λ were even from 0 to 1.

    Options:
        largest_share: of the other example, 0 to 0.5; every share up to it is as likely.
    """

    largest_share: Annotated[float, Field(ge=0, le=0.5)]

    mixes: ClassVar[bool] = True

    def mix(self, inputs, others, draw: Draw):
        share = self.largest_share * (draw.uniform() + 1) / 2
        return {n: x + beside(share, x) * (others[n] - x) for n, x in inputs.items()}, share
