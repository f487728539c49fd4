"""Seconds to convert the seed's single student: the whole call, its child process included.

    pytest benchmarks/bench_conversion.py --benchmark-json=conversion.json

Most of a call is TensorFlow's start, the same for every format. Weights are untrained and 64 random
windows calibrate; neither changes the time much.
"""

from __future__ import annotations

import numpy as np
import pytest

from kd_edge.base.flatbuffer import pack, read_tflite, unpack
from kd_edge.base.formats import FORMATS
from kd_edge.convert.tflite import to_tflite
from kd_edge.models import build_model

SHAPE, N_CLASSES, N_WINDOWS = (10, 40, 21), 50, 64


@pytest.fixture(scope="module")
def student(tmp_path_factory):
    """Path of the untrained Keras student."""
    path = tmp_path_factory.mktemp("student") / "student.keras"
    build_model(
        "seed-single-student",
        input_shapes={"signals": SHAPE},
        n_classes=N_CLASSES,
        seed=0,
        options={},
    ).save(path)
    return path


def convert_student(student, fmt: str):
    windows = np.random.default_rng(0).normal(size=(N_WINDOWS, *SHAPE)).astype(np.float32)
    return to_tflite(
        student,
        student.with_name(f"student.{fmt}.tflite"),
        fmt=fmt,
        input_order=("signals",),
        calibration={"signals": windows},
    )


@pytest.mark.parametrize("fmt", FORMATS)
def test_converting(benchmark, student, fmt):
    made = benchmark.pedantic(convert_student, args=(student, fmt), rounds=3)
    benchmark.extra_info["file_bytes"] = made.file_bytes


def test_reading_and_writing_the_flatbuffer(benchmark, student):
    content = convert_student(student, "int8").path.read_bytes()
    read_tflite(content)
    assert benchmark(lambda: pack(unpack(content))) == content
