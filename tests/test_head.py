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
from kd_edge.base.formats import FileKind
from kd_edge.base.head import find_head, with_head, without_head
from kd_edge.base.head_files import HEAD_FILES
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


# --- files of other kinds ---


def onnx_file(classes=CLASSES, *, kind="Gemm", shared=False, **attributes) -> bytes:
    """A last layer of its own: scores = x @ w + b."""
    onnx = pytest.importorskip("onnx")
    helper, rng = onnx.helper, np.random.default_rng(6)
    stored = {
        "w": rng.normal(size=(FEATURES, classes)).astype(np.float32),
        "b": rng.normal(size=classes).astype(np.float32),
    }
    nodes = [helper.make_node("Relu", ["x"], ["e"])]
    if shared:
        nodes.append(helper.make_node("MatMul", ["e", "w"], ["unused"]))
    if kind == "Gemm":
        nodes.append(helper.make_node("Gemm", ["e", "w", "b"], ["logits"], **attributes))
    else:
        nodes.append(helper.make_node(kind, ["e", "w"], ["logits"]))
    ends = [
        [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, (1, n))]
        for name, n in (("x", FEATURES), ("logits", classes))
    ]
    tensors = [onnx.numpy_helper.from_array(a, name) for name, a in stored.items()]
    graph = helper.make_graph(nodes, "model", *ends, tensors)
    opset = helper.make_opsetid("", 18)
    return helper.make_model(graph, opset_imports=[opset], ir_version=8).SerializeToString()


def test_an_onnx_files_last_layer_is_found_and_replaced(tmp_path):
    """Oracle: the product in real numbers; ONNX Runtime computes the file."""
    pytest.importorskip("onnxruntime")
    of, rng = HEAD_FILES[FileKind.ONNX], np.random.default_rng(7)
    content, made = onnx_file(), rng.normal(size=(5, 1, FEATURES)).astype(np.float32)
    old = of.find(content)
    assert of.replace(content, old) == of.replace(of.replace(content, old), old)
    new = replace(
        old,
        weights=rng.normal(size=old.weights.shape).astype(np.float32),
        bias=rng.normal(size=CLASSES).astype(np.float32),
    )
    for head, file in ((old, content), (new, of.replace(content, new))):
        path = tmp_path / "model.onnx"
        path.write_bytes(file)
        session = open_interpreter("onnx-runtime", path)
        found = np.concatenate([session.run([window])[0] for window in made])
        wanted = scores_of(head, np.maximum(made[:, 0], 0).astype(np.float64))
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("file", "why"),
    [
        ({"kind": "MatMul"}, "its output comes from MatMul"),
        ({"alpha": 2.0}, "its last layer has alpha 2.0"),
        ({"shared": True}, "'w' of its last layer is computed, or another layer's too"),
    ],
)
def test_onnx_files_that_end_otherwise_are_refused_as_what_they_are(file, why):
    with pytest.raises(KdEdgeError, match=why) as caught:
        HEAD_FILES[FileKind.ONNX].find(onnx_file(**file))
    assert caught.value.code == "KD_UNSUPPORTED_OP"


def test_a_head_of_another_shape_is_refused():
    content = onnx_file()
    with pytest.raises(KdEdgeError, match="the new last layer has weights") as caught:
        HEAD_FILES[FileKind.ONNX].replace(content, HEAD_FILES[FileKind.ONNX].find(onnx_file(4)))
    assert caught.value.code == "KD_SHAPE"
