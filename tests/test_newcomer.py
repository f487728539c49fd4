"""A newcomer's exercise: a loss, a task, a reader, a runtime and a model of one's own, in a bundle.

All five are defined here, and each is made known by one call. Oracles: TFLite Micro for the
runtime, arithmetic by hand for task and loss, and the built bundle for the rest.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("keras")

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.flatbuffer import read_tflite
from kd_edge.base.quantisation import dequantize, quantize
from kd_edge.base.tensors import TensorSpec
from kd_edge.distill.losses import LOSSES, Loss
from kd_edge.models import MODELS
from kd_edge.pipeline.build import build
from kd_edge.pipeline.bundle import load_manifest
from kd_edge.recipe import parse_recipe
from kd_edge.report import words
from kd_edge.runtimes.interpreter import Interpreter
from kd_edge.runtimes.record import Runtime
from kd_edge.runtimes.registry import RUNTIMES
from kd_edge.signals import READERS, Reader
from kd_edge.signals.recording import Recording, Stream
from kd_edge.tasks import TASKS, Task, find_task
from kd_edge.tasks.accuracy import measure_accuracy
from kd_edge.tasks.classification import check, right

RATE_HZ = 20.0
SAMPLES = 40
CLASSES = ("rest", "slow", "fast")


# --- a reader: a text file, a recording a line, as `subject label sample sample …` ---


def sniff(path: Path) -> bool:
    return path.suffix == ".lines"


def read(path: Path, *, unit: str = "V") -> list[Recording]:
    recordings = []
    for number, line in enumerate(path.read_text().splitlines()):
        subject, label, *samples = line.split()
        stream = Stream(
            "emg", "S", ("a",), np.array(samples, np.float32)[:, None], RATE_HZ, unit, lsb=0.001
        )
        recordings.append(
            Recording((stream,), f"{path.name}:{number}", label, subject, trial=number)
        )
    return recordings


# --- a model ---


def small_dense(input_shapes, n_classes, *, width: int = 8):
    import keras

    ((name, shape),) = input_shapes.items()
    window = keras.Input(shape, name=name)
    x = keras.layers.Dense(width, activation="relu")(keras.layers.Flatten()(window))
    return keras.Model([window], keras.layers.Dense(n_classes, name="logits")(x))


# --- a loss: 1 - cos of the angle between the logits ---


class Angle(Loss):
    """How far the student's logits point elsewhere than the teacher's.

    Options:
        weight: of it.
    """

    weight: float = 1.0

    def values(self, batch, layers):
        from keras import ops

        ours, theirs = (_unit(x) for x in (batch.student.logits, batch.taught.logits))
        return self.weight * (1 - ops.sum(ours * theirs, axis=-1))


def _unit(logits):
    from keras import ops

    return logits / (ops.sqrt(ops.sum(ops.square(logits), axis=-1, keepdims=True)) + 1e-6)


# --- a task: the first class stands for rest, unless another one beats every other ---


def cautious(scores: np.ndarray) -> np.ndarray:
    """The class of the largest score; class 0 where two others share it."""
    highest = scores.max(axis=-1, keepdims=True)
    alone = (scores == highest).sum(axis=-1) == 1
    return np.where(alone, scores.argmax(axis=-1), 0)


def cautious_score(scores, windows):
    return measure_accuracy(np.eye(scores.shape[-1])[cautious(scores)], windows)


def cautious_loss(logits, truth):
    import keras

    smooth = keras.losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=0.1, reduction="none"
    )
    return smooth(keras.ops.one_hot(truth, logits.shape[-1]), logits)


# --- a runtime: dense layers in NumPy, as plain arithmetic on real numbers ---


class DenseInterpreter(Interpreter):
    def __init__(self, path: Path):
        self._model = read_tflite(path)
        self._values = {t.index: t.data for t in self._model.tensors if t.data is not None}
        self.inputs = tuple(self._spec(i) for i in self._model.inputs)
        self.outputs = tuple(self._spec(i) for i in self._model.outputs)

    def _spec(self, index: int) -> TensorSpec:
        tensor = self._model.tensors[index]
        scale, zero = (*tensor.scales, None)[0], (*tensor.zero_points, None)[0]
        return TensorSpec(tensor.name, tensor.shape, tensor.dtype, scale, zero)

    def reset(self) -> None:
        pass

    def _set_inputs(self, arrays) -> None:
        self._values |= dict(zip(self._model.inputs, arrays, strict=True))

    def invoke(self) -> None:
        for operator in self._model.operators:
            given = [self._real(i) for i in operator.inputs]
            out = self._model.tensors[operator.outputs[0]]
            if operator.name == "FULLY_CONNECTED":
                result = given[0].reshape(len(given[0]), -1) @ given[1].T + given[2]
                if operator.options["fused_activation_function"] == "RELU":
                    result = np.maximum(result, 0)
            elif operator.name == "RESHAPE":
                result = given[0]
            else:
                raise KdEdgeError("KD_UNSUPPORTED_OP", f"no {operator.name} in NumPy")
            if out.scales:
                result = quantize(result, out.scales[0], out.zero_points[0])
            self._values[out.index] = result.reshape(out.shape)

    def _real(self, index: int) -> np.ndarray:
        tensor, values = self._model.tensors[index], self._values[index]
        if not tensor.scales:
            return values
        scales = np.array(tensor.scales, np.float32)
        if tensor.quantized_axis is not None and values.ndim > 1:
            scales = scales[:, None]
        if len(tensor.scales) == 1:
            return dequantize(values, tensor.scales[0], tensor.zero_points[0])
        return values.astype(np.float32) * scales

    def answers(self):
        return tuple(self._values[i] for i in self._model.outputs)

    def tensor(self, index: int) -> np.ndarray:
        return self._values[index]


def open_numpy(path: Path, *, preserve_tensors: bool, threads: int) -> Interpreter:
    del preserve_tensors, threads
    return DenseInterpreter(path)


NUMPY = Runtime(
    name="numpy",
    title="NumPy",
    summary="dense layers as plain arithmetic",
    package="numpy",
    distribution="numpy",
    install="pip install numpy",
    open=open_numpy,
)
CAUTIOUS = Task("cautious", check, cautious_loss, right, cautious, cautious_score)
RECIPE = """
name = "newcomer"
seed = 1
task = "cautious"
[dataset]
reader = "lines"
options = { unit = "mV" }
[front_end.emg]
[windows]
length_s = 2.0
[windows.inputs]
emg = ["emg"]
[split]
validation = { kind = "last-repetitions", repetitions = 1 }
[[split.test]]
name = "unseen person"
kind = "leave-one-subject-out"
held_out = ["C"]
[[teachers]]
name = "teacher"
model = "small-dense"
options = { width = 16 }
epochs = 20
batch_size = 8
learning_rate = 0.02
[[students]]
name = "student"
model = "small-dense"
epochs = 40
batch_size = 8
learning_rate = 0.02
[distillation]
loss = "angle"
weight = 2.0
alpha = 0.5
[conversion]
formats = ["float32", "int8"]
teacher_formats = []
calibration_windows = 16
max_drop_points = 50.0
[proof]
parity_windows = 16
latency_runs = 20
[firmware]
golden_vectors = 2
"""


@pytest.fixture(scope="module", autouse=True)
def known():
    """What a user's own module does when it is imported; undone for the other tests."""
    READERS.add(Reader("lines", "a recording a line", __name__))
    MODELS.add(small_dense, name="small-dense")
    LOSSES.add(Angle, name="angle")
    TASKS.add(CAUTIOUS)
    RUNTIMES.add(NUMPY)
    yield
    for table, name in (
        (READERS, "lines"),
        (MODELS, "small-dense"),
        (LOSSES, "angle"),
        (TASKS, "cautious"),
        (RUNTIMES, "numpy"),
    ):
        table.remove(name)


@pytest.fixture(scope="module")
def made(known, tmp_path_factory, cache, converter):
    """The report and the folder of a bundle of all five."""
    folder = tmp_path_factory.mktemp("newcomer")
    (folder / "signs.lines").write_text("".join(lines()))
    out = folder / "bundle"
    recipe = parse_recipe(RECIPE)
    found = build(recipe, data=folder / "signs.lines", out=out, command="newcomer")
    assert not found.failures
    return found.report, out


def lines():
    """Sines of three frequencies, one 0, with noise: three people, four repetitions."""
    random = np.random.default_rng(1)
    seconds = np.arange(SAMPLES) / RATE_HZ
    for subject in "ABC":
        for _ in range(4):
            for label, hz in zip(CLASSES, (0.0, 0.5, 2.0), strict=True):
                samples = np.sin(2 * np.pi * hz * seconds) + random.normal(0, 0.1, SAMPLES)
                yield f"{subject} {label} {' '.join(f'{v:.3f}' for v in samples)}\n"


def test_the_reader_and_the_model_made_a_student_that_learned(made):
    """Oracle: three classes by chance give a third."""
    report, out = made
    (row,) = [r for r in report.rows if (r.model, r.format) == ("student", "keras")]
    assert row.architecture == "small-dense"
    assert row.accuracy["unseen person"].accuracy > 0.8
    assert set(load_manifest(out).class_names) == set(CLASSES)
    assert load_manifest(out).front_end.streams[0].unit == "mV"


def test_the_runtime_proved_every_form_against_the_oracle_for_a_board(made):
    """Oracle: TFLite Micro's own answers to the same windows."""
    report, _ = made
    rows = [r for r in report.rows if r.runtime == "numpy"]
    assert [r.format for r in rows] == ["float32", "int8"]
    compared = [p for p in report.parity if p.left.runtime == "numpy"]
    assert {p.left.format for p in compared} == {"float32", "int8"}
    for parity in compared:
        assert parity.right.runtime == "tflm"
        assert parity.class_agreement == 1.0
        assert (parity.max_steps or 0) <= 1
    assert words.side(compared[0].left).endswith("on NumPy")


def test_the_task_decided_in_the_whole_chain(made):
    """Oracle: two equal scores, by hand."""
    _, out = made
    task = find_task(load_manifest(out).task)
    assert task is CAUTIOUS
    assert task.decide(np.array([[1, 5, 5], [1, 5, 6], [9, 1, 1]])).tolist() == [0, 2, 0]


def test_the_loss_is_what_its_formula_says():
    """Oracle: the angle of (1, 0) to (0, 2) is right, to (3, 0) none."""
    from types import SimpleNamespace as Of

    batch = Of(
        student=Of(logits=np.array([[1.0, 0.0], [1.0, 0.0]], np.float32)),
        taught=Of(logits=np.array([[0.0, 2.0], [3.0, 0.0]], np.float32)),
    )
    found = np.asarray(Angle(weight=2.0).values(batch, {}))
    assert found == pytest.approx([2.0, 0.0], abs=1e-5)


def test_a_bundle_whose_task_nobody_knows_any_more_says_so(made):
    TASKS.remove("cautious")
    try:
        with pytest.raises(KdEdgeError) as caught:
            find_task(load_manifest(made[1]).task)
    finally:
        TASKS.add(CAUTIOUS)
    assert caught.value.code == "KD_UNKNOWN_NAME"
