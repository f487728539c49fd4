"""int8 models made int16x8: the same layers over 16-bit values."""

from __future__ import annotations

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from kd_edge.base.flatbuffer import pack, unpack

_FINER = 128  # so that 1/256, what int8 LOGISTIC gives, becomes 1/32768
_BIAS_GAIN = 211


def widened(content: bytes, *, bias: str = "int64", zero_point: int = 0) -> bytes:
    """The model with int16 values, their scales divided by 128, and biases of another type.

    Args:
        bias: type of the biases; with 'int32' layers without biases sum in 32 bits, too.
        zero_point: of every tensor of values; the converter makes 0 alone.
    """
    model = unpack(content)
    graph = model.subgraphs[0]
    for tensor in graph.tensors:
        constant = model.buffers[tensor.buffer].data is not None
        if tensor.type == schema.TensorType.INT8 and not constant:
            _widen_values(tensor, zero_point)
        elif tensor.type == schema.TensorType.INT32 and constant and _scales(tensor):
            _retype_bias(tensor, model.buffers[tensor.buffer], bias)
    for operator in graph.operators:
        if bias == "int32" and hasattr(operator.builtinOptions, "quantizedBiasType"):
            operator.builtinOptions.quantizedBiasType = schema.TensorType.INT32
    return pack(model)


def _scales(tensor) -> list[float]:
    quantisation = tensor.quantization
    return [] if quantisation is None or quantisation.scale is None else list(quantisation.scale)


def _widen_values(tensor, zero_point: int) -> None:
    tensor.type = schema.TensorType.INT16
    tensor.quantization.scale = [scale / _FINER for scale in _scales(tensor)]
    tensor.quantization.zeroPoint = [zero_point] * len(tensor.quantization.scale)


def _retype_bias(tensor, buffer, bias: str) -> None:
    tensor.type = getattr(schema.TensorType, bias.upper())
    tensor.quantization.scale = [scale / _FINER for scale in _scales(tensor)]
    values = np.frombuffer(bytes(buffer.data), np.int32)
    if bias != "int16":
        values = values * _BIAS_GAIN
    buffer.data = np.frombuffer(values.astype(bias).tobytes(), np.uint8)
