"""Numbers that change while a student learns: weights and temperatures over the epochs."""

from __future__ import annotations

import math
from typing import Literal

from keras import ops
from pydantic import BaseModel, ConfigDict, PositiveFloat

from kd_edge.base.errors import KdEdgeError


class Ramp(BaseModel):
    """A number that moves from `start` to `end` over `epochs`, then stays.

    'linear': a straight line. 'cosine': half a cosine, level at both ends,
    start + (end - start) (1 - cos(π epoch / epochs)) / 2; I. Loshchilov, F. Hutter, "SGDR:
    Stochastic Gradient Descent with Warm Restarts", ICLR 2017, equation 5.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    start: float
    end: float
    epochs: PositiveFloat
    shape: Literal["linear", "cosine"] = "linear"

    def at(self, epoch):
        """Its value at an epoch (a number or a tensor), counted from 0."""
        part = ops.minimum(epoch / self.epochs, 1.0)
        if self.shape == "cosine":
            part = (1 - ops.cos(math.pi * part)) / 2
        return self.start + (self.end - self.start) * part


class PositiveRamp(Ramp):
    """A ramp between numbers above 0."""

    start: PositiveFloat
    end: PositiveFloat


# What a recipe may write for a temperature: a number, or a table of a ramp.
Temperature = PositiveFloat | PositiveRamp


def value_at(number: float | Ramp, epoch):
    """The number itself, or a ramp's value at that epoch."""
    return number.at(epoch) if isinstance(number, Ramp) else number


def require_positive(temperature) -> None:
    """Refuse a temperature that is not above 0; a tensor's is not looked at: a ramp has checked it.

    Raises:
        KdEdgeError KD_RECIPE_VALUE: it is not.
    """
    if isinstance(temperature, int | float) and not temperature > 0:
        raise KdEdgeError("KD_RECIPE_VALUE", f"temperature must be positive, not {temperature}")
