"""The verifier of the arena. Oracle: memory plans with one buffer in another one's place."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from aot_layers import branch_model, join_model

from firmware_export.aot.compiler import CompileSettings, compile_model
from firmware_export.aot.schedule import CallKey, Own
from firmware_export.aot.verify_arena import verify_arena
from kd_edge.base.errors import KdEdgeError

LSTM = "UNIDIRECTIONAL_SEQUENCE_LSTM"
SETTINGS = [
    dict(zip(("carry_state", "keep_inputs", "stream"), values, strict=True))
    for values in itertools.product((False, True), repeat=3)
]


def verify_plan(compiled, plan, **others) -> None:
    verify_arena(compiled.graph, plan, replace(compiled.settings, **others))


def moved(plan, key, offset: int):
    return replace(plan, plan=replace(plan.plan, offsets={**plan.plan.offsets, key: offset}))


@pytest.mark.parametrize("settings", SETTINGS)
def test_two_buffers_in_use_together_cannot_lie_in_one_place(settings):
    """Every pair of them is put there once.

    The plan is more careful than need be with an input, whose steps a loop has read, with a state
    behind the last step of a window, and with an operand that a kernel may overwrite.
    """
    compiled = compile_model(branch_model(second_table=True), CompileSettings(**settings))
    plan = compiled.schedule
    wide = replace(plan, plan=replace(plan.plan, arena_bytes=10 * plan.plan.arena_bytes))
    pairs = [
        (a, b)
        for a, b in itertools.permutations(plan.buffers, 2)
        if a.first <= b.last and b.first <= a.last and a.n_bytes and b.n_bytes
    ]
    missed, told = [], set()
    for a, b in pairs:
        try:
            verify_plan(compiled, moved(wide, a.key, plan.plan.offsets[b.key]))
        except KdEdgeError as error:
            told.add((error.code, "'plan the memory'" in error.message))
        else:
            missed.append((a, b))
    assert told == {("KD_INTERNAL", True)}
    assert len(missed) < len(pairs) / 10
    assert all(0 in (a.first, b.first) or a.first == b.last or a.last == b.first for a, b in missed)


def test_a_buffer_lies_inside_the_arena_at_a_multiple_of_its_alignment():
    compiled = compile_model(branch_model(), CompileSettings())
    plan = compiled.schedule
    behind = (plan.plan.arena_bytes // 8 + 1) * 8
    for buffer in plan.buffers:
        if buffer.n_bytes:
            for offset, told in ((behind, "of an arena of"), (1, "multiple"), (-8, "of an arena")):
                with pytest.raises(KdEdgeError, match=told):
                    verify_plan(compiled, moved(plan, buffer.key, offset))


def answer_over(compiled, first: int):
    """The plan with the answer in the place of the largest buffer that is in use from `first`."""
    plan = compiled.schedule
    answer = max(plan.buffers, key=lambda b: b.first)
    covered = max((b for b in plan.buffers if b.first == first), key=lambda b: b.n_bytes)
    wide = replace(plan, plan=replace(plan.plan, arena_bytes=2 * plan.plan.arena_bytes))
    return moved(wide, answer.key, plan.plan.offsets[covered.key])


def test_an_input_that_was_to_be_kept_is_missed():
    compiled = compile_model(branch_model(), CompileSettings())
    plan = answer_over(compiled, 0)
    verify_plan(compiled, plan)
    with pytest.raises(KdEdgeError, match=r"not in the arena.*value_1") as caught:
        verify_plan(compiled, plan, keep_inputs=True)
    assert caught.value.where == "the caller"


def test_a_state_that_was_to_be_carried_on_is_missed_in_the_next_window():
    compiled = compile_model(branch_model(), CompileSettings(stream=True))
    plan = compiled.schedule
    state = next(b for b in plan.buffers if isinstance(b.key, CallKey) and b.key.own is Own.STATE)
    answer = max(plan.buffers, key=lambda b: b.first)
    plan = moved(plan, answer.key, plan.plan.offsets[state.key])
    verify_plan(compiled, plan)
    with pytest.raises(KdEdgeError, match="its state is not in the arena") as caught:
        verify_plan(compiled, plan, carry_state=True)
    assert LSTM in caught.value.where


def test_a_call_may_overwrite_only_what_its_kernel_reads_in_place():
    compiled = compile_model(join_model(), CompileSettings())
    plan = compiled.schedule
    first_call = plan.items[0]
    assert not first_call.in_place
    source = next(b for b in plan.buffers if b.first == 0)
    result = next(b for b in plan.buffers if b.first == 1)
    with pytest.raises(KdEdgeError, match="changes argument"):
        verify_plan(compiled, moved(plan, result.key, plan.plan.offsets[source.key]))
