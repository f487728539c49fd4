"""Types of an operator's tensors, and whether a row of them fits."""

from __future__ import annotations

from dataclasses import dataclass

from kd_edge.base.flatbuffer import Tensor

ALL: tuple[int, ...] = ()  # every input counts


@dataclass(frozen=True)
class OperatorTypes:
    """Rows of one operator, as `operator_table` states them.

    Attributes:
        computed: what the plain-C engine computes, bit for bit as TFLite Micro.
        tflm_alone: what TFLite Micro computes beside that.
        inputs: positions of the inputs that the rows name; the last one may be absent.
    """

    computed: tuple[str, ...]
    tflm_alone: tuple[str, ...] = ()
    inputs: tuple[int, ...] = (0,)

    @property
    def tflm(self) -> tuple[str, ...]:
        """All that TFLite Micro computes."""
        return self.computed + self.tflm_alone


def signature_of(
    types: OperatorTypes, inputs: tuple[Tensor | None, ...], outputs: tuple[Tensor, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Types of the inputs that count and are there, and of the outputs, each named once."""
    places = types.inputs or range(len(inputs))
    given = (inputs[i] if i < len(inputs) else None for i in places)
    results = tuple(dict.fromkeys(tensor.dtype for tensor in outputs))
    return tuple(tensor.dtype for tensor in given if tensor is not None), results


def matches(row: str, given: tuple[str, ...], results: tuple[str, ...]) -> bool:
    """Whether types are those of a row; the last input that it names may be absent."""
    before, _, behind = row.partition("->")
    if not behind:
        return set(given) == {row} == set(results)
    named = tuple(before.split())
    absent = len(named) - len(given)
    fits = absent in (0, 1 if len(named) > 1 else 0)
    return fits and given == named[: len(given)] and results == (behind.strip(),)


def named(given: tuple[str, ...], results: tuple[str, ...]) -> str:
    """The types as a row has them."""
    alike = dict.fromkeys(given + results)
    return next(iter(alike)) if len(alike) == 1 else f"{' '.join(given)} -> {' '.join(results)}"
