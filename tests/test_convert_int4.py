"""int8 models with int4 weights, and grids that a model states itself.

Oracle: the int8 form of the same model, TFLite Micro and LiteRT, unless a test says another.
"""

from __future__ import annotations

import numpy as np
import pytest
from aot_harness import check_exact
from convert_models import convolutional, recurrent

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.flatbuffer import buffer_offsets, pack_int4, read_tflite, unpack
from kd_edge.convert import converter
from kd_edge.convert.routes import ROUTES
from kd_edge.models.grid import Grid, grid_of
from kd_edge.runtimes.registry import open_interpreter

# TensorFlow's own calibrator uses what TensorFlow deprecates.
pytestmark = pytest.mark.filterwarnings(
    r"ignore:\s*Warning. tf\.lite\.Interpreter is deprecated:UserWarning"
)
DATA = {"emg": np.random.default_rng(1).normal(size=(16, 1, 16, 3)).astype(np.float32)}


def convert(model, fmt):
    return converter.convert_model(
        model, route=ROUTES.find(fmt), input_order=("emg",), calibration=DATA
    )


def separable():
    """A depthwise and a pointwise convolution and Dense, with biases; 9 and 15 weights are odd."""
    import keras

    keras.utils.set_random_seed(5)
    given = keras.Input((1, 16, 3), name="emg")
    layers = keras.layers
    x = layers.DepthwiseConv2D((1, 3), bias_initializer="random_normal", name="depthwise")(given)
    x = layers.ReLU()(layers.Conv2D(5, 1, bias_initializer="random_normal", name="conv")(x))
    x = layers.Flatten()(layers.AveragePooling2D((1, 14))(x))
    logits = layers.Dense(3, bias_initializer="random_normal", name="logits")(x)
    return keras.Model([given], logits)


def layers_of(content):
    """Weights and bias of each layer: real values (float64), and the weights' types."""
    model = read_tflite(content)
    found, types = [], []
    for op in model.operators:
        weighted = op.name in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
        for index in op.inputs[1:3] if weighted else ():
            tensor = model.tensors[index]
            shape = [-1 if axis == tensor.quantized_axis else 1 for axis in range(tensor.data.ndim)]
            scales = np.asarray(tensor.scales)
            found.append((tensor.data * scales.reshape(shape if scales.size > 1 else -1), scales))
            types.append(tensor.dtype)
    return found, types


@pytest.fixture(scope="module")
def forms():
    """Format -> bytes of the separable model."""
    model = separable()
    return {fmt: convert(model, fmt) for fmt in ("int8", "int8x4")}


def test_weights_become_the_nearest_of_15_steps(forms):
    """Oracle: the int8 form's weights; a step is a seventh of the largest one of its scale."""
    fine, coarse = (layers_of(forms[fmt]) for fmt in ("int8", "int8x4"))
    assert fine[1] == ["int8", "int32"] * 3
    assert coarse[1] == ["int4", "int32"] * 3
    for (int8, _), (int4, scales) in zip(fine[0], coarse[0], strict=True):
        step = scales.max()
        assert np.abs(int8 - int4).max() <= 0.52 * step  # half a step, and what int8 rounded off
    dense_scales = coarse[0][4][1]
    assert dense_scales.size == 1  # TFLite Micro refuses int4 weights of it with more


def test_it_is_smaller_and_its_buffers_are_aligned(forms):
    """Oracle: bytes of the weights; the schema's force_align of 16."""
    stored = {
        fmt: sum(len(each.data) for each in unpack(content).buffers if each.data is not None)
        for fmt, content in forms.items()
    }
    # Of 9, 15 and 15 weights two share a byte.
    assert stored["int8"] - stored["int8x4"] == 4 + 7 + 7
    assert {offset % 16 for offset in buffer_offsets(forms["int8x4"])} == {0}


def test_plain_c_answers_as_tflite_micro_to_every_bit(forms):
    (compiled,) = check_exact([forms["int8x4"]], n_windows=8)
    kernels = {layer.kernel for layer in compiled.layers}
    assert {"kd_conv_s4", "kd_depthwise_s4", "kd_fc_s4"} <= kernels


def test_litert_runs_it_within_two_steps_of_tflite_micro(forms, tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(forms["int8x4"])
    sessions = [open_interpreter(runtime, path) for runtime in ("tflm", "litert")]
    for window in np.random.default_rng(2).integers(-128, 128, (16, 1, 1, 16, 3)).astype(np.int8):
        ours, theirs = (session.run([window])[0].astype(int) for session in sessions)
        assert np.abs(ours - theirs).max() <= 2


def test_a_model_without_a_kernel_for_int4_is_refused_by_name():
    with pytest.raises(KdEdgeError, match="UNIDIRECTIONAL_SEQUENCE_LSTM") as caught:
        converter.convert_model(
            recurrent("LSTM"),
            route=ROUTES.find("int8x4"),
            input_order=("x",),
            calibration={"x": np.ones((2, 8, 3), np.float32)},
        )
    assert caught.value.code == "KD_CONVERTER_REFUSED"


@pytest.mark.parametrize("count", [1, 2, 7, 8])
def test_packing_is_undone_by_the_reader(count):
    """Oracle: `read_tflite`'s own unpacking, by hand here."""
    values = np.random.default_rng(count).integers(-8, 8, count).astype(np.int8)
    packed = pack_int4(values)
    halves = np.stack([packed & 15, packed >> 4], axis=1).reshape(-1)[:count].astype(np.int8)
    assert np.array_equal((halves ^ 8) - 8, values)


@pytest.mark.parametrize(
    ("ends", "grid"),
    [
        ((-1.0, 1.55), (0.01, 100)),
        ((0.5, 2.55), (0.01, 0)),
        ((-5.1, -1.0), (0.02, 255)),
        ((0, 0), (1, 0)),
    ],
)
def test_a_grid_over_a_range_holds_zero(ends, grid):
    """Oracle: by hand, 255 steps between the ends."""
    step, zero = grid_of(*ends)
    assert (pytest.approx(step), zero) == grid


def stated():
    """The small convolution between grids that no calibration would find."""
    model = convolutional()
    grids = {"emg": Grid(step=0.05, zero=90, name="a"), "conv": Grid(step=0.03, zero=0, name="b")}
    grids["logits"] = Grid(step=0.04, zero=128, name="c")
    import keras

    x = given = keras.Input((1, 16, 3), name="emg")
    for layer in model.layers:
        x = layer(x) if layer.name != "emg" else x
        x = grids[layer.name](x) if layer.name in grids else x
    return keras.Model([given], x)


@pytest.mark.parametrize("fmt", ["int8", "int8x4"])
def test_integer_forms_lie_on_the_grids_that_the_model_states(fmt):
    """Oracle: the grids; the pool's is that of what it takes."""
    model = read_tflite(convert(stated(), fmt))
    ends = [
        model.tensors[model.inputs[0]],
        *(model.tensors[op.outputs[0]] for op in model.operators),
    ]
    assert [op.name for op in model.operators] == [
        *("CONV_2D", "AVERAGE_POOL_2D", "RESHAPE", "FULLY_CONNECTED")
    ]
    steps = [0.05, 0.03, 0.03, 0.03, 0.04]
    assert [tensor.scales[0] for tensor in ends] == pytest.approx(steps, rel=1e-6)
    assert [tensor.zero_points[0] for tensor in ends] == [-38, -128, -128, -128, 0]


@pytest.mark.parametrize("fmt", ["float32", "int16x8"])
def test_other_forms_know_no_grids(fmt):
    """Oracle: the bytes of the same model without them, but for names of tensors."""
    with_grids, without = (read_tflite(convert(m, fmt)) for m in (stated(), convolutional()))
    assert [op.name for op in with_grids.operators] == [op.name for op in without.operators]
    found, wanted = ([t.scales for t in m.tensors] for m in (with_grids, without))
    assert found == wanted
