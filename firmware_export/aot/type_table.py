"""The types that the plain-C engine and TFLite Micro compute each operator on.

A row names the types of an operator's inputs, then that of its outputs: `int8 int4 int32 -> int8`
is a layer of int8 values with int4 weights and int32 biases. If all have one type, the row is that
type. Shapes, axes and amounts do not count.

Tests hold each row, and each type without one, against TFLite Micro's interpreter. Lowerings check
their operator with the table, and errors quote it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kd_edge.base.flatbuffer import Tensor

ALL: tuple[int, ...] = ()  # every input counts


@dataclass(frozen=True)
class OperatorTypes:
    """Rows of one operator.

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


def _alike(computed: str, tflm_alone: str = "", inputs: tuple[int, ...] = (0,)) -> OperatorTypes:
    return OperatorTypes(tuple(computed.split()), tuple(tflm_alone.split()), inputs)


_WEIGHTS = (0, 1, 2)
_INT4 = "int8 int4 int32 -> int8"
_INT8 = "int8 int8 int32 -> int8"
_WIDE = "int16 int8 int64 -> int16"
_WIDE_SHORT_BIAS = "int16 int8 int32 -> int16"
_QUANTISED = _alike("int8 int16", "float32")
_TABLE = _alike("int8", "float32")
_PAIR = (0, 1)
_MOVED = _alike("int8 int16 int32 float32")
_ANY = _alike("int8 uint8 int16 int32 int64 float32 bool")

TYPES: Mapping[str, OperatorTypes] = {
    **dict.fromkeys(
        ("CONV_2D", "FULLY_CONNECTED"),
        OperatorTypes((_INT8, _INT4, _WIDE, _WIDE_SHORT_BIAS), ("float32",), _WEIGHTS),
    ),
    "DEPTHWISE_CONV_2D": OperatorTypes((_INT8, _INT4, _WIDE), ("float32",), _WEIGHTS),
    "TRANSPOSE_CONV": OperatorTypes(
        (_INT8, "int8 int16 int64 -> int16", "int8 int16 int16 -> int16"), ("float32",), (1, 2, 3)
    ),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": OperatorTypes(
        ("int8 int8 int32 int16 -> int8", "int16 int8 int64 int16 -> int16"),
        ("float32",),
        (0, 1, 12, 19),
    ),
    "SVDF": OperatorTypes(
        ("int8 int8 int8 int32 int8 -> int8", "int8 int8 int16 int32 int16 -> int8"),
        ("float32",),
        (0, 1, 2, 3, 4),
    ),
    **dict.fromkeys(("AVERAGE_POOL_2D", "MAX_POOL_2D"), _QUANTISED),
    **dict.fromkeys(("ADD", "SUB"), _alike("int8 int16", "float32", _PAIR)),
    "MUL": _alike("int8 int16", "float32 int32", _PAIR),
    **dict.fromkeys(("MAXIMUM", "MINIMUM"), _alike("int8 int16", "float32 int32 int64", _PAIR)),
    **dict.fromkeys(("LOGISTIC", "TANH", "RELU", "RELU6", "LEAKY_RELU"), _QUANTISED),
    "HARD_SWISH": _TABLE,
    "ABS": _alike("int8", "int16 float32"),
    "SOFTMAX": OperatorTypes(("int8", "int16", "int8 -> int16"), ("float32",)),
    "QUANTIZE": OperatorTypes(
        (
            *("float32 -> int8", "float32 -> int16"),
            *("int8", "int8 -> uint8", "int8 -> int16", "int8 -> int32", "uint8 -> int8"),
            *("int16", "int16 -> int8", "int16 -> int32", "int32 -> int8", "int32 -> int16"),
        )
    ),
    "DEQUANTIZE": OperatorTypes(("int8 -> float32", "uint8 -> float32", "int16 -> float32")),
    **dict.fromkeys(("MEAN", "SUM"), _QUANTISED),
    "ARG_MAX": OperatorTypes(("int8 -> int32",), ("float32 -> int32",)),
    "RESIZE_NEAREST_NEIGHBOR": _alike("int8 int16 float32"),
    "RESIZE_BILINEAR": _TABLE,
    "CONCATENATION": _alike("int8 int16 int32 int64 float32 bool", "", ALL),
    "PACK": _alike("int8 int16 int32 int64 float32", "", ALL),
    "PAD": _MOVED,
    "PADV2": _alike("int8 int16 int32 float32", "", (0, 2)),
    **dict.fromkeys(("RESHAPE", "SQUEEZE"), _ANY),
    **dict.fromkeys(("EXPAND_DIMS", "TRANSPOSE"), _alike("int8 int16 float32")),
    **dict.fromkeys(("SLICE", "STRIDED_SLICE"), _alike("int8 int16 int32 float32 bool")),
    **dict.fromkeys(("SPLIT_V", "UNPACK"), _MOVED),
    "SPLIT": _alike("int8 int16 int32 float32", "", (1,)),
}

# Operators whose second input may be of packed int4.
INT4_WEIGHTS = frozenset(
    op for op, types in TYPES.items() if any("int4" in row for row in types.computed)
)


def signature_of(
    op: str, inputs: tuple[Tensor | None, ...], outputs: tuple[Tensor, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Types of the inputs that count and are there, and of the outputs, each named once."""
    places = TYPES[op].inputs or range(len(inputs))
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
