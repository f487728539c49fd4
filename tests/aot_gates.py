"""What networks with the layers of public benchmarks may cost in plain C on the emulated boards."""

from __future__ import annotations

from collections.abc import Sequence

from aot_layer_counts import instructions_by_layer

from firmware_export.aot.bounds import LayerCost, layer_costs, slowest_first
from firmware_export.aot.compiler import CompileSettings, compile_model
from firmware_export.boards import find_board

BOARDS = {"m4": "qemu-an386", "m55": "qemu-an547"}
# Kilobytes of flash, kilobytes of RAM, million instructions: TFLite Micro with CMSIS-NN, kernels
# registered for int8 alone, arm-none-eabi-gcc 12.2 and the same emulated boards. The seed's
# students were trained, the others are the public files. None was not measured.
TFLITE_MICRO = {
    ("single", "m4", "-Os"): (95.2, 25.7, 2.81),
    ("single", "m4", "-O2"): (109.5, 25.7, 1.98),
    ("single", "m55", "-Os"): (90.6, 25.7, 1.37),
    ("single", "m55", "-O2"): (101.7, 25.7, 0.92),
    ("multi-expert", "m4", "-Os"): (256.2, 46.6, 16.1),
    ("multi-expert", "m4", "-O2"): (273.9, 46.6, 10.6),
    ("multi-expert", "m55", "-Os"): (250.4, 46.6, 10.1),
    ("multi-expert", "m55", "-O2"): (264.6, 46.6, 6.5),
    ("ad01", "m4", "-O2"): (309, 5.0, 0.583),
    ("ad01", "m55", "-O2"): (None, None, 0.285),
    ("str_ww", "m4", "-O2"): (130, 18.1, 2.227),
    ("str_ww", "m55", "-O2"): (None, None, 0.408),
    ("kws01", "m4", "-O2"): (112, 24.4, 7.699),
    ("kws01", "m55", "-O2"): (None, None, 1.815),
    ("ic01", "m4", "-O2"): (154, 56.5, 29.87),
    ("ic01", "m55", "-O2"): (None, None, 4.914),
    ("vww01, clamped", "m4", "-O2"): (391, 102.3, 24.10),
    ("vww01, clamped", "m55", "-O2"): (None, None, 6.558),
    ("person_detect", "m4", "-O2"): (348, 83.8, 22.93),
    ("person_detect", "m55", "-O2"): (None, None, 6.508),
    ("trained_lstm", "m4", "-O2"): (62.3, 5.5, 0.575),
    ("trained_lstm", "m55", "-O2"): (None, None, 0.261),
}
# Instructions of one layer, -O2: CMSIS-NN's function alone (commit 99f736a6), with the same values.
CMSIS_NN = {
    ("softmax of 50", "m4"): 25_796,
    ("average of 25 x 5", "m4"): 50_768,
    ("averages of 2 x 2", "m4"): 46_671,
    ("averages of 2 x 2, three channels", "m4"): 15_869,
    ("largest of 2 x 2", "m4"): 43_686,
    ("largest of 2 x 2, three channels", "m4"): 15_460,
    ("average of 25 x 5", "m55"): 13_084,
    ("average of 8 x 8", "m55"): 6_804,
    ("averages of 2 x 2", "m55"): 21_475,
    ("averages of 2 x 2, three channels", "m55"): 21_475,
    ("largest of 2 x 2", "m55"): 11_946,
    ("largest of 2 x 2, three channels", "m55"): 11_062,
}
# Million instructions, -O2, that a network was brought down to.
GOALS = {("trained_lstm", "m4"): 0.22, ("trained_lstm", "m55"): 0.10}
# The ISL student's network with random weights, on 29 November 2026: flash in bytes, and
# instructions with -O2. It may not get slower, nor larger by more than 2 %.
ISL_FLASH = {
    ("m4", "-Os"): 22_862,
    ("m4", "-O2"): 23_756,
    ("m55", "-Os"): 22_400,
    ("m55", "-O2"): 22_544,
}
ISL_INSTRUCTIONS = {"m4": 164_056, "m55": 47_833}
MOST_BOUNDS = 2.0  # times its bound that a layer may take
# With Helium a depthwise layer of vww01 in steps of two is a little above twice where the arena is
# fullest: it has no memory to turn more of its input at once. The seed's single student runs an
# average pool of two channels and a convolution once a step, for eleven and for five pixels: calls
# and windows cost more than what their bounds count.
MOST_BOUNDS_OF = {
    ("vww01", "m55", "kd_depthwise_strips_s8"): 2.1,
    ("vww01, clamped", "m55", "kd_depthwise_strips_s8"): 2.1,
    ("single", "m4", "kd_avg_pool_s8"): 7.8,
    ("single", "m55", "kd_avg_pool_s8"): 12.4,
    ("single", "m55", "kd_conv_s8"): 6.4,
}
LEAST_SHARE = 0.02  # of a window's instructions: smaller layers are little more than a call


def measured_costs(content: bytes, core: str) -> list[LayerCost]:
    """Each layer's instructions in one window of noise, -O2, beside its bound; slowest first."""
    compiled = compile_model(content, CompileSettings(core=core))
    counts = instructions_by_layer(compiled, find_board(BOARDS[core]), optimize="-O2")
    return slowest_first(layer_costs(compiled.layers, compiled.core, counts))


def over_bound(name: str, costs: Sequence[LayerCost], core: str) -> list[LayerCost]:
    """Layers of a model that count in the whole and take more than they may."""
    whole = sum(cost.instructions for cost in costs)
    return [
        cost
        for cost in costs
        if cost.times_bound is not None
        and cost.times_bound > MOST_BOUNDS_OF.get((name, core, cost.kernel), MOST_BOUNDS)
        and cost.instructions >= LEAST_SHARE * whole
    ]
