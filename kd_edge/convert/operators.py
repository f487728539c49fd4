"""Which operators a converted model may hold, and what says so when it holds others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.flatbuffer import LSTM, Operator, TfliteModel

# Operators of the flatbuffer schema that TFLite Micro has kernels for, as in
# tensorflow/tflite-micro at 90b983c, tensorflow/lite/micro/micro_mutable_op_resolver.h; without
# control flow and resource variables: in a converted student they mean that an LSTM is not fused.
TFLITE_MICRO_OPERATORS = frozenset(
    """
    ABS ADD ADD_N ARG_MAX ARG_MIN AVERAGE_POOL_2D BATCH_MATMUL BATCH_TO_SPACE_ND BROADCAST_ARGS
    BROADCAST_TO CAST CEIL CONCATENATION CONV_2D COS CUMSUM DEPTH_TO_SPACE DEPTHWISE_CONV_2D
    DEQUANTIZE DIV ELU EMBEDDING_LOOKUP EQUAL EXP EXPAND_DIMS FILL FLOOR FLOOR_DIV FLOOR_MOD
    FULLY_CONNECTED GATHER GATHER_ND GREATER GREATER_EQUAL HARD_SWISH L2_NORMALIZATION L2_POOL_2D
    LEAKY_RELU LESS LESS_EQUAL LOG LOGICAL_AND LOGICAL_NOT LOGICAL_OR LOGISTIC LOG_SOFTMAX MAXIMUM
    MAX_POOL_2D MEAN MINIMUM MIRROR_PAD MUL NEG NOT_EQUAL PACK PAD PADV2 PRELU QUANTIZE REDUCE_MAX
    REDUCE_MIN RELU RELU6 RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR ROUND RSQRT SELECT_V2
    SHAPE SIN SLICE SOFTMAX SPACE_TO_BATCH_ND SPACE_TO_DEPTH SPLIT SPLIT_V SQRT SQUARE
    SQUARED_DIFFERENCE SQUEEZE STRIDED_SLICE SUB SUM SVDF TANH TRANSPOSE TRANSPOSE_CONV
    UNIDIRECTIONAL_SEQUENCE_LSTM UNPACK ZEROS_LIKE
    """.split()  # noqa: SIM905  a table of ninety names reads best as text
)


def check_operators(model: TfliteModel, *, n_lstm: int) -> None:
    """Only operators that TFLite Micro has kernels for, and every LSTM fused into one operator.

    Args:
        n_lstm: LSTM layers of the Keras model.

    Raises:
        KdEdgeError KD_UNSUPPORTED_OP: names the operators and the layers that they came from.
    """
    unsupported = [op for op in model.operators if op.name not in TFLITE_MICRO_OPERATORS]
    if unsupported:
        names = sorted({op.name for op in unsupported})
        raise KdEdgeError(
            "KD_UNSUPPORTED_OP",
            f"TFLite Micro has no kernel for {', '.join(names)}",
            where="; ".join(_origin(model, op) for op in unsupported[:4]),
            hint="build the layer of others: LSTM (plain, tanh and sigmoid), convolutions, Dense, "
            "pooling; GRU and wrapped or custom RNNs become loops",
        )
    fused = sum(op.name == LSTM for op in model.operators)
    if fused != n_lstm:
        raise KdEdgeError(
            "KD_UNSUPPORTED_OP",
            f"the model has {n_lstm} LSTM layers, but {fused} were fused into {LSTM}",
            where="operators: " + " ".join(op.name for op in model.operators),
            hint="convert with the pinned TensorFlow; an unrolled LSTM costs a hundred operators",
        )


@dataclass(frozen=True)
class _Layer:
    """What an operator with weights has, whatever the schema lets it lack.

    Attributes:
        inputs: position -> number of axes, None where any will do.
        output: the same for its output.
        options: names that are there.
    """

    inputs: Mapping[int, int | None]
    output: int | None = None
    options: tuple[str, ...] = ()


_WINDOW = _Layer(
    {0: 4, 1: 4},
    4,
    (
        *("padding", "stride_h", "stride_w"),
        *("dilation_h_factor", "dilation_w_factor"),
    ),
)
_LAYERS: Mapping[str, _Layer] = {
    "CONV_2D": _WINDOW,
    "DEPTHWISE_CONV_2D": _WINDOW,
    "TRANSPOSE_CONV": _Layer({0: None, 1: 4, 2: None}),
    "FULLY_CONNECTED": _Layer({0: None, 1: 2}),
    LSTM: _Layer({0: 3, 18: None, 19: None}, 3),
}


def check_layers(model: TfliteModel) -> None:
    """Every operator has an output, and each with weights has the inputs and axes of its kind.

    Raises:
        KdEdgeError KD_BAD_TFLITE: naming the operator and what it lacks.
    """
    for op in model.operators:
        if not op.outputs or min(op.outputs) < 0:
            raise _lacking(op, "an output")
        if op.name in _LAYERS:
            _check_layer(model, op, _LAYERS[op.name])


def _check_layer(model: TfliteModel, op: Operator, layer: _Layer) -> None:
    wanted = {op.outputs[0]: layer.output}
    for position, axes in layer.inputs.items():
        if position >= len(op.inputs) or op.inputs[position] < 0:
            raise _lacking(op, f"input {position}")
        wanted[op.inputs[position]] = axes
    for index, axes in wanted.items():
        tensor = model.tensors[index]
        if axes is not None and len(tensor.shape) != axes:
            raise _lacking(op, f"{axes} axes in '{tensor.name}' {tensor.shape}")
    missing = [name for name in layer.options if name not in op.options]
    if missing:
        raise _lacking(op, f"the options {', '.join(missing)}")


def _lacking(op: Operator, what: str) -> KdEdgeError:
    return KdEdgeError(
        "KD_BAD_TFLITE",
        f"the model is not consistent: an operator lacks {what}",
        where=f"operator {op.index} ({op.name})",
        hint="make the file again with the tool that wrote it",
    )


def _origin(model: TfliteModel, op: Operator) -> str:
    names = [model.tensors[index].name for index in op.outputs if index >= 0]
    return f"{op.name} at layer {' '.join(names)!r}"
