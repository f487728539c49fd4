"""int8 models made int4: the same layers with packed weights of 4 bits."""

from __future__ import annotations

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from kd_edge.base.flatbuffer import pack, pack_int4, unpack
from kd_edge.base.schema_names import operator_name

_COARSER = 16


def with_int4_weights(content: bytes, ops=("FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D")):
    """The model's bytes; each weight keeps its upper half, so each sum is about a 16th.

    Args:
        ops: operators whose second input is retyped.
    """
    model = unpack(content)
    graph = model.subgraphs[0]
    for operator in graph.operators:
        if operator_name(model.operatorCodes[operator.opcodeIndex]) not in ops:
            continue
        weights = graph.tensors[operator.inputs[1]]
        values = np.frombuffer(bytes(model.buffers[weights.buffer].data), np.int8) >> 4
        weights.type = schema.TensorType.INT4
        weights.quantization.scale = [s * _COARSER for s in weights.quantization.scale]
        for index in operator.inputs[2:]:
            if index >= 0:
                _coarsen(graph.tensors[index], model.buffers[graph.tensors[index].buffer])
        model.buffers[weights.buffer].data = pack_int4(values)
    return pack(model)


def _coarsen(bias, buffer) -> None:
    if buffer.data is not None:
        bias.quantization.scale = [s * _COARSER for s in bias.quantization.scale]
        values = np.frombuffer(bytes(buffer.data), np.int32) // _COARSER
        buffer.data = np.frombuffer(values.astype(np.int32).tobytes(), np.uint8)
