"""Keeping columns from hop to hop. Oracle: the TFLite Micro interpreter on every whole window."""

import os
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from aot_hops import check_hops
from aot_layers import branch_model
from aot_random_streams import hop_taken, random_stream
from aot_stream_models import (
    CAUSAL,
    SAME,
    VALID,
    Conv,
    centred,
    echo,
    gated,
    residual,
    stack,
    turned,
)

from firmware_export.aot.compiler import CompileSettings, compile_model
from firmware_export.aot.hops.verify_parts import verify_parts
from kd_edge.base.errors import KdEdgeError

QUARTER = Fraction(1, 4)


def macs(compiled) -> int:
    return sum(layer.macs for layer in compiled.layers)


def refusal(content: bytes, hop: Fraction, **settings) -> KdEdgeError:
    with pytest.raises(KdEdgeError) as raised:
        compile_model(content, CompileSettings(hop=hop, **settings))
    return raised.value


# --- exact ---

STACKS = [
    stack([Conv(9, 4), Conv(5, 2), Conv(5)], samples=64),
    stack([Conv(4, 2, padding=VALID), Conv(3, padding=VALID), Conv(2, 2, padding=VALID)]),
    stack([Conv(3, step=3), Conv(3, step=2, padding=VALID), Conv(5, depthwise=True)]),
    stack([Conv(4, 4, padding=VALID), Conv(1)]),
    stack([Conv(1, 2), Conv(8, 2), Conv(2)]),
    stack([Conv(5, 2, depthwise=True), Conv(1), Conv(3)], head="segments"),
    stack(
        [Conv(8, 4, padding=CAUSAL), Conv(5, 2, padding=CAUSAL), Conv(3, step=2, padding=CAUSAL)]
    ),
    stack([Conv(5, 2), Conv(3, padding=VALID)], bands=3),
    residual(),
    residual(padding=VALID),
    centred(),
]


def test_each_hop_answers_as_the_whole_window_does():
    hops = (QUARTER, QUARTER, Fraction(1, 12), Fraction(1, 3), Fraction(1, 2))
    hops += (
        QUARTER,
        Fraction(1, 6),
        Fraction(1, 8),
        Fraction(1, 10),
        Fraction(3, 10),
        Fraction(7, 20),
    )
    check_hops(list(zip(STACKS, hops, strict=True)))


@pytest.mark.parametrize("core", ["m4", "m55"])
def test_each_hop_answers_as_the_whole_window_does_on_an_emulated_core(core):
    chosen = [
        (STACKS[0], QUARTER),
        (STACKS[1], QUARTER),
        (STACKS[5], QUARTER),
        (residual(), QUARTER),
    ]
    check_hops(chosen, core=core, n_hops=3)


def test_random_models_over_time_answer_as_whole_windows_do():
    """KD_EDGE_FUZZ_HOPS=200 pytest tests/test_aot_hops.py compares more of them."""
    drawn = [random_stream(seed) for seed in range(int(os.environ.get("KD_EDGE_FUZZ_HOPS", "14")))]
    taken = [(content, hop_taken(content, lengths)) for content, lengths in drawn]
    models = [(content, hop) for content, hop in taken if hop is not None]
    assert len(models) > len(drawn) / 2
    check_hops(models, n_hops=3)


# --- cost ---


@pytest.mark.parametrize(
    ("padding", "most"),
    [(VALID, 1.0), (CAUSAL, 2.0), (SAME, 2.0)],
    ids=["valid", "causal", "same"],
)
def test_a_hop_costs_in_proportion_to_what_is_new(padding, most):
    """Without padding no column is computed twice; with it those at both edges are, each hop."""
    content = stack(
        [Conv(8, 4, padding=padding), Conv(4, 2, padding=padding), Conv(4, padding=padding)],
        samples=320,
    )
    whole = macs(compile_model(content, CompileSettings()))
    hop = compile_model(content, CompileSettings(hop=Fraction(1, 10)))
    assert 0.1 * whole <= macs(hop) < (0.1 * most + 0.02) * whole


def test_without_padding_a_hop_needs_less_memory_than_a_window():
    content = stack([Conv(8, 4, padding=VALID), Conv(4, 2, padding=VALID)], samples=320, width=16)
    whole = compile_model(content, CompileSettings()).schedule.plan.arena_bytes
    assert (
        compile_model(content, CompileSettings(hop=QUARTER)).schedule.plan.arena_bytes < 0.6 * whole
    )


def test_constants_stand_in_flash_once_for_all_parts_of_a_layer():
    content = stack([Conv(9, 4), Conv(5, 2), Conv(5)], samples=64, width=12)
    whole = compile_model(content, CompileSettings(core="m4")).constant_bytes
    assert compile_model(content, CompileSettings(core="m4", hop=QUARTER)).constant_bytes == whole


# --- refusals ---


def test_a_stride_that_does_not_divide_the_hop_is_refused_with_the_nearest_that_it_does():
    error = refusal(STACKS[0], Fraction(6, 64))
    assert error.code == "KD_UNSUPPORTED_OP"
    assert error.where == "operator 0 (CONV_2D)"
    assert "stride of 4 does not divide the 6 columns" in error.message
    assert error.hint == "the nearest hop that this model takes is 8/64"
    compile_model(STACKS[0], CompileSettings(hop=Fraction(8, 64)))


@pytest.mark.parametrize(
    ("content", "hop", "where", "reason"),
    [
        (gated(), QUARTER, "operator 3 (CONV_2D)", "through operator 1 (MEAN)"),
        (turned(), QUARTER, "operator 1 (CONV_2D)", "through operator 0 (TRANSPOSE)"),
        (branch_model(), Fraction(1, 5), "operator 0 (CONV_2D)", "--stream"),
        (echo(), QUARTER, "the model", "is an input"),
    ],
    ids=["mean over time", "transposed", "lstm", "echo"],
)
def test_what_cannot_keep_columns_is_refused_by_name(content, hop, where, reason):
    error = refusal(content, hop)
    assert error.code == "KD_UNSUPPORTED_OP"
    assert error.where == where
    assert reason in error.message + error.hint


def test_a_hop_after_which_nothing_is_left_is_refused():
    error = refusal(stack([Conv(7, padding=VALID)], samples=8), Fraction(7, 8))
    assert "every column is new or at an edge" in error.message


def test_a_hop_of_parts_of_samples_is_refused():
    error = refusal(STACKS[0], Fraction(1, 7))
    assert error.code == "KD_USAGE"
    assert "64 samples" in error.message


@pytest.mark.parametrize("other", ["stream", "carry_state", "keep_inputs"])
def test_a_hop_excludes_other_ways_of_taking_a_window(other):
    error = refusal(STACKS[0], QUARTER, **{other: True})
    assert error.code == "KD_USAGE"
    assert other in error.message


# --- checks of the pass ---


def test_a_hop_that_loses_a_layer_or_changes_its_weights_is_a_defect_with_its_name():
    from firmware_export.aot.compiler import PASSES
    from firmware_export.aot.hops.keep_columns import keep_columns
    from firmware_export.aot.reading import read_graph
    from kd_edge.base.flatbuffer import read_tflite

    graph = read_graph(read_tflite(STACKS[0]))
    for name in ("fold padding", "drop operators that only reshape"):
        graph = PASSES[name](graph)
    made = keep_columns(graph, QUARTER)
    verify_parts(graph, made, "keep")
    first = next(i for i, node in enumerate(made.items) if "columns" in node.place)
    weights = made.items[first].inputs[1]
    other = replace(weights, data=np.array(weights.data))
    changed = replace(
        made.items[first],
        inputs=(made.items[first].inputs[0], other, *made.items[first].inputs[2:]),
    )
    broken = {
        "nothing has written": (*made.items[:first], *made.items[first + 1 :]),
        "another constant": (*made.items[:first], changed, *made.items[first + 1 :]),
    }
    for reason, items in broken.items():
        with pytest.raises(KdEdgeError) as raised:
            verify_parts(graph, replace(made, items=items), "keep")
        assert raised.value.code == "KD_INTERNAL"
        assert reason in raised.value.message
