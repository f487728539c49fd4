"""What an augmentation is: typed options, and a function of one batch's inputs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import keras
import numpy as np
from keras import ops
from pydantic import BaseModel, ConfigDict, model_validator

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.front_end import InputChannel
from kd_edge.distill.batch import Tensor

# Of the table of normal numbers; a power of 2.
_TABLE = 1 << 20


@dataclass(frozen=True, eq=False)
class Draw:
    """Random numbers of one batch, and what an augmentation must know of its inputs.

    Attributes:
        n: examples in the batch.
        rates_hz: samples a second of each input that has a time axis.
        channels: of each input that came from sensors, in the order of its last axis.
        seeds: Keras's generator; its state goes on from step to step.
    """

    n: Tensor
    rates_hz: Mapping[str, float]
    channels: Mapping[str, tuple[InputChannel, ...]]
    seeds: keras.random.SeedGenerator

    def normal(self, *shape: int) -> Tensor:
        """(n, *shape) float32, of mean 0 and deviation 1."""
        return keras.random.normal((self.n, *shape), seed=self.seeds)

    def noise(self, *shape: int) -> Tensor:
        """(n, *shape) float32 of mean 0 and deviation 1, for a number for every value.

        Each example's are a stretch of one table, from a random place on: on a CPU some 30 times
        as fast as `normal`. The table is an idea of T. Salimans et al., "Evolution Strategies as a
        Scalable Alternative to Reinforcement Learning", 2017, section 2.1.
        """
        size = math.prod(shape)
        start = keras.random.randint((self.n, 1), 0, _TABLE, seed=self.seeds)
        places = ops.bitwise_and(start + np.arange(size, dtype="int32"), _TABLE - 1)
        return ops.reshape(ops.take(_normal_table(), places), (self.n, *shape))

    def uniform(self, *shape: int) -> Tensor:
        """(n, *shape) float32, from -1 to 1."""
        return keras.random.uniform((self.n, *shape), -1.0, 1.0, seed=self.seeds)


@cache
def _normal_table() -> np.ndarray:
    return np.random.default_rng(0).standard_normal(_TABLE).astype("float32")


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

    # By `mix`, in place of `change`, it brings another example into each: the truth is mixed too.
    mixes: ClassVar[bool] = False

    def mix(
        self, inputs: dict[str, Tensor], others: dict[str, Tensor], draw: Draw
    ) -> tuple[dict[str, Tensor], Tensor]:
        """The inputs with something of another example, and (n,) how much of it, from 0 to 1.

        Args:
            inputs: as of `change`. others: another example for each.
        """
        raise NotImplementedError

    def change(self, inputs: dict[str, Tensor], draw: Draw) -> dict[str, Tensor]:
        """The inputs, changed.

        Args:
            inputs: name -> (n, samples, channels) or (n, steps, samples, channels), normalised.
        """
        raise NotImplementedError

    def change_both(
        self, inputs: dict[str, Tensor], truth: Tensor, draw: Draw
    ) -> tuple[dict[str, Tensor], Tensor]:
        """The inputs changed, and their truth.

        One that moves what has a class, such as pixels, has this in place of `change`.

        Args:
            inputs: as of `change`. truth: (n, ...) integers.
        """
        return self.change(inputs, draw), truth


def per_channel(name: str, x: Tensor, draw: Draw, random: Callable[..., Tensor]) -> Tensor:
    """Numbers of `Draw.normal` or `.uniform`, one a channel of an input: (n, 1, ..., channels)
    float32. What comes of one electrode, its signal and its differences, has one number."""
    own = [(c.modality, c.name) for c in draw.channels.get(name, ())] or [*range(x.shape[-1])]
    electrodes = list(dict.fromkeys(own))
    numbers = random(*(1,) * (len(x.shape) - 2), len(electrodes))
    if len(electrodes) == len(own):
        return numbers
    return ops.take(numbers, [electrodes.index(each) for each in own], axis=-1)


def beside(values: Tensor, x: Tensor) -> Tensor:
    """(n,) values as (n, 1, ...), to be put beside (n, ...)."""
    return ops.reshape(values, (-1,) + (1,) * (len(x.shape) - 1))


def rate_of(name: str, draw: Draw, augmentation: str) -> float:
    """Samples a second of an input.

    Raises:
        KdEdgeError KD_RECIPE_VALUE: it has no time axis.
    """
    if name not in draw.rates_hz:
        raise KdEdgeError(
            "KD_RECIPE_VALUE",
            f"input '{name}' has no time axis, which '{augmentation}' moves along",
            where=f"augmentation.{augmentation}",
            hint="leave it out: it is for sensors",
        )
    return draw.rates_hz[name]


def at_places(line: Tensor, places: Tensor) -> Tensor:
    """The samples of (n, samples, channels) at (n, samples) integer places."""
    n, (samples, channels) = ops.shape(line)[0], line.shape[1:]
    # Whole rows of one long table: three times as fast as value by value.
    rows = places + samples * ops.arange(n, dtype="int32")[:, None]
    return ops.take(ops.reshape(line, (-1, channels)), rows, axis=0)


def across_channels(x: Tensor, change: Tensor, channels: Sequence[InputChannel]) -> Tensor:
    """An input plus what its channels add to each other, in the sensors' own units.

    Args:
        x: (n, [steps,] samples, channels), normalised.
        change: (n, channels, channels), what a unit of the second channel adds to the first; all 0
            changes nothing.
    """
    scale = ops.convert_to_tensor([c.scale for c in channels], "float32")
    mean = ops.convert_to_tensor([c.mean for c in channels], "float32")
    own_units = timeline(x) / scale + mean
    added = ops.matmul(own_units, ops.transpose(change, (0, 2, 1))) * scale
    return x + ops.reshape(added, ops.shape(x))


def timeline(x: Tensor) -> Tensor:
    """(n, [steps,] samples, channels) -> (n, all samples, channels)."""
    samples = 1
    for length in x.shape[1:-1]:
        samples *= length
    return ops.reshape(x, (-1, samples, x.shape[-1]))
