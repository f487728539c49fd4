"""Several losses as one: a sum whose weights may change over the epochs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import keras
from keras import ops
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, SerializeAsAny

from kd_edge.distill.batch import Batch
from kd_edge.distill.losses.record import Loss, Taps

_BESIDE = ("loss", "weight")


class Ramp(BaseModel):
    """A number that moves in a straight line from `start` to `end` over `epochs`, then stays."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    start: float
    end: float
    epochs: PositiveFloat

    def at(self, epoch):
        """Its value at an epoch (a number or a tensor), counted from 0."""
        return self.start + (self.end - self.start) * ops.minimum(epoch / self.epochs, 1.0)


class Term(BaseModel):
    """A loss of the sum, and what it weighs: a number, or a `Ramp`."""

    model_config = ConfigDict(frozen=True)

    loss: SerializeAsAny[Loss]
    weight: float | Ramp = 1.0

    def at(self, epoch):
        """The weight at an epoch."""
        return self.weight.at(epoch) if isinstance(self.weight, Ramp) else self.weight


class WeightedSum(Loss):
    """sum_i weight_i(epoch) * loss_i.

    Options:
        terms: tables of `loss`, `weight` (a number, or `{start, end, epochs}`) and the options of
            that loss.
    """

    terms: Annotated[tuple[Term, ...], Field(min_length=1)]

    @property
    def needs_teacher(self) -> bool:
        return any(term.loss.needs_teacher for term in self.terms)

    def taps(self) -> Taps:
        return sum((term.loss.taps() for term in self.terms), Taps())

    def parts(self, student: Mapping[str, tuple], teacher: Mapping[str, tuple]):
        return {
            _part(index, name): layer
            for index, term in enumerate(self.terms)
            for name, layer in term.loss.parts(student, teacher).items()
        }

    def values(self, batch: Batch, parts):
        total = 0.0
        for index, term in enumerate(self.terms):
            own = _own(index, parts)
            total = total + term.at(batch.epoch) * term.loss.values(batch, own)
        return total


def read_terms(options: Mapping[str, Any], make) -> dict[str, Any]:
    """A recipe's tables as terms.

    Args:
        options: of the sum, as the recipe has them.
        make: (loss name, its options, where) -> Loss.
    """
    terms = options.get("terms")
    if not isinstance(terms, list | tuple) or not all(isinstance(t, Mapping) for t in terms):
        return dict(options)
    read = []
    for index, table in enumerate(terms):
        own = {key: value for key, value in table.items() if key not in _BESIDE}
        loss = make(table.get("loss", ""), own, f"terms.{index}")
        read.append({"loss": loss} | ({"weight": table["weight"]} if "weight" in table else {}))
    return {**options, "terms": read}


def _part(index: int, name: str) -> str:
    return f"{index}.{name}"


def _own(index: int, parts: Mapping[str, keras.Layer]) -> dict[str, keras.Layer]:
    start = _part(index, "")
    return {name[len(start) :]: part for name, part in parts.items() if name.startswith(start)}
