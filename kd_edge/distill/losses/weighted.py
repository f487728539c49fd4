"""Several losses as one: a sum whose weights may change over the epochs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import keras
from keras import ops
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SerializeAsAny

from kd_edge.distill.batch import Batch, Tensor
from kd_edge.distill.losses.record import Loss, Taps
from kd_edge.distill.losses.sample_weights import SAMPLE_WEIGHTS
from kd_edge.distill.losses.schedule import Ramp, value_at


class Term(BaseModel):
    """A loss of the sum, and what it weighs.

    Attributes:
        weight: a number, or a `Ramp` over the epochs.
        sample_weight: a name in `SAMPLE_WEIGHTS`; each example's loss is multiplied by it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    loss: SerializeAsAny[Loss]
    weight: float | Ramp = 1.0
    sample_weight: Annotated[str, AfterValidator(SAMPLE_WEIGHTS.known)] | None = None

    @property
    def needs_teacher(self) -> bool:
        """Whether the loss or the weight reads what teachers say."""
        return self.loss.needs_teacher or self.sample_weight is not None

    def values(self, batch: Batch, layers: Mapping[str, keras.Layer]) -> Tensor:
        """(batch,) of the weighed loss, in the loss's unit."""
        values = value_at(self.weight, batch.epoch) * self.loss.values(batch, layers)
        if self.sample_weight is None:
            return values
        return values * ops.stop_gradient(SAMPLE_WEIGHTS[self.sample_weight](batch))


# Keys of a term's table; all others are options of its loss.
_BESIDE = tuple(Term.model_fields)


class WeightedSum(Loss):
    """sum_i weight_i(epoch) * loss_i.

    Options:
        terms: tables of `loss`, `weight` (a number, or a ramp), `sample_weight` and the options of
            that loss.
    """

    terms: Annotated[tuple[Term, ...], Field(min_length=1)]

    @property
    def needs_teacher(self) -> bool:
        return any(term.needs_teacher for term in self.terms)

    def balanced(self, class_weights: tuple[float, ...]) -> WeightedSum:
        terms = tuple(
            term.model_copy(update={"loss": term.loss.balanced(class_weights)})
            for term in self.terms
        )
        return self.model_copy(update={"terms": terms})

    def taps(self) -> Taps:
        return sum((term.loss.taps() for term in self.terms), Taps())

    def layers(self, student: Mapping[str, tuple], teacher: Mapping[str, tuple]):
        return {
            _part(index, name): layer
            for index, term in enumerate(self.terms)
            for name, layer in term.loss.layers(student, teacher).items()
        }

    def check_classes(self, n_classes: int) -> None:
        for term in self.terms:
            term.loss.check_classes(n_classes)

    def values(self, batch: Batch, layers):
        total = 0.0
        for index, term in enumerate(self.terms):
            total = total + term.values(batch, _own(index, layers))
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
        beside = {key: table[key] for key in _BESIDE if key in table}
        read.append(beside | {"loss": loss})
    return {**options, "terms": read}


def _part(index: int, name: str) -> str:
    return f"{index}.{name}"


def _own(index: int, layers: Mapping[str, keras.Layer]) -> dict[str, keras.Layer]:
    start = _part(index, "")
    return {name[len(start) :]: layer for name, layer in layers.items() if name.startswith(start)}
