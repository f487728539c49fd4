"""Gates on instructions of whole networks with random weights. Oracles: bounds counted by hand, and
figures of TFLite Micro with CMSIS-NN, cited. `benchmarks/bench_plain_c.py` has the long form."""

from __future__ import annotations

import functools

import pytest
from aot_gates import BOARDS, GOALS, TFLITE_MICRO, measured_costs, over_bound
from aot_tiny_models import TINY_MODELS

pytestmark = pytest.mark.qemu

_NAMES = [name for name in TINY_MODELS if (name, "m4", "-O2") in TFLITE_MICRO]
_on_each_core = pytest.mark.parametrize("core", BOARDS)


@functools.cache
def costs_of(name: str, core: str):
    return measured_costs(TINY_MODELS[name](), core)


@_on_each_core
@pytest.mark.parametrize("name", _NAMES)
def test_a_network_takes_fewer_instructions_than_with_cmsis_nn(name, core):
    *_, million = TFLITE_MICRO[name, core, "-O2"]
    assert sum(cost.instructions for cost in costs_of(name, core)) < million * 1e6


@pytest.mark.parametrize(("name", "core"), GOALS)
def test_a_network_stays_within_its_goal(name, core):
    assert sum(cost.instructions for cost in costs_of(name, core)) < GOALS[name, core] * 1e6


@_on_each_core
@pytest.mark.parametrize("name", _NAMES)
def test_no_layer_of_weight_takes_much_more_than_its_bound(name, core):
    assert over_bound(costs_of(name, core), core) == []


@_on_each_core
def test_two_runs_take_the_same_instructions(core):
    assert measured_costs(TINY_MODELS["str_ww"](), core) == costs_of("str_ww", core)
