"""The verifier of graphs. Oracle: graphs broken by hand, one way each; a list of marks."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from aot_changes import changed, first, graph_of, nth_input
from aot_layers import branch_model, conv_pad_model, join_model

from firmware_export.aot.graph import Graph, View
from firmware_export.aot.marks import Marks
from firmware_export.aot.passes.join_in_place import join_in_place
from firmware_export.aot.passes.step_loops import step_loops
from firmware_export.aot.verify import verify
from kd_edge.base.errors import KdEdgeError

DENSE, CONV, LSTM = "FULLY_CONNECTED", "CONV_2D", "UNIDIRECTIONAL_SEQUENCE_LSTM"


def branch() -> Graph:
    """Step by step and then a dense layer, with views and a loop, before anything is folded."""
    return step_loops(graph_of(branch_model()))


def join() -> Graph:
    """Two dense layers whose results are views, then a third."""
    return join_in_place(graph_of(join_model()))


def with_view(graph: Graph, **values) -> Graph:
    """The last view with other values."""
    index = list(graph.views)[-1]
    return replace(graph, views={**graph.views, index: replace(graph.views[index], **values)})


def second_state(graph: Graph) -> Graph:
    """Two LSTMs with the state of the first."""
    loop = graph.items[0]
    *others, a, b = loop.nodes
    states = replace(b, inputs=(*b.inputs[:18], *a.inputs[18:20], *b.inputs[20:]))
    return replace(graph, items=(replace(loop, nodes=(*others, a, states)), *graph.items[1:]))


# What was done -> graph, change, and what the error names.
BROKEN = {
    "the nodes stand in another order": (
        graph_of(join_model()),
        lambda g: replace(g, items=g.items[::-1]),
        ("operator 3", "nothing has written"),
    ),
    "a node is gone": (
        graph_of(join_model()),
        lambda g: replace(g, items=g.items[1:]),
        ("operator 2 (CONCATENATION)", "nothing has written", "tensor 3 ('value_4')"),
    ),
    "a node stands twice": (
        graph_of(join_model()),
        lambda g: replace(g, items=(g.items[0], *g.items)),
        ("operator 0", "twice"),
    ),
    "the model's answer is computed nowhere": (
        graph_of(join_model()),
        lambda g: replace(g, items=g.items[:-1]),
        ("the model's outputs", "nothing has written"),
    ),
    "a result has another shape than its reader thinks": (
        graph_of(join_model()),
        lambda g: changed(g, DENSE, outputs=first(lambda t: replace(t, shape=(1, 4)))),
        ("tensor", "int8 (1, 4)", "int8 (1, 5)"),
    ),
    "a result has another type than its reader thinks": (
        graph_of(join_model()),
        lambda g: changed(g, DENSE, outputs=first(lambda t: replace(t, dtype="int16"))),
        ("int16",),
    ),
    "a result has lost its quantisation on one side": (
        graph_of(join_model()),
        lambda g: changed(g, DENSE, outputs=first(lambda t: replace(t, scales=()))),
        ("of scale 0.1",),
    ),
    "a constant does not fill its shape": (
        graph_of(join_model()),
        lambda g: changed(
            g, DENSE, inputs=nth_input(1, lambda t: replace(t, data=t.data[:, :-1]))
        ),
        ("int8 (5, 8)", "int8 (5, 9)", "weights"),
    ),
    "a constant is of another type": (
        graph_of(join_model()),
        lambda g: changed(
            g, DENSE, inputs=nth_input(1, lambda t: replace(t, data=t.data.astype(np.int16)))
        ),
        ("int16 (5, 9)", "weights"),
    ),
    "a number of a tensor is past the last": (
        graph_of(join_model()),
        lambda g: replace(g, next_index=3),
        ("tensors go up to 2",),
    ),
    "a node has lost its input": (
        graph_of(join_model()),
        lambda g: changed(g, DENSE, inputs=lambda node: node.inputs[:1]),
        ("operator 0 (FULLY_CONNECTED)", "inputs"),
    ),
    "a node has lost an option": (
        graph_of(conv_pad_model()),
        lambda g: changed(g, CONV, options={}),
        ("operator 1 (CONV_2D)", "stride_h"),
    ),
    "a node has an axis too many": (
        graph_of(conv_pad_model()),
        lambda g: changed(
            g,
            CONV,
            inputs=nth_input(
                1, lambda t: replace(t, shape=(*t.shape, 1), data=t.data[..., np.newaxis])
            ),
        ),
        ("operator 1 (CONV_2D)", "5 axes, not 4"),
    ),
    "a table stands alone": (
        graph_of(join_model()),
        lambda g: changed(g, DENSE, table=np.zeros(256, np.int8)),
        ("operator 0", "table"),
    ),
    "a table is too short": (
        graph_of(join_model()),
        lambda g: changed(
            g, DENSE, table=np.zeros(255, np.int8), before_table=lambda n: n.outputs[0]
        ),
        ("operator 0", "table", "value_4"),
    ),
    "a padding is below nothing": (
        graph_of(conv_pad_model()),
        lambda g: changed(g, CONV, padding=(-1, 0, 0, 0)),
        ("operator 1 (CONV_2D)", "padding"),
    ),
    "two nodes write one tensor": (
        graph_of(branch_model()),
        lambda g: replace(
            g, items=(*g.items, replace(g.items[0], place="operator 99 (CONV_2D)"))
        ),
        ("operator 99", "writes over what operator 0"),
    ),
    "a node writes the model's input": (
        graph_of(join_model()),
        lambda g: replace(
            g,
            items=(
                *g.items,
                replace(
                    g.items[-1], place="operator 9", inputs=g.items[-1].inputs, outputs=g.inputs
                ),
            ),
        ),
        ("operator 9", "writes over what the caller"),
    ),
    "a node writes a constant": (
        graph_of(join_model()),
        lambda g: changed(
            g, DENSE, outputs=first(lambda t: replace(t, data=np.zeros(t.shape, np.int8)))
        ),
        ("operator 0", "constant"),
    ),
    "a state is read as a value": (
        graph_of(branch_model()),
        lambda g: changed(
            g, LSTM, inputs=lambda n: (n.inputs[18], *n.inputs[1:])
        ),
        ("UNIDIRECTIONAL_SEQUENCE_LSTM",),
    ),
    "two nodes have one state": (branch(), second_state, ("has its state too", "hidden")),
    "a view lies in a view": (
        join(),
        lambda g: replace(g, views={**g.views, g.items[-1].outputs[0].index: View(
            next(iter(g.views)), 0)}),
        ("a view itself",),
    ),
    "a view lies in nothing": (join(), lambda g: with_view(g, base=99), ("unknown",)),
    "a view ends behind its base": (
        join(), lambda g: with_view(g, offset_bytes=6), ("bytes 6 to 9 of 8",)
    ),
    "a view begins before its base": (
        join(), lambda g: with_view(g, offset_bytes=-1), ("operator 1",)
    ),
    "two views overlap": (
        join(), lambda g: with_view(g, offset_bytes=4), ("operator 1", "writes over", "operator 0")
    ),
    "a view leaves a gap": (
        join(),
        lambda g: replace(g, views=dict([next(iter(g.views.items()))])),
        ("operator 3", "nothing has written"),
    ),
    "a loop has a turn too many": (
        branch(),
        lambda g: replace(g, items=(replace(g.items[0], steps=6), *g.items[1:])),
        ("bytes 210 to 252 of 210",),
    ),
    "a loop's nodes stand in another order": (
        branch(),
        lambda g: replace(
            g, items=(replace(g.items[0], nodes=g.items[0].nodes[::-1]), *g.items[1:])
        ),
        ("nothing has written",),
    ),
}  # fmt: skip


@pytest.mark.parametrize("how", BROKEN)
def test_a_graph_that_is_broken_by_hand_is_named_with_stage_node_and_tensor(how):
    graph, breaking, told = BROKEN[how]
    verify(graph, "before")
    with pytest.raises(KdEdgeError) as caught:
        verify(breaking(graph), "a stage")
    error = caught.value
    assert error.code == "KD_INTERNAL"
    assert "'a stage'" in error.message
    for text in told:
        assert text in f"{error.where}: {error.message}"


@pytest.mark.parametrize("seed", range(5))
def test_marks_are_those_of_a_byte_by_byte_list(seed):
    """Oracle: a list with one mark a byte."""
    rng = random.Random(seed)
    marks, plain = Marks(), [None] * 40
    for _ in range(60):
        start = rng.randint(0, 39)
        end = rng.randint(start, 40)
        mark = rng.choice((None, "a", "b", "c"))
        marks.put(start, end, mark)
        plain[start:end] = [mark] * (end - start)
        start = rng.randint(0, 39)
        end = rng.randint(start + 1, 40)
        assert marks.over(start, end) == set(plain[start:end])
