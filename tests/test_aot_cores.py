"""Generated C on every core. Oracles: the compilers' own warnings; TFLite Micro's answers."""

from __future__ import annotations

import pytest
from aot_harness import check_exact
from aot_layers import branch_model, conv_pad_model, join_model
from emulated import EMULATED_CORES

from firmware_export.aot.compiler import CompileSettings, compile_model
from firmware_export.aot.cores import CORES, checked_cores
from firmware_export.aot.kernels import KERNELS, kernel_variant
from firmware_export.boards.compile_check import compile_check

MODELS = {"branch": branch_model(second_table=True), "pad": conv_pad_model(), "join": join_model()}


@pytest.mark.cross_compilers
@pytest.mark.parametrize("core", checked_cores())
def test_every_kernel_compiles_without_a_warning(core):
    done = compile_check(sorted(KERNELS.glob("*.c")), core=core, include_dirs=[KERNELS])
    assert len(done.files) + len(done.left_out) == len(list(KERNELS.glob("*.c")))


@pytest.mark.cross_compilers
@pytest.mark.parametrize(
    ("core", "settings"),
    [
        *((core, {}) for core in checked_cores()),
        ("host", {"stream": True}),
        ("m0plus", {"carry_state": True}),
    ],
)
def test_a_generated_model_compiles_without_a_warning(core, settings, tmp_path):
    compiled = compile_model(MODELS["branch"], CompileSettings(core=core, **settings))
    for name, text in compiled.files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    sources = sorted(tmp_path.glob("*.c"))
    for defines in ({}, {"KD_MODEL_PROFILE": 1}):
        assert compile_check(sources, core=core, include_dirs=[tmp_path], defines=defines).files


@pytest.mark.parametrize("core", EMULATED_CORES)
def test_generated_models_answer_as_tflite_micro_on_an_emulated_core(core):
    check_exact(list(MODELS.values()), core=core)


@pytest.mark.qemu
@pytest.mark.parametrize("core", ["m4", "m55"])
def test_a_streamed_model_answers_as_tflite_micro_on_an_emulated_core(core):
    check_exact([MODELS["branch"]], core=core, settings={"stream": True})


def test_the_fastest_form_of_a_kernel_is_chosen_for_the_core():
    variants = {name: kernel_variant("kd_dot_rows", CORES[name]) for name in ("m3", "m55")}
    assert variants == {"m3": "", "m55": "_mve"}
    assert kernel_variant("kd_sum_s8", CORES["m4"]) == "_dsp"
