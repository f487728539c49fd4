"""A gesture may begin earlier or later in its window."""

from __future__ import annotations

from typing import Annotated

from keras import ops
from pydantic import Field

from kd_edge.distill.augmentations.record import Augmentation, Draw, at_places, rate_of, timeline


class Shift(Augmentation):
    """All inputs of a window together, earlier or later in time; the edge value fills the gap.

    Options:
        largest_s: largest shift in seconds, either way; every shift up to it is as likely.
    """

    largest_s: Annotated[float, Field(ge=0)]

    def change(self, inputs, draw: Draw):
        part = draw.uniform()  # one for all inputs: they were recorded at the same time
        return {name: self._shifted(name, x, part, draw) for name, x in inputs.items()}

    def _shifted(self, name: str, x, part, draw: Draw):
        largest = round(self.largest_s * rate_of(name, draw, "shift"))
        line = timeline(x)
        samples = line.shape[1]
        shift = ops.cast(ops.round(part * largest), "int32")
        source = ops.clip(ops.arange(samples)[None, :] - shift[:, None], 0, samples - 1)
        return ops.reshape(at_places(line, source), ops.shape(x))
