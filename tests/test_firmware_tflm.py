"""The folder that an export writes: what is in it, what is refused, and that it never varies."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
from firmware_samples import (
    T,
    front_end,
    golden,
    lstm_model,
    settings_for,
    two_input_model,
    write_model,
)

from firmware_export.front_end import SOURCES as FRONT_END_SOURCES
from firmware_export.settings import with_margin
from firmware_export.tflm import export_tflm
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.flatbuffer import read_tflite


@pytest.fixture
def two(tmp_path):
    return two_input_model(tmp_path)


def contents(paths) -> dict[str, bytes]:
    assert {path.name for path in paths} >= {"kd_model.c", "manifest.json"}
    return {path.name: path.read_bytes() for path in paths}


def code_of(action, *arguments) -> str:
    with pytest.raises(KdEdgeError) as caught:
        action(*arguments)
    return caught.value.code


def test_two_exports_give_the_same_bytes(two, tmp_path):
    settings = settings_for(two)
    first = contents(export_tflm(two, tmp_path / "a", settings))
    assert first == contents(export_tflm(two, tmp_path / "b", settings))
    assert set(first) == {path.name for path in (tmp_path / "a").iterdir()}


def test_every_file_names_the_model_the_generator_and_that_it_is_synthetic(two, tmp_path):
    digest = hashlib.sha256(two.read_bytes()).hexdigest().encode()
    copied = {path.name for path in FRONT_END_SOURCES.rglob("*.[ch]")}  # of any model
    for name, content in contents(export_tflm(two, tmp_path / "a", settings_for(two))).items():
        if name in copied:
            continue
        assert digest in content, name
        assert b"kd-edge test" in content, name
        assert b"synthetic" in content.lower(), name


def test_a_model_of_real_recordings_is_never_called_synthetic(two, tmp_path):
    settings = settings_for(two, synthetic=False)
    for name, content in contents(export_tflm(two, tmp_path / "a", settings)).items():
        found = content.lower().replace(b"kd_synthetic 0", b"").replace(b'"synthetic": false', b"")
        assert b"synthetic" not in found, name


def test_the_manifest_has_the_digest_of_every_other_file(two, tmp_path):
    files = contents(export_tflm(two, tmp_path / "a", settings_for(two)))
    manifest = json.loads(files.pop("manifest.json"))
    assert {entry["path"] for entry in manifest["files"]} == set(files)
    for entry in manifest["files"]:
        assert entry["bytes"] == len(files[entry["path"]])
        assert entry["sha256"] == hashlib.sha256(files[entry["path"]]).hexdigest()
    assert manifest["model"]["bytes"] == two.stat().st_size
    assert manifest["operators"] == ["ADD", "FULLY_CONNECTED"]


def test_an_export_without_front_end_and_golden_vectors_leaves_none_of_the_last_one(two, tmp_path):
    out = tmp_path / "a"
    export_tflm(two, out, settings_for(two))
    assert (out / "kd_golden.c").exists()
    export_tflm(two, out, settings_for(two, golden=None, front_end=None))
    names = {path.name for path in out.iterdir()}
    assert not {name for name in names if "golden" in name or "front_end" in name}
    assert "golden" not in (out / "README.md").read_text()


def test_the_arena_is_the_measured_one_with_its_margin_and_its_words(two, tmp_path):
    export_tflm(two, tmp_path / "a", settings_for(two, arena_bytes=22672))
    header = (tmp_path / "a" / "kd_settings.h").read_text()
    assert "#define KD_ARENA_MEASURED_BYTES 22672" in header
    assert "#define KD_ARENA_BYTES 29376" in header
    assert "smallest arena that ran, by bisection, on x86-64" in header


def test_the_margin_covers_what_cmsis_nn_took_on_a_cortex_m4():
    """Oracle: the seed student, 22,672 bytes on x86-64 and 24,852 with CMSIS-NN."""
    assert with_margin(22672) >= 24852
    assert with_margin(1) % 16 == 0


def test_labels_that_do_not_fit_the_output_are_refused(two, tmp_path):
    assert (
        code_of(export_tflm, two, tmp_path / "a", settings_for(two, labels=("a",))) == "KD_LABELS"
    )
    assert not (tmp_path / "a").exists()


def test_golden_vectors_of_another_shape_or_type_are_refused(two, tmp_path):
    good = golden(read_tflite(two), 2)
    for bad in (
        replace(good, inputs=good.inputs[::-1]),
        replace(good, inputs=good.inputs[:1]),
        replace(good, outputs=good.outputs.astype(np.float32)),
        replace(good, labels=(1,)),
        replace(good, labels=()),
    ):
        settings = settings_for(two, golden=bad)
        assert code_of(export_tflm, two, tmp_path / "a", settings) == "KD_SHAPE"


def test_streams_that_the_model_does_not_use_are_left_out(tmp_path):
    """A single-modality student from a recipe with two modalities; oracle: the header's count."""
    whole = front_end(read_tflite(two_input_model(tmp_path)))
    path = lstm_model(tmp_path)
    layout = replace(whole.inputs[1], name="window", shape=(10, 21))
    emg = replace(whole.streams[0], channels=tuple("abcdefghijklmnopqrstu"))
    emg = replace(emg, mean=(0.0,) * 21, scale=(1.0,) * 21)
    constants = replace(whole, inputs=(whole.inputs[0], layout), streams=(emg, whole.streams[1]))
    export_tflm(path, tmp_path / "a", settings_for(path, front_end=constants))
    assert "#define KD_STREAM_COUNT 1\n" in (tmp_path / "a" / "kd_front_end.h").read_text()
    assert "acc" not in (tmp_path / "a" / "kd_front_end.c").read_text()


def test_a_front_end_that_is_not_causal_or_does_not_fit_is_refused(two, tmp_path):
    good = front_end(read_tflite(two))
    acausal = replace(good, streams=(replace(good.streams[0], causal=False), good.streams[1]))
    other = replace(good, inputs=good.inputs[:1])
    for bad, code in ((acausal, "KD_NOT_CAUSAL"), (other, "KD_SHAPE")):
        assert code_of(export_tflm, two, tmp_path / "a", settings_for(two, front_end=bad)) == code


@pytest.mark.parametrize(
    "tensor",
    [
        T("x", (1, 4), dtype="float32", scale=None),
        T("x", (2, 4)),
        T("x", (1, 4), scale=None),
        T("x", (1, 4), scale=0.0),
    ],
)
def test_a_model_that_is_not_int8_with_batch_1_is_refused(tmp_path, tensor):
    path = write_model(
        tmp_path / "m.tflite", (tensor, T("y", (1, 4))), (("RELU", (0,), (1,)),), (0,), (1,)
    )
    settings = settings_for(path, front_end=None, golden=None)
    assert code_of(export_tflm, path, tmp_path / "a", settings) == "KD_BAD_TFLITE"


def test_a_model_with_two_outputs_is_refused(tmp_path):
    path = write_model(
        tmp_path / "m.tflite",
        (T("x", (1, 4)), T("y", (1, 4))),
        (("RELU", (0,), (1,)),),
        (0,),
        (1, 0),
    )
    settings = settings_for(path, front_end=None, golden=None)
    assert code_of(export_tflm, path, tmp_path / "a", settings) == "KD_BAD_TFLITE"


@pytest.mark.parametrize("operator", ["WHILE", "CUSTOM:Mine", "ATAN2"])
def test_an_operator_that_the_firmware_cannot_run_is_refused(tmp_path, operator):
    path = write_model(
        tmp_path / "m.tflite",
        (T("x", (1, 4)), T("y", (1, 4))),
        ((operator, (0,), (1,)),),
        (0,),
        (1,),
    )
    settings = settings_for(path, front_end=None, golden=None)
    assert code_of(export_tflm, path, tmp_path / "a", settings) == "KD_UNSUPPORTED_OP"


def test_a_folder_that_cannot_be_written_is_an_error_that_says_so(two, tmp_path):
    (tmp_path / "a").write_text("a file")
    assert code_of(export_tflm, two, tmp_path / "a", settings_for(two)) == "KD_OUTPUT"


def test_a_model_without_labels_exports_too(tmp_path):
    path = lstm_model(tmp_path)
    export_tflm(path, tmp_path / "a", settings_for(path, labels=()))
    assert "kd_labels" not in (tmp_path / "a" / "kd_settings.h").read_text()
