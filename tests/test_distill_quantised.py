"""Students that round as their int8 form does.

Oracle: the converter's own file and the TFLite Micro interpreter, unless a test says another.
"""

from __future__ import annotations

import dataclasses
import math

import keras
import numpy as np
import pytest
from eager import without_graphs
from fixed_point import multiply_by_quantized_multiplier
from training_samples import SETTINGS, stop_after, student, train, windows

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.flatbuffer import read_tflite
from kd_edge.base.quantisation import quantize
from kd_edge.convert import converter
from kd_edge.convert.routes import ROUTES
from kd_edge.distill.losses import make_loss, weigh_labels
from kd_edge.distill.quantised import aware_network, finished
from kd_edge.distill.quantised.plan import plan_of
from kd_edge.distill.quantised.rounding import (
    RoundingGrid,
    half_away,
    requantised,
    round_weights,
    shift_of,
    weight_steps,
)
from kd_edge.distill.teaching import Teaching
from kd_edge.distill.trainer import predict_logits
from kd_edge.models.grid import Grid
from kd_edge.models.keras_start import load_keras
from kd_edge.pipeline.keras_files import save_model
from kd_edge.runtimes.interpreter import run_windows
from kd_edge.runtimes.registry import open_interpreter

# TensorFlow's own calibrator uses what TensorFlow deprecates.
pytestmark = pytest.mark.filterwarnings(
    r"ignore:\s*Warning. tf\.lite\.Interpreter is deprecated:UserWarning"
)
DATA, HELD_OUT, MANY = windows(48), windows(64, seed=1), windows(256, seed=1)
LIKE_THE_TEACHER = dataclasses.replace(
    SETTINGS, epochs=25, learning_rate=2e-3, loss=weigh_labels(make_loss("logit-mse", {}), 0.0)
)
# As the two below, every layer that can be fine-tuned, with shapes that leave uneven pools.
RESIDUAL = {"name": "tcn-residual", "width": 8, "stem_stride": 1, "halve": 1}
STUDENTS = {
    "tcn": {"name": "tcn", "width": 8},
    "ds-cnn": {"name": "ds-cnn", "width": 8, "stem_width": 8, "stem_stride": 1, "segments": 3},
    "gates": {**RESIDUAL, "gate": "modality", "pool": "attention"},
    "channels": {**RESIDUAL, "gate": "channel", "pool": "statistics", "convolution": "plain"},
}


def with_statistics(model):
    """The model with batch normalisation that does something."""
    rng = np.random.default_rng(5)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            gamma, beta, mean, variance = layer.get_weights()
            layer.set_weights([
                rng.uniform(0.5, 1.5, gamma.shape), rng.normal(0, 0.2, beta.shape),
                rng.normal(0, 0.2, mean.shape), rng.uniform(0.5, 2, variance.shape),
            ])  # fmt: skip
        elif layer.name == "logits":
            layer.set_weights([layer.get_weights()[0], rng.normal(0, 0.3, layer.units)])
    return model


def trained(name, **options):
    return with_statistics(student(**STUDENTS[name], **options))


def aware(model, bits=8, ranges="kept"):
    return aware_network(model, DATA.inputs, weight_bits=bits, ranges=ranges, seed=3)


def converted(model, fmt):
    return converter.convert_model(
        model,
        route=ROUTES.find(fmt),
        input_order=[tensor.name for tensor in model.inputs],
        calibration=DATA.inputs,
    )


# --- rounding ---


def test_a_mean_is_rounded_half_away_from_zero():
    """Oracle: by hand. A half that float makes a little less than one is one."""
    halves = np.array([0.5, -0.5, 1.5, -1.5, 0.49, -2.51], "f4")
    assert half_away(halves).numpy().tolist() == [1, -1, 2, -2, 0, -3]
    assert half_away(np.float32(2.4999)).numpy() == 2
    assert half_away(np.float32(2.4999), 1e-3).numpy() == 3


def test_weights_are_rounded_to_whole_steps_of_each_channel_and_stay_so():
    """Oracle: NumPy, by the definition."""
    kernel = np.random.default_rng(1).normal(size=(1, 5, 3, 4)).astype("f4")
    kernel[..., 2] = 0  # a dead channel
    steps = weight_steps(kernel, bits=4, axes=(0, 1, 2))
    rounded = round_weights(kernel, steps, bits=4).numpy()
    largest = np.abs(kernel).max(axis=(0, 1, 2))
    wanted = np.where(largest > 0, np.rint(kernel / (largest / 7 + (largest == 0))), 0)
    np.testing.assert_allclose(rounded, wanted * (largest / 7), rtol=1e-6)
    again = round_weights(rounded, weight_steps(rounded, bits=4, axes=(0, 1, 2)), bits=4)
    np.testing.assert_allclose(again, rounded, rtol=1e-6)


def test_gradients_pass_where_nothing_is_clipped_and_steps_learn_as_in_lsq():
    """Oracle: Esser et al. 2020, equation 3 for the step, equation 5 for the values."""
    import tensorflow as tf

    grid = RoundingGrid(step=0.5, zero=100, learned=True)
    grid.build(None)
    values = tf.constant([0.3, -1.1, 90.0, -60.0])  # steps: 0.6, -2.2, above 155, below -100
    with tf.GradientTape() as tape:
        tape.watch(values)
        rounded = grid(values)
    np.testing.assert_allclose(rounded, [0.5, -1.0, 155 * 0.5, -100 * 0.5])
    assert tape.gradient(rounded, values).numpy().tolist() == [1, 1, 0, 0]
    for at, per_step in enumerate([1 - 0.6, -2 + 2.2, 155, -100]):
        with tf.GradientTape() as tape:
            one = grid(values)[at]
        assert float(tape.gradient(one, grid.stretch.value)) == pytest.approx(
            0.5 * per_step, rel=1e-4
        )


@pytest.mark.parametrize("multiplier", [0.9137, 0.3071, 0.1113, 0.0037])
def test_sums_are_rounded_twice_as_integer_kernels_do(multiplier):
    """Oracle: gemmlowp's arithmetic in Python's integers."""
    mantissa, exponent = math.frexp(multiplier)
    sums = np.arange(-3000, 3000, 7)
    wanted = [
        multiply_by_quantized_multiplier(int(s), round(mantissa * 2**31), exponent) for s in sums
    ]
    found = requantised((sums * multiplier)[:, None].astype("f4"), shift_of(np.float32(multiplier)))
    differing = np.flatnonzero(found.numpy()[:, 0] != wanted)
    # Halves of the first rounding go up there and away from zero here.
    assert len(differing) <= 2
    if multiplier == 0.3071:
        assert np.count_nonzero(np.floor(sums * multiplier + 0.5) != wanted) > 10  # rounded once


# --- a student and its int8 form ---


@pytest.fixture(scope="module", params=STUDENTS)
def pair(request):
    """A student, rounding, and as plain layers."""
    model = trained(request.param)
    network = aware(model)
    return model, network, finished(network)


def _answers(content, tmp_path, data):
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    interpreter = open_interpreter("tflm", path)
    return run_windows(interpreter, data).raw.astype(int), interpreter.outputs[0]


def test_it_answers_as_its_int8_form(pair, tmp_path):
    """Nearly all scores to every bit, all within a step."""
    _, network, plain = pair
    _check_steps(network, *_answers(converted(plain, "int8"), tmp_path, MANY))


def _check_steps(network, raw, output):
    """Of 768 scores, attention's exponentials round 21 to 44 otherwise by the windows drawn, and
    what others compute at most 9: twice as many are borne, for a processor rounds otherwise, too.
    """
    logits = predict_logits(network, MANY)
    steps = np.abs(raw - quantize(logits, output.scale, output.zero_point).astype(int))
    attends = any(layer.name == "attentive" for layer in network.layers)
    assert np.count_nonzero(steps) <= (88 if attends else 18)
    assert steps.max() <= 1


def test_it_answers_nearly_as_the_float_student(pair):
    """Oracle: Keras; within an eighth of the scores' spread, and the plain form nearer."""
    model, network, plain = pair
    wanted = predict_logits(model, HELD_OUT)
    rounded, stated = (np.abs(predict_logits(m, HELD_OUT) - wanted) for m in (network, plain))
    assert rounded.mean() < wanted.std() / 8
    assert stated.mean() < wanted.std() / 16


def test_the_float_students_int8_weights_are_its_own():
    """Post-training: the converter rounds the float weights to the same integers, folded alike."""
    model = trained("ds-cnn")
    network, file = aware(model), read_tflite(converted(model, "int8"))
    layers = [layer for layer in network.layers if hasattr(layer, "rounded")]
    weighted = [op for op in file.operators if op.name.endswith(("CONV_2D", "CONNECTED"))]
    for layer, op in zip(layers, weighted, strict=True):
        tensor = file.tensors[op.inputs[1]]
        shape = [-1 if axis == tensor.quantized_axis else 1 for axis in range(tensor.data.ndim)]
        steps = np.asarray(tensor.scales).reshape(shape)
        kernel = layer.rounded()[0].numpy()
        moved = kernel[None, ..., 0] if op.name.startswith("DEPTH") else np.moveaxis(kernel, -1, 0)
        assert np.array_equal(np.rint(moved.reshape(tensor.data.shape) / steps), tensor.data)


def test_four_bits_are_the_files_as_well(tmp_path):
    """int8x4: weights and biases exactly, scores as those of int8."""
    plain = finished(network := aware(trained("gates"), bits=4))
    content = converted(plain, "int8x4")
    file = read_tflite(content)
    dense = next(op for op in reversed(file.operators) if op.name == "FULLY_CONNECTED")
    weights, bias = (file.tensors[index] for index in dense.inputs[1:3])
    kernel, offset = plain.get_layer("logits").get_weights()
    assert weights.dtype == "int4"
    np.testing.assert_allclose(weights.data.T * weights.scales[0], kernel, atol=1e-6)
    np.testing.assert_allclose(bias.data * np.array(bias.scales), offset, atol=1e-6)
    _check_steps(network, *_answers(content, tmp_path, MANY))


def test_a_finished_student_is_a_keras_file_like_any_other(tmp_path):
    """Oracle: itself before it was saved. Parameters: the float student's without normalisation."""
    model = trained("tcn")
    plain = finished(aware(model))
    save_model(plain, tmp_path / "student.keras")
    again = load_keras(tmp_path / "student.keras")
    np.testing.assert_array_equal(predict_logits(again, DATA), predict_logits(plain, DATA))
    norms = [n for n in model.layers if isinstance(n, keras.layers.BatchNormalization)]
    biases = sum(norm.gamma.shape[0] for norm in norms)
    gone = sum(norm.count_params() for norm in norms)
    assert again.count_params() == model.count_params() - gone + biases
    assert {type(layer) for layer in again.layers} >= {Grid, keras.layers.Conv2D}


# --- training ---


@pytest.mark.parametrize("ranges", ["kept", "learned"])
def test_fine_tuning_brings_four_bit_weights_back_to_the_float_student(ranges):
    """Oracle: the float student's scores, on windows of neither training. Its own weights stay."""
    model = trained("tcn", dropout=0.0)  # which would move the answers in so few steps
    before = model.get_weights()
    network = aware(model, bits=4, ranges=ranges)
    wanted = predict_logits(model, HELD_OUT)

    def distance():
        return np.abs(predict_logits(network, HELD_OUT) - wanted).mean()

    rounded = distance()
    train(network, DATA, None, LIKE_THE_TEACHER, name="aware", teacher=Teaching([model]))
    assert distance() < 0.85 * rounded
    for value, kept in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(value, kept)
    grids = [layer for layer in finished(network).layers if isinstance(layer, Grid)]
    fresh = [layer for layer in aware(model, bits=4).layers if isinstance(layer, Grid)]
    moved = [new.step != pytest.approx(old.step) for new, old in zip(grids, fresh, strict=True)]
    assert any(moved) == (ranges == "learned")


def test_an_interrupted_training_goes_on_as_if_it_had_not_been(tmp_path):
    """Oracle: the same training without a break, dropout and learned ranges included."""
    model, path = trained("tcn"), tmp_path / "aware.ckpt"
    settings = dataclasses.replace(SETTINGS, epochs=2)

    def tuned(**options):
        network = aware(model, bits=4, ranges="learned")
        train(network, DATA, None, settings, name="aware", **options)
        return network

    with without_graphs():
        whole = tuned()
        with pytest.raises(KeyboardInterrupt):
            tuned(checkpoint=path, progress=stop_after(1))
        rest = tuned(checkpoint=path)
    for one, other in zip(whole.get_weights(), rest.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


# --- what cannot be fine-tuned so ---


def _model(end):
    given = keras.Input((4, 6), name="x")
    return keras.Model(given, keras.layers.Dense(3, name="logits")(end(given)))


def _twice(x):
    layer = keras.layers.Dense(6, name="again")
    return keras.layers.Flatten()(layer(layer(x)))


def _flat(layer):
    return _model(lambda x: layer(keras.layers.Flatten()(x)))


@pytest.mark.parametrize(
    ("model", "named"),
    [
        (lambda: student(name="seed-single-student", names=("emg",)), r"lstm_0' \(FastLSTM"),
        (lambda: _model(keras.layers.LSTM(3, name="memory")), r"'memory' \(LSTM, tanh\)"),
        (lambda: _flat(keras.layers.BatchNormalization(name="lone")), "'lone'"),
        (lambda: _model(_twice), "'again' .* more than once"),
        (lambda: _flat(keras.layers.Dense(2, "gelu", name="bent")), r"'bent' \(Dense, gelu\)"),
        (lambda: _model(lambda x: keras.ops.mean(x, axis=1)), "Mean"),
    ],
)
def test_layers_that_int8_rounds_otherwise_are_refused_by_name(model, named):
    with pytest.raises(KdEdgeError, match=named) as caught:
        plan_of(model())
    assert caught.value.code == "KD_UNSUPPORTED_OP"


@pytest.mark.parametrize(("bits", "ranges"), [(5, "kept"), (8, "guessed")])
def test_other_settings_are_refused(bits, ranges):
    with pytest.raises(KdEdgeError) as caught:
        aware(trained("tcn"), bits=bits, ranges=ranges)
    assert caught.value.code == "KD_RECIPE_VALUE"
