"""Generated C on every core. Oracles: the compilers' own warnings; TFLite Micro's answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from aot_harness import check_exact, tflm_answers
from aot_layers import branch_model, conv_pad_model, join_model
from aot_machines import MACHINES, run_on_x86_64
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


@pytest.mark.parametrize("core", MACHINES)
def test_generated_models_answer_as_tflite_micro_on_phones_computers_and_browsers(core):
    check_exact(list(MODELS.values()), core=core, settings={"carry_state": True})


@pytest.mark.parametrize(("flag", "name"), [("-mavx2", "avx2")])
def test_wider_vectors_answer_alike_if_the_compiler_may_use_them(flag, name):
    if f" {name} " not in _cpu_flags():
        pytest.skip(f"this machine's processor has no {name}")
    models = list(MODELS.values())
    settings = [CompileSettings(core="x86-64", prefix=f"m{i}") for i in range(len(models))]
    compiled = [compile_model(*each) for each in zip(models, settings, strict=True)]
    expected = [tflm_answers(each, seed=3, n_windows=6) for each in models]
    for answers, truth in zip(run_on_x86_64(compiled, expected, flag), expected, strict=True):
        for mine, theirs in zip(answers, truth.outputs, strict=True):
            assert all(np.array_equal(a, b) for a, b in zip(mine, theirs, strict=True))


@pytest.mark.qemu
@pytest.mark.parametrize("core", ["m4", "m55"])
def test_a_streamed_model_answers_as_tflite_micro_on_an_emulated_core(core):
    check_exact([MODELS["branch"]], core=core, settings={"stream": True})


def test_the_fastest_form_of_a_kernel_is_chosen_for_the_core():
    variants = {name: kernel_variant("kd_dot_rows", CORES[name]) for name in ("m3", "m55")}
    assert variants == {"m3": "", "m55": "_mve"}
    assert kernel_variant("kd_sum_s8", CORES["m4"]) == "_dsp"
    vectors = [kernel_variant("kd_conv_s8", CORES[name]) for name in MACHINES]
    assert vectors == ["_x86", "_neon", "", "_simd128"]


def _cpu_flags() -> str:
    """The processor's extensions, as Linux names them; empty elsewhere."""
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text(encoding="utf-8").splitlines() if facts.exists() else []
    return next((f"{line} " for line in lines if line.startswith("flags")), "")
