"""Teachers that somebody else has trained: ONNX files, Keras files, logits by hashes of windows."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random

import numpy as np
import pytest
from scipy.special import log_softmax

pytest.importorskip("tensorflow")

import keras
import onnx_files
from foreign_samples import (
    BIAS,
    FLAT,
    RNG,
    WEIGHTS,
    WINDOWS,
    keras_model,
    logits_file,
    onnx,
    opened,
    refused,
)

from kd_edge.base.errors import KdEdgeError
from kd_edge.distill.foreign.opening import TEACHER_FILES
from kd_edge.distill.foreign.settings import TeacherFile
from kd_edge.examples.hashes import hex_digits, window_hashes

# --- ONNX ---


@pytest.mark.parametrize("batch", ["n", 1, 4, 64])
def test_an_onnx_file_answers_windows_whatever_batch_it_was_made_for(tmp_path, batch):
    """Oracle: its formula in NumPy."""
    teacher = onnx(tmp_path, batch=batch)
    teacher.check(WINDOWS, "training part")
    np.testing.assert_allclose(teacher.predict(WINDOWS), FLAT @ WEIGHTS + BIAS, atol=1e-4)


def test_axes_come_in_the_order_that_the_layout_says(tmp_path):
    """Oracle: einops' notation by NumPy: steps and samples joined, channels first."""
    expected = WINDOWS.inputs["emg"].reshape(21, 48, 2).transpose(0, 2, 1).reshape(21, -1)
    teacher = onnx(tmp_path, shape=(1, 2, 48), layout="1 channels time")
    np.testing.assert_allclose(teacher.predict(WINDOWS), expected @ WEIGHTS + BIAS, atol=1e-4)
    by_input = onnx(tmp_path, shape=(96,), layout={"emg": "(channels steps samples)"})
    np.testing.assert_allclose(by_input.predict(WINDOWS), expected @ WEIGHTS + BIAS, atol=1e-4)


def test_another_order_of_axes_is_told_with_layouts_that_would_fit(tmp_path):
    told = refused("KD_SHAPE", onnx, tmp_path, shape=(2, 48))
    assert "takes (2, 48) behind the batch, and 'emg' comes as (4, 12, 2)" in told
    assert 'layout = "channels time" would fit' in told
    told = refused("KD_SHAPE", onnx, tmp_path, shape=(6, 16))
    assert "not those that it was trained on" in told


def test_classes_are_found_by_name_and_others_are_left_out(tmp_path):
    """Oracle: the columns by hand."""
    weights, bias = RNG.normal(size=(96, 4)), np.zeros(4)
    teacher = opened(
        tmp_path / "big.onnx",
        onnx_files.linear(weights, bias, (4, 12, 2)),
        classes=("c", "rest", "a", "b"),
    )
    teacher.check(WINDOWS, "training part")
    np.testing.assert_allclose(teacher.predict(WINDOWS), (FLAT @ weights)[:, [2, 3, 0]], atol=1e-4)
    told = refused("KD_LABELS", onnx, tmp_path, classes=("a", "b", "d"))
    assert "lacks 1 of 3 classes of the data, the first is 'c'" in told


def test_probabilities_are_taken_if_they_are_said_to_be_such(tmp_path):
    """Oracle: SciPy's log_softmax."""
    teacher = onnx(tmp_path, softmax=True, scores="probabilities")
    teacher.check(WINDOWS, "training part")
    # Below 1e-7 a probability counts as that.
    expected = np.maximum(log_softmax(FLAT @ WEIGHTS + BIAS, axis=1), np.log(1e-7))
    np.testing.assert_allclose(teacher.predict(WINDOWS), expected, atol=1e-3)


@pytest.mark.parametrize(
    ("made", "code", "told"),
    [
        ({"softmax": True}, "KD_NOT_LOGITS", 'say scores = "probabilities"'),
        ({"scores": "probabilities"}, "KD_RECIPE_VALUE", 'say scores = "logits"'),
        ({"classes": ("a", "b", "c", "d")}, "KD_SHAPE", "gives (4, 3) for 4 windows, not (4, 4)"),
    ],
)
def test_scores_that_are_not_what_they_are_said_to_be_are_refused(tmp_path, made, code, told):
    assert told in refused(code, onnx(tmp_path, **made).check, WINDOWS, "training part")


def test_scores_that_are_not_finite_are_refused(tmp_path):
    content = onnx_files.linear(WEIGHTS * np.inf, BIAS, (4, 12, 2))
    pytest.importorskip("onnxruntime")
    told = refused(
        "KD_DIVERGED", opened(tmp_path / "big.onnx", content).check, WINDOWS, "training part"
    )
    assert "not finite: row 0" in told


TWO = onnx_files.model(
    [
        onnx_files.node("Sub", ["left", "right"], "d"),
        onnx_files.node("Flatten", ["d"], "f", axis=1),
        onnx_files.node("MatMul", ["f", "w"], "scores"),
    ],
    inputs={"left": ("n", 4, 12, 2), "right": ("n", 4, 12, 2)},
    outputs={"scores": ("n", 3)},
    tensors=[onnx_files.tensor("w", WEIGHTS.astype("f4"))],
)


def test_which_input_takes_what_is_said_and_never_guessed(tmp_path):
    """Oracle: the difference of the two inputs, by NumPy."""
    pytest.importorskip("onnxruntime")
    path, both = tmp_path / "big.onnx", {"inputs": ("emg", "imu")}
    told = refused("KD_RECIPE_VALUE", opened, path, TWO, **both)
    assert "takes left, right, and it is not said what goes where" in told
    names = {"emg": "right", "imu": "left"}
    said = opened(path, TWO, **both, file_inputs=names).predict(WINDOWS)
    difference = (WINDOWS.inputs["imu"] - WINDOWS.inputs["emg"]).reshape(21, -1)
    np.testing.assert_allclose(said, difference @ WEIGHTS, atol=1e-4)
    told = refused("KD_RECIPE_VALUE", opened, path, TWO, **both, file_inputs={"emg": "rigth"})
    assert "did you mean 'right'" in told
    told = refused("KD_RECIPE_VALUE", opened, path, TWO, **both, layout={"emgs": "time channels"})
    assert "did you mean 'emg'" in told
    told = refused("KD_UNKNOWN_NAME", opened, path, TWO, inputs=("acc",))
    assert "inputs: emg, imu" in told


def outside(folder):
    """A file whose weights lie in another one, which is there."""
    (folder / "w.bin").write_bytes(WEIGHTS.astype("<f4").tobytes())
    return onnx_files.model(
        [onnx_files.node("MatMul", ["x", "w"], "y")],
        inputs={"x": ("n", 96)},
        outputs={"y": ("n", 3)},
        tensors=[onnx_files.tensor("w", WEIGHTS.astype("f4"), outside="w.bin")],
    )


def test_foreign_operators_and_weights_outside_the_file_are_refused(tmp_path, monkeypatch, capfd):
    """Oracle: onnxruntime's own refusal; nothing of its log comes to the terminal."""
    pytest.importorskip("onnxruntime")
    monkeypatch.chdir(tmp_path)
    evil = onnx_files.model(
        [onnx_files.node("Evil", ["x"], "y", domain="evil.domain")],
        inputs={"x": ("n", 96)},
        outputs={"y": ("n", 3)},
    )
    for content in (evil, outside(tmp_path), b"", b"no protocol buffer" * 9):
        told = refused("KD_BAD_FORMAT", opened, tmp_path / "big.onnx", content)
        assert "the teacher 'big' cannot be run" in told
    assert capfd.readouterr().err == ""


def test_damaged_onnx_files_end_in_an_error_or_in_answers(tmp_path):
    """Oracle: 150 mutants of one file: each gives a KdEdgeError, or answers of the right shape."""
    pytest.importorskip("onnxruntime")
    rng = random.Random(3)
    whole = onnx_files.linear(WEIGHTS, BIAS, (4, 12, 2), softmax=True)
    weights = whole.index(WEIGHTS.astype("<f4").tobytes()[:16])
    places = [at for at in range(len(whole)) if not weights < at < weights + WEIGHTS.size * 4]
    answered = 0
    for _ in range(150):
        content = bytearray(whole)
        for _ in range(rng.randint(1, 3)):
            at = rng.choice(places)
            kind = rng.random()
            if kind < 0.7:
                content[at] = rng.randrange(256)
            elif kind < 0.85:
                del content[at]
            else:
                content.insert(at, rng.randrange(256))
        with contextlib.suppress(KdEdgeError):
            teacher = opened(tmp_path / "big.onnx", bytes(content), scores="probabilities")
            teacher.check(WINDOWS, "training part")
            assert teacher.predict(WINDOWS).shape == (21, 3)
            answered += 1
    assert 0 < answered < 150


# --- Keras ---


def test_a_keras_file_answers_windows_and_shows_its_layers(tmp_path):
    """Oracle: its formula, on windows arranged by NumPy."""
    path = tmp_path / "big.keras"
    keras_model((2, 48)).save(path)
    teacher = opened(path, layout="channels time")
    teacher.check(WINDOWS, "training part")
    arranged = WINDOWS.inputs["emg"].reshape(21, 48, 2).transpose(0, 2, 1).reshape(21, -1)
    np.testing.assert_allclose(teacher.predict(WINDOWS), arranged @ WEIGHTS + BIAS, atol=1e-4)
    tapped = teacher.tapped(["flat"])
    assert tapped.shapes == {"flat": (96,)}
    features = tapped(WINDOWS.inputs, training=False).features["flat"]
    np.testing.assert_allclose(features, arranged, atol=1e-6)
    assert "did you mean 'flat'" in refused("KD_RECIPE_VALUE", teacher.tapped, ["flit"])
    assert "layout" in refused("KD_SHAPE", opened, path)


def test_of_several_outputs_one_is_named(tmp_path):
    """Oracle: the formula of the second head."""
    path = tmp_path / "big.keras"
    keras_model((4, 12, 2), heads=2).save(path)
    assert "head_0, head_1" in refused("KD_RECIPE_VALUE", opened, path)
    said = opened(path, output="head_1").predict(WINDOWS)
    np.testing.assert_allclose(said, FLAT @ WEIGHTS + BIAS, atol=1e-4)


def test_a_keras_file_with_code_inside_is_refused_and_the_code_does_not_run(tmp_path):
    """Oracle: a Lambda layer that would write a file."""
    mark = tmp_path / "it_ran"
    given = keras.Input((4, 12, 2))
    evil = keras.layers.Lambda(lambda x, mark=str(mark): (os.mkdir(mark), x)[1], (4, 12, 2))
    keras.Model(given, keras.layers.Flatten()(evil(given))).save(tmp_path / "big.keras")
    assert "safe_mode" in refused("KD_BAD_FORMAT", opened, tmp_path / "big.keras")
    assert not mark.exists()


def test_a_file_of_no_known_kind_or_that_is_not_there_is_named(tmp_path):
    assert "did you mean '.onnx'" in refused("KD_UNKNOWN_NAME", opened, tmp_path / "big.onn", b"")
    for kind in TEACHER_FILES:
        assert f"big{kind}" in refused("KD_NO_FILE", opened, tmp_path / f"big{kind}")
    (tmp_path / "big.keras").mkdir()
    assert "regular file" in refused("KD_NO_FILE", opened, tmp_path / "big.keras")


# --- logits ---


def test_a_hash_is_that_of_the_numbers_of_a_window():
    """Oracle: hashlib over the bytes, written out."""
    both = np.concatenate([a[3].ravel() for a in WINDOWS.inputs.values()]).astype("<f4")
    assert hex_digits(window_hashes(WINDOWS))[3] == hashlib.sha256(both.tobytes()).hexdigest()


def test_logits_are_found_by_the_hash_of_their_window_in_any_order(tmp_path):
    """Oracle: the logits of the windows asked about, as they were written."""
    shuffled = WINDOWS.take(np.random.default_rng(1).permutation(21))
    teacher = opened(logits_file(tmp_path / "big.npz", shuffled))
    teacher.check(WINDOWS, "training part")
    np.testing.assert_allclose(teacher.predict(WINDOWS), FLAT @ WEIGHTS + BIAS, atol=1e-4)
    few = opened(logits_file(tmp_path / "big.npz", WINDOWS.take(np.arange(3, 15))))
    told = refused("KD_WINDOWS_MISSING", few.check, WINDOWS, "training part")
    assert "lacks 9 of 21 windows of the training part; the first is number 0, of r0" in told
    assert "kd-edge data windows" in told


@pytest.mark.parametrize(
    ("changes", "code", "told"),
    [
        ({"hash": np.array(["no digits"] * 21)}, "KD_BAD_FORMAT", "'hash' 0 is 'no digits'"),
        ({"hash": np.arange(21)}, "KD_BAD_FORMAT", "'hash' 0 is 0"),
        ({"hash": np.array(["ab" * 32] * 21)}, "KD_BAD_FORMAT", "rows 0 and 1 are of one window"),
        ({"logits": np.ones((20, 3))}, "KD_BAD_FORMAT", "a row of logits belongs to each hash"),
        ({"logits": np.ones((21, 3), int)}, "KD_BAD_FORMAT", "must be floating point"),
        ({"logits": np.full((21, 3), np.nan)}, "KD_DIVERGED", "not finite: row 0"),
        ({"logits": np.full((21, 3), 1 / 3)}, "KD_NOT_LOGITS", 'say scores = "probabilities"'),
        ({"logits": np.full((21, 4), 2.0)}, "KD_SHAPE", "(21, 4)"),
        ({"classes": np.array(["a", "b", "x"])}, "KD_LABELS", "the first is 'c'"),
        ({"classes": np.arange(3)}, "KD_BAD_FORMAT", "must be a text each"),
        ({"logits": np.array([None])}, "KD_BAD_FORMAT", "never loaded"),
    ],
)
def test_a_file_of_logits_that_is_not_as_it_should_be_is_refused(tmp_path, changes, code, told):
    assert told in refused(code, opened, logits_file(tmp_path / "big.npz", **changes))


def test_a_file_of_logits_without_classes_needs_those_of_the_recipe(tmp_path):
    path = logits_file(tmp_path / "big.npz")
    arrays = {name: array for name, array in np.load(path).items() if name != "classes"}
    np.savez(path, **arrays)
    assert "in which order" in refused("KD_LABELS", opened, path)
    turned = opened(path, classes=("c", "a", "b")).predict(WINDOWS)
    np.testing.assert_allclose(turned, (FLAT @ WEIGHTS + BIAS)[:, [1, 2, 0]], atol=1e-4)
    other = refused("KD_LABELS", opened, logits_file(path), classes=("c", "a", "b"))
    assert "leave `classes` out; the file has a, b, c" in other


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"file": "big.onnx"}, "name the file's classes"),
        ({"file": "big.npz", "layout": "channels time"}, "takes no inputs"),
        ({"file": "big.npz", "inputs": ("emg",)}, "takes no inputs"),
        ({"file": "big.onnx", "classes": ("a", "b", "a")}, "stands there twice: a"),
        ({"file": "big.onnx", "classes": "same", "layout": "channel time"}, "'channel' is no axis"),
        ({"file": "big.onnx", "classes": "same", "layout": "(channels"}, "brackets"),
        ({"file": "big.onnx", "classes": "same", "layout": "time time"}, "each axis once"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(settings, told):
    assert told in refused("KD_RECIPE_VALUE", TeacherFile, name="big", **settings)
