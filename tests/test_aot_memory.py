"""The memory plan. Oracles: overlap checked pairwise; an integer programme's best arena."""

from __future__ import annotations

import numpy as np
import pytest
from aot_layers import branch_model, join_model
from scipy.optimize import Bounds, LinearConstraint, milp

from firmware_export.aot.compiler import CompileSettings, compile_model
from firmware_export.aot.memory import Buffer, Plan, most_live_bytes, plan_memory


def random_buffers(seed: int, count: int) -> list[Buffer]:
    rng = np.random.default_rng(seed)
    buffers = []
    for i in range(count):
        first = int(rng.integers(0, count))
        last = min(first + int(rng.geometric(0.4)), count)
        n_bytes = int(rng.choice([4, 50, 200, 294, 840, 1188, 2900, 9000]))
        buffers.append(Buffer(f"b{i}", n_bytes, first, last, int(rng.choice([4, 8]))))
    return buffers


def together(a: Buffer, b: Buffer) -> bool:
    return a.first <= b.last and b.first <= a.last


@pytest.mark.parametrize("seed", range(40))
def test_buffers_in_use_together_never_overlap_and_are_aligned(seed):
    buffers = random_buffers(seed, 4 + seed)
    plan = plan_memory(buffers)
    for a in buffers:
        start = plan.offsets[a.key]
        assert start % a.align == 0
        assert start + a.n_bytes <= plan.arena_bytes
        for b in buffers:
            if a is not b and together(a, b):
                other = plan.offsets[b.key]
                assert start + a.n_bytes <= other or other + b.n_bytes <= start
    assert plan.bound_bytes == most_live_bytes(buffers) <= plan.arena_bytes


def test_the_same_buffers_give_the_same_plan_in_any_order():
    buffers = random_buffers(3, 20)
    assert plan_memory(buffers) == plan_memory(buffers[::-1])


def test_a_chain_needs_its_two_largest_neighbours_only():
    sizes = [100, 300, 200, 50]
    chain = [Buffer(str(i), size, i, i + 1, 4) for i, size in enumerate(sizes)]
    assert plan_memory(chain).arena_bytes == 500


def test_no_buffers_need_no_arena():
    assert plan_memory([]).arena_bytes == 0


def best_arena_bytes(buffers: list[Buffer]) -> float:
    """The smallest arena: offsets x, arena z, and for each pair in use together which lies below.

    Alignment is left out, so the optimum here is a lower bound of the aligned one. Where the
    solver's time runs out, the best that it has found.
    """
    n = len(buffers)
    pairs = [(i, j) for i in range(n) for j in range(i + 1, n) if together(buffers[i], buffers[j])]
    big = sum(b.n_bytes for b in buffers)
    columns = n + 1 + len(pairs)
    rows, lower = [], []

    def row(entries: dict[int, float], at_least: float) -> None:
        rows.append([entries.get(c, 0.0) for c in range(columns)])
        lower.append(at_least)

    for i, buffer in enumerate(buffers):
        row({n: 1, i: -1}, buffer.n_bytes)
    for k, (i, j) in enumerate(pairs):
        below = n + 1 + k
        row({j: 1, i: -1, below: -big}, buffers[i].n_bytes - big)
        row({i: 1, j: -1, below: big}, buffers[j].n_bytes)
    costs = np.zeros(columns)
    costs[n] = 1
    least = np.zeros(columns)
    least[n] = most_live_bytes(buffers)
    whole = np.zeros(columns)
    whole[n + 1 :] = 1
    upper = np.full(columns, np.inf)
    upper[n + 1 :] = 1
    result = milp(
        costs,
        constraints=LinearConstraint(np.array(rows), lb=np.array(lower)),
        bounds=Bounds(least, upper),
        integrality=whole,
        options={"time_limit": 5},
    )
    assert result.fun is not None, result.message
    return float(result.fun)


def assert_nearly_best(plan: Plan, buffers: list[Buffer]) -> None:
    # No plan can need less than what is in use at one moment: then there is nothing to solve.
    if plan.arena_bytes > 1.05 * plan.bound_bytes + 8:
        assert plan.arena_bytes <= 1.05 * best_arena_bytes(buffers) + 8


@pytest.mark.parametrize("name", ["branch", "join"])
@pytest.mark.parametrize("core", ["host", "m4", "m55"])
def test_the_arena_of_a_model_is_within_five_percent_of_the_integer_programme(name, core):
    content = branch_model(second_table=True) if name == "branch" else join_model(shared=True)
    plan = compile_model(content, CompileSettings(core=core)).schedule
    assert_nearly_best(plan.plan, list(plan.buffers))


def test_the_integer_programme_beats_a_plan_that_wastes():
    buffers = [Buffer("a", 100, 0, 1, 4), Buffer("b", 100, 1, 2, 4)]
    assert best_arena_bytes(buffers) == pytest.approx(200)
    with pytest.raises(AssertionError):
        assert_nearly_best(Plan({}, 250, 200), buffers)


@pytest.mark.parametrize("seed", range(12))
def test_the_arena_is_within_five_percent_of_the_integer_programme(seed):
    buffers = random_buffers(100 + seed, 12)
    assert_nearly_best(plan_memory(buffers), buffers)
