"""Interpreters: one small interface to LiteRT and TFLite Micro, state and inputs handled alike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tflite_samples import (
    GraphBuilder,
    conv_windows,
    lstm_windows,
    options_of,
    write_conv_model,
    write_lstm_model,
)

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.quantisation import dequantize, quantize
from kd_edge.base.tensors import TensorSpec, match_inputs
from kd_edge.runtimes.interpreter import run_windows
from kd_edge.runtimes.registry import RUNTIMES, available, open_interpreter, version

HERE = ("litert", "tflm")


@pytest.fixture(scope="module")
def int8_model(tmp_path_factory):
    return write_conv_model(tmp_path_factory.mktemp("model") / "conv.int8.tflite", quantised=True)


@pytest.fixture(scope="module")
def float_model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "conv.float32.tflite"
    return write_conv_model(path, quantised=False)


@pytest.fixture(scope="module")
def lstm_model(tmp_path_factory):
    return write_lstm_model(tmp_path_factory.mktemp("model") / "lstm.float32.tflite")


def spec(name, *shape):
    return TensorSpec(name, (1, *shape), "float32", None, None)


@pytest.mark.parametrize("runtime", HERE)
def test_a_session_states_names_shapes_types_and_scales_in_the_model_s_order(runtime, int8_model):
    """Oracle: what the model was written with."""
    session = open_interpreter(runtime, int8_model)
    assert [s.name for s in session.inputs] == ["emg", "acc"]
    emg, logits = session.inputs[0], session.outputs[0]
    assert (emg.shape, emg.dtype, emg.zero_point) == ((1, 4, 12, 3), "int8", 3)
    assert emg.scale == pytest.approx(0.03, rel=1e-6)
    assert (logits.name, logits.shape, logits.zero_point) == ("logits", (1, 5), 5)


@pytest.mark.parametrize("runtime", HERE)
def test_float_tensors_have_no_scale(runtime, float_model):
    """Oracle: what the model was written with."""
    session = open_interpreter(runtime, float_model)
    assert {(s.dtype, s.scale, s.zero_point) for s in session.inputs + session.outputs} == {
        ("float32", None, None)
    }


@pytest.mark.parametrize("runtime", HERE)
def test_windows_are_quantised_by_the_one_rule_and_matched_by_name(runtime, int8_model):
    """Oracle: the runtime fed by hand, inputs in the model's order, which is not the windows'."""
    windows = conv_windows(3)
    session = open_interpreter(runtime, int8_model)
    answers = run_windows(session, windows)
    for i in range(3):
        arrays = [
            quantize(windows.inputs[s.name][i : i + 1], s.scale, s.zero_point)
            for s in session.inputs
        ]
        np.testing.assert_array_equal(answers.raw[i], session.run(arrays)[0][0])
    out = session.outputs[0]
    assert answers.raw.dtype == np.int8
    np.testing.assert_array_equal(
        answers.logits, dequantize(answers.raw, out.scale, out.zero_point)
    )


@pytest.mark.parametrize("runtime", HERE)
def test_state_is_reset_before_every_window(runtime, lstm_model):
    """Oracle: a fresh session for each window. The last lines show that the model keeps state."""
    windows = lstm_windows(5)
    session = open_interpreter(runtime, lstm_model)
    again = run_windows(session, windows.take(np.array([0, 3, 0, 2, 0]))).raw
    fresh = [
        run_windows(open_interpreter(runtime, lstm_model), windows.take(np.array([i]))).raw[0]
        for i in (0, 3, 0, 2, 0)
    ]
    np.testing.assert_array_equal(again, fresh)

    session.run([windows.inputs["emg"][:1]])
    first = session.answers()[0]
    session.invoke()
    assert not np.array_equal(session.answers()[0], first)


def test_the_runtimes_agree_with_plain_numpy_on_an_lstm(lstm_model):
    """Oracle: the LSTM's equations in NumPy, on weights read from the file."""
    from kd_edge.base.flatbuffer import read_tflite

    data = {t.name: t.data for t in read_tflite(lstm_model).tensors}
    windows = lstm_windows(4)
    expected = []
    for window in windows.inputs["emg"]:
        hidden, cell, sequence = np.zeros(4), np.zeros(4), []
        for x in window:
            i, f, g, o = (
                data[f"kernel_{k}"] @ x + data[f"recurrent_{k}"] @ hidden + data[f"bias_{k}"]
                for k in "ifgo"
            )
            cell = cell / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
            hidden = np.tanh(cell) / (1 + np.exp(-o))
            sequence.append(hidden)
        expected.append(data["dense"] @ np.concatenate(sequence) + data["dense_bias"])
    for runtime in HERE:
        answers = run_windows(open_interpreter(runtime, lstm_model), windows)
        np.testing.assert_allclose(answers.logits, expected, atol=1e-5)


@pytest.mark.parametrize("runtime", HERE)
def test_inner_tensors_can_be_read_where_asked_for(runtime, int8_model):
    """Oracle: the preserved output tensor is the output; without preserving, reading is refused."""
    from kd_edge.base.flatbuffer import read_tflite

    model, windows = read_tflite(int8_model), conv_windows(1)
    session = open_interpreter(runtime, int8_model, preserve_tensors=True)
    raw = run_windows(session, windows).raw
    np.testing.assert_array_equal(session.tensor(model.outputs[0]), raw)
    assert session.tensor(model.operators[0].outputs[0]).shape == (1, 4, 6, 4)
    with pytest.raises(ValueError, match="preserve_tensors"):
        open_interpreter(runtime, int8_model).tensor(0)


def test_a_tensor_index_out_of_range_is_refused_before_tflite_micro_crashes(int8_model):
    """Oracle: the number of tensors; the wheel itself ends the process here."""
    session = open_interpreter("tflm", int8_model, preserve_tensors=True)
    with pytest.raises(IndexError):
        session.tensor(999)


def test_inputs_without_known_names_are_matched_by_unambiguous_shapes():
    """Oracle: shapes that fit one input each."""
    shapes = {"acc": (2,), "emg": (4, 3)}
    assert match_inputs((spec("x", 4, 3), spec("y", 2)), shapes) == ("emg", "acc")
    assert match_inputs((spec("x", 2),), shapes) == ("acc",)


@pytest.mark.parametrize(
    ("specs", "shapes"),
    [
        ((spec("x", 2), spec("y", 2)), {"acc": (2,), "gyr": (2,)}),  # either could be either
        ((spec("acc", 3),), {"acc": (2,)}),  # the right name, another shape
        ((spec("x", 5),), {"acc": (2,)}),  # nothing fits
        ((spec("x", 2), spec("y", 2)), {"acc": (2,)}),  # one input would feed two
    ],
)
def test_inputs_that_cannot_be_matched_are_refused_with_both_sides_named(specs, shapes):
    """Oracle: the rule in the docstring."""
    with pytest.raises(KdEdgeError, match="the windows have 'acc'") as caught:
        match_inputs(specs, shapes)
    assert caught.value.code == "KD_SHAPE"


@pytest.mark.parametrize("runtime", HERE)
def test_arrays_of_another_shape_type_or_number_are_refused(runtime, int8_model):
    """Oracle: the model's own specs."""
    session = open_interpreter(runtime, int8_model)
    emg, acc = (np.zeros(s.shape, s.dtype) for s in session.inputs)
    for arrays in ([emg], [acc, emg], [emg.astype(np.float32), acc], [emg[0], acc]):
        with pytest.raises(KdEdgeError) as caught:
            session.run(arrays)
        assert caught.value.code == "KD_SHAPE"


def test_no_windows_is_an_error_not_an_empty_answer(int8_model):
    """Oracle: the contract."""
    with pytest.raises(KdEdgeError) as caught:
        run_windows(open_interpreter("litert", int8_model), conv_windows(0))
    assert caught.value.code == "KD_EMPTY_PART"


def test_an_unknown_runtime_names_the_nearest(int8_model):
    """Oracle: the registry."""
    with pytest.raises(KdEdgeError, match="did you mean 'litert'") as caught:
        open_interpreter("lite-rt", int8_model)
    assert caught.value.code == "KD_UNKNOWN_NAME"


def test_versions_are_told_where_a_runtime_is_installed():
    """Oracle: the pinned wheel; tflite-runtime and a compiler depend on the environment."""
    known = ("litert", "tflite-runtime", "tflm", "plain-c", "onnx-runtime", "core-ml", "mil-numpy")
    assert tuple(RUNTIMES) == known
    assert version("tflm") == "0.dev20261023182759"
    for name in RUNTIMES:
        assert available(name) == (version(name) is not None)


def test_a_missing_runtime_says_how_to_get_it(int8_model):
    """Oracle: the registry's own hint, where tflite-runtime is not installed."""
    if available("tflite-runtime"):
        pytest.skip("tflite-runtime is installed here, so it is not missing")
    with pytest.raises(KdEdgeError) as caught:
        open_interpreter("tflite-runtime", int8_model)
    assert caught.value.code == "KD_MISSING_PACKAGE"
    assert "numpy<2" in caught.value.hint


@pytest.mark.parametrize("runtime", HERE)
def test_a_missing_file_and_a_broken_file_are_told_apart(runtime, int8_model, tmp_path):
    """Oracle: the stable codes."""
    with pytest.raises(KdEdgeError) as caught:
        open_interpreter(runtime, tmp_path / "absent.tflite")
    assert caught.value.code == "KD_NO_FILE"
    content = int8_model.read_bytes()
    for broken in (b"", b"not a model at all", content[: len(content) // 2]):
        path = tmp_path / "broken.tflite"
        path.write_bytes(broken)
        with pytest.raises(KdEdgeError) as caught:
            open_interpreter(runtime, path)
        assert caught.value.code == "KD_BAD_TFLITE"


def test_tflite_micro_says_which_operator_it_does_not_have(tmp_path, capfd):
    """Oracle: ATAN2, which LiteRT runs and TFLite Micro lacks. Its words are not printed."""
    graph = GraphBuilder()
    x, y = (graph.tensor(name, (1, 4), "float32") for name in ("x", "y"))
    graph.operator("ATAN2", (x, x), (y,), options_of("ATan2Options"))
    path = graph.write(tmp_path / "atan2.tflite", (x,), (y,))
    open_interpreter("litert", path)
    with pytest.raises(KdEdgeError, match="TFLite Micro does not run atan2") as caught:
        open_interpreter("tflm", path)
    assert caught.value.code == "KD_UNSUPPORTED_OP"
    assert "'ATAN2'" in caught.value.where
    assert "ATAN2" not in capfd.readouterr().err


def test_tflite_micro_has_one_thread_only(int8_model):
    """Oracle: the contract; asking for more is refused rather than ignored."""
    with pytest.raises(KdEdgeError) as caught:
        open_interpreter("tflm", int8_model, threads=2)
    assert caught.value.code == "KD_USAGE"


def test_running_leaves_the_windows_as_they_were(int8_model):
    """Oracle: a copy."""
    windows = conv_windows(2)
    copies = {name: array.copy() for name, array in windows.inputs.items()}
    run_windows(open_interpreter("tflm", int8_model), replace(windows))
    assert windows.inputs.keys() == copies.keys() != set()
    for name, array in windows.inputs.items():
        np.testing.assert_array_equal(array, copies[name])
