"""What an augmentation is: typed options, and a function of one batch's inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import keras
from keras import ops
from pydantic import BaseModel, ConfigDict, model_validator

from kd_edge.distill.batch import Tensor


@dataclass(frozen=True, eq=False)
class Draw:
    """Random numbers of one batch, and what an augmentation must know of its inputs.

    Attributes:
        n: examples in the batch.
        rates_hz: samples a second of each input that has a time axis.
        seeds: Keras's generator; its state goes on from step to step.
    """

    n: Tensor
    rates_hz: Mapping[str, float]
    seeds: keras.random.SeedGenerator

    def normal(self, *shape: int) -> Tensor:
        """(n, *shape) of deviation 1."""
        return keras.random.normal((self.n, *shape), seed=self.seeds)

    def uniform(self, *shape: int) -> Tensor:
        """(n, *shape) from -1 to 1."""
        return keras.random.uniform((self.n, *shape), -1.0, 1.0, seed=self.seeds)


class Augmentation(BaseModel):
    """A plausible change of an example; a subclass's fields are the keys that a recipe may set.

    A recipe may give the first field's value alone in place of a table.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _first_field(cls, value):
        if isinstance(value, int | float) and not isinstance(value, bool):
            return {next(iter(cls.model_fields)): value}
        return value

    def share(self, draw: Draw) -> Tensor | None:
        """(n,) share of another example that is mixed into each; None: no example gets another's.

        One that mixes has this in place of `change`: the truth is mixed as well, and not here.
        """
        del draw
        return None

    def change(self, inputs: dict[str, Tensor], draw: Draw) -> dict[str, Tensor]:
        """The inputs, changed.

        Args:
            inputs: name -> (n, [steps,] samples, channels), normalised.
        """
        raise NotImplementedError


def per_channel(x: Tensor, draw: Draw) -> Tensor:
    """Normal numbers, one a channel of an input: (n, 1, ..., channels)."""
    return draw.normal(*(1,) * (len(x.shape) - 2), x.shape[-1])


def timeline(x: Tensor) -> Tensor:
    """(n, [steps,] samples, channels) -> (n, all samples, channels)."""
    samples = 1
    for length in x.shape[1:-1]:
        samples *= length
    return ops.reshape(x, (-1, samples, x.shape[-1]))
