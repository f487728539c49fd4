"""The passes, each alone. Oracles: the graph counted by hand; TFLite Micro for the whole."""

from __future__ import annotations

import pytest
from aot_harness import check_exact
from aot_layers import Layers, branch_model, conv_pad_model, join_model

from firmware_export.aot.compiler import CompileSettings, compile_model
from firmware_export.aot.graph import Loop
from firmware_export.aot.passes.drop_shapes import drop_shapes
from firmware_export.aot.passes.fold_padding import fold_padding
from firmware_export.aot.passes.fold_tables import fold_tables
from firmware_export.aot.passes.join_in_place import join_in_place
from firmware_export.aot.passes.step_loops import step_loops
from firmware_export.aot.reading import read_graph
from firmware_export.aot.schedule import TensorKey
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.flatbuffer import pack, read_tflite, unpack


def graph_of(content: bytes):
    return read_graph(read_tflite(content))


def operators(graph) -> list[str]:
    return [node.op for node in graph.nodes()]


def test_a_pad_goes_into_the_convolution_behind_it():
    graph = fold_padding(graph_of(conv_pad_model()))
    assert operators(graph) == ["CONV_2D"]
    assert next(graph.nodes()).padding == (1, 0, 2, 1)
    check_exact([conv_pad_model()])


def test_a_pad_that_is_also_the_models_answer_stays():
    graph = fold_padding(graph_of(conv_pad_model(pad_is_output=True)))
    assert operators(graph) == ["PAD", "CONV_2D"]


def test_a_branch_up_to_its_last_step_becomes_one_loop():
    graph = step_loops(graph_of(branch_model()))
    loop, *rest = graph.items
    assert isinstance(loop, Loop)
    assert loop.steps == 5
    assert [node.op for node in loop.nodes] == [
        *("CONV_2D", "LOGISTIC", "AVERAGE_POOL_2D", "RESHAPE"),
        *("UNIDIRECTIONAL_SEQUENCE_LSTM", "UNIDIRECTIONAL_SEQUENCE_LSTM"),
    ]
    assert [node.op for node in rest] == ["FULLY_CONNECTED"]
    assert all(t.shape[:2] == (1, 1) for node in loop.nodes for t in node.outputs)


def test_a_sequence_read_elsewhere_too_is_kept_whole():
    graph = step_loops(graph_of(branch_model(sequence_is_output=True)))
    loop = next(item for item in graph.items if isinstance(item, Loop))
    last = loop.nodes[-1].outputs[0]
    view = graph.views[last.index]
    assert view.base == graph.outputs[1].index
    assert view.step_bytes == last.shape[-1]


def test_tables_fold_into_what_computes_their_input_and_compose():
    content = branch_model(second_table=True)
    graph = fold_tables(step_loops(graph_of(content)))
    names = operators(graph)
    assert "LOGISTIC" not in names
    assert "TANH" not in names
    conv = next(graph.nodes())
    assert conv.table.shape == (256,)
    assert conv.before_table is not None
    assert conv.outputs[0].scales != conv.before_table.scales
    check_exact([content])


def test_reshapes_leave_views_and_no_chain_of_views():
    graph = drop_shapes(fold_tables(step_loops(graph_of(branch_model()))))
    assert "RESHAPE" not in operators(graph)
    assert graph.views
    assert not {view.base for view in graph.views.values()} & set(graph.views)


@pytest.mark.parametrize(("shared", "left"), [(False, 0), (True, 1)])
def test_a_concatenation_vanishes_only_where_its_parts_are_its_own(shared, left):
    content = join_model(shared=shared)
    graph = join_in_place(graph_of(content))
    assert operators(graph).count("CONCATENATION") == left
    check_exact([content])


def test_the_whole_chain_answers_as_tflite_micro():
    for second, output in ((False, False), (True, True)):
        check_exact([branch_model(second_table=second, sequence_is_output=output)])


def test_a_streamed_window_gives_the_same_answers_in_less_memory():
    content = branch_model()
    whole = compile_model(content, CompileSettings())
    (streamed,) = check_exact([content], settings={"stream": True})
    assert streamed.schedule.plan.arena_bytes < whole.schedule.plan.arena_bytes


@pytest.mark.parametrize("stream", [False, True])
def test_state_that_is_carried_on_gives_tflite_micros_answers_window_after_window(stream):
    check_exact(
        [branch_model(), branch_model(second_table=True)],
        settings={"carry_state": True, "stream": stream},
    )


def test_a_model_without_steps_is_not_streamed():
    with pytest.raises(KdEdgeError, match="step by step") as caught:
        compile_model(conv_pad_model(), CompileSettings(stream=True))
    assert caught.value.code == "KD_UNSUPPORTED_OP"


def test_kept_inputs_cost_arena_and_are_not_overwritten():
    content = branch_model()
    kept = compile_model(content, CompileSettings(keep_inputs=True))
    free = compile_model(content, CompileSettings())
    assert kept.schedule.plan.arena_bytes >= free.schedule.plan.arena_bytes
    key = TensorKey(kept.graph.inputs[0].index)
    mine = next(b for b in kept.schedule.buffers if b.key == key)
    assert mine.first == 0
    assert mine.last >= max(b.first for b in kept.schedule.buffers)


def test_the_same_model_gives_the_same_bytes():
    content = branch_model()
    assert compile_model(content, CompileSettings()).files == (
        compile_model(content, CompileSettings()).files
    )


def test_an_lstm_of_two_sequences_is_refused_by_name():
    with pytest.raises(KdEdgeError) as caught:
        compile_model(branch_model(batch=2), CompileSettings())
    assert caught.value.code == "KD_UNSUPPORTED_OP"
    assert "UNIDIRECTIONAL_SEQUENCE_LSTM" in str(caught.value)


def test_an_lstm_whose_result_has_other_steps_is_refused_by_name():
    graph = Layers(11)
    source = graph.value((1, 5, 6))
    sequence, _ = graph.lstm(source, (1, 5, 6), 4)
    model = unpack(graph.content((source,), (sequence,)))
    model.subgraphs[0].tensors[sequence].shape = [1, 3, 4]
    with pytest.raises(KdEdgeError, match=r"it makes \(1, 3, 4\) of \(1, 5, 6\)") as caught:
        compile_model(pack(model), CompileSettings())
    assert caught.value.code == "KD_UNSUPPORTED_OP"


def test_an_lstm_of_computed_weights_is_refused_by_name():
    graph = Layers(12)
    source, other = graph.value((1, 5, 6)), graph.value((4, 6))
    sequence, _ = graph.lstm(source, (1, 5, 6), 4)
    model = unpack(graph.content((source, other), (sequence,)))
    lstm = model.subgraphs[0].operators[0]
    lstm.inputs = [lstm.inputs[0], other, *lstm.inputs[2:]]
    with pytest.raises(KdEdgeError, match=r"LSTM.*are computed") as caught:
        compile_model(pack(model), CompileSettings())
    assert caught.value.code == "KD_UNSUPPORTED_OP"


@pytest.mark.parametrize("place", [0, 1])
def test_a_join_of_an_absent_input_is_refused_by_name(place):
    model = unpack(join_model())
    join = model.subgraphs[0].operators[2]
    join.inputs = [-1 if i == place else tensor for i, tensor in enumerate(join.inputs)]
    with pytest.raises(KdEdgeError) as caught:
        compile_model(pack(model), CompileSettings())
    assert caught.value.code in ("KD_UNSUPPORTED_OP", "KD_BAD_TFLITE")
    assert "CONCATENATION" in caught.value.where
