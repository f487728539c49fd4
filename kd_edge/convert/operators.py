"""Which operators a converted model may hold, and what says so when it holds others."""

from __future__ import annotations

from kd_edge.convert.flatbuffer import Operator, TfliteModel
from kd_edge.errors import KdEdgeError

LSTM = "UNIDIRECTIONAL_SEQUENCE_LSTM"

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


def _origin(model: TfliteModel, op: Operator) -> str:
    names = [model.tensors[index].name for index in op.outputs if index >= 0]
    return f"{op.name} at layer {' '.join(names)!r}"
