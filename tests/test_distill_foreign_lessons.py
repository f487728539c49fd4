"""What students learn from teachers that somebody else has trained."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import keras
import onnx_files
from eager import without_graphs
from foreign_samples import BIAS, WEIGHTS, WINDOWS, keras_model, logits_file, onnx, opened, refused
from training_samples import DISTILL, HINTON, said, student, train, windows

from kd_edge.distill.augmentations import make_augmentations
from kd_edge.distill.foreign.opening import TEACHER_FILES
from kd_edge.distill.losses import make_loss
from kd_edge.distill.teachers import teach
from kd_edge.distill.teaching import Teaching
from kd_edge.distill.trainer import Augmenting
from kd_edge.tasks import find_task

TASK = find_task("classification")
ONE_EPOCH = dataclasses.replace(DISTILL, epochs=1)


@pytest.mark.parametrize("kind", TEACHER_FILES)
def test_a_student_learns_from_a_file_as_from_the_network_inside(tmp_path, kind):
    """Oracle: training by what the same network says, by its formula."""
    data = windows(48)
    path = tmp_path / f"big{kind}"
    if kind == ".onnx":
        pytest.importorskip("onnxruntime")
        theirs = opened(path, onnx_files.linear(WEIGHTS, BIAS, (4, 12, 2)))
    elif kind == ".npz":
        theirs = opened(logits_file(path, data))
    else:
        keras_model((4, 12, 2)).save(path)
        theirs = opened(path)
    own = said((data.inputs["emg"].reshape(48, -1) @ WEIGHTS + BIAS).astype("f4"))
    losses = []
    for teacher in (own, teach([theirs], HINTON, data, task=TASK)):
        with without_graphs():
            history = train(student(), data, None, ONE_EPOCH, name="s", teacher=teacher)
        losses.append(history.loss)
    np.testing.assert_allclose(*losses, rtol=1e-4)


def augmented(**options):
    augmentations = make_augmentations(options)
    return dataclasses.replace(ONE_EPOCH, augmentation=Augmenting(1, augmentations, {}))


def test_an_onnx_teacher_sees_the_changed_window_that_the_student_sees(tmp_path):
    """Oracle: the same network in Keras, whose answers belong to the graph; in a compiled epoch."""
    data = windows(48)
    keras_model((4, 12, 2)).save(tmp_path / "big.keras")
    losses = []
    for theirs in (onnx(tmp_path), opened(tmp_path / "big.keras")):
        teaching = teach([theirs], HINTON, data, task=TASK)
        settings = augmented(gain=0.5, noise=0.3)
        losses.append(train(student(), data, None, settings, name="s", teacher=teaching).loss)
    np.testing.assert_allclose(*losses, rtol=1e-3)


def test_logits_of_windows_as_they_are_teach_no_changed_ones(tmp_path):
    data = windows(48)
    teaching = teach([opened(logits_file(tmp_path / "big.npz", data))], HINTON, data, task=TASK)
    told = refused("KD_RECIPE_VALUE", train, student(), data, None, augmented(gain=0.5),
                   name="s", teacher=teaching)  # fmt: skip
    assert "augmentation changes them" in told


def test_a_loss_of_layers_says_which_teacher_has_none(tmp_path):
    hint = make_loss("fitnets", {"student_layer": "a", "teacher_layer": "flat"})
    told = refused("KD_RECIPE_VALUE", teach, [onnx(tmp_path)], hint, WINDOWS, task=TASK)
    assert "bring the teacher as a .keras file" in told


def test_files_and_networks_teach_together_and_the_harmful_one_is_dropped(tmp_path):
    """Oracle: a network that is wrong by hand, joined with a file that is right."""
    logits = 9 * np.eye(3, dtype="f4")[WINDOWS.truth]
    right = opened(logits_file(tmp_path / "big.npz", logits=logits))
    given = keras.Input((4, 12, 2), name="emg")
    wrong = keras.Model([given], keras.layers.Dense(3)(keras.layers.Flatten()(given)))
    wrong.layers[-1].set_weights([np.zeros((96, 3)), np.array([0, 0, 99])])
    asked = {"task": TASK, "ensemble": "mean-logits"}
    taught = teach([wrong, right], HINTON, WINDOWS, drop=True, **asked).once(WINDOWS)
    np.testing.assert_array_equal(taught.logits, logits)
    both = teach([wrong, right], HINTON, WINDOWS, **asked)
    assert isinstance(both, Teaching)
    assert len(both.once(WINDOWS).teachers) == 2
