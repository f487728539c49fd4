"""A band of electrodes may be put on turned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from keras import ops
from pydantic import Field

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.front_end import InputChannel
from kd_edge.distill.augmentations.record import Augmentation, Draw, across_channels


class RotateRing(Augmentation):
    """The electrodes of a ring moved around it, by fractions of a position.

    Between two electrodes a value is interpolated in a straight line, in the sensor's own units.
    The channels of the modality stand in the order of the ring. Their differences turn with them.

    Options:
        largest: positions at most, either way; every turn up to it is as likely.
        modality: of the ring's channels, `emg` if you leave it out.
        electrodes: in one ring, if the modality has several rings, one after the other; each turns
            by itself.
    """

    largest: Annotated[float, Field(ge=0)]
    modality: str = "emg"
    electrodes: Annotated[int, Field(ge=2)] | None = None

    def change(self, inputs, draw: Draw):
        # Of all inputs, also those that one model does not take.
        rings = {name: self._rings(name, channels) for name, channels in draw.channels.items()}
        most = max(map(len, rings.values()), default=0)
        if most == 0:
            raise KdEdgeError(
                "KD_RECIPE_VALUE",
                f"no input has channels of '{self.modality}' to turn",
                where="augmentation.rotate-ring",
                hint="name the modality of the ring: rotate-ring = { largest = 0.5, modality = … }",
            )
        turn = self.largest * draw.uniform(most)
        return {
            name: self._turned(x, turn, rings[name], draw.channels[name]) if rings.get(name) else x
            for name, x in inputs.items()
        }

    def _rings(self, name: str, channels: Sequence[InputChannel]) -> list[list[list[int]]]:
        """Of each ring, places of its channels in an input, for the signal and each difference."""
        places: dict[int, list[int]] = {}
        for place, channel in enumerate(channels):
            if channel.modality == self.modality:
                places.setdefault(channel.difference, []).append(place)
        own = places.get(0, [])
        size = self.electrodes or max(len(own), 1)
        if len(own) % size:
            raise KdEdgeError(
                "KD_RECIPE_VALUE",
                f"input '{name}' has {len(own)} channels of '{self.modality}', which are no rings "
                f"of {size}",
                where="augmentation.rotate-ring.electrodes",
                hint="name the electrodes of one ring",
            )
        return [
            [each[start : start + size] for each in places.values()]
            for start in range(0, len(own), size)
        ]

    def _turned(self, x, turn, rings, channels):
        change = 0.0
        for ring, places in enumerate(rings):
            size = len(places[0])
            moved = ring_turn(turn[:, ring], size) - np.eye(size, dtype=np.float32)
            for each in places:
                own = np.zeros((size, len(channels)), np.float32)
                own[np.arange(size), each] = 1
                change = change + ops.einsum("ac,nab,bd->ncd", own, moved, own)
        return across_channels(x, change, channels)


def ring_turn(turn, size: int):
    """(n, size, size) weights that move a ring of channels by `turn` positions, as np.roll does.

    Args:
        turn: (n,) positions; fractions take from the two nearest channels.
    """
    to, of = np.arange(size, dtype=np.float32)[:, None], np.arange(size, dtype=np.float32)[None]
    apart = ops.mod(of - to + turn[:, None, None] + size / 2, size) - size / 2
    return ops.maximum(1 - ops.abs(apart), 0.0)
