"""The seed's fused int8 LSTM, as converted, in LiteRT and TFLite Micro."""

from __future__ import annotations

import numpy as np
import pytest

from kd_edge.base.flatbuffer import read_tflite
from kd_edge.examples import Examples, Groups
from kd_edge.measure.arena import measure_arena
from kd_edge.measure.size import measure_size
from kd_edge.runtimes.golden import make_golden
from kd_edge.runtimes.interpreter import model_inputs, one_window, run_windows
from kd_edge.runtimes.parity import compare_runtimes
from kd_edge.runtimes.registry import open_interpreter
from kd_edge.tasks.classification import CLASSIFICATION

SHAPE, N_CLASSES = (10, 40, 21), 50


@pytest.fixture(scope="module")
def windows():
    rng = np.random.default_rng(4)
    n = 64
    return Examples(
        inputs={"signals": rng.normal(size=(n, *SHAPE)).astype(np.float32)},
        truth=np.arange(n) % N_CLASSES,
        groups=Groups.each([f"window {i}" for i in range(n)], subject="S1"),
        class_names=tuple(f"sign {i}" for i in range(N_CLASSES)),
        synthetic=True,
    )


def convert_student(folder, windows, *, gain: float):
    """The seed's single student in int8, untrained, its matrices times `gain`."""
    from kd_edge.convert.tflite import to_tflite
    from kd_edge.models import build_model

    model = build_model(
        "seed-single-student",
        input_shapes={"signals": SHAPE},
        n_classes=N_CLASSES,
        seed=0,
        options={},
    )
    model.set_weights([gain * w if w.ndim == 2 else w for w in model.get_weights()])
    model.save(folder / "student.keras")
    return to_tflite(
        folder / "student.keras",
        folder / "student.int8.tflite",
        fmt="int8",
        input_order=("signals",),
        calibration=windows.inputs,
    ).path


@pytest.fixture(scope="module")
def int8_model(tmp_path_factory, windows, converter):
    """Matrices enlarged, so that the LSTM's state matters and its scales are a trained one's."""
    return convert_student(tmp_path_factory.mktemp("student"), windows, gain=3.0)


@pytest.mark.parametrize("runtime", ["litert", "tflm"])
def test_an_int8_lstm_starts_every_window_afresh(runtime, int8_model, windows):
    """Oracle: fresh sessions. Without the reset, the second invocation of a window differs."""
    order = np.array([0, 5, 0, 9, 0])
    session = open_interpreter(runtime, int8_model)
    raw = run_windows(session, windows.take(order)).raw
    np.testing.assert_array_equal(raw[0], raw[2])
    np.testing.assert_array_equal(raw[0], raw[4])
    fresh = run_windows(open_interpreter(runtime, int8_model), windows.take(order[3:4])).raw[0]
    np.testing.assert_array_equal(raw[3], fresh)

    session.load(one_window(model_inputs(session, windows), 0))
    session.invoke()
    session.invoke()
    assert not np.array_equal(session.answers()[0][0], raw[0])


def test_runtimes_of_an_int8_lstm_are_a_few_steps_apart_and_the_layer_is_named(int8_model, windows):
    """Oracle: the kernels' known rounding, up to 4 of 256 steps; the layer is one of the file's."""
    parity = compare_runtimes(
        int8_model, windows, "litert", "tflm", fmt="int8", task=CLASSIFICATION
    )
    assert parity.max_steps <= 6
    assert parity.class_agreement > 0.9  # an untrained model's scores lie close together
    assert parity.max_steps >= 1  # else this model tells nothing about the layer that is named
    operators = read_tflite(int8_model).operators
    found = parity.first_difference
    assert operators[found.index].name == found.operator
    assert found.max_steps >= 1


def test_a_layer_that_is_wrong_in_one_runtime_is_told_from_rounding(tmp_path, windows):
    """Oracle: LiteRT is known to be wrong where an int8 LSTM's output scale is very small, as in an
    untrained student; TFLite Micro is right there. The convolution before it differs by rounding.
    """
    model = convert_student(tmp_path, windows, gain=1.0)
    parity = compare_runtimes(model, windows, "litert", "tflm", fmt="int8", task=CLASSIFICATION)
    assert parity.max_steps > 50
    assert "UNIDIRECTIONAL_SEQUENCE_LSTM" in (
        parity.note if parity.first_difference.max_steps <= 4 else parity.first_difference.operator
    )


def test_golden_vectors_of_an_lstm_do_not_depend_on_their_order(int8_model, windows):
    """Oracle: TFLite Micro on the same windows in reverse."""
    golden = make_golden(int8_model, windows, 8, seed=0)
    backwards = windows.take(golden.window_indices[::-1])
    raw = run_windows(open_interpreter("tflm", int8_model), backwards).raw
    np.testing.assert_array_equal(raw[::-1], golden.outputs)


def test_the_seed_student_s_arena_and_operations_are_what_they_should_be(int8_model):
    """Oracle: not above the 22,672 bytes once measured on x86-64; multiply-accumulates by hand."""
    arena = measure_arena(int8_model)
    assert 9_000 < arena.used_bytes <= 22_672
    assert arena.smallest_bytes < 1.1 * arena.used_bytes
    size = measure_size(int8_model)
    lstms = [
        layer.macs for layer in size.layers if layer.operator == "UNIDIRECTIONAL_SEQUENCE_LSTM"
    ]
    flat = read_tflite(int8_model)
    features = next(
        flat.tensors[op.inputs[0]].shape[2]
        for op in flat.operators
        if op.name == "UNIDIRECTIONAL_SEQUENCE_LSTM"
    )
    assert lstms == [10 * 4 * 50 * (features + 50), 10 * 4 * 50 * (50 + 50)]
    assert size.macs is not None
    assert size.weight_bytes + size.overhead_bytes == int8_model.stat().st_size
