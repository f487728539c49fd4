"""int8 inside, float32 outside: for apps that take no integers.

Oracle: the int8 form of the same model on the same runtime, its inputs rounded by `quantize`.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from convert_models import convolutional, two_branches, windows

from kd_edge.base.flatbuffer import read_tflite
from kd_edge.base.formats import FORMATS, REFERENCE, SHIPPED, default_formats
from kd_edge.base.quantisation import dequantize, quantize
from kd_edge.convert import converter
from kd_edge.convert.routes import ROUTES
from kd_edge.examples import Examples, Groups
from kd_edge.pipeline.bundle import BundledFormat, BundledModel
from kd_edge.pipeline.kept_windows import PARITY_PART, StoredWindows
from kd_edge.pipeline.proof import Prover
from kd_edge.recipe import Proof
from kd_edge.runtimes.registry import ON_PHONES, ORACLE, open_interpreter, who_takes
from kd_edge.runtimes.results import PLAIN_C, Side
from kd_edge.tasks.classification import CLASSIFICATION

FLOAT_IO = "int8-float-io"
N_WINDOWS = 24

# TensorFlow's own calibrator uses what TensorFlow deprecates.
pytestmark = pytest.mark.filterwarnings(
    r"ignore:\s*Warning. tf\.lite\.Interpreter is deprecated:UserWarning"
)


@pytest.fixture(scope="module")
def forms(tmp_path_factory):
    """Name -> files by format, windows, order of inputs; each converted once."""
    folder = tmp_path_factory.mktemp("forms")
    noise = np.random.default_rng(1).normal(size=(N_WINDOWS, 1, 16, 3)).astype(np.float32)
    of = {
        "conv": (convolutional(), {"emg": noise}, (REFERENCE, SHIPPED, FLOAT_IO)),
        "lstm": (two_branches(), windows(N_WINDOWS), (SHIPPED, FLOAT_IO)),
    }
    found = {}
    for name, (model, data, formats) in of.items():
        files = {fmt: folder / FORMATS[fmt].file(name) for fmt in formats}
        for fmt, file in files.items():
            options = {"input_order": tuple(data), "calibration": data}
            file.write_bytes(converter.convert_model(model, route=ROUTES.find(fmt), **options))
        found[name] = SimpleNamespace(files=files, data=data, order=tuple(data))
    return found


@pytest.mark.parametrize("name", ["conv", "lstm"])
@pytest.mark.parametrize("runtime", [ORACLE, ON_PHONES, PLAIN_C])
def test_its_answers_are_those_of_int8_bit_for_bit(forms, name, runtime):
    """Plain C takes it too, though nobody needs it there."""
    form = forms[name]
    ours, theirs = (open_interpreter(runtime, form.files[f]) for f in (FLOAT_IO, SHIPPED))
    (end,) = theirs.outputs
    for i in range(N_WINDOWS):
        given = [form.data[key][i : i + 1] for key in form.order]
        rounded = [
            quantize(values, spec.scale, spec.zero_point)
            for values, spec in zip(given, theirs.inputs, strict=True)
        ]
        wanted = dequantize(theirs.run(rounded)[0], end.scale, end.zero_point)
        np.testing.assert_array_equal(ours.run(given)[0], wanted)


@pytest.mark.parametrize("name", ["conv", "lstm"])
def test_it_takes_and_gives_floats_and_is_int8_between(forms, name):
    """Oracle: the int8 form's operators, in order; one more for each end."""
    form = forms[name]
    model, shipped = (read_tflite(form.files[f]) for f in (FLOAT_IO, SHIPPED))
    ends = [model.tensors[index] for index in model.inputs + model.outputs]
    assert [tensor.dtype for tensor in ends] == ["float32"] * (len(form.order) + 1)
    assert tuple(tensor.name for tensor in ends) == (*form.order, "logits")
    names = [op.name for op in model.operators]
    more = ["QUANTIZE"] * len(form.order)
    assert names == [*more, *(op.name for op in shipped.operators), "DEQUANTIZE"]
    assert who_takes(FORMATS[FLOAT_IO], names)[0] == ("litert", "tflite-runtime", "tflm")


def test_it_is_made_on_request_alone():
    assert FLOAT_IO not in (*default_formats("student"), *default_formats("teacher"))


def test_a_report_compares_it_with_the_int8_form(forms):
    """Oracle: equal on the oracle for a board; of phones the note says that bits may differ."""
    form = forms["conv"]
    taken = tuple(
        BundledFormat(fmt, file.name, (), (ORACLE, ON_PHONES)) for fmt, file in form.files.items()
    )
    model = BundledModel("student", "student", "made up", None, form.order, None, taken)
    manifest = SimpleNamespace(task=CLASSIFICATION.name, models=(model,), composition=None)
    examples = Examples(
        form.data,
        np.arange(N_WINDOWS) % 3,
        Groups.each([f"window {index}" for index in range(N_WINDOWS)]),
        ("a", "b", "c"),
    )
    stored = StoredWindows({PARITY_PART: examples}, {})
    folder = form.files[SHIPPED].parent
    proven = Prover(folder, manifest, stored, Proof(latency_runs=20)).prove()
    found = {p.right: p for p in proven.parity if p.right.format == FLOAT_IO and p.kind == "forms"}
    same, phone = (found.pop(Side(FLOAT_IO, runtime)) for runtime in (ORACLE, ON_PHONES))
    assert not found
    assert same.left == phone.left == Side(SHIPPED, ORACLE)
    assert (same.max_steps, same.max_abs, same.class_agreement, same.note) == (0, 0.0, 1.0, "")
    assert phone.max_steps <= 4
    assert "need not be these" in phone.note
    sizes = {row.format: row.size.file_bytes for row in proven.rows}
    assert sizes[FLOAT_IO] == form.files[FLOAT_IO].stat().st_size
