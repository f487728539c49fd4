"""What a compilation tells of itself: layers, passes, arena, and that it never varies."""

from __future__ import annotations

import itertools
import re

import pytest
from aot_fuzz import STEPS, UNITS, image_model, lstm_model
from programs import need
from tflite_samples import GraphBuilder, options_of

from firmware_export.aot.compiler import CompileSettings, compile_model
from firmware_export.aot.cores import CORES
from firmware_export.aot.cycles import estimate_cycles
from firmware_export.aot.export import build_files
from firmware_export.aot.kernels import KERNELS
from firmware_export.aot.lower import LOWERINGS
from firmware_export.aot.memory_map import memory_map
from firmware_export.aot.rates import RATES
from firmware_export.boards.compiling import measure_code


def compiled(content: bytes, **settings):
    return compile_model(content, CompileSettings(**settings))


@pytest.mark.parametrize("core", sorted(CORES))
def test_the_same_model_gives_the_same_sources_for_every_core(core):
    first, second = (compiled(image_model(), core=core) for _ in range(2))
    assert first.files == second.files


@pytest.mark.parametrize(
    ("core", "option", "compiler"),
    [("wasm", "-O3", "CC = clang\nAR = llvm-ar\n"), ("aarch64", "-O3", "AR = $(CROSS)ar")]
    + [("m4", "-Os", "CROSS ?= arm-none-eabi-\n"), ("host", "-Os", "")],
)
def test_build_files_say_how_a_core_is_built_for_unless_asked(core, option, compiler):
    one = compiled(image_model(), core=core)
    makefile = build_files(one, optimize=one.core.optimize)["Makefile"]
    assert f" {option} " in makefile
    assert compiler in makefile
    assert ("kd_string.c" in one.files) == core.startswith("wasm")


def test_each_layer_names_its_operator_and_what_it_costs():
    """Oracle: the operator's shapes, by hand."""
    conv, lstm, dense = compiled(lstm_model()).layers
    assert [one.place for one in (conv, lstm, dense)] == [
        "operator 0 (CONV_2D)",
        "operator 2 (UNIDIRECTIONAL_SEQUENCE_LSTM)",
        "operator 4 (FULLY_CONNECTED)",
    ]
    assert (conv.times, lstm.times, dense.times) == (STEPS, STEPS, 1)
    assert conv.macs == STEPS * 6 * 3 * 2
    assert lstm.macs == STEPS * 4 * UNITS * (6 + UNITS)
    assert dense.macs == 3 * UNITS
    assert (lstm.output_bytes, dense.output_bytes) == (UNITS, 3)
    assert lstm.results == STEPS * UNITS
    assert lstm.constant_bytes >= 4 * UNITS * (6 + UNITS)


def test_the_constants_of_the_layers_add_up_to_the_whole():
    one = compiled(image_model())
    assert sum(layer.constant_bytes for layer in one.layers) == one.constant_bytes


def test_constants_that_two_layers_share_are_counted_once():
    graph = GraphBuilder()
    x, y, z = (graph.tensor(name, (1, 8), scale=0.1, zero_point=2) for name in "xyz")
    graph.operator("TANH", (x,), (y,))
    graph.operator("TANH", (y,), (z,))
    first, second = compiled(graph.content((x,), (z,))).layers
    assert (first.constant_bytes, second.constant_bytes) == (256, 0)


def test_passes_say_what_they_did():
    by_name = {effect.name: effect for effect in compiled(lstm_model()).effects}
    assert by_name["run step by step"].did.startswith(f"1 loop over {STEPS} steps")
    dropped = by_name["drop operators that only reshape"]
    assert dropped.operators_before - dropped.operators_after == 1
    image = {effect.name: effect for effect in compiled(image_model()).effects}
    assert image["fold padding"].did == "1 operator with padding folded in"
    joined = image["join in place"]
    assert joined.operators_before - joined.operators_after == 1
    assert joined.did == "2 tensors in other ones' memory"


def test_the_memory_map_shows_every_byte_of_the_plan():
    one = compiled(lstm_model())
    entries = memory_map(one)
    assert {entry.name for entry in entries} >= {"signals", "logits"}
    assert [e.kind for e in entries if e.name == "signals"] == ["input"]
    assert [e.kind for e in entries if "logits" in e.name] == ["output"]
    assert sum(e.kind == "state" for e in entries) == 2
    assert all("operator 2" in e.name for e in entries if e.kind == "state")
    plan = one.schedule.plan
    assert max(e.offset_bytes + e.n_bytes for e in entries) == plan.arena_bytes
    for moment in range(len(one.layers) + 2):
        live = [e for e in entries if e.first <= moment <= e.last]
        spans = sorted((e.offset_bytes, e.offset_bytes + e.n_bytes) for e in live)
        assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans))


def test_settings_keep_what_they_say():
    fresh = compiled(lstm_model()).schedule.plan.arena_bytes
    kept = compiled(lstm_model(), keep_inputs=True).schedule.plan.arena_bytes
    streamed = compiled(lstm_model(), stream=True).schedule.plan.arena_bytes
    assert streamed < fresh <= kept
    assert "kd_model_reset" in compiled(lstm_model(), carry_state=True).files["kd_model.h"]


@pytest.mark.gcc_arm
def test_code_size_holds_constants_and_arena():
    need("arm-none-eabi-gcc")
    one = compiled(image_model(), core="m4")
    size = measure_code(one.files, one.core, "-Os")
    assert size.flash_bytes > one.constant_bytes
    assert 0 <= size.ram_bytes - one.schedule.plan.arena_bytes < 8
    assert "-Os" in size.how


def test_code_size_is_unknown_where_there_is_no_compiler(monkeypatch):
    monkeypatch.setenv("PATH", "")
    one = compiled(image_model(), core="m4")
    assert measure_code(one.files, one.core, "-Os") is None


def test_rates_are_those_of_kernels_that_are_there():
    """Oracle: the kernels' files."""
    headers = {path.stem for path in KERNELS.glob("kd_*.h")}
    assert {kernel for kernels in RATES.values() for kernel in kernels} <= headers


def test_an_estimate_names_its_basis_and_what_it_leaves_out():
    one = compiled(lstm_model(), core="m4")
    estimate = estimate_cycles(one.layers, one.core)
    assert estimate.not_counted == ()
    assert 0 < estimate.instructions <= estimate.low_cycles <= estimate.high_cycles
    assert "DDI 0439" in estimate.basis
    assert estimate_cycles(one.layers, CORES["rv32imc"]) is None


def test_one_operator_of_several_inputs_runs_into_its_output():
    graph = GraphBuilder()
    a, b = (graph.tensor(name, (1, 4), scale=0.1) for name in "ab")
    total = graph.tensor("total", (1, 4), scale=0.2)
    graph.operator("ADD", (a, b), (total,), options_of("AddOptions"), version=2)
    (layer,) = compiled(graph.content((a, b), (total,))).layers
    assert (layer.kernel, layer.elements, layer.macs) == ("kd_sum_s8", 4, 0)


def test_the_documentation_lists_exactly_the_operators_that_the_engine_has(pytestconfig):
    """Oracle: the table of lowerings."""
    text = (pytestconfig.rootpath / "docs" / "plain-c.md").read_text(encoding="utf-8")
    table = text.split("## Operators")[1].split("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    named = [name for row in rows for name in re.findall(r"`([A-Z0-9_]+)`", row.split("|")[1])]
    assert len(named) == len(set(named))
    assert set(named) == set(LOWERINGS)
