"""The converter as a child process: what it writes, and every way in which it ends."""

from __future__ import annotations

import contextvars
import hashlib
import os
import signal
import subprocess
import sys
import threading
import traceback
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from convert_models import convolutional, recurrent
from waiting import ended, joined, program, wait_until

from kd_edge.base import children as children_of_ours
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.flatbuffer import read_tflite
from kd_edge.convert.edit import shorten_names
from kd_edge.convert.operators import TFLITE_MICRO_OPERATORS
from kd_edge.convert.process import one_converter
from kd_edge.convert.tflite import to_tflite
from kd_edge.runtimes.registry import open_interpreter

WINDOWS = {"emg": np.random.default_rng(1).normal(size=(8, 1, 16, 3)).astype(np.float32)}


@pytest.fixture(scope="module")
def keras_files(tmp_path_factory):
    """Name -> `.keras` file of a small model."""
    folder = tmp_path_factory.mktemp("keras")
    models = {"conv": convolutional(), "gru": recurrent("GRU"), "lstm": recurrent("LSTM")}
    for name, model in models.items():
        model.save(folder / f"{name}.keras")
    return {name: folder / f"{name}.keras" for name in models}


@pytest.fixture(scope="module", autouse=True)
def converter():
    """One child for these tests; `alone` starts another."""
    with one_converter() as kept:
        yield kept


def alone(call, *args, **settings):
    """The call with a converter's child of its own, which takes seconds to start."""
    return contextvars.Context().run(call, *args, **settings)


def failure(*args, **settings) -> KdEdgeError:
    with pytest.raises(KdEdgeError) as caught:
        to_tflite(*args, **settings)
    return caught.value


def children() -> set[str]:
    """Process ids of this thread's children, where the system lists them."""
    listing = Path(f"/proc/self/task/{os.getpid()}/children")
    return set(listing.read_text().split()) if listing.exists() else set()


def test_a_tensor_is_named_after_one_operator_and_alike_in_both_forms(keras_files, tmp_path):
    """Oracle: the float form's names, by which the losses of int8 are found; the caller's input."""
    results = {}
    for fmt in ("float32", "int8"):
        out = tmp_path / f"{fmt}.tflite"
        calibration = WINDOWS if fmt == "int8" else None
        to_tflite(keras_files["conv"], out, fmt=fmt, input_order=("emg",), calibration=calibration)
        model = read_tflite(out)
        assert not any(";" in tensor.name for tensor in model.tensors)
        results[fmt] = {model.tensors[op.outputs[0]].name for op in model.operators}
    assert results["float32"] == results["int8"]


def test_results_of_one_first_operator_keep_their_whole_names():
    """Oracle: by hand: two results share it, and a constant must not take a result's name."""
    buffers = [schema.BufferT(), schema.BufferT(data=np.zeros(4, np.uint8))]
    names = [("a;b", 0), ("a;c", 0), ("d;e;f", 0), ("x;d", 1), ("x;y", 1)]
    tensors = [schema.TensorT(name=name, buffer=buffer) for name, buffer in names]
    graph = schema.SubGraphT(tensors=tensors)
    shorten_names(schema.ModelT(buffers=buffers, subgraphs=[graph]))
    assert [tensor.name for tensor in tensors] == ["a;b", "a;c", "d", "x;d", "y"]


def test_a_model_is_written_with_what_takes_it(keras_files, tmp_path):
    """Oracle: the file itself, read back, and the sessions that run it."""
    out = tmp_path / "made" / "conv.int8.tflite"
    made = to_tflite(
        keras_files["conv"], out, fmt="int8", input_order=("emg",), calibration=WINDOWS
    )
    content = out.read_bytes()
    assert (made.path, made.fmt, made.file_bytes) == (out, "int8", len(content))
    assert made.sha256 == hashlib.sha256(content).hexdigest()
    assert made.operators == tuple(op.name for op in read_tflite(content).operators)
    assert made.operators == ("CONV_2D", "AVERAGE_POOL_2D", "RESHAPE", "FULLY_CONNECTED")
    assert made.runtimes == ("litert", "tflite-runtime", "tflm")
    for runtime in ("litert", "tflm"):
        assert open_interpreter(runtime, out).inputs[0].name == "emg"
    assert [path.name for path in out.parent.iterdir()] == [out.name]


def test_a_genuine_crash_of_the_converter_is_an_error(keras_files, tmp_path):
    """A GRU in int8 kills TensorFlow's converter, and with it any Python that runs it."""
    out = tmp_path / "gru.int8.tflite"
    windows = {"x": np.zeros((4, 8, 3), np.float32)}
    error = failure(keras_files["gru"], out, fmt="int8", input_order=("x",), calibration=windows)
    assert error.code == "KD_CONVERTER_CRASH"
    assert "SIG" in error.message
    assert list(tmp_path.iterdir()) == []
    # The next model is converted all the same, by another child.
    again = {"fmt": "float32", "input_order": ("emg",), "calibration": None}
    assert to_tflite(keras_files["conv"], out, **again).operators


def test_one_child_converts_one_model_after_the_other(keras_files, tmp_path, converter):
    """Oracle: the system's list of processes, and the bytes that a child of its own writes."""
    before = children()
    made = {}
    for fmt in ("int8", "float32"):
        settings = {"fmt": fmt, "input_order": ("emg",), "calibration": WINDOWS}
        made[fmt] = to_tflite(keras_files["conv"], tmp_path / fmt, **settings)
        assert children() <= before | {str(converter.process_id)}
    other = alone(to_tflite, keras_files["conv"], tmp_path / "o", **settings)
    assert other.sha256 == made["float32"].sha256
    assert children() <= before | {str(converter.process_id)}


def test_a_refusal_comes_back_from_the_child_as_it_was_raised(keras_files, tmp_path):
    """Oracle: the operator check's error, with the layer's name."""
    error = failure(
        keras_files["gru"],
        tmp_path / "gru.tflite",
        fmt="float32",
        input_order=("x",),
        calibration=None,
    )
    assert error.code == "KD_UNSUPPORTED_OP"
    assert "WHILE" in error.message
    assert "some_gru" in error.where
    assert error.hint


def test_a_converter_that_takes_too_long_is_ended(keras_files, tmp_path):
    """Oracle: no child is left."""
    before = children()
    error = alone(
        failure,
        keras_files["conv"],
        tmp_path / "conv.tflite",
        fmt="float32",
        input_order=("emg",),
        calibration=None,
        timeout_s=0.3,
    )
    assert error.code == "KD_CONVERTER_CRASH"
    assert "longer than 0.3 s" in error.message
    assert children() <= before


@pytest.fixture
def ctrl_c():
    """Python's own answer to Ctrl-C, which workers of a parallel test run switch off."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def press_once_it_waits() -> None:
    """Ctrl-C as soon as the main thread waits for a converter."""
    main = threading.main_thread().ident

    def waits() -> bool:
        calls = traceback.extract_stack(sys._current_frames()[main])
        return any(c.filename == children_of_ours.__file__ and "readline" in c.line for c in calls)

    wait_until(waits, "a wait for the converter")
    signal.pthread_kill(main, signal.SIGINT)


@pytest.mark.usefixtures("ctrl_c")
def test_interrupting_ends_the_child_and_writes_nothing(keras_files, tmp_path):
    """Oracle: no child is left, nor a file."""
    before = children()
    waiter = threading.Thread(target=press_once_it_waits)
    waiter.start()
    with pytest.raises(KeyboardInterrupt):
        alone(
            to_tflite,
            keras_files["conv"],
            tmp_path / "conv.tflite",
            fmt="float32",
            input_order=("emg",),
            calibration=None,
        )
    joined(waiter, "the interruption of a conversion")
    assert children() <= before
    assert list(tmp_path.iterdir()) == []


def test_the_child_ends_when_its_parent_does(tmp_path):
    """Oracle: its standard input closes, as when the parent is killed."""
    job = tmp_path / "job.json"
    job.write_text('{"keras": "none.keras", "calibration": null}')
    command = [sys.executable, "-m", "kd_edge.convert.child"]
    what = "the end of a converter whose parent has gone"
    with program(command, what, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        child.stdin.write(f"{job}\n".encode())
        child.stdin.close()
        assert ended(child, what) == 1


def test_a_file_that_is_no_keras_model_is_said_to_be_none(tmp_path):
    """Oracle: the error table."""
    path = tmp_path / "broken.keras"
    path.write_bytes(b"PK nothing")
    error = failure(
        path, tmp_path / "o.tflite", fmt="float32", input_order=("x",), calibration=None
    )
    assert error.code == "KD_BAD_FORMAT"
    assert str(path) in error.where


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"fmt": "int4"}, "KD_UNKNOWN_NAME"),
        ({"calibration": None}, "KD_SHAPE"),
        ({"calibration": {"acc": WINDOWS["emg"]}}, "KD_SHAPE"),
        ({"calibration": {"emg": WINDOWS["emg"][:0]}}, "KD_BAD_SAMPLES"),
        ({"calibration": {"emg": np.full((4, 1, 16, 3), np.nan)}}, "KD_BAD_SAMPLES"),
    ],
)
def test_arguments_that_cannot_be_are_refused_before_any_work(
    settings, code, keras_files, tmp_path
):
    """Oracle: the docstring of `convert`."""
    given = {"fmt": "int8", "input_order": ("emg",), "calibration": WINDOWS, **settings}
    assert failure(keras_files["conv"], tmp_path / "o.tflite", **given).code == code


def test_a_model_that_is_not_there_is_named(tmp_path):
    """Oracle: the error table."""
    error = failure(
        tmp_path / "n.keras", tmp_path / "o", fmt="float32", input_order=("x",), calibration=None
    )
    assert (error.code, error.where) == ("KD_NO_FILE", str(tmp_path / "n.keras"))


def test_the_operators_allowed_are_those_that_firmware_can_register():
    """Oracle: the exporter's table of the op resolver's methods, without control flow."""
    from firmware_export.operators import ADD_METHODS

    assert set(ADD_METHODS) >= TFLITE_MICRO_OPERATORS
