"""The bundle on disk: what is written reads back, and what was altered is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tflite_samples import conv_windows

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.front_end import FrontEndConstants, InputLayout
from kd_edge.examples import Examples, Groups
from kd_edge.frontend import StreamFrontEnd, design_stream
from kd_edge.pipeline.bundle import (
    MANIFEST_FILE,
    BundledFormat,
    BundledModel,
    Learned,
    Manifest,
    bundled_file,
    load_manifest,
    start_bundle,
    write_manifest,
)
from kd_edge.pipeline.kept_windows import StoredWindows, load_windows, save_windows


@pytest.fixture
def manifest():
    stream = design_stream(
        "emg", StreamFrontEnd(notch_hz=(50,)), channels=("a", "b"), source_rate_hz=1000.0
    )
    return Manifest(
        schema_version=1,
        kd_edge="0",
        title="t",
        product="student",
        synthetic=True,
        recipe_sha256="0" * 64,
        class_names=("x", "y"),
        models=(
            BundledModel(
                name="student",
                role="student",
                architecture="tcn",
                parameters=1,
                inputs=("all",),
                keras_file="student.keras",
                formats=(BundledFormat("int8", "m.tflite", ("CONV_2D",), ("tflm",), ("note",)),),
            ),
        ),
        front_end=FrontEndConstants((stream,), (InputLayout("all", ("emg",), (100, 2)),)),
        learned=(Learned("S1", "day 1", "ab"),),
        versions={"numpy": "2"},
        files={},
    )


@pytest.fixture
def bundle(tmp_path, manifest):
    (tmp_path / "student.keras").write_bytes(b"weights")
    for name in (".work/state.npz", "firmware/src/kd_model.c", "notes/mine.txt", "old.keras"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"content")
    write_manifest(tmp_path, manifest, ["student.keras", ".work/state.npz", "firmware"])
    return tmp_path


def test_a_manifest_reads_back_equal_and_names_what_the_build_wrote(bundle, manifest):
    """Oracle: what was said to be written, without private files; other files are not its own."""
    found = load_manifest(bundle)
    assert list(found.files) == ["firmware/src/kd_model.c", "student.keras"]
    assert found.models == manifest.models
    assert found.front_end == manifest.front_end


def test_an_altered_file_is_refused_by_name(bundle):
    (bundle / "student.keras").write_bytes(b"Weights")
    with pytest.raises(KdEdgeError) as caught:
        load_manifest(bundle)
    assert caught.value.code == "KD_BUNDLE_ALTERED"
    assert "student.keras" in caught.value.where
    assert "SHA-256" in caught.value.message


def test_a_missing_file_is_refused_by_name(bundle):
    (bundle / "student.keras").unlink()
    with pytest.raises(KdEdgeError, match="missing"):
        load_manifest(bundle)


def test_a_bundle_of_another_version_is_refused(bundle):
    tree = json.loads((bundle / MANIFEST_FILE).read_text())
    (bundle / MANIFEST_FILE).write_text(json.dumps({**tree, "schema_version": 99}))
    with pytest.raises(KdEdgeError) as caught:
        load_manifest(bundle)
    assert caught.value.code == "KD_BUNDLE_VERSION"
    assert "99" in caught.value.message


@pytest.mark.parametrize("text", ["", "[]", "{", '{"schema_version": 1}'])
def test_a_manifest_that_is_none_is_refused(bundle, text):
    (bundle / MANIFEST_FILE).write_text(text)
    with pytest.raises(KdEdgeError) as caught:
        load_manifest(bundle)
    assert caught.value.code == "KD_BUNDLE_ALTERED"


def test_a_folder_without_a_manifest_is_an_unfinished_build(tmp_path):
    with pytest.raises(KdEdgeError) as caught:
        load_manifest(tmp_path)
    assert caught.value.code == "KD_NO_FILE"
    assert "goes on" in caught.value.hint


def test_a_folder_of_other_files_is_left_alone(tmp_path):
    (tmp_path / "thesis.docx").write_text("")
    with pytest.raises(KdEdgeError) as caught:
        start_bundle(tmp_path)
    assert caught.value.code == "KD_OUTPUT"


def test_windows_and_answers_read_back_equal(tmp_path):
    rng = np.random.default_rng(0)
    windows = Examples(
        inputs={"emg": rng.normal(size=(3, 5, 2)).astype(np.float32)},
        truth=np.array([0, 1, 1]),
        groups=Groups(
            recording=np.array([0, 0, 1]),
            subject=np.array(["S1", "S1", "S2"]),
            session=np.array(["am", "am", ""]),
            content=np.array(["0a", "0a", "0b"]),
            names=("r0", "r1"),
        ),
        class_names=("x", "y"),
        synthetic=True,
    )
    logits = rng.normal(size=(3, 2)).astype(np.float32)
    save_windows(tmp_path / "w.npz", StoredWindows({"p": windows}, {"student": {"p": logits}}))
    found = load_windows(tmp_path / "w.npz")
    np.testing.assert_array_equal(found.parts["p"].inputs["emg"], windows.inputs["emg"])
    np.testing.assert_array_equal(found.logits["student"]["p"], logits)
    assert found.parts["p"].synthetic
    assert found.parts["p"].groups.names == windows.groups.names
    for field in ("recording", "subject", "session", "content"):
        kept, given = (getattr(w.groups, field) for w in (found.parts["p"], windows))
        np.testing.assert_array_equal(kept, given)


def test_windows_that_an_earlier_version_kept_are_read(tmp_path):
    """It kept neither sessions nor contents: those are unknown, and nothing else is lost."""
    windows = conv_windows(3)
    logits = np.zeros((3, len(windows.class_names)), np.float32)
    save_windows(tmp_path / "w.npz", StoredWindows({"p": windows}, {"student": {"p": logits}}))
    with np.load(tmp_path / "w.npz") as kept:
        arrays = {n: a for n, a in kept.items() if n not in ("0/sessions", "0/contents")}
        assert len(arrays) == len(kept.files) - 2
    np.savez(tmp_path / "old.npz", **arrays)
    part = load_windows(tmp_path / "old.npz").parts["p"]
    np.testing.assert_array_equal(part.truth, windows.truth)
    np.testing.assert_array_equal(part.groups.subject, windows.groups.subject)
    assert part.groups.session.tolist() == part.groups.content.tolist() == ["", "", ""]


@pytest.mark.parametrize("name", ["../student.keras", "/etc/passwd", "a/../student.keras", "x\0"])
def test_a_manifest_cannot_name_files_outside_of_its_folder(bundle, name):
    path = bundle / MANIFEST_FILE
    content = json.loads(path.read_text())
    content["files"][name] = content["files"]["student.keras"]
    path.write_text(json.dumps(content))
    with pytest.raises(KdEdgeError, match="no file of the folder") as caught:
        load_manifest(bundle)
    assert caught.value.code == "KD_BUNDLE_ALTERED"


@pytest.mark.parametrize(
    ("where", "value"),
    [(("product",), "other"), (("class_names",), ["x", "x"]), (("class_names",), ["x"]),
     (("models", 0, "inputs"), ["other"]), (("front_end", "streams", 0, "rate_hz"), 0),
     (("front_end", "streams", 0, "up"), 7), (("front_end", "streams", 0, "sos", 0, 5), 1.5),
     (("front_end", "streams", 0, "mean"), [0.0]), (("front_end", "inputs", 0, "shape"), [0, 2]),
     (("front_end", "inputs", 0, "shape"), [10**9, 2]),
     (("front_end", "inputs", 0, "streams"), [])],
)  # fmt: skip
def test_a_manifest_whose_parts_do_not_fit_is_refused(bundle, where, value):
    path = bundle / MANIFEST_FILE
    content = holder = json.loads(path.read_text())
    for step in where[:-1]:
        holder = holder[step]
    holder[where[-1]] = value
    path.write_text(json.dumps(content))
    with pytest.raises(KdEdgeError) as caught:
        load_manifest(bundle)
    assert caught.value.code == "KD_BUNDLE_ALTERED"


def test_a_file_is_used_only_with_its_digest(bundle):
    (bundle / "other.keras").write_bytes(b"weights")
    manifest = load_manifest(bundle)
    assert bundled_file(bundle, manifest, "student.keras") == bundle / "student.keras"
    with pytest.raises(KdEdgeError, match=r"'other\.keras' without its SHA-256"):
        bundled_file(bundle, manifest, "other.keras")
