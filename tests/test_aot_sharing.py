"""Graphs in which one tensor lies in another one's memory. Oracle: TFLite Micro."""

from __future__ import annotations

import numpy as np
import pytest
from aot_harness import check_exact
from aot_layers import ABSENT, Layers
from tflite_samples import options_of

from firmware_export.aot.compiler import CompileSettings, compile_model
from firmware_export.aot.passes.fold_padding import fold_padding
from firmware_export.aot.reading import read_graph
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.flatbuffer import read_tflite


def constant(graph: Layers, values) -> int:
    return graph.constant("constant", np.array(values, np.int32))


def row_from_each_model(*, row: int, computed: bool) -> bytes:
    """One row of a matrix, a view, taken from every row of it."""
    graph = Layers(5)
    source = matrix = graph.value((4, 5))
    if computed:
        matrix = graph.unary("RELU", source, (4, 5), scale=0.05, zero_point=3)
    part = graph.value((1, 5))
    cut = (matrix, constant(graph, [row, 0]), constant(graph, [1, 5]))
    graph.operator("SLICE", cut, (part,), options_of("SliceOptions"))
    result = graph.value((4, 5))
    graph.operator("SUB", (matrix, part), (result,), options_of("SubOptions"), version=2)
    return graph.content((source,), (result,))


@pytest.mark.parametrize("computed", [False, True])
def test_a_tensor_is_not_overwritten_while_a_part_of_it_is_still_read(computed):
    check_exact([row_from_each_model(row=row, computed=computed) for row in (0, 1, 3)])


def lstm_and_reshapes_model(count: int, *, dense: bool) -> bytes:
    """Several reshapes behind an LSTM, each of whose steps they keep apart."""
    graph = Layers(6)
    source = graph.value((1, 5, 6))
    result, _ = graph.lstm(source, (1, 5, 6), 4)
    for shape in [(1, 5, 2, 2), (1, 5, 4), (5, 4)][:count]:
        result = graph.reshape(result, shape)
    if dense:
        result = graph.dense(graph.reshape(result, (1, 20)), 20, 3)
    return graph.content((source,), (result,))


@pytest.mark.parametrize("stream", [False, True])
def test_any_number_of_reshapes_behind_an_lstm_is_exact(stream):
    cases = [(count, dense) for count in range(4) for dense in (False, True)]
    models = [lstm_and_reshapes_model(count, dense=dense) for count, dense in cases]
    check_exact(models, settings={"stream": stream})


def test_a_pad_between_two_quantisations_is_not_folded():
    graph = Layers(7)
    source = graph.value((1, 4, 6, 3), scale=0.1, zero_point=9)
    padded = graph.value((1, 5, 9, 3))
    amounts = constant(graph, [[0, 0], [1, 0], [2, 1], [0, 0]])
    graph.operator("PAD", (source, amounts), (padded,), options_of("PadOptions"), version=2)
    result, _ = graph.conv(padded, (1, 5, 9, 3), 5, (2, 3))
    content = graph.content((source,), (result,))
    folded = fold_padding(read_graph(read_tflite(content)))
    assert [node.op for node in folded.nodes()] == ["PAD", "CONV_2D"]
    check_exact([content])


def test_a_table_of_a_constant_is_looked_up():
    graph = Layers(8)
    source, share = graph.value((1, 4)), graph.value((1, 4), scale=1 / 256, zero_point=-128)
    fixed = graph.constant("fixed", np.array([[-90, -1, 2, 60]], np.int8), scale=0.05)
    graph.operator("LOGISTIC", (fixed,), (share,))
    result = graph.value((1, 4))
    graph.operator("ADD", (source, share), (result,), options_of("AddOptions"), version=2)
    check_exact([graph.content((source,), (result,))])


def test_an_lstm_of_a_constant_is_refused_by_name():
    graph = Layers(9)
    fixed = graph.constant("fixed", np.ones((1, 5, 6), np.int8), scale=0.05)
    weights = [graph.constant("w", np.ones((4, 6), np.int8), scale=0.01) for _ in range(4)]
    recurrent = [graph.constant("r", np.ones((4, 4), np.int8), scale=0.01) for _ in range(4)]
    biases = [constant(graph, [0] * 4) for _ in range(4)]
    hidden = graph.tensor("hidden", (1, 4), scale=1 / 128, variable=True)
    cell = graph.tensor("cell", (1, 4), "int16", scale=2.0**-12, variable=True)
    result = graph.value((1, 5, 4), scale=1 / 128)
    inputs = (fixed, *weights, *recurrent, *(ABSENT,) * 3, *biases, *(ABSENT,) * 2)
    options = options_of("UnidirectionalSequenceLSTMOptions", fusedActivationFunction=4)
    inputs += (hidden, cell, *(ABSENT,) * 4)
    graph.operator("UNIDIRECTIONAL_SEQUENCE_LSTM", inputs, (result,), options)
    source, other = graph.value((1, 4)), graph.value((1, 4))
    graph.operator("RELU", (source,), (other,))
    with pytest.raises(KdEdgeError, match=r"LSTM.*a constant") as caught:
        compile_model(graph.content((source,), (result, other)), CompileSettings())
    assert caught.value.code == "KD_UNSUPPORTED_OP"
