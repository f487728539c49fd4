"""Flash of the exported sources, as the Arm compiler makes them."""

from __future__ import annotations

import pytest
from firmware_samples import settings_for, two_input_model
from programs import need

from firmware_export.aot.cores import find_core
from firmware_export.flash import measure_flash
from firmware_export.tflm import export_tflm
from kd_edge.base.errors import KdEdgeError


@pytest.fixture
def exported(tmp_path):
    path = two_input_model(tmp_path)
    export_tflm(path, tmp_path / "out", settings_for(path))
    return path, tmp_path / "out"


@pytest.mark.gcc_arm
@pytest.mark.parametrize("core", ["m0plus", "m4", "m55"])
def test_the_model_array_takes_the_bytes_of_the_file_and_the_code_little(exported, core):
    need("arm-none-eabi-gcc", "arm-none-eabi-size")
    path, folder = exported
    parts = {part.name: part for part in measure_flash(folder, core=core)}
    assert parts["model array"].bytes == path.stat().st_size
    assert parts["golden vectors"].bytes >= 3 * (240 + 180 + 5)
    # Soft float on Cortex-M0+ calls library routines, which are not counted here.
    assert 40 < parts["quantise code"].bytes < 400
    assert parts["model array"].core == find_core(core).cpu
    assert "-Os" in parts["model array"].compiler


@pytest.mark.gcc_arm
def test_a_part_that_was_not_exported_is_not_in_the_table(exported):
    need("arm-none-eabi-gcc", "arm-none-eabi-size")
    path, folder = exported
    export_tflm(path, folder, settings_for(path, golden=None, front_end=None))
    assert [part.name for part in measure_flash(folder)] == [
        "model array",
        "settings and labels",
        "quantise code",
    ]


def test_without_the_compiler_nothing_is_claimed(exported, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert measure_flash(exported[1]) == ()


def test_an_unknown_core_is_refused(exported):
    with pytest.raises(KdEdgeError) as caught:
        measure_flash(exported[1], core="cortex-m4f")
    assert caught.value.code == "KD_UNKNOWN_NAME"
