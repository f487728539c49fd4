"""Gates on instructions of whole networks with random weights. Oracles: bounds counted by hand,
figures of TFLite Micro with CMSIS-NN, cited, and recorded ones. The long form is in
`benchmarks/bench_plain_c.py`."""

from __future__ import annotations

import functools

import pytest
from aot_gates import (
    BOARDS,
    CMSIS_NN,
    GOALS,
    ISL_FLASH,
    ISL_INSTRUCTIONS,
    TFLITE_MICRO,
    measured_costs,
    over_bound,
)
from aot_models import OperatorModel, Quantised
from aot_tiny_models import TINY_MODELS, isl
from aot_window_models import Case, model
from tflite_samples import options_of

from firmware_export.aot.compiler import CompileSettings, compile_model
from firmware_export.boards import find_board
from firmware_export.boards.on_board import measure_size

pytestmark = pytest.mark.qemu


def _softmax() -> bytes:
    model = OperatorModel()
    source = model.input(Quantised((1, 50), 0.1, 11))
    result = model.output(Quantised((1, 50), 1 / 256, -128))
    model.operator("SOFTMAX", (source,), (result,), options_of("SoftmaxOptions", beta=1.0))
    return model.content()


_HALVED = {"source": (1, 16, 16, 16), "kernel": (2, 2), "strides": (2, 2)}
_FEW = _HALVED | {"source": (1, 16, 16, 3)}
_LAYERS = {
    "softmax of 50": _softmax(),
    "average of 25 x 5": model(Case("AVERAGE_POOL_2D", (1, 25, 5, 64), (25, 5))),
    "average of 8 x 8": model(Case("AVERAGE_POOL_2D", (1, 8, 8, 64), (8, 8))),
    "averages of 2 x 2": model(Case("AVERAGE_POOL_2D", **_HALVED)),
    "averages of 2 x 2, three channels": model(Case("AVERAGE_POOL_2D", **_FEW)),
    "largest of 2 x 2": model(Case("MAX_POOL_2D", **_HALVED)),
    "largest of 2 x 2, three channels": model(Case("MAX_POOL_2D", **_FEW)),
}

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


@pytest.mark.parametrize(("name", "core"), CMSIS_NN)
def test_a_small_layer_takes_two_thirds_of_cmsis_nns_instructions_at_most(name, core):
    (cost,) = measured_costs(_LAYERS[name], core)
    assert cost.instructions <= 2 / 3 * CMSIS_NN[name, core]


@pytest.mark.parametrize(("core", "optimize"), ISL_FLASH)
def test_the_isl_students_network_takes_little_more_flash_than_recorded(core, optimize, tmp_path):
    compiled = compile_model(isl(), CompileSettings(core=core))
    size = measure_size(find_board(BOARDS[core]), compiled, tmp_path, optimize=optimize)
    assert size.flash_bytes <= 1.02 * ISL_FLASH[core, optimize]


@_on_each_core
def test_the_isl_students_network_is_no_slower_than_recorded(core):
    whole = sum(cost.instructions for cost in measured_costs(isl(), core))
    assert whole <= ISL_INSTRUCTIONS[core]


@_on_each_core
@pytest.mark.parametrize("name", _NAMES)
def test_no_layer_of_weight_takes_much_more_than_its_bound(name, core):
    assert over_bound(name, costs_of(name, core), core) == []


@_on_each_core
def test_two_runs_take_the_same_instructions(core):
    assert measured_costs(TINY_MODELS["str_ww"](), core) == costs_of("str_ww", core)
