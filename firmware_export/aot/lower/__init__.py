"""From a node of the graph to calls of kernels: one function an operator."""

from __future__ import annotations

from collections.abc import Callable

from firmware_export.aot.cores import Core
from firmware_export.aot.graph import Node
from firmware_export.aot.lower.conv import lower_conv
from firmware_export.aot.lower.convert_types import lower_dequantize, lower_quantize
from firmware_export.aot.lower.dense import lower_dense
from firmware_export.aot.lower.depthwise import lower_depthwise
from firmware_export.aot.lower.elementwise import (
    lower_extremum,
    lower_product,
    lower_sum,
    lower_table,
)
from firmware_export.aot.lower.lstm import lower_lstm
from firmware_export.aot.lower.pool import lower_pool
from firmware_export.aot.lower.reduce import lower_arg_max, lower_reduce
from firmware_export.aot.lower.resize import lower_bilinear, lower_nearest
from firmware_export.aot.lower.shape import (
    lower_concatenation,
    lower_pack,
    lower_pad,
    lower_part,
)
from firmware_export.aot.lower.softmax import lower_softmax
from firmware_export.aot.lower.svdf import lower_svdf
from firmware_export.aot.lower.transpose_conv import lower_transpose_conv
from firmware_export.aot.program import Call
from kd_edge.base.registry import Registry

Lowering = Callable[[Node, Core], tuple[Call, ...]]

# The schema's operator name -> its lowering; `operator_table` has all else that is known of it.
LOWERINGS: Registry[Lowering] = Registry(
    "lowering of an operator",
    {
        "FULLY_CONNECTED": lower_dense,
        "CONV_2D": lower_conv,
        "TRANSPOSE_CONV": lower_transpose_conv,
        "DEPTHWISE_CONV_2D": lower_depthwise,
        "AVERAGE_POOL_2D": lower_pool,
        "MAX_POOL_2D": lower_pool,
        "UNIDIRECTIONAL_SEQUENCE_LSTM": lower_lstm,
        "SVDF": lower_svdf,
        "ADD": lower_sum,
        "SUB": lower_sum,
        "MUL": lower_product,
        "MAXIMUM": lower_extremum,
        "MINIMUM": lower_extremum,
        "LOGISTIC": lower_table,
        "TANH": lower_table,
        "RELU": lower_table,
        "RELU6": lower_table,
        "LEAKY_RELU": lower_table,
        "HARD_SWISH": lower_table,
        "ABS": lower_table,
        "QUANTIZE": lower_quantize,
        "DEQUANTIZE": lower_dequantize,
        "MEAN": lower_reduce,
        "SUM": lower_reduce,
        "ARG_MAX": lower_arg_max,
        "SOFTMAX": lower_softmax,
        "RESIZE_NEAREST_NEIGHBOR": lower_nearest,
        "RESIZE_BILINEAR": lower_bilinear,
        "CONCATENATION": lower_concatenation,
        "PACK": lower_pack,
        "PAD": lower_pad,
        "PADV2": lower_pad,
        "RESHAPE": lower_part,
        "SQUEEZE": lower_part,
        "EXPAND_DIMS": lower_part,
        "SLICE": lower_part,
        "STRIDED_SLICE": lower_part,
        "SPLIT": lower_part,
        "SPLIT_V": lower_part,
        "UNPACK": lower_part,
        "TRANSPOSE": lower_part,
    },
    home=__name__,
    plural="operators",
)
