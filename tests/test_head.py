"""A model's last layer: found, replaced, cut off."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from head_samples import CLASSES, FEATURES, SCORE_SCALE, SCORE_ZERO, body_and_head, windows
from product_samples import dense
from tflite_samples import write_conv_model, write_lstm_model

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.flatbuffer import read_tflite
from kd_edge.base.head import find_head, with_head, without_head
from kd_edge.personalise import scores_of
from kd_edge.runtimes.registry import open_interpreter

FORMS = [
    dict(zip(("by_row", "bias", "shared"), values, strict=True))
    for values in product((True, False), repeat=3)
]


def answers(content: bytes, tmp_path, made: np.ndarray) -> np.ndarray:
    """TFLite Micro's, raw."""
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    session = open_interpreter("tflm", path)
    return np.concatenate([session.run([window])[0] for window in made])


def rounded(real: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(real / SCORE_SCALE) + SCORE_ZERO, -128, 127)


@pytest.mark.parametrize("form", FORMS)
def test_the_body_and_the_head_together_are_the_model(form, tmp_path):
    """Oracle: TFLite Micro on the whole model; a product in real numbers may round otherwise."""
    content, made = body_and_head(**form), windows(20, seed=1)
    head = find_head(read_tflite(content))
    features = answers(without_head(content), tmp_path, made)
    assert features.shape == (20, FEATURES)
    embedding = (features.astype(np.float64) - head.input_zero) * head.input_scale
    found = rounded(scores_of(head, embedding))
    whole = answers(content, tmp_path, made)
    assert np.abs(found - whole).max() <= 1
    assert (found == whole).mean() > 0.95


@pytest.mark.parametrize("form", FORMS)
def test_the_same_head_again_changes_no_answer(form, tmp_path):
    content, made = body_and_head(**form), windows(20, seed=2)
    again = with_head(content, find_head(read_tflite(content)))
    np.testing.assert_array_equal(answers(again, tmp_path, made), answers(content, tmp_path, made))


@pytest.mark.parametrize("form", FORMS)
def test_another_head_answers_by_its_own_numbers_and_the_body_stays(form, tmp_path):
    """Oracle: the product in real numbers, within a step; the features bit for bit."""
    content, made = body_and_head(**form), windows(20, seed=3)
    old = find_head(read_tflite(content))
    rng = np.random.default_rng(4)
    new = replace(
        old,
        weights=rng.integers(-127, 128, (CLASSES, FEATURES), dtype=np.int8),
        bias=rng.integers(-900, 900, CLASSES, dtype=np.int32),
        scales=old.scales * np.float32(1.37),
    )
    changed = with_head(content, new)
    found = find_head(read_tflite(changed))
    for name in ("weights", "bias", "scales"):
        np.testing.assert_array_equal(getattr(found, name), getattr(new, name))
    features = answers(without_head(changed), tmp_path, made)
    np.testing.assert_array_equal(features, answers(without_head(content), tmp_path, made))
    embedding = (features.astype(np.float64) - old.input_zero) * old.input_scale
    found = answers(changed, tmp_path, made)
    assert np.abs(found - rounded(scores_of(new, embedding))).max() <= 1
    assert (found != answers(content, tmp_path, made)).any()


def test_a_head_of_another_shape_or_type_is_refused():
    content = body_and_head()
    old = find_head(read_tflite(content))
    for changes in (
        {"weights": old.weights[:, 1:]},
        {"bias": old.bias.astype(np.int64)},
        {"scales": old.scales[:1]},
    ):
        with pytest.raises(KdEdgeError, match="the new last layer has") as caught:
            with_head(content, replace(old, **changes))
        assert caught.value.code == "KD_SHAPE"


def test_models_that_end_otherwise_are_refused_as_what_they_are(tmp_path):
    two = dense(tmp_path / "two", {"a": (3, 0.1, 0), "b": (4, 0.1, 0)}, 3, (0.1, 0), seed=1)
    lstm = write_lstm_model(tmp_path / "lstm")
    conv = write_conv_model(tmp_path / "conv", quantised=True)
    for path, ends in ((two, "ADD"), (lstm, ""), (conv, "")):
        model = read_tflite(path)
        last = next(op.name for op in model.operators if set(op.outputs) & set(model.outputs))
        if last == "FULLY_CONNECTED":
            assert find_head(model).weights.shape[0] == model.tensors[model.outputs[0]].shape[-1]
            continue
        with pytest.raises(KdEdgeError, match=f"come from {ends or last}") as caught:
            find_head(model)
        assert caught.value.code == "KD_UNSUPPORTED_OP"
