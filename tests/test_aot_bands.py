"""Layers in bands of rows. Oracles: TFLite Micro, bit for bit; the arena without bands."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from aot_harness import check_exact
from aot_int4_models import with_int4_weights
from aot_models import OperatorModel, Quantised
from aot_tiny_models import TINY_MODELS
from aot_window_models import out_size
from tflite_samples import options_of

from firmware_export.aot.compiler import Compiled, CompileSettings, compile_model
from firmware_export.aot.passes.run_in_bands import run_in_bands
from kd_edge.base.errors import KdEdgeError
from kd_edge.cli import run

BANDS = CompileSettings(bands=True)
_PADDINGS = {"SAME": 0, "VALID": 1}


def chain(seed: int, *, rows: int = 24, columns: int = 9) -> bytes:
    """Three to five random convolutions and pools, the first ones large; strides, dilation, PAD."""
    rng = np.random.default_rng(seed)
    graph = OperatorModel()
    at = Quantised((1, rows, columns, int(rng.integers(1, 4))), 0.05, int(rng.integers(-128, 128)))
    index = graph.input(at)
    for _ in range(int(rng.integers(3, 6))):
        at, index = _random_layer(graph, rng, at, index)
    if seed % 2:
        _random_layer(graph, rng, at, index, last=True)
        return graph.content()
    shrunk = replace(at, shape=(1, 1, 1, at.shape[3]))
    pool = options_of(
        "Pool2DOptions", filterHeight=at.shape[1], filterWidth=at.shape[2], strideH=1, strideW=1,
        padding=_PADDINGS["VALID"],
    )  # fmt: skip
    graph.operator("AVERAGE_POOL_2D", (index,), (graph.output(shrunk),), pool)
    return graph.content()


def _random_layer(graph, rng, at, index, *, last=False):
    kernel = tuple(int(n) for n in rng.integers(1, 4, 2))
    strides = tuple(int(n) for n in rng.integers(1, 3, 2))
    padding = str(rng.choice(["SAME", "VALID"]))
    depthwise, dilation = bool(rng.random() < 0.4), (int(rng.integers(1, 3)), 1)
    if last:
        kernel, strides, depthwise = (1, 1), (1, 1), False
    sizes = zip(at.shape[1:3], kernel, strides, dilation, strict=True)
    pixels = tuple(out_size(*one, padding) for one in sizes)
    if min(pixels) < 2 and not last:
        return at, index
    options = {
        "strideH": strides[0], "strideW": strides[1], "padding": _PADDINGS[padding],
        "dilationHFactor": dilation[0], "dilationWFactor": 1,
        "fusedActivationFunction": int(rng.integers(0, 2)),
    }  # fmt: skip
    channels = at.shape[3] if depthwise else int(rng.integers(2, 9))
    shape = (1, *kernel, channels) if depthwise else (channels, *kernel, at.shape[3])
    axis = 3 if depthwise else 0
    scales = rng.uniform(0.002, 0.02, channels).astype(np.float32)
    weights = rng.integers(-127, 128, shape, dtype=np.int8)
    spread = float(at.scale * 0.011 * 74 * np.sqrt(weights.size / channels))
    result = Quantised((1, *pixels, channels), spread, int(rng.integers(-128, 128)))
    constants = (
        graph.constant(weights, scale=scales, axis=axis),
        graph.constant(
            rng.integers(-2000, 2000, channels).astype(np.int32),
            scale=scales * np.float32(at.scale),
        ),
    )
    name = "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D"
    kind = "DepthwiseConv2DOptions" if depthwise else "Conv2DOptions"
    more = {"depthMultiplier": 1} if depthwise else {}
    made = graph.output(result) if last else graph.inner(result)
    graph.operator(name, (index, *constants), (made,), options_of(kind, **options, **more))
    return result, made


def banded(one: Compiled) -> bool:
    return any("rows" in layer.place for layer in one.layers)


def arena(content: bytes, **settings) -> int:
    return compile_model(content, CompileSettings(**settings)).schedule.plan.arena_bytes


def test_random_layers_in_bands_answer_as_tflite_micro():
    models = [chain(seed) for seed in range(24)]
    models = [m for m in models if banded(compile_model(m, BANDS))]
    assert len(models) > 5
    models += [with_int4_weights(content) for content in models[:2]]
    compiled = check_exact(models, settings={"bands": True}, n_windows=5)
    assert all(map(banded, compiled))


@pytest.mark.qemu
@pytest.mark.parametrize("core", ["m4", "m55"])
def test_layers_in_bands_answer_as_tflite_micro_on_a_board(core):
    models = [chain(seed) for seed in range(24)]
    settings = CompileSettings(bands=True, core=core)
    models = [m for m in models if banded(compile_model(m, settings))][:4]
    models.append(TINY_MODELS["person_detect"]())
    assert all(map(banded, check_exact(models, core=core, settings={"bands": True}, n_windows=4)))


@pytest.mark.parametrize(
    ("name", "most_bytes", "most_again"), [("vww01", 47_000, 0.03), ("person_detect", 38_000, 0.03)]
)
def test_the_first_layers_of_a_large_picture_need_less_memory_in_bands(
    name, most_bytes, most_again
):
    content = TINY_MODELS[name]()
    plain, made = (compile_model(content, CompileSettings(bands=b)) for b in (False, True))
    assert made.schedule.plan.arena_bytes <= most_bytes < plain.schedule.plan.arena_bytes
    macs = [sum(layer.macs for layer in one.layers) for one in (plain, made)]
    assert macs[0] < macs[1] <= (1 + most_again) * macs[0]
    assert f"{100 * (macs[1] / macs[0] - 1):.1f} % more" in made.effects[-1].did


@pytest.mark.parametrize("name", ["ad01", "kws01", "ic01", "trained_lstm"])
def test_what_gains_nothing_stays_as_it_is(name):
    content = TINY_MODELS[name]()
    plain, asked = (compile_model(content, CompileSettings(bands=b)) for b in (False, True))
    assert asked.files.keys() == plain.files.keys()
    assert [layer.place for layer in asked.layers] == [layer.place for layer in plain.layers]
    assert asked.schedule.plan == plain.schedule.plan


@pytest.mark.parametrize("seed", range(40, 48))
def test_bands_never_cost_memory(seed):
    content = chain(seed)
    assert arena(content, bands=True) <= arena(content, bands=False)


def test_weights_are_in_flash_once_whatever_the_number_of_bands():
    content = TINY_MODELS["vww01"]()
    plain, made = (compile_model(content, CompileSettings(bands=b)) for b in (False, True))
    assert made.constant_bytes < plain.constant_bytes + 2_000


def test_large_arenas_that_gain_much_for_little_have_bands_unasked():
    large, small = TINY_MODELS["person_detect"](), TINY_MODELS["str_ww"]()
    assert banded(compile_model(large, CompileSettings()))
    assert not banded(compile_model(large, CompileSettings(bands=False)))
    assert banded(compile_model(small, BANDS))
    assert not banded(compile_model(small, CompileSettings()))


def test_bands_and_a_hop_exclude_each_other():
    with pytest.raises(KdEdgeError, match="hop and bands exclude each other"):
        compile_model(TINY_MODELS["str_ww"](), CompileSettings(bands=True, hop=Fraction(1, 2)))


def test_the_report_says_what_is_computed_again(tmp_path, capsys):
    path = tmp_path / "m.tflite"
    path.write_bytes(TINY_MODELS["str_ww"]())
    assert run(["compile", str(path), "--out", str(tmp_path / "c"), "--bands", "--json"]) == 0
    tree = json.loads(capsys.readouterr().out)
    assert "2 layers as 4 bands of rows; 2.5 % more" in tree["passes"][-1]["did"]
    assert tree["bands"] is True


def test_a_graph_without_layers_of_rows_is_the_same_graph():
    graph = compile_model(TINY_MODELS["ad01"](), CompileSettings()).graph
    assert run_in_bands(graph, most_again=0.1) is graph
