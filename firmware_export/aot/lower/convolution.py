"""One convolution, whatever operator it comes from and whatever kernel computes it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firmware_export.aot.lower.conv_geometry import Geometry
from firmware_export.aot.lower.conv_quantisation import Narrowing
from kd_edge.base.flatbuffer import Tensor


@dataclass(frozen=True)
class Placement:
    """Where output pixels go, in values: the first, from one to the next, and more behind a row."""

    first: int
    step: int
    row_gap: int


@dataclass(frozen=True, eq=False)
class Convolution:
    """One convolution, whatever operator it comes from.

    Attributes:
        weights: int8 (output channels, kernel rows, kernel columns, channels of a group).
        placement: of the output's pixels; None where they follow each other.
        packed: the weights are of 4 bits and stay two to a byte.
    """

    source: Tensor
    result: Tensor
    geometry: Geometry
    weights: np.ndarray
    narrowing: Narrowing
    placement: Placement | None = None
    packed: bool = False
    note: str = ""

    @property
    def groups(self) -> int:
        return self.geometry.in_channels // self.weights.shape[3]

    @property
    def rows(self) -> np.ndarray:
        """The weights as int8 (output channels, window)."""
        return self.weights.reshape(len(self.weights), -1)

    @property
    def macs(self) -> int:
        return self.geometry.pixels * self.weights.size

    @property
    def placed(self) -> Placement:
        return self.placement or Placement(0, len(self.weights), 0)
