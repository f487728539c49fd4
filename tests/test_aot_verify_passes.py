"""The verifier of passes. Oracle: wrong passes, each named by the compiler; TFLite Micro."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from aot_changes import changed, graph_of, nth_input
from aot_harness import check_exact
from aot_layers import Layers, branch_model, conv_pad_model, join_model
from tflite_samples import options_of

from firmware_export.aot import compiler
from firmware_export.aot.compiler import CompileSettings, compile_model
from firmware_export.aot.graph import Graph, Loop, Node, View
from firmware_export.aot.passes.step_loops import step_loops
from firmware_export.aot.verify import verify_pass
from kd_edge.base.errors import KdEdgeError

DENSE, LSTM = "FULLY_CONNECTED", "UNIDIRECTIONAL_SEQUENCE_LSTM"


def without_step(graph: Graph) -> Graph:
    """The loops with a turn too few: the last one's answer is that of the step before."""
    graph = step_loops(graph)
    loop = graph.items[0]
    return replace(graph, items=(replace(loop, steps=loop.steps - 1), *graph.items[1:]))


def unquantised(graph: Graph) -> Graph:
    """An answer's scale lost on every side."""

    def bare(tensor):
        lost = tensor is not None and tensor.index == graph.outputs[0].index
        return replace(tensor, scales=(), zero_points=()) if lost else tensor

    def node(node: Node) -> Node:
        tensors = (tuple(map(bare, node.inputs)), tuple(map(bare, node.outputs)))
        return replace(node, inputs=tensors[0], outputs=tensors[1])

    items = tuple(
        replace(item, nodes=tuple(map(node, item.nodes))) if isinstance(item, Loop) else node(item)
        for item in graph.items
    )
    ports = {name: tuple(map(bare, getattr(graph, name))) for name in ("outputs", "wholes")}
    return replace(graph, items=items, **ports)


def pad_left_behind(graph: Graph) -> Graph:
    """The convolution takes the padding, and the PAD stays."""
    pad, conv = graph.items
    folded = replace(conv, inputs=(pad.inputs[0], *conv.inputs[1:]), padding=(1, 0, 2, 1))
    return replace(graph, items=(pad, folded))


def pad_of_another_size(graph: Graph) -> Graph:
    pad, conv = graph.items
    folded = replace(conv, inputs=(pad.inputs[0], *conv.inputs[1:]), padding=(0, 0, 2, 1))
    return replace(graph, items=(folded,))


def other_weights(graph: Graph) -> Graph:
    return changed(graph, DENSE, inputs=nth_input(1, lambda t: replace(t, data=-t.data)))


def other_number(graph: Graph) -> Graph:
    """A tensor that was free takes the number of one that is in use."""
    taken = graph.items[0].inputs[1].index
    tensor = replace(graph.items[0].outputs[0], index=taken, name="new")
    return changed(graph, DENSE, outputs=(tensor,))


def without_state(graph: Graph) -> Graph:
    """An LSTM that nobody reads any more, dropped with its state."""
    dense = graph.items[-1]
    items = tuple(item for item in graph.items if item.op not in (LSTM, "STRIDED_SLICE"))
    source = replace(dense.inputs[0], index=graph.next_index)
    view = View(items[-2].outputs[0].index, 0)
    dense = replace(dense, inputs=(source, *dense.inputs[1:]))
    views = {source.index: view}
    return replace(graph, items=(*items[:-1], dense), views=views, next_index=graph.next_index + 1)


WRONG_PASSES = {
    "a loop has a turn too few": (branch_model(), without_step, ("values a run",)),
    "a quantisation is lost": (branch_model(), unquantised, ("FULLY_CONNECTED", "of scale 0.1")),
    "a folded operator stays": (conv_pad_model(), pad_left_behind, ("(PAD)", "nothing uses")),
    "a padding has another size": (conv_pad_model(), pad_of_another_size, ("values a run",)),
    "a constant is another one": (join_model(), other_weights, ("another constant", "weights")),
    "a number is taken twice": (join_model(), other_number, ("tensor",)),
    "a state is lost": (branch_model(), without_state, ("LSTM", "state is lost")),
    "an operator has become another one": (
        join_model(),
        lambda g: changed(g, "CONCATENATION", op="PACK", options={"axis": 0, "values_count": 2}),
        ("operator 2", "has changed"),
    ),
    "an operator has other options": (
        join_model(),
        lambda g: changed(g, "CONCATENATION", options={"axis": 1}),
        ("operator 2", "options"),
    ),
    "an operator came from nowhere": (
        join_model(),
        lambda g: changed(g, DENSE, place="operator 77 (FULLY_CONNECTED)"),
        ("operator 77", "no operator of before"),
    ),
    "an output is lost": (
        join_model(shared=True),
        lambda g: replace(g, outputs=g.outputs[:1]),
        ("the model", "output is lost"),
    ),
    "the outputs have changed places": (
        branch_model(sequence_is_output=True),
        lambda g: replace(g, outputs=g.outputs[::-1]),
        ("the model", "another one"),
    ),
    "the graph is broken": (
        join_model(),
        lambda g: replace(g, items=g.items[1:]),
        ("operator 2 (CONCATENATION)", "nothing has written"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("how", WRONG_PASSES)
def test_the_compiler_names_a_wrong_pass_and_writes_no_c(how, monkeypatch):
    content, wrong, told = WRONG_PASSES[how]
    monkeypatch.setattr(compiler, "PASSES", {"a wrong pass": wrong})
    with pytest.raises(KdEdgeError) as caught:
        compile_model(content, CompileSettings())
    error = caught.value
    assert error.code == "KD_INTERNAL"
    assert "'a wrong pass'" in error.message
    for text in told:
        assert text in f"{error.where}: {error.message}"


MODELS = {
    "branch": branch_model(second_table=True, sequence_is_output=True),
    "pad": conv_pad_model(),
    "join": join_model(shared=True),
}


@pytest.mark.parametrize("name", MODELS)
def test_no_node_can_be_lost_after_any_pass(name):
    """Every node of every graph on the way is dropped once."""
    before = graph_of(MODELS[name])
    for stage, apply in compiler.PASSES.items():
        check = compiler.CHECKS.get(stage, verify_pass)
        after = apply(before)
        check(before, after, stage)
        for place in [node.place for node in after.nodes()]:
            with pytest.raises(KdEdgeError):
                check(before, without(after, place), stage)
        before = after


def without(graph: Graph, place: str) -> Graph:
    items = tuple(
        replace(item, nodes=tuple(n for n in item.nodes if n.place != place))
        if isinstance(item, Loop)
        else item
        for item in graph.items
        if isinstance(item, Loop) or item.place != place
    )
    return replace(graph, items=items)


def test_what_a_loop_walks_over_is_copied_from_a_constant():
    """The arena had nothing there: the pass that drops reshapes had dropped the copy."""
    graph = Layers(9)
    values = np.arange(-15, 15, dtype=np.int8).reshape(5, 6)
    fixed = graph.constant("fixed", values, scale=0.05)
    graph._scales[fixed] = 0.05
    answer, _ = graph.lstm(graph.reshape(fixed, (1, 5, 6), zero_point=0), (1, 5, 6), 4)
    source, other = graph.value((1, 4)), graph.value((1, 4))
    graph.operator("RELU", (source,), (other,))
    check_exact([graph.content((source,), (other, answer))])


def test_what_a_loop_walks_over_does_not_vanish_into_a_table():
    """The arena had nothing there: the pass that folds tables had not seen the loop read it."""
    graph = Layers(12)
    source = graph.value((1, 5, 6))
    walked = graph.value((1, 5, 6))
    graph.operator("SUB", (source, source), (walked,), options_of("SubOptions"), version=2)
    other = graph.unary("RELU", walked, (1, 5, 6), scale=0.05, zero_point=3)
    answer, _ = graph.lstm(walked, (1, 5, 6), 4)
    check_exact([graph.content((source,), (other, answer))])


def test_an_input_that_is_an_answer_too_cannot_arrive_step_by_step():
    """The arena held one step of it."""
    graph = Layers(10)
    source = graph.value((1, 5, 6))
    answer, _ = graph.lstm(source, (1, 5, 6), 4)
    content = graph.content((source,), (answer, source))
    check_exact([content])
    with pytest.raises(KdEdgeError, match="step by step") as caught:
        compile_model(content, CompileSettings(stream=True))
    assert caught.value.code == "KD_UNSUPPORTED_OP"


def test_a_whole_model_is_verified_after_reading_and_after_each_pass(monkeypatch):
    told = []
    monkeypatch.setattr(compiler, "verify", lambda graph, stage: told.append(stage))
    monkeypatch.setattr(compiler, "verify_pass", lambda a, b, name: told.append(name))
    for stage in compiler.CHECKS:
        monkeypatch.setitem(compiler.CHECKS, stage, lambda a, b, name: told.append(name))
    compile_model(branch_model(), CompileSettings(stream=True))
    assert told == ["reading the file", *compiler.PASSES, "stream steps"]
