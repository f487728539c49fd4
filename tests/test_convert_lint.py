"""Lint rules on models made by hand: each finds its own thing, and nothing in a clean model."""

from __future__ import annotations

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from kd_edge.base.flatbuffer import pack
from kd_edge.convert.lint import lint

INT8, INT16 = schema.TensorType.INT8, schema.TensorType.INT16


class Graph:
    """A model under construction: tensors and operators by hand."""

    def __init__(self):
        self.tensors, self.operators, self.codes = [], [], []
        self.buffers = [schema.BufferT()]

    def tensor(self, name, shape, scale=0.05, zero_point=0, *, data=None, kind=INT8, axis=0) -> int:
        scales = np.atleast_1d(np.array(scale, np.float32))
        buffer = 0
        if data is not None:
            buffer = len(self.buffers)
            self.buffers.append(
                schema.BufferT(data=np.asarray(data, np.int8).view(np.uint8).ravel())
            )
        quantisation = schema.QuantizationParametersT(
            scale=scales,
            zeroPoint=np.full(len(scales), zero_point, np.int64),
            quantizedDimension=axis,
        )
        self.tensors.append(
            schema.TensorT(
                name=name,
                shape=np.array(shape, np.int32),
                type=kind,
                buffer=buffer,
                quantization=quantisation,
            )
        )
        return len(self.tensors) - 1

    def operator(self, code, inputs, output, kind=0, options=None) -> None:
        self.codes.append(
            schema.OperatorCodeT(builtinCode=code, deprecatedBuiltinCode=min(code, 127))
        )
        self.operators.append(
            schema.OperatorT(
                opcodeIndex=len(self.codes) - 1,
                inputs=np.array(inputs, np.int32),
                outputs=np.array([output], np.int32),
                builtinOptionsType=kind,
                builtinOptions=options,
            )
        )

    def write(self, path, inputs, outputs):
        graph = schema.SubGraphT(
            tensors=self.tensors,
            inputs=np.array(inputs, np.int32),
            outputs=np.array(outputs, np.int32),
            operators=self.operators,
        )
        model = schema.ModelT(
            version=3, operatorCodes=self.codes, subgraphs=[graph], buffers=self.buffers
        )
        path.write_bytes(pack(model))
        return path


def dense(path, *, rows=8, weights=1, per_channel=True, zero_point=0):
    graph = Graph()
    x = graph.tensor("x", (1, 4))
    data = np.full((rows, 4), weights)
    w = graph.tensor("w", (rows, 4), [0.1] * rows if per_channel else 0.1, data=data)
    y = graph.tensor("logits", (1, rows), zero_point=zero_point)
    options = schema.FullyConnectedOptionsT()
    kind = schema.BuiltinOptions.FullyConnectedOptions
    graph.operator(schema.BuiltinOperator.FULLY_CONNECTED, [x, w, -1], y, kind, options)
    return graph.write(path / "dense.tflite", [x], [y])


def lstm(path, *, output_scale, state_scale):
    graph = Graph()
    x = graph.tensor("x", (1, 3, 4))
    w = graph.tensor("w", (4, 4), data=np.ones((4, 4)))
    h = graph.tensor("h", (1, 4), state_scale)
    c = graph.tensor("c", (1, 4), 2.0**-11, kind=INT16)
    y = graph.tensor("lstm", (1, 3, 4), output_scale)
    inputs = [x] + [w] * 8 + [-1] * 9 + [h, c] + [-1] * 4
    options = schema.UnidirectionalSequenceLSTMOptionsT()
    kind = schema.BuiltinOptions.UnidirectionalSequenceLSTMOptions
    graph.operator(schema.BuiltinOperator.UNIDIRECTIONAL_SEQUENCE_LSTM, inputs, y, kind, options)
    return graph.write(path / "lstm.tflite", [x], [y])


def conv(path, *, channels=4, length=16, stride=1):
    graph = Graph()
    x = graph.tensor("x", (1, 1, length, 2))
    w = graph.tensor("w", (channels, 1, 3, 2), data=np.ones((channels, 1, 3, 2)))
    y = graph.tensor("y", (1, 1, -(-length // stride), channels))
    options = schema.Conv2DOptionsT(
        padding=schema.Padding.SAME, strideW=stride, strideH=1, dilationWFactor=1, dilationHFactor=1
    )
    kind = schema.BuiltinOptions.Conv2DOptions
    graph.operator(schema.BuiltinOperator.CONV_2D, [x, w, -1], y, kind, options)
    return graph.write(path / "conv.tflite", [x], [y])


def found(path, **settings):
    return [(finding.code, finding.severity) for finding in lint(path, **settings)]


def test_clean_models_have_no_findings(tmp_path):
    """Oracle: none of the rules' conditions holds."""
    assert found(dense(tmp_path)) == []
    assert found(lstm(tmp_path, output_scale=0.007, state_scale=0.007)) == []
    assert found(conv(tmp_path)) == []


def test_an_lstm_whose_output_and_state_differ_in_scale_is_an_error(tmp_path):
    """Oracle: the trap of DESIGN section 5."""
    (finding,) = lint(lstm(tmp_path, output_scale=0.02, state_scale=0.007))
    assert (finding.code, finding.severity) == ("KD_LINT_LSTM_SCALE", "error")
    assert "'lstm'" in finding.where
    assert "FusionDense" in finding.hint


def test_an_lstm_scale_that_litert_cannot_take_is_a_warning(tmp_path):
    """Oracle: the measured limit of 0.0018."""
    path = lstm(tmp_path, output_scale=0.0017, state_scale=0.0017)
    assert found(path) == [("KD_LINT_LITERT_LSTM_SCALE", "warning")]


def test_an_output_that_never_changes_is_an_error(tmp_path):
    """Oracle: written by hand; two windows that differ anywhere are enough to be quiet."""
    path = dense(tmp_path)
    same = {2: np.tile(np.arange(8, dtype=np.int8), (5, 1))}
    assert found(path, activations=same) == [("KD_LINT_CONSTANT_OUTPUT", "error")]
    same[2][3, 0] = 9
    assert found(path, activations=same) == []


def test_a_layer_of_zeros_is_found_without_any_window(tmp_path):
    """Oracle: such a layer's output cannot depend on its input."""
    assert found(dense(tmp_path, weights=0)) == [("KD_LINT_CONSTANT_OUTPUT", "error")]


def test_values_at_the_ends_of_int8_are_reported_but_for_the_rest_of_a_relu(tmp_path):
    """Oracle: a tenth of the values at an end; -128 is zero where the zero point is -128."""
    values = np.zeros((10, 8), np.int8)
    values[0] = -128
    values[1] = 1
    path = dense(tmp_path)
    assert found(path, activations={2: values}) == [("KD_LINT_SATURATED", "warning")]
    relu = dense(tmp_path, zero_point=-128)
    assert found(relu, activations={2: values}) == []
    values[2] = 127
    assert found(relu, activations={2: values}) == [("KD_LINT_SATURATED", "warning")]


@pytest.mark.parametrize(
    ("rows", "per_channel", "reported"), [(8, True, 0), (50, True, 1), (50, False, 0)]
)
def test_dense_widths_that_esp_nn_gets_wrong_are_reported(rows, per_channel, reported, tmp_path):
    """Oracle: espressif/esp-nn issue 34."""
    path = dense(tmp_path, rows=rows, per_channel=per_channel)
    assert found(path) == [("KD_LINT_WIDTH", "warning")] * reported


def test_channels_that_slow_cmsis_nn_down_are_noted(tmp_path):
    """Oracle: ARM-software/CMSIS_5 issue 1107."""
    (finding,) = lint(conv(tmp_path, channels=6))
    assert (finding.code, finding.severity) == ("KD_LINT_WIDTH", "note")
    assert "width 6" in finding.where


def test_uneven_padding_is_reported(tmp_path):
    """Oracle: 'same' padding by hand: kernel 3, stride 2 over 16 pads none before, one after."""
    assert found(conv(tmp_path, stride=2)) == [("KD_LINT_PADDING", "warning")]
    assert found(conv(tmp_path, length=15, stride=2)) == []
