"""Host latency of the seed's single student in every format and runtime that takes it.

    pytest benchmarks/bench_runtimes.py --benchmark-json=runtimes.json

Timed is the runtime's invocation alone, on one thread, as in `kd_edge.measure.latency`; the state
is reset and the inputs are set before each. Weights are untrained: they do not change the time. Do
not infer a board's speed from these figures.
"""

from __future__ import annotations

import numpy as np
import pytest

from kd_edge.base.formats import FORMATS
from kd_edge.convert.tflite import to_tflite
from kd_edge.examples import Examples, Groups
from kd_edge.models import build_model
from kd_edge.runtimes.interpreter import model_inputs, one_window
from kd_edge.runtimes.registry import RUNTIMES, available, open_interpreter

SHAPE, N_CLASSES, N_WINDOWS = (10, 40, 21), 50, 32


@pytest.fixture(scope="module")
def windows() -> Examples:
    rng = np.random.default_rng(0)
    return Examples(
        inputs={"signals": rng.normal(size=(N_WINDOWS, *SHAPE)).astype(np.float32)},
        truth=np.arange(N_WINDOWS) % N_CLASSES,
        groups=Groups.each([f"window {i}" for i in range(N_WINDOWS)], subject="S1"),
        class_names=tuple(f"sign {i}" for i in range(N_CLASSES)),
        synthetic=True,
    )


@pytest.fixture(scope="module")
def student(tmp_path_factory):
    """Path of the untrained Keras student."""
    model = build_model(
        "seed-single-student",
        input_shapes={"signals": SHAPE},
        n_classes=N_CLASSES,
        seed=0,
        options={},
    )
    path = tmp_path_factory.mktemp("student") / "student.keras"
    model.save(path)
    return path


@pytest.fixture(scope="module", params=FORMATS)
def conversion(request, student, windows):
    return to_tflite(
        student,
        student.with_name(f"student.{request.param}.tflite"),
        fmt=request.param,
        input_order=("signals",),
        calibration=windows.inputs,
    )


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_bench_invoke(benchmark, conversion, windows, runtime):
    if runtime not in conversion.runtimes:
        pytest.skip(f"{conversion.fmt} does not run in {runtime}")
    if not available(runtime):
        pytest.skip(f"{runtime} is not installed here")
    session = open_interpreter(runtime, conversion.path)
    window = one_window(model_inputs(session, windows), 0)
    benchmark.group = "invoke, microseconds a window"
    benchmark.extra_info.update(format=conversion.fmt, file_bytes=conversion.file_bytes)
    benchmark.pedantic(
        session.invoke, setup=lambda: session.load(window), rounds=300, warmup_rounds=20
    )
