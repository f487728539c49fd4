"""Parity between runtimes and forms, and golden vectors."""

from __future__ import annotations

import numpy as np
import pytest
from tflite_samples import conv_windows, write_conv_model

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.flatbuffer import pack, read_tflite, unpack
from kd_edge.runtimes.golden import make_golden
from kd_edge.runtimes.interpreter import model_inputs, one_window, run_windows
from kd_edge.runtimes.parity import compare_forms, compare_runtimes, differing_layer
from kd_edge.runtimes.registry import open_interpreter
from kd_edge.runtimes.results import Side
from kd_edge.tasks.classification import CLASSIFICATION

KERAS, FLOAT, INT8 = Side("keras", "keras"), Side("float32", "litert"), Side("int8", "tflm")


@pytest.fixture(scope="module")
def int8_model(tmp_path_factory):
    return write_conv_model(tmp_path_factory.mktemp("model") / "conv.int8.tflite", quantised=True)


@pytest.fixture(scope="module")
def float_model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "conv.float32.tflite"
    return write_conv_model(path, quantised=False)


def test_a_runtime_is_in_parity_with_itself(int8_model):
    """Oracle: two sessions of one interpreter give the same bytes."""
    parity = compare_runtimes(
        int8_model, conv_windows(256), "tflm", "tflm", fmt="int8", task=CLASSIFICATION
    )
    assert (parity.kind, parity.n_windows) == ("runtimes", 256)
    assert (parity.class_agreement, parity.max_steps, parity.max_abs) == (1.0, 0, 0.0)
    assert parity.first_difference is None
    assert parity.left == parity.right == Side("int8", "tflm")


def test_int8_figures_are_those_of_the_answers(int8_model):
    """Oracle: the raw answers of both runtimes, compared here."""
    windows = conv_windows(256)
    parity = compare_runtimes(
        int8_model, windows, "litert", "tflm", fmt="int8", task=CLASSIFICATION
    )
    left, right = (
        run_windows(open_interpreter(r, int8_model), windows) for r in ("litert", "tflm")
    )
    steps = np.abs(left.raw.astype(int) - right.raw)
    assert parity.max_steps == steps.max()
    assert parity.max_abs == np.abs(left.logits - right.logits).max()
    agreement = np.mean(left.raw.argmax(axis=1) == right.raw.argmax(axis=1))
    assert parity.class_agreement == agreement
    # Kernels round differently here, by a step; should a new wheel agree, nothing is reported.
    assert (parity.first_difference is None) == (steps.max() == 0)


def test_float_runtimes_that_add_in_another_order_do_not_differ(float_model):
    """Oracle: float32's own precision, a few parts in 10 million."""
    parity = compare_runtimes(
        float_model, conv_windows(64), "litert", "tflm", fmt="float32", task=CLASSIFICATION
    )
    assert parity.max_steps is None
    assert parity.max_abs < 1e-4
    assert parity.first_difference is None


def test_the_first_differing_layer_is_the_one_that_was_altered(int8_model, tmp_path):
    """Oracle: weights of the depthwise layer changed by hand; later layers differ in its wake."""
    altered = unpack(int8_model)
    graph = altered.subgraphs[0]
    layer = next(t for t in graph.tensors if t.name == b"depthwise")
    weights = np.array(altered.buffers[layer.buffer].data, np.uint8)
    weights[:4] ^= 0x40
    altered.buffers[layer.buffer].data = weights
    path = tmp_path / "altered.tflite"
    path.write_bytes(pack(altered))

    model, window = read_tflite(int8_model), conv_windows(1)
    sides = [open_interpreter("tflm", p, preserve_tensors=True) for p in (int8_model, path)]
    for side in sides:
        side.run(one_window(model_inputs(side, window), 0))
    found = differing_layer(model, sides, 7, len(model.operators))
    assert (found.index, found.operator, found.tensor) == (1, "DEPTHWISE_CONV_2D", "depthwise_out")
    assert found.window == 7
    outputs = [side.tensor(model.operators[1].outputs[0]).astype(int) for side in sides]
    assert found.max_steps == np.abs(outputs[0] - outputs[1]).max() > 0
    assert found.max_abs == pytest.approx(found.max_steps * 0.08)
    assert differing_layer(model, sides, 7, 1) is None  # nothing before it differs
    found = differing_layer(model, sides, 7, 2, above_steps=found.max_steps)
    assert found is None  # nor by more


def test_forms_are_compared_by_class_unit_and_step():
    """Oracle: worked by hand: the second window changes class, by 0.5 = 5 steps of 0.1."""
    left = np.array([[1.0, 0.0], [0.3, 0.2]])
    right = np.array([[1.1, 0.0], [0.1, 0.7]])
    parity = compare_forms(left, right, KERAS, INT8, task=CLASSIFICATION, step=0.1)
    assert (parity.kind, parity.left, parity.right) == ("forms", KERAS, INT8)
    assert (parity.class_agreement, parity.max_steps) == (0.5, 5)
    assert parity.max_abs == pytest.approx(0.5)
    assert compare_forms(left, right, KERAS, FLOAT, task=CLASSIFICATION).max_steps is None


def test_a_float_model_and_its_int8_form_nearly_agree(float_model, int8_model):
    """Oracle: the int8 model has the float one's weights; 8 bits leave a little noise."""
    windows = conv_windows(256)
    sides = [run_windows(open_interpreter("tflm", p), windows) for p in (float_model, int8_model)]
    parity = compare_forms(
        sides[0].logits, sides[1].logits, FLOAT, INT8, task=CLASSIFICATION, step=0.7
    )
    assert parity.class_agreement > 0.95
    assert 0 < parity.max_steps < 20


@pytest.mark.parametrize(
    ("left", "right", "code"),
    [((3, 2), (3, 4), "KD_SHAPE"), ((0, 2), (0, 2), "KD_EMPTY_PART")],
)
def test_forms_that_cannot_be_compared_are_refused(left, right, code):
    """Oracle: the contract."""
    with pytest.raises(KdEdgeError) as caught:
        compare_forms(np.zeros(left), np.zeros(right), FLOAT, INT8, task=CLASSIFICATION)
    assert caught.value.code == code


def test_golden_vectors_are_tflite_micros_own_answers(int8_model):
    """Oracle: TFLite Micro run again on the stored int8 inputs."""
    windows = conv_windows(40)
    golden = make_golden(int8_model, windows, 12, seed=3)
    session = open_interpreter("tflm", int8_model)
    assert golden.input_names == ("emg", "acc")
    assert [a.shape for a in golden.inputs] == [(12, 4, 12, 3), (12, 2)]
    assert {a.dtype for a in (*golden.inputs, golden.outputs)} == {np.dtype(np.int8)}
    for i in range(12):
        answer = session.run(one_window(golden.inputs, i))[0]
        np.testing.assert_array_equal(answer[0], golden.outputs[i])
    np.testing.assert_array_equal(golden.labels, windows.truth[golden.window_indices])


def test_golden_vectors_are_even_over_classes_seeded_and_without_repeats(int8_model):
    """Oracle: counts; class E has one window only."""
    windows = conv_windows(41)
    windows = windows.take(np.flatnonzero((windows.truth != 4) | (np.arange(41) == 4)))
    golden = make_golden(int8_model, windows, 13, seed=3)
    assert np.bincount(golden.labels).tolist() == [3, 3, 3, 3, 1]
    assert len(set(golden.window_indices.tolist())) == 13
    again = make_golden(int8_model, windows, 13, seed=3)
    np.testing.assert_array_equal(golden.window_indices, again.window_indices)
    other = make_golden(int8_model, windows, 13, seed=4)
    assert not np.array_equal(golden.window_indices, other.window_indices)
    assert len(make_golden(int8_model, windows, 999, seed=3).labels) == len(windows)


@pytest.mark.parametrize(("most_bytes", "n"), [(None, 13), (700, 4), (10**6, 13), (1, 1)])
def test_golden_vectors_are_no_larger_than_asked_and_one_at_least(int8_model, most_bytes, n):
    """Oracle: by hand; 4 x 12 x 3 and 2 values in, 5 scores out: 151 bytes each."""
    golden = make_golden(int8_model, conv_windows(41), 13, seed=3, most_bytes=most_bytes)
    assert len(golden.labels) == n
    assert sum(array[0].size for array in (*golden.inputs, golden.outputs)) == 151
