"""The conversion itself, and each silent trap with and without its cure.

Oracle throughout: Keras on the same windows, unless a test says another.
"""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from convert_models import convolutional, recurrent, two_branches, windows

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.flatbuffer import buffer_offsets, read_tflite
from kd_edge.base.quantisation import dequantize, quantize
from kd_edge.convert import calibration, converter, edit, fused
from kd_edge.convert.lint import attribute_loss, collect_activations, lint
from kd_edge.convert.routes import ROUTES
from kd_edge.runtimes.registry import open_interpreter

LSTM = "UNIDIRECTIONAL_SEQUENCE_LSTM"
ORDER = ("gyr", "acc")  # not the model's own
DATA = windows()

# TensorFlow's own calibrator uses what TensorFlow deprecates.
pytestmark = pytest.mark.filterwarnings(
    r"ignore:\s*Warning. tf\.lite\.Interpreter is deprecated:UserWarning"
)


@pytest.fixture(scope="module")
def model():
    return two_branches()


@pytest.fixture(scope="module")
def files(model, tmp_path_factory):
    """Format -> file of the two-branch model, each converted once."""
    folder = tmp_path_factory.mktemp("files")
    return {fmt: write(folder, model, fmt) for fmt in ("float32", "int8", "int16x8", "dynamic")}


def convert(model, fmt, *, order=ORDER, data=DATA):
    return converter.convert_model(
        model, route=ROUTES.find(fmt), input_order=order, calibration=data
    )


def write(folder, model, fmt, **options):
    path = folder / f"model.{fmt}.tflite"
    path.write_bytes(convert(model, fmt, **options))
    return path


def keras_logits(model, data=DATA):
    return np.asarray(model([data[tensor.name] for tensor in model.inputs], training=False))


def answers(path, runtime, data=DATA):
    """Logits of a file, inputs by name, state reset for each window."""
    session = open_interpreter(runtime, path)
    (output,) = session.outputs
    logits = []
    for index in range(len(next(iter(data.values())))):
        arrays = [data[spec.name][index : index + 1] for spec in session.inputs]
        if output.scale is not None:
            arrays = [
                quantize(array, spec.scale, spec.zero_point, np.dtype(spec.dtype))
                for array, spec in zip(arrays, session.inputs, strict=True)
            ]
        raw = session.run(arrays)[0][0]
        if output.scale is not None:
            raw = dequantize(raw, output.scale, output.zero_point)
        logits.append(raw)
    return np.array(logits)


def relative_error(found, wanted):
    return np.abs(found - wanted).max() / np.ptp(wanted)


def test_float32_gives_the_answers_of_keras(files, model):
    """Largest difference under 1e-5, as the issue asks."""
    for runtime in ("litert", "tflm"):
        assert np.abs(answers(files["float32"], runtime) - keras_logits(model)).max() < 1e-5


def test_every_lstm_is_one_operator_and_nothing_is_unrolled(files):
    """Oracle: the layers of the model, counted by hand."""
    operators = [op.name for op in read_tflite(files["float32"]).operators]
    assert sorted(set(operators)) == ["ADD", "FULLY_CONNECTED", "STRIDED_SLICE", LSTM]
    assert operators.count(LSTM) == 2
    assert len(operators) == 7


@pytest.mark.parametrize("fmt", ["float32", "int8", "int16x8", "dynamic"])
def test_inputs_stand_in_the_order_and_under_the_names_asked_for(files, fmt):
    """Oracle: the order given; both inputs have one shape, so only names tell them apart."""
    model = read_tflite(files[fmt])
    assert tuple(model.tensors[index].name for index in model.inputs) == ORDER
    assert [model.tensors[index].name for index in model.outputs] == ["logits"]
    types = {"int8": "int8", "int16x8": "int16"}
    ends = {model.tensors[index].dtype for index in model.inputs + model.outputs}
    assert ends == {types.get(fmt, "float32")}


@pytest.mark.parametrize("fmt", ["float32", "int8", "int16x8", "dynamic"])
def test_buffers_are_aligned_for_the_kernels(files, fmt):
    """Oracle: the schema's force_align of 16."""
    offsets = buffer_offsets(files[fmt].read_bytes())
    assert offsets
    assert {offset % 16 for offset in offsets} == {0}


def test_int8_is_near_keras_in_tflite_micro(files, model):
    """Within 3 % of the logits' range: a few steps of 8 bits."""
    assert relative_error(answers(files["int8"], "tflm"), keras_logits(model)) < 0.03


def test_int16x8_with_lstm_runs_in_tflite_micro_and_is_nearer_than_int8(files, model):
    """Oracle: Keras; LiteRT refuses the file, as the conversion says beside it."""
    wanted = keras_logits(model)
    fine = relative_error(answers(files["int16x8"], "tflm"), wanted)
    assert fine < 0.02
    assert fine <= relative_error(answers(files["int8"], "tflm"), wanted)
    with pytest.raises(KdEdgeError) as caught:
        answers(files["int16x8"], "litert")
    assert caught.value.code == "KD_UNSUPPORTED_OP"


@pytest.mark.parametrize("fmt", ["float16", "dynamic", "int16x8"])
def test_formats_without_lstm_run_in_litert(fmt, tmp_path):
    """Within 3 % of the logits' range."""
    model = convolutional()
    data = {"emg": np.random.default_rng(1).normal(size=(16, 1, 16, 3)).astype(np.float32)}
    path = write(tmp_path, model, fmt, order=("emg",), data=data)
    assert relative_error(answers(path, "litert", data), keras_logits(model, data)) < 0.03
    if fmt == "int16x8":
        assert relative_error(answers(path, "tflm", data), keras_logits(model, data)) < 0.03


# --- the silent traps, with and without the cure ---


def test_cells_beyond_ten_are_not_clipped(model, tmp_path, monkeypatch):
    """Without the cure the same model is far from Keras."""
    monkeypatch.setattr(edit, "clear_cell_clip", lambda model: None)
    path = write(tmp_path, model, "float32")
    assert np.abs(answers(path, "litert") - keras_logits(model)).max() > 0.1


def test_calibration_does_not_depend_on_the_order_of_windows(model, files, monkeypatch):
    """Same bytes for the windows backwards; without the reset, others."""
    backwards = {name: array[::-1] for name, array in DATA.items()}
    assert convert(model, "int8", data=backwards) == files["int8"].read_bytes()
    monkeypatch.setattr(converter, "state_reset_for_each_sample", contextlib.nullcontext)
    assert convert(model, "int8", data=backwards) != convert(model, "int8")


def test_swapped_inputs_are_put_right(model, monkeypatch):
    """Without the cure the converter's order is not the one asked for."""
    monkeypatch.setattr(edit, "order_inputs", lambda model, order: None)
    for order in (("gyr", "acc"), ("acc", "gyr")):
        found = read_tflite(convert(model, "float32", order=order))
        if tuple(found.tensors[index].name for index in found.inputs) != order:
            return
    pytest.fail("the converter kept both orders: the cure is not needed any more")


def test_concatenated_lstm_outputs_keep_their_scale(model, files, tmp_path, monkeypatch):
    """Without the cure the LSTM's output takes the concatenation's scale, and the lint says so."""
    assert "KD_LINT_LSTM_SCALE" not in {finding.code for finding in lint(files["int8"])}
    monkeypatch.setattr(fused, "_concatenations_to_split", lambda model: frozenset())
    path = write(tmp_path, model, "int8")
    assert "KD_LINT_LSTM_SCALE" in {finding.code for finding in lint(path)}
    wanted = keras_logits(model)
    cured = relative_error(answers(files["int8"], "tflm"), wanted)
    assert relative_error(answers(path, "tflm"), wanted) > 3 * cured


def test_a_concatenation_that_cannot_be_split_is_reported(tmp_path):
    """Oracle: the trap itself; with an activation behind it the concatenation must stay."""
    path = write(tmp_path, two_branches(between="relu"), "int8")
    found = [finding for finding in lint(path) if finding.code == "KD_LINT_LSTM_SCALE"]
    assert found
    assert found[0].severity == "error"
    assert LSTM in found[0].where


# --- refusals ---


@pytest.mark.parametrize(
    ("kind", "options", "code", "named"),
    [
        ("GRU", {}, "KD_UNSUPPORTED_OP", "some_gru"),
        ("LSTM", {"activation": "relu"}, "KD_CONVERTER_REFUSED", "some_lstm"),
        ("LSTM", {"go_backwards": True}, "KD_CONVERTER_REFUSED", "some_lstm"),
    ],
)
def test_a_layer_that_cannot_be_fused_is_named(kind, options, code, named):
    """Oracle: the layer's name in the error."""
    with pytest.raises(KdEdgeError) as caught:
        convert(recurrent(kind, **options), "float32", order=("x",), data=None)
    assert caught.value.code == code
    assert named in str(caught.value)


def test_an_input_order_that_does_not_fit_the_model_is_refused(model):
    """Oracle: the docstring's KD_SHAPE."""
    with pytest.raises(KdEdgeError) as caught:
        convert(model, "float32", order=("acc",))
    assert caught.value.code == "KD_SHAPE"


def test_another_tensorflow_is_refused_rather_than_trusted():
    """Oracle: a class whose private call has another signature."""

    class Calibrator:
        def _feed_tensors(self, dataset_gen):
            """As some later TensorFlow might have it."""

    with pytest.raises(KdEdgeError) as caught:
        calibration.private_call(
            Calibrator, "_feed_tensors", ("self", "dataset_gen", "resize_input")
        )
    assert caught.value.code == "KD_CONVERTER_REFUSED"
    assert "resize_input" in caught.value.message


# --- losses ---


def test_the_loss_of_each_tensor_is_ranked(files):
    """Oracle: the ratio computed here for the output, from the two files' answers."""
    losses = attribute_loss(files["float32"], files["int8"], DATA)
    values = [loss.sqnr_db for loss in losses]
    assert values == sorted(values)
    assert {loss.operator for loss in losses} >= {LSTM, "FULLY_CONNECTED", "ADD"}
    exact, rough = (answers(files[fmt], "litert") for fmt in ("float32", "int8"))
    ratio = 10 * np.log10(np.mean(exact**2) / np.mean((exact - rough) ** 2))
    assert next(loss for loss in losses if loss.name == "logits").sqnr_db == pytest.approx(
        ratio, abs=0.1
    )


def test_activations_of_the_output_are_the_answers(files):
    """Oracle: a session of the same file."""
    (index,) = read_tflite(files["float32"]).outputs
    values = collect_activations(files["float32"], DATA)[index]
    assert np.allclose(values, answers(files["float32"], "litert"), atol=1e-6)


def test_the_seed_student_keeps_the_sizes_and_answers_asked_for(tmp_path):
    """Oracle: issue limits, 145 kB in float32 and 46 kB in int8, and Keras."""
    from kd_edge.models import build_model

    shape = (10, 40, 21)
    student = build_model(
        "seed-single-student", input_shapes={"x": shape}, n_classes=50, seed=0, options={}
    )
    data = {"x": np.random.default_rng(2).normal(size=(12, *shape)).astype(np.float32)}
    single = write(tmp_path, student, "float32", order=("x",), data=data)
    assert single.stat().st_size <= 145_000
    assert np.abs(answers(single, "litert", data) - keras_logits(student, data)).max() < 1e-5
    small = write(tmp_path, student, "int8", order=("x",), data=data)
    assert small.stat().st_size <= 46_000
    assert relative_error(answers(small, "tflm", data), keras_logits(student, data)) < 0.03
