"""int4 weights for int8 values, made from the int8 form: TFLite Micro's kernels unpack them.

The converter writes none. An int8 weight of 127 steps becomes one of 7, at a scale 127/7 as large.
"""

from __future__ import annotations

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.flatbuffer import LSTM, drop_unused_buffers, pack_int4
from kd_edge.base.schema_names import operator_name

_INT8_LARGEST, _INT4_LARGEST = 127, 7
_PACKED = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"})
# Layers with weights that TFLite Micro has no int4 kernel for.
_REFUSED = frozenset({LSTM, "TRANSPOSE_CONV", "SVDF"})
_WEIGHTS, _BIAS = 1, 2


def int4_from_int8(model) -> None:
    """Round every weight of a `ModelT` to 4 bits, in place; biases keep 32 bits, values 8.

    A weight that was whole on a grid of 7 steps either way, as quantisation-aware training leaves
    it, keeps its value.

    Raises:
        KdEdgeError KD_CONVERTER_REFUSED: a layer that TFLite Micro cannot run so.
    """
    graph = model.subgraphs[0]
    names = [operator_name(model.operatorCodes[op.opcodeIndex]) for op in graph.operators]
    refused = sorted(_REFUSED & set(names))
    if refused:
        raise KdEdgeError(
            "KD_CONVERTER_REFUSED",
            f"TFLite Micro has no kernel with int4 weights for {', '.join(refused)}",
            hint="leave int8x4 out of conversion.formats for this model",
        )
    done: set[int] = set()
    for name, op in zip(names, graph.operators, strict=True):
        if name not in _PACKED:
            continue
        for position in (_WEIGHTS, _BIAS):
            index = int(op.inputs[position]) if position < len(op.inputs) else -1
            if index < 0 or index in done:
                continue
            done.add(index)
            _coarsen(model, graph.tensors[index], packed=position == _WEIGHTS)
    drop_unused_buffers(model)


def _coarsen(model, tensor, *, packed: bool) -> None:
    """A constant in a buffer of its own: the converter lets equal constants share one."""
    from ai_edge_litert.schema_py_generated import BufferT, TensorType

    content = np.asarray(model.buffers[tensor.buffer].data, np.uint8)
    fine = content.view(np.int8 if packed else np.int32).astype(np.float64)
    # Never half way between two: 14 q = 127 (2 k + 1) has no whole solution.
    values = np.rint(fine * _INT4_LARGEST / _INT8_LARGEST)
    scales = np.asarray(tensor.quantization.scale, np.float64)
    tensor.quantization.scale = (scales * _INT8_LARGEST / _INT4_LARGEST).astype(np.float32)
    if packed:
        tensor.type = TensorType.INT4
        data = pack_int4(values.astype(np.int8))
    else:
        data = values.astype(np.int32).view(np.uint8)
    tensor.buffer = len(model.buffers)
    model.buffers.append(BufferT(data=data))
