"""The op resolver names each operator once, with the INT8-only kernel where it fits."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from firmware_samples import STRICT, lstm_model, run, settings_for, two_input_model
from programs import need

from firmware_export.op_resolver import operator_names, resolver_files, runs_in_int8
from firmware_export.operators import ADD_METHODS, INT8_KERNELS
from firmware_export.render import renderer
from firmware_export.tflm import export_tflm
from kd_edge.base.flatbuffer import Operator, Tensor, TfliteModel

CALL = re.compile(r"resolver\.(Add\w+)\(((?:tflite::\w+\(\))?)\)")


def calls(path: Path, out: Path) -> list[tuple[str, str]]:
    export_tflm(path, out, settings_for(path))
    return CALL.findall((out / "kd_op_resolver.h").read_text())


def test_an_int8_model_gets_int8_kernels_and_nothing_else(tmp_path):
    assert calls(two_input_model(tmp_path), tmp_path / "a") == [
        ("AddAdd", "tflite::Register_ADD_INT8()"),
        ("AddFullyConnected", "tflite::Register_FULLY_CONNECTED_INT8()"),
    ]
    text = (tmp_path / "a" / "kd_op_resolver.h").read_text()
    assert "#define KD_OPERATOR_COUNT 2\n" in text
    assert '#include "tensorflow/lite/micro/kernels/fully_connected.h"' in text


def test_an_operator_that_also_adds_int32_keeps_its_general_kernel(tmp_path):
    assert calls(lstm_model(tmp_path), tmp_path / "a") == [
        ("AddAdd", ""),
        ("AddStridedSlice", ""),
        ("AddUnidirectionalSequenceLSTM", "tflite::Register_UNIDIRECTIONAL_SEQUENCE_LSTM_INT8()"),
    ]


def test_int4_weights_keep_the_general_kernel():
    model = model_of("CONV_2D", dtypes=("int8", "int4", "int8"))
    assert not runs_in_int8(model, "CONV_2D")


def test_every_int8_kernel_belongs_to_an_operator_of_the_table():
    assert INT8_KERNELS
    assert set(INT8_KERNELS) <= set(ADD_METHODS)


def tensor(index: int, dtype: str) -> Tensor:
    return Tensor(index, f"t{index}", (1, 4), dtype, (0.1,), (0,), None, None, False)


def model_of(*names: str, dtypes: tuple[str, ...] = ("int8",) * 4) -> TfliteModel:
    """Each operator once, reading all tensors but the last and writing that."""
    last = len(dtypes) - 1
    return TfliteModel(
        inputs=(0,),
        outputs=(last,),
        tensors=tuple(tensor(i, dtype) for i, dtype in enumerate(dtypes)),
        operators=tuple(
            Operator(i, name, tuple(range(last)), (last,), (), {}) for i, name in enumerate(names)
        ),
        n_bytes=0,
        sha256="0" * 64,
    )


# --- against TFLite Micro's own headers ---


@pytest.fixture
def tflm_flags():
    """Compiler flags for a TFLite Micro checkout whose downloads have been made."""
    source = os.environ.get("KD_EDGE_TFLM_SOURCE")
    if not source:
        pytest.skip("KD_EDGE_TFLM_SOURCE names no TFLite Micro checkout to compile against")
    need("g++")
    downloads = Path(source) / "tensorflow/lite/micro/tools/make/downloads"
    folders = (
        Path(source),
        downloads / "flatbuffers/include",
        downloads / "gemmlowp",
        downloads / "ruy",
    )
    includes = [part for folder in folders for part in ("-isystem", str(folder))]
    return ["-std=c++17", "-fsyntax-only", *STRICT, "-fno-exceptions", "-fno-rtti", *includes]


@pytest.mark.parametrize("kernels", [(), ("-DCMSIS_NN", "-DTF_LITE_STATIC_MEMORY")])
def test_every_method_and_registration_exists_in_tflite_micro(tmp_path, tflm_flags, kernels):
    """Oracle: the compiler, with TFLite Micro's headers."""
    model = model_of(*ADD_METHODS)
    assert len(operator_names(model)) == len(ADD_METHODS)
    render = renderer(settings_for(two_input_model(tmp_path)), model)
    header = resolver_files(render, model)["kd_op_resolver.h"]
    assert all(kernel.registration in header for kernel in INT8_KERNELS.values())
    (tmp_path / "all.cc").write_text(f"{header}\nkd_op_resolver all;\n")
    run("g++", *tflm_flags, *kernels, tmp_path / "all.cc")


@pytest.mark.parametrize("make", [two_input_model, lstm_model])
def test_the_runner_compiles_against_tflite_micro(tmp_path, tflm_flags, make):
    path = make(tmp_path)
    export_tflm(path, tmp_path / "a", settings_for(path))
    run("g++", *tflm_flags, tmp_path / "a" / "kd_run.cc")
