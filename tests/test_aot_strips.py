"""Convolutions that Helium computes in strips. Oracle: TFLite Micro's every byte; what a
layer may take of the arena is counted by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from aot_harness import check_exact
from aot_tiny_models import ic01, kws01, pooled
from aot_window_models import Case, model

from firmware_export.aot.compiler import Compiled, CompileSettings, compile_model
from firmware_export.aot.program import Call, Scratch
from firmware_export.aot.reading import read_graph
from firmware_export.aot.room import with_room
from firmware_export.aot.schedule import item_calls
from kd_edge.base.flatbuffer import read_tflite

_IMAGE = Case(op="CONV_2D", source=(1, 5, 5, 3), kernel=(3, 3), channels=5, padding="SAME")
_DEPTHWISE = replace(_IMAGE, op="DEPTHWISE_CONV_2D", channels=1)


# Blocks of channels, fours of pixels and vectors of taps, each with a rest; bands of rows, in tiles
# as wide as the image and in narrower ones; a weight of -128, where the seed by 16 leaves 5.
_STRIPS = tuple(
    replace(_DEPTHWISE, zero_points=zeros, **values)
    for zeros, values in (
        ((-128, -128), {"source": (1, 25, 5, 64), "activation": "RELU", "seed": 5}),
        ((127, 127), {"source": (2, 6, 6, 17), "strides": (2, 2), "seed": 21}),
        ((-5, 0), {"source": (1, 3, 2, 24), "seed": 37}),
        ((0, 9), {"source": (1, 2, 1, 20), "kernel": (3, 1)}),
        ((127, -128), {"source": (1, 4, 90, 40), "strides": (1, 2), "logistic": True, "seed": 5}),
        ((3, 4), {"source": (1, 9, 7, 9), "kernel": (4, 4), "gain": 20.0, "seed": 53}),
        ((-9, 4), {"source": (1, 9, 8, 16), "dilation": (2, 3), "logistic": True, "seed": 69}),
        ((-128, 4), {"source": (1, 1, 33, 18), "kernel": (1, 17), "seed": 5}),
        ((5, 4), {"source": (1, 1, 33, 33), "kernel": (1, 2), "strides": (1, 4), "seed": 5}),
        ((-128, 4), {"source": (1, 21, 50, 8), "seed": 5}),
        ((9, -7), {"source": (2, 11, 41, 16), "strides": (2, 2), "logistic": True}),
        ((0, 1), {"source": (1, 13, 6, 7), "kernel": (2, 2), "padding": "VALID"}),
    )
)


@pytest.mark.qemu
def test_helium_computes_every_channel_and_pixel_of_a_depthwise_convolution():
    compiled = check_exact([model(case) for case in _STRIPS], core="m55")
    calls = [_depthwise(one) for one in compiled]
    assert [i for i, call in enumerate(calls) if call.kernel == "kd_depthwise_s8"] == [3, 7]
    tiles = [call.params for call in calls if call.kernel == "kd_depthwise_strips_s8"]
    assert {1, 2, 4} <= {tile["band_rows"] for tile in tiles}
    narrow = [tile for tile in tiles if tile["tile_columns"] < tile["out_columns"]]
    assert any(tile["tile_rows"] > 1 for tile in narrow)


def _depthwise(one: Compiled) -> Call:
    (call,) = [c for c in item_calls(one.schedule.items) if c.kernel.startswith("kd_depthwise")]
    return call


# Pixels of one vector and of several, groups of them, places beyond eight bits, windows of one
# vector and of many; tiles of a part of a row and of several rows.
_IN_STRIPS = tuple(
    replace(_IMAGE, zero_points=zeros, **values)
    for zeros, values in (
        ((-128, 127), {"source": (1, 19, 70, 3), "strides": (2, 2), "channels": 8}),
        ((5, -6), {"source": (1, 33, 9, 1), "kernel": (10, 4), "strides": (2, 2), "channels": 9}),
        ((-128, 0), {"source": (1, 25, 6, 3), "kernel": (21, 2), "logistic": True}),
        ((3, 9), {"source": (2, 6, 9, 16), "channels": 3, "activation": "RELU"}),
        ((127, 1), {"source": (1, 5, 30, 21), "strides": (1, 2), "logistic": True, "channels": 4}),
        ((4, 4), {"source": (1, 7, 8, 6), "kernel": (2, 2), "strides": (3, 3), "padding": "VALID"}),
        ((1, 2), {"source": (1, 9, 12, 2), "dilation": (2, 3), "gain": 20.0}),
        ((7, 3), {"op": "DEPTHWISE_CONV_2D", "source": (1, 12, 13, 1), "channels": 8}),
        ((6, 3), {"op": "TRANSPOSE_CONV", "source": (1, 5, 7, 3), "strides": (2, 3)}),
    )
)


@pytest.mark.qemu
def test_helium_computes_every_window_that_lies_in_pieces():
    compiled = check_exact([model(case) for case in _IN_STRIPS], core="m55")
    for one in compiled:
        assert {call.kernel for call in item_calls(one.schedule.items)} >= {"kd_conv_strips_s8"}


# One pixel to three, windows over an edge and with gaps: a strip would compute four of them.
_INSIDE = {"padding": "VALID"}
_FEW = tuple(
    replace(_IMAGE, zero_points=zeros, **values)
    for zeros, values in (
        ((0, 0), {"source": (1, 2, 1, 7), "channels": 6}),
        ((-9, 8), {"source": (1, 1, 3, 2), "kernel": (5, 5)}),
        ((4, -4), {"source": (2, 3, 3, 16), "channels": 32, **_INSIDE}),
        ((1, 2), {"source": (1, 1, 9, 24), "kernel": (1, 5), "dilation": (1, 2), **_INSIDE}),
    )
)


@pytest.mark.qemu
def test_helium_computes_few_pixels_without_strips():
    compiled = check_exact([model(case) for case in _FEW], core="m55")
    assert {c.kernel for one in compiled for c in item_calls(one.schedule.items)} == {"kd_conv_s8"}


def test_an_operators_room_is_what_the_fullest_moment_has_more():
    """kws01: a depthwise layer's values are 2 x 25 x 5 x 64 bytes, the first layer's half that and
    490, the pool's half and 64."""
    rooms = _rooms(kws01())
    assert rooms[:3] == [16_000 - 8_490, 0, 0]
    assert rooms[9] == 16_000 - 8_064


def test_a_value_that_is_read_later_takes_room_meanwhile():
    """ic01: one of the first sum's two values, 32 x 32 x 16, waits while two convolutions run."""
    rooms = _rooms(ic01())
    assert rooms[:4] == [3 * 16_384 - 19_456, 16_384, 0, 0]


def _rooms(content: bytes) -> list[int]:
    return [node.room for node in with_room(read_graph(read_tflite(content))).nodes()]


@pytest.mark.parametrize(("make", "values"), [(kws01, 16_000), (ic01, 49_152)])
def test_a_layer_takes_much_scratch_only_where_the_arena_has_room(make, values):
    """Counted by hand: bytes of the values at the fullest moment, and the little that a layer may
    always take."""
    one = compile_model(make(), CompileSettings(core="m55"))
    calls = item_calls(one.schedule.items)
    scratch = [arg.n_bytes for call in calls for arg in call.args if isinstance(arg, Scratch)]
    assert max(scratch) > 1_344
    assert one.schedule.plan.arena_bytes <= values + 1_344


def test_a_layer_takes_no_room_that_a_pool_in_place_only_seems_to_leave():
    """Counted by hand: 32 x 32 pixels and 16 channels of them, and what a layer may always take."""
    one = compile_model(pooled(), CompileSettings(core="m55"))
    assert one.schedule.plan.arena_bytes <= 17 * 1_024 + 1_344
