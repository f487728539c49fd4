"""Which method of TFLite Micro's op resolver registers an operator, and its INT8-only kernel.

Names and conditions as in tensorflow/tflite-micro at 90b983c (August 2026):
tensorflow/lite/micro/micro_mutable_op_resolver.h and tensorflow/lite/micro/kernels/*.h.
"""

from __future__ import annotations

from dataclasses import dataclass

_KERNELS = "tensorflow/lite/micro/kernels"


@dataclass(frozen=True)
class Int8Kernel:
    """A registration that takes int8 activations and weights only, and so needs less flash.

    With CMSIS-NN it leaves the float and 16-bit code out of the link; with the reference kernels
    it is the general registration under another name.

    Attributes:
        registration: e.g. 'Register_CONV_2D_INT8', in namespace tflite.
        header: that declares it.
        int8_inputs: operator inputs that must be int8, beside output 0.
    """

    registration: str
    header: str
    int8_inputs: tuple[int, ...]


def _int8(operator: str, header: str, *int8_inputs: int) -> Int8Kernel:
    return Int8Kernel(f"Register_{operator}_INT8", f"{_KERNELS}/{header}.h", int8_inputs)


INT8_KERNELS: dict[str, Int8Kernel] = {
    "ADD": _int8("ADD", "add", 0, 1),
    "AVERAGE_POOL_2D": _int8("AVERAGE_POOL_2D", "pooling", 0),
    "BATCH_MATMUL": _int8("BATCH_MATMUL", "batch_matmul", 0, 1),
    "CONV_2D": _int8("CONV_2D", "conv", 0, 1),
    "DEPTHWISE_CONV_2D": _int8("DEPTHWISE_CONV_2D", "depthwise_conv", 0, 1),
    "FULLY_CONNECTED": _int8("FULLY_CONNECTED", "fully_connected", 0, 1),
    "MAXIMUM": _int8("MAXIMUM", "maximum_minimum", 0, 1),
    "MAX_POOL_2D": _int8("MAX_POOL_2D", "pooling", 0),
    "MINIMUM": _int8("MINIMUM", "maximum_minimum", 0, 1),
    "MUL": _int8("MUL", "mul", 0, 1),
    "PAD": _int8("PAD", "pad", 0),
    "SOFTMAX": _int8("SOFTMAX", "softmax", 0),
    "SVDF": _int8("SVDF", "svdf", 0, 1),
    "TRANSPOSE": _int8("TRANSPOSE", "transpose", 0),
    "TRANSPOSE_CONV": _int8("TRANSPOSE_CONV", "transpose_conv", 1, 2),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _int8(
        "UNIDIRECTIONAL_SEQUENCE_LSTM", "unidirectional_sequence_lstm", 0, 1
    ),
}

# Operator as the flatbuffer schema names it -> method of tflite::MicroMutableOpResolver.
ADD_METHODS: dict[str, str] = {
    "ABS": "AddAbs",
    "ADD": "AddAdd",
    "ADD_N": "AddAddN",
    "ARG_MAX": "AddArgMax",
    "ARG_MIN": "AddArgMin",
    "ASSIGN_VARIABLE": "AddAssignVariable",
    "AVERAGE_POOL_2D": "AddAveragePool2D",
    "BATCH_MATMUL": "AddBatchMatMul",
    "BATCH_TO_SPACE_ND": "AddBatchToSpaceNd",
    "BROADCAST_ARGS": "AddBroadcastArgs",
    "BROADCAST_TO": "AddBroadcastTo",
    "CAST": "AddCast",
    "CEIL": "AddCeil",
    "CONCATENATION": "AddConcatenation",
    "CONV_2D": "AddConv2D",
    "COS": "AddCos",
    "CUMSUM": "AddCumSum",
    "DEPTHWISE_CONV_2D": "AddDepthwiseConv2D",
    "DEPTH_TO_SPACE": "AddDepthToSpace",
    "DEQUANTIZE": "AddDequantize",
    "DIV": "AddDiv",
    "DYNAMIC_UPDATE_SLICE": "AddDynamicUpdateSlice",
    "ELU": "AddElu",
    "EMBEDDING_LOOKUP": "AddEmbeddingLookup",
    "EQUAL": "AddEqual",
    "EXP": "AddExp",
    "EXPAND_DIMS": "AddExpandDims",
    "FILL": "AddFill",
    "FLOOR": "AddFloor",
    "FLOOR_DIV": "AddFloorDiv",
    "FLOOR_MOD": "AddFloorMod",
    "FULLY_CONNECTED": "AddFullyConnected",
    "GATHER": "AddGather",
    "GATHER_ND": "AddGatherNd",
    "GREATER": "AddGreater",
    "GREATER_EQUAL": "AddGreaterEqual",
    "HARD_SWISH": "AddHardSwish",
    "L2_NORMALIZATION": "AddL2Normalization",
    "L2_POOL_2D": "AddL2Pool2D",
    "LEAKY_RELU": "AddLeakyRelu",
    "LESS": "AddLess",
    "LESS_EQUAL": "AddLessEqual",
    "LOG": "AddLog",
    "LOGICAL_AND": "AddLogicalAnd",
    "LOGICAL_NOT": "AddLogicalNot",
    "LOGICAL_OR": "AddLogicalOr",
    "LOGISTIC": "AddLogistic",
    "LOG_SOFTMAX": "AddLogSoftmax",
    "MAXIMUM": "AddMaximum",
    "MAX_POOL_2D": "AddMaxPool2D",
    "MEAN": "AddMean",
    "MINIMUM": "AddMinimum",
    "MIRROR_PAD": "AddMirrorPad",
    "MUL": "AddMul",
    "NEG": "AddNeg",
    "NOT_EQUAL": "AddNotEqual",
    "PACK": "AddPack",
    "PAD": "AddPad",
    "PADV2": "AddPadV2",
    "PRELU": "AddPrelu",
    "QUANTIZE": "AddQuantize",
    "READ_VARIABLE": "AddReadVariable",
    "REDUCE_ALL": "AddReduceAll",
    "REDUCE_MAX": "AddReduceMax",
    "REDUCE_MIN": "AddReduceMin",
    "RELU": "AddRelu",
    "RELU6": "AddRelu6",
    "RESHAPE": "AddReshape",
    "RESIZE_BILINEAR": "AddResizeBilinear",
    "RESIZE_NEAREST_NEIGHBOR": "AddResizeNearestNeighbor",
    "REVERSE_V2": "AddReverseV2",
    "ROUND": "AddRound",
    "RSQRT": "AddRsqrt",
    "SELECT_V2": "AddSelectV2",
    "SHAPE": "AddShape",
    "SIN": "AddSin",
    "SLICE": "AddSlice",
    "SOFTMAX": "AddSoftmax",
    "SPACE_TO_BATCH_ND": "AddSpaceToBatchNd",
    "SPACE_TO_DEPTH": "AddSpaceToDepth",
    "SPLIT": "AddSplit",
    "SPLIT_V": "AddSplitV",
    "SQRT": "AddSqrt",
    "SQUARE": "AddSquare",
    "SQUARED_DIFFERENCE": "AddSquaredDifference",
    "SQUEEZE": "AddSqueeze",
    "STRIDED_SLICE": "AddStridedSlice",
    "SUB": "AddSub",
    "SUM": "AddSum",
    "SVDF": "AddSvdf",
    "TANH": "AddTanh",
    "TRANSPOSE": "AddTranspose",
    "TRANSPOSE_CONV": "AddTransposeConv",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "AddUnidirectionalSequenceLSTM",
    "UNPACK": "AddUnpack",
    "VAR_HANDLE": "AddVarHandle",
    "ZEROS_LIKE": "AddZerosLike",
}
