"""int16 activations with int8 weights for models with LSTM, made from their int8 form.

TensorFlow's converter refuses LSTM in this format; TFLite Micro's reference kernels run it.
"""

from __future__ import annotations

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.flatbuffer import LSTM
from kd_edge.base.schema_names import operator_name

_FULL_RANGE = 32767
_UNIT_SCALE = 2.0**-15  # what the int16 kernels of LOGISTIC and TANH give
_UNIT_OUTPUT = frozenset({"LOGISTIC", "TANH"})
_SAME_SCALE = frozenset({"AVERAGE_POOL_2D", "MAX_POOL_2D", "RESHAPE", "STRIDED_SLICE"})
_RESCALING = frozenset({"ADD", "MUL"})
# Operator -> pairs of (weights, bias) among its inputs.
_WEIGHTED = {
    "CONV_2D": ((1, 2),),
    "DEPTHWISE_CONV_2D": ((1, 2),),
    "FULLY_CONNECTED": ((1, 2),),
    LSTM: ((1, 12), (2, 13), (3, 14), (4, 15)),
}
_SUPPORTED = _UNIT_OUTPUT | _SAME_SCALE | _RESCALING | frozenset(_WEIGHTED)


def int16_from_int8(model) -> None:
    """Widen every int8 activation of a `ModelT` to int16, in place; weights stay int8.

    An activation keeps the range that calibration gave it, made symmetric; a bias is written anew,
    in 64 bits, to the product of its new input scale and its weights' scale.

    Raises:
        KdEdgeError KD_CONVERTER_REFUSED: an operator that this route does not know.
    """
    graph = model.subgraphs[0]
    names = [operator_name(model.operatorCodes[op.opcodeIndex]) for op in graph.operators]
    unknown = sorted(set(names) - _SUPPORTED)
    if unknown:
        raise KdEdgeError(
            "KD_CONVERTER_REFUSED",
            f"int16x8 with LSTM is made from int8, which kd-edge does not know for "
            f"{', '.join(unknown)}",
            hint="leave int16x8 out of conversion.formats for this model",
        )
    editor = _Editor(model, graph)
    for name, op in zip(names, graph.operators, strict=True):
        editor.widen(name, op)


class _Editor:
    def __init__(self, model, graph):
        self._model = model
        self._tensors = graph.tensors
        self._widened: set[int] = set()
        for index in graph.inputs:
            self._activation(int(index))

    def widen(self, name: str, op) -> None:
        weights = {int(op.inputs[w]) for w, _ in _WEIGHTED.get(name, ())}
        if name == LSTM:
            weights |= {int(index) for index in op.inputs[1:9]}
        for index in map(int, [*op.inputs, *op.outputs]):
            if index >= 0 and index not in weights:
                self._activation(index)
        first, output = self._tensors[int(op.inputs[0])], self._tensors[int(op.outputs[0])]
        if name in _UNIT_OUTPUT:
            _set_scale(output, _UNIT_SCALE)
        elif name in _SAME_SCALE:
            _set_scale(output, float(first.quantization.scale[0]))
        for weight, bias in _WEIGHTED.get(name, ()):
            if bias < len(op.inputs) and op.inputs[bias] >= 0:
                self._bias(first, self._tensors[op.inputs[weight]], self._tensors[op.inputs[bias]])

    def _activation(self, index: int) -> None:
        from ai_edge_litert.schema_py_generated import TensorType

        tensor = self._tensors[index]
        if index in self._widened or tensor.type != TensorType.INT8:
            return
        self._widened.add(index)
        scale, zero_point = (
            float(tensor.quantization.scale[0]),
            int(tensor.quantization.zeroPoint[0]),
        )
        reach = max(128 + zero_point, 127 - zero_point) * scale
        data = self._model.buffers[tensor.buffer].data
        tensor.type = TensorType.INT16
        _set_scale(tensor, reach / _FULL_RANGE)
        if data is not None and len(data):
            real = (data.view(np.int8).astype(np.float64) - zero_point) * scale
            self._constant(tensor, np.rint(real / (reach / _FULL_RANGE)).astype(np.int16))

    def _bias(self, given, weights, bias) -> None:
        from ai_edge_litert.schema_py_generated import TensorType

        if bias.type != TensorType.INT32:
            return
        old = np.asarray(bias.quantization.scale, np.float64)
        new = float(given.quantization.scale[0]) * np.asarray(
            weights.quantization.scale, np.float64
        )
        integers = self._model.buffers[bias.buffer].data.view(np.int32).astype(np.float64)
        bias.type = TensorType.INT64
        bias.quantization.scale = new.astype(np.float32)
        bias.quantization.zeroPoint = np.zeros(len(new), np.int64)
        self._constant(bias, np.rint(integers * old / new).astype(np.int64))

    def _constant(self, tensor, values: np.ndarray) -> None:
        """A buffer of its own: the converter lets equal constants share one."""
        from ai_edge_litert.schema_py_generated import BufferT

        tensor.buffer = len(self._model.buffers)
        self._model.buffers.append(BufferT(data=values.view(np.uint8)))


def _set_scale(tensor, scale: float) -> None:
    quantisation = tensor.quantization
    quantisation.scale = np.array([scale], np.float32)
    quantisation.zeroPoint = np.zeros(1, np.int64)
    quantisation.min = quantisation.max = None
