"""Instructions that a layer needs at least. Oracle: counts by hand."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from aot_stream_models import Conv, stack
from aot_tiny_models import TINY_MODELS

from firmware_export.aot.bounds import bound_of, layer_costs, slowest_first
from firmware_export.aot.compiler import Compiled, CompileSettings, compile_model


def compiled(name: str, core: str) -> Compiled:
    return compile_model(TINY_MODELS[name](), CompileSettings(core=core))


def parts(one: Compiled, layer: int) -> tuple[int, int, int, int]:
    bound = bound_of(one.layers[layer], one.core)
    return bound.loads, bound.widening, bound.multiplies, bound.results


def test_a_dense_layer_of_128_to_128_on_the_m4_is_counted_by_hand():
    """16,384 products by pairs, 16 of them behind two loads and four widenings; eight a result."""
    assert parts(compiled("ad01", "m4"), 1) == (2048, 4096, 8192, 1024)


def test_a_dense_layer_with_helium_takes_vectors_of_sixteen():
    assert parts(compiled("ad01", "m55"), 1) == (1024, 0, 1024, 448)
    # Rows of eight columns leave half of each vector empty: 128 rows of one vector each.
    loads, _, multiplies, _ = parts(compiled("ad01", "m55"), 5)
    assert (loads, multiplies) == (128, 128)


def test_a_convolution_prepares_each_window_once_for_all_channels():
    """kws01's first: 125 windows of 40 values, 64 channels."""
    loads, widening, multiplies, results = parts(compiled("kws01", "m4"), 0)
    assert (loads, widening) == (40_000 + 2_500, 40_000 + 2_500)
    assert (multiplies, results) == (160_000, 64_000)


def test_a_depthwise_convolution_multiplies_each_channel_by_itself():
    one = compiled("kws01", "m4")
    assert parts(one, 1) == (36_000, 72_000, 72_000, 64_000)
    assert parts(compiled("kws01", "m3"), 1) == (144_000, 0, 72_000, 80_000)


def test_strips_are_laid_once_for_a_band_and_results_scaled_by_fours():
    """kws01's second layer: 125 pixels, so 128, of 64 channels, each a load and a product; bands of
    three rows read five of seven pixels, each a load and a store of eight channels."""
    one = compiled("kws01", "m55")
    assert one.layers[1].kernel == "kd_depthwise_strips_s8"
    laid = 2 * one.layers[1].laid // 8
    assert one.layers[1].laid in [
        64 * 7 * bands * rows for bands, rows in ((25, 3), (9, 5), (7, 6))
    ]
    assert parts(one, 1) == (128 * 64 + laid, 0, 128 * 64, 28_672 + 7 * 64)


def test_what_has_no_bound_says_so():
    costs = layer_costs(compiled("kws01", "m4").layers, compiled("kws01", "m4").core)
    softmax = costs[-1]
    assert (softmax.bound, softmax.times_bound, softmax.per_mac) == (None, None, None)
    assert softmax.instructions > 0


@pytest.mark.parametrize("core", ["m3", "m4", "m55"])
def test_a_network_that_keeps_columns_has_every_layer_measured(core):
    """What moves the kept columns, too. Oracle: rates that the emulated cores gave."""
    content = stack([Conv(5, 2), Conv(3, 2)])
    one = compile_model(content, CompileSettings(core=core, hop=Fraction(1, 4)))
    costs = layer_costs(one.layers, one.core)
    assert "kd_shift" in {cost.kernel for cost in costs}
    assert all(cost.instructions > 0 for cost in costs)


def test_a_core_without_measured_rates_has_bounds_and_no_instructions():
    one = compiled("kws01", "m0plus")
    for cost in layer_costs(one.layers, one.core):
        assert (cost.instructions, cost.per_mac, cost.times_bound) == (None, None, None)
    assert layer_costs(one.layers, one.core)[0].bound.total > 0


def test_counts_that_were_measured_stand_beside_the_bound():
    one = compiled("trained_lstm", "m4")
    costs = layer_costs(one.layers, one.core, [200_000, 10_000, 300_000])
    assert [cost.instructions for cost in slowest_first(costs)] == [300_000, 200_000, 10_000]
    assert costs[0].per_mac == pytest.approx(200_000 / 107_520)
    assert costs[0].times_bound == pytest.approx(200_000 / costs[0].bound.total)


def test_advice_names_what_makes_a_layer_dear():
    helps = {
        cost.kernel: cost.helps
        for cost in layer_costs(compiled("ic01", "m55").layers, compiled("ic01", "m55").core)
    }
    assert "moves or maps values" in helps["kd_sum_s8"]
    first = layer_costs(compiled("vww01", "m55").layers, compiled("vww01", "m55").core)[2]
    assert first.helps.startswith("8 values a window leave some of 16 lanes empty")


@pytest.mark.parametrize("core", ["m4", "m55"])
def test_a_bound_is_stated_for_nearly_all_instructions_of_a_network(core):
    one = compiled("ic01", core)
    costs = layer_costs(one.layers, one.core)
    known = sum(cost.instructions for cost in costs if cost.bound and cost.instructions)
    assert known > 0.9 * sum(cost.instructions or 0 for cost in costs)


def test_a_dense_layer_has_no_windows_to_collect():
    one = compiled("ic01", "m55")
    (dense,) = [layer for layer in one.layers if layer.kernel.startswith("kd_fc")]
    (cost,) = layer_costs([dense], one.core, [1_000_000])
    assert cost.helps.startswith("A call costs much")


def test_a_general_kernel_is_measured_against_the_fast_ones_bound():
    one = compiled("vww01", "m4")
    general = replace(one.layers[2], kernel=f"{one.layers[2].kernel}_general")
    assert bound_of(general, one.core) == bound_of(one.layers[2], one.core)
    (cost,) = layer_costs([general], one.core, [1_000_000])
    assert "constant channels" in cost.helps or "channels are constant" in cost.helps
