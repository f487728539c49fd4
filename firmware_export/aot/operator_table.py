"""The operators that the plain-C engine computes: one record each, with all that is known of them.

A row of types names those of an operator's inputs, then that of its outputs: `int8 int4 int32 ->
int8` is a layer of int8 values with int4 weights and int32 biases. If all have one type, the row is
that type. Shapes, axes and amounts do not count.

Tests hold each row, and each type without one, against TFLite Micro's interpreter. Lowerings check
their operator with its record, and errors quote it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from firmware_export.aot import agreement
from firmware_export.aot.forms import ONE_INPUT, Form
from firmware_export.aot.graph import Node
from firmware_export.aot.operator_types import ALL, OperatorTypes
from kd_edge.base.registry import Registry


@dataclass(frozen=True)
class Operator:
    """What is known of an operator; `lower.LOWERINGS` has how it is computed.

    Attributes:
        name: the schema's.
        types: that it is computed on.
        form: how many inputs, outputs and axes it has, and which options.
        states: positions among its inputs of the tensors that it keeps from run to run. They lie
            in memory of its own, which nothing else can read or write.
        agrees: refuses a node whose options say something else than its shapes; None where no
            option says again what shapes say.
    """

    name: str
    types: OperatorTypes
    form: Form = ONE_INPUT
    states: tuple[int, ...] = ()
    agrees: Callable[[Node], None] | None = None

    @property
    def takes_int4(self) -> bool:
        """Whether its second input may be of packed int4."""
        return any("int4" in row for row in self.types.computed)


def facts_of(name: str) -> Operator:
    """The record of an operator; one that asks for nothing of an operator that is unknown."""
    return OPERATORS.get(name) or Operator(name, OperatorTypes(()))


def _alike(computed: str, tflm_alone: str = "", inputs: tuple[int, ...] = (0,)) -> OperatorTypes:
    return OperatorTypes(tuple(computed.split()), tuple(tflm_alone.split()), inputs)


_WEIGHTS = (0, 1, 2)
_INT4 = "int8 int4 int32 -> int8"
_INT8 = "int8 int8 int32 -> int8"
_WIDE = "int16 int8 int64 -> int16"
_WIDE_SHORT_BIAS = "int16 int8 int32 -> int16"
_LAYER = OperatorTypes((_INT8, _INT4, _WIDE, _WIDE_SHORT_BIAS), ("float32",), _WEIGHTS)
_QUANTISED = _alike("int8 int16", "float32")
_TABLE = _alike("int8", "float32")
_PAIR = (0, 1)
_SUMS = _alike("int8 int16", "float32", _PAIR)
_EXTREMA = _alike("int8 int16", "float32 int32 int64", _PAIR)
_MOVED = _alike("int8 int16 int32 float32")
_SLICED = _alike("int8 int16 int32 float32 bool")
_GROWN = _alike("int8 int16 float32")
_ANY = _alike("int8 uint8 int16 int32 int64 float32 bool")

_WINDOW = ("padding", "stride_h", "stride_w")
_POOL = Form(ranks=(4,), options=(*_WINDOW, "filter_height", "filter_width"), kind="Pool2DOptions")
_REDUCER = Form(2, 2, kind="ReducerOptions")
_STRIDED = tuple(f"{name}_mask" for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis"))

OPERATORS: Registry[Operator] = Registry(
    "operator",
    (
        Operator(
            "CONV_2D", _LAYER, Form(2, 3, ranks=(4, 4), options=_WINDOW, kind="Conv2DOptions")
        ),
        Operator(
            "DEPTHWISE_CONV_2D",
            OperatorTypes((_INT8, _INT4, _WIDE), ("float32",), _WEIGHTS),
            Form(
                2,
                3,
                ranks=(4, 4),
                options=(*_WINDOW, "depth_multiplier"),
                kind="DepthwiseConv2DOptions",
            ),
            agrees=agreement.depth_multiplier,
        ),
        Operator(
            "TRANSPOSE_CONV",
            OperatorTypes(
                (_INT8, "int8 int16 int64 -> int16", "int8 int16 int16 -> int16"),
                ("float32",),
                (1, 2, 3),
            ),
            Form(3, 4, ranks=(1, 4, 4), options=_WINDOW, kind="TransposeConvOptions"),
        ),
        Operator(
            "FULLY_CONNECTED",
            _LAYER,
            Form(2, 3, ranks=(None, 2), kind="FullyConnectedOptions"),
            agrees=agreement.bias_scale,
        ),
        Operator("AVERAGE_POOL_2D", _QUANTISED, _POOL),
        Operator("MAX_POOL_2D", _QUANTISED, _POOL),
        Operator(
            "UNIDIRECTIONAL_SEQUENCE_LSTM",
            OperatorTypes(
                ("int8 int8 int32 int16 -> int8", "int16 int8 int64 int16 -> int16"),
                ("float32",),
                (0, 1, 12, 19),
            ),
            Form(
                1,
                24,
                ranks=(3,),
                options=("fused_activation_function",),
                kind="UnidirectionalSequenceLSTMOptions",
            ),
            states=(18, 19),
        ),
        Operator(
            "SVDF",
            OperatorTypes(
                ("int8 int8 int8 int32 int8 -> int8", "int8 int8 int16 int32 int16 -> int8"),
                ("float32",),
                (0, 1, 2, 3, 4),
            ),
            Form(5, 5, ranks=(2, 2, 2, 1, 2), options=("rank",), kind="SVDFOptions"),
            states=(4,),
        ),
        Operator("ADD", _SUMS, Form(2, 2, kind="AddOptions")),
        Operator("SUB", _SUMS, Form(2, 2, kind="SubOptions")),
        Operator(
            "MUL", _alike("int8 int16", "float32 int32", _PAIR), Form(2, 2, kind="MulOptions")
        ),
        Operator("MAXIMUM", _EXTREMA, Form(2, 2)),
        Operator("MINIMUM", _EXTREMA, Form(2, 2)),
        Operator("LOGISTIC", _QUANTISED),
        Operator("TANH", _QUANTISED),
        Operator("RELU", _QUANTISED),
        Operator("RELU6", _QUANTISED),
        Operator("LEAKY_RELU", _QUANTISED, Form(options=("alpha",), kind="LeakyReluOptions")),
        Operator("HARD_SWISH", _TABLE),
        Operator("ABS", _alike("int8", "int16 float32")),
        Operator(
            "QUANTIZE",
            OperatorTypes(
                (
                    *("float32 -> int8", "float32 -> int16"),
                    *("int8", "int8 -> uint8", "int8 -> int16", "int8 -> int32", "uint8 -> int8"),
                    *("int16", "int16 -> int8", "int16 -> int32", "int32 -> int8"),
                    "int32 -> int16",
                )
            ),
        ),
        Operator(
            "DEQUANTIZE", OperatorTypes(("int8 -> float32", "uint8 -> float32", "int16 -> float32"))
        ),
        Operator("MEAN", _QUANTISED, _REDUCER),
        Operator("SUM", _QUANTISED, _REDUCER),
        Operator("ARG_MAX", OperatorTypes(("int8 -> int32",), ("float32 -> int32",)), Form(2, 2)),
        Operator(
            "SOFTMAX",
            OperatorTypes(("int8", "int16", "int8 -> int16"), ("float32",)),
            Form(options=("beta",), kind="SoftmaxOptions"),
        ),
        Operator(
            "RESIZE_NEAREST_NEIGHBOR",
            _alike("int8 int16 float32"),
            Form(2, 2, ranks=(4, 1), kind="ResizeNearestNeighborOptions"),
        ),
        Operator("RESIZE_BILINEAR", _TABLE, Form(2, 2, ranks=(4, 1), kind="ResizeBilinearOptions")),
        Operator(
            "CONCATENATION",
            _alike("int8 int16 int32 int64 float32 bool", "", ALL),
            Form(1, 10, options=("axis",), kind="ConcatenationOptions"),
        ),
        Operator(
            "PACK",
            _alike("int8 int16 int32 int64 float32", "", ALL),
            Form(1, None, options=("axis", "values_count"), kind="PackOptions"),
            agrees=agreement.values_count,
        ),
        Operator("PAD", _MOVED, Form(2, 3, most_axes=5)),
        Operator("PADV2", _alike("int8 int16 int32 float32", "", (0, 2)), Form(3, 3, most_axes=5)),
        Operator("RESHAPE", _ANY, Form(1, 2)),
        Operator("SQUEEZE", _ANY, Form(kind="SqueezeOptions"), agrees=agreement.squeeze_dims),
        Operator("EXPAND_DIMS", _GROWN, Form(2, 2), agrees=agreement.new_axis),
        Operator("SLICE", _SLICED, Form(3, 3, most_axes=5)),
        Operator(
            "STRIDED_SLICE",
            _SLICED,
            Form(4, 4, most_axes=4, options=_STRIDED, kind="StridedSliceOptions"),
        ),
        Operator(
            "SPLIT",
            _alike("int8 int16 int32 float32", "", (1,)),
            Form(2, 2, outputs=None),
            agrees=agreement.even_parts,
        ),
        Operator("SPLIT_V", _MOVED, Form(3, 3, outputs=None)),
        Operator(
            "UNPACK",
            _MOVED,
            Form(outputs=None, options=("axis", "num"), kind="UnpackOptions"),
            agrees=agreement.num,
        ),
        Operator("TRANSPOSE", _GROWN, Form(2, 2, most_axes=5)),
    ),
    home=__name__,
)
