"""Students as Core ML packages, computed in NumPy. Oracle: Keras, unless a test says another."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import zipfile
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from convert_models import recurrent
from core_ml_models import ISL, LSTMS, N_WINDOWS, NETWORKS, noise, settle
from keras_proof import proved_as_keras

from kd_edge.base.core_ml import MANIFEST, SPECIFICATION, WEIGHTS, read_package, write_package
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.formats import FORMATS, default_formats
from kd_edge.base.head_files import HEAD_FILES
from kd_edge.convert.core_ml import to_core_ml
from kd_edge.convert.tflite import to_tflite
from kd_edge.measure.size import measure_size
from kd_edge.runtimes.mil_operations import OPERATIONS
from kd_edge.runtimes.parity import FLOAT_TOLERANCE
from kd_edge.runtimes.registry import available, open_interpreter, who_takes

pytest.importorskip("coremltools")

CORE_ML, RUNTIME, APPLES = FORMATS["coreml"], "mil-numpy", "core-ml"


@pytest.fixture(scope="module")
def files(tmp_path_factory, converter):
    """Name -> network, its file, and what the conversion said."""
    folder = tmp_path_factory.mktemp("core-ml")
    made = {}
    for index, (name, build) in enumerate(NETWORKS.items()):
        network, path = settle(build()), folder / CORE_ML.file(f"m{index}")
        network.save(folder / f"m{index}.keras")
        order = tuple(sorted(tensor.name for tensor in network.inputs))
        said = to_tflite(
            folder / f"m{index}.keras", path, fmt="coreml", input_order=order, calibration=None
        )
        made[name] = network, path, said
    return made


def check_scores(network, path, runtime):
    """Float kernels add in different orders: within 1e-4 of the largest score. An LSTM starts each
    window afresh, since the package keeps no state."""
    session, data = open_interpreter(runtime, path), noise(network)
    wanted = np.asarray(network([data[tensor.name] for tensor in network.inputs], training=False))
    assert [spec.name for spec in session.inputs] == sorted(data)
    found = [
        session.run([data[spec.name][i : i + 1] for spec in session.inputs])[0][0]
        for i in range(N_WINDOWS)
    ]
    np.testing.assert_allclose(found, wanted, atol=FLOAT_TOLERANCE * np.abs(wanted).max(), rtol=0)


@pytest.mark.parametrize("name", NETWORKS)
def test_its_program_computes_the_scores_of_keras(files, name):
    check_scores(*files[name][:2], RUNTIME)


@pytest.mark.skipif(not available(APPLES), reason="Core ML runs on macOS alone")
@pytest.mark.parametrize("name", NETWORKS)
def test_core_ml_computes_the_scores_of_keras(files, name):
    check_scores(*files[name][:2], APPLES)


def test_the_same_model_gives_the_same_bytes(files, tmp_path):
    """Though coremltools' own names count on from one conversion to the next."""
    for name in (ISL, LSTMS):
        _, path, said = files[name]
        keras_file = path.with_name(f"{path.name.partition('.')[0]}.keras")
        order = tuple(spec.name for spec in read_package(path.read_bytes()).inputs)
        again = to_tflite(
            keras_file, tmp_path / "again", fmt="coreml", input_order=order, calibration=None
        )
        assert again.sha256 == said.sha256
        assert (tmp_path / "again").read_bytes() == path.read_bytes()


def test_every_operation_is_computed_by_one_of_these_tests(files):
    """Oracle: the programs, by their names of operations."""
    used = {kind for _, _, said in files.values() for kind in said.operators}
    assert used == set(OPERATIONS)


def test_the_lstm_and_dense_weights_are_in_the_package_number_for_number(files):
    network, path, _ = files[LSTMS]
    package = read_package(path.read_bytes())
    kept = {(a.shape, a.tobytes()) for a in package.constants.values()}
    sums = [layer for layer in network.layers if layer.name.endswith("_lstm")]
    for layer in sums:
        kernel, recurrent, bias = (np.asarray(w) for w in layer.weights)
        for weights in (kernel, recurrent, bias):
            forms = (weights, np.ascontiguousarray(weights.T))
            assert {(form.shape, form.tobytes()) for form in forms} & kept, layer.name
    kernel, bias = (np.asarray(w) for w in network.get_layer("logits").weights)
    assert (kernel.T.shape, np.ascontiguousarray(kernel.T).tobytes()) in kept
    assert (bias.shape, bias.tobytes()) in kept


def test_a_convolutions_weights_are_those_of_keras_with_the_norm_behind_it(files):
    """Oracle: kernel * gamma / sqrt(variance + epsilon), in float64."""
    network, path, _ = files[ISL]
    package = read_package(path.read_bytes())
    found = [
        package.constants[operation.inputs["weight"][0]]
        for operation in package.operations
        if operation.kind == "conv"
    ]
    layers = iter(network.layers)
    wanted = []
    for layer in layers:
        if type(layer).__name__ == "Conv2D":
            kernel, norm = np.asarray(layer.kernel, np.float64), next(layers)
            gamma, variance = (
                np.asarray(w, np.float64) for w in (norm.gamma, norm.moving_variance)
            )
            wanted.append((kernel * gamma / np.sqrt(variance + norm.epsilon)).transpose(3, 2, 0, 1))
    assert len(wanted) == 5
    for folded, kept in zip(wanted, found, strict=True):
        np.testing.assert_allclose(kept, folded, rtol=1e-6, atol=1e-8)


# Without TensorFlow and scikit-learn coremltools starts quickly; to read it needs neither.
LOOK = """
import json, sys
for name in ("tensorflow", "sklearn", "torch"):
    sys.modules[name] = None
import coremltools
model = coremltools.models.MLModel(sys.argv[1], skip_model_load=True)
spec = model.get_spec()
description = {
    end: [
        [each.name, list(each.type.multiArrayType.shape), each.type.multiArrayType.dataType]
        for each in getattr(spec.description, end)
    ]
    for end in ("input", "output")
}
reader = coremltools.libmilstoragepython._BlobStorageReader(model.weights_dir + "/weight.bin")
block = spec.mlProgram.functions["main"].block_specializations["CoreML5"]
said = {}
for operation in block.operations:
    value = operation.attributes["val"]
    if value.HasField("blobFileValue"):
        array = reader.read_float_data(value.blobFileValue.offset)
        said[operation.outputs[0].name] = [str(array.dtype), array.tobytes().hex()]
print(json.dumps([description, said, spec.specificationVersion]))
"""


def test_the_tools_that_core_ml_comes_with_read_the_same(files, tmp_path):
    """Oracle: coremltools' own reader of packages, specifications and weights."""
    _, path, said = files["like the demo's"]
    folder = tmp_path / "student.mlpackage"
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder)
    command = [sys.executable, "-W", "ignore", "-c", LOOK, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    description, weights, version = json.loads(done.stdout)
    float32 = 65568  # ArrayFeatureType.FLOAT32
    assert description == {
        "input": [["emg", [1, 96, 4], float32], ["imu", [1, 48, 6], float32]],
        "output": [["logits", [1, 6], float32]],
    }
    assert version == 6  # iOS 15
    package = read_package(path.read_bytes())
    large = {name for name, array in package.constants.items() if array.nbytes >= 40}
    assert set(weights) >= {n for n in large if package.constants[n].dtype == np.float32}
    for name, (dtype, content) in weights.items():
        assert dtype == "float32"
        assert content == package.constants[name].tobytes().hex()
    assert said.operators == package.operators
    size = measure_size(path, CORE_ML.kind)
    assert size.file_bytes == path.stat().st_size
    assert size.weight_bytes == package.weight_bytes
    assert size.macs is None


def test_it_is_made_on_request_alone_and_only_core_mls_runtimes_take_it(files):
    assert CORE_ML.name not in (*default_formats("student"), *default_formats("teacher"))
    assert files[LSTMS][2].runtimes == (APPLES, RUNTIME)
    takers, notes = who_takes(CORE_ML, ("conv", "gelu"))
    assert takers == (APPLES,)
    assert notes == ("was not computed here: Core ML's program in NumPy has no gelu",)


@pytest.mark.parametrize("name", ["logits", "left arm", "größe"])
def test_an_inputs_name_that_core_ml_does_not_take_is_refused(name):
    with pytest.raises(KdEdgeError, match=f"an input is called '{name}'") as caught:
        to_core_ml(None, (name,))
    assert caught.value.code == "KD_CONVERTER_REFUSED"


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [("GRU", {}, "some_gru.*: GRU"), ("LSTM", {"go_backwards": True}, "LSTM with go_backwards")],
)
def test_a_loop_that_cannot_be_written_out_is_refused_by_its_layer(kind, options, said):
    with pytest.raises(KdEdgeError, match=said) as caught:
        to_core_ml(recurrent(kind, **options), ("x",))
    assert caught.value.code == "KD_CONVERTER_REFUSED"
    assert caught.value.where == f"layer 'some_{kind.lower()}'"


def test_a_layer_that_core_ml_does_not_have_is_refused_by_name(tmp_path, converter):
    """Oracle: TensorFlow's name of the operation."""
    import keras

    given = keras.Input((8, 2), name="x")
    x = keras.layers.Discretization(bin_boundaries=[0.0, 1.0])(given)
    network = keras.Model([given], keras.layers.Dense(3)(keras.layers.Flatten()(x)))
    network.save(tmp_path / "m.keras")
    with pytest.raises(
        KdEdgeError, match=r"coremltools refuses the model: .*'Bucketize'"
    ) as caught:
        to_tflite(
            *(tmp_path / "m.keras", tmp_path / "out"),
            fmt="coreml",
            input_order=("x",),
            calibration=None,
        )
    assert caught.value.code == "KD_CONVERTER_REFUSED"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", [b"", b"PK is no zip", write_package({SPECIFICATION: b""})])
def test_another_file_is_refused(content, tmp_path):
    path = tmp_path / "other.mlpackage.zip"
    path.write_bytes(content)
    for read in (lambda: read_package(content), lambda: open_interpreter(RUNTIME, path)):
        with pytest.raises(KdEdgeError) as caught:
            read()
        assert caught.value.code == "KD_BAD_FORMAT"


def test_a_package_with_other_files_is_refused(files):
    with pytest.raises(KdEdgeError, match="no zip file of a Core ML package") as caught:
        read_package(write_package({SPECIFICATION: b"", "../../evil": b""}))
    assert "evil" in caught.value.where


def test_a_damaged_package_is_refused_or_computes_and_nothing_else(files, tmp_path):
    """Oracle: the error's code. Bytes of the specification and the weights' heads are changed."""
    whole = read_package(files["like the demo's"][1].read_bytes()).files
    rng, path, codes = random.Random(3), tmp_path / "mutant.mlpackage.zip", Counter()
    data = [np.ones((1, 96, 4), np.float32), np.ones((1, 48, 6), np.float32)]
    for _ in range(300):
        mutant = {name: bytearray(whole[name]) for name in (SPECIFICATION, WEIGHTS)}
        for _ in range(rng.choice((1, 1, 2, 8))):
            content = mutant[rng.choice((SPECIFICATION, SPECIFICATION, WEIGHTS))]
            content[rng.randrange(len(content))] = rng.randrange(256)
        if rng.random() < 0.1:
            del mutant[SPECIFICATION][rng.randrange(len(mutant[SPECIFICATION])) :]
        path.write_bytes(write_package(mutant))
        try:
            with np.errstate(all="ignore"):
                open_interpreter(RUNTIME, path).run(data)
        except KdEdgeError as error:
            codes[error.code] += 1
    assert set(codes) <= {"KD_BAD_FORMAT", "KD_UNSUPPORTED_OP", "KD_SHAPE"}
    assert 100 < codes.total() < 300


def test_the_manifest_names_both_files_and_no_date(files):
    """Oracle: what the manifest of coremltools holds; the test above has it read ours."""
    with zipfile.ZipFile(files[ISL][1]) as archive:
        manifest = json.loads(archive.read(MANIFEST))
        assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    entries = manifest["itemInfoEntries"]
    assert manifest["rootModelIdentifier"] in entries
    paths = {entry["path"] for entry in entries.values()}
    assert paths == {"com.apple.CoreML/model.mlmodel", "com.apple.CoreML/weights"}


def test_core_ml_itself_is_missing_elsewhere_and_says_so(files):
    if available(APPLES):
        pytest.skip("this is macOS, which has Core ML")
    with pytest.raises(KdEdgeError, match="the runtime 'core-ml' needs") as caught:
        open_interpreter(APPLES, files[ISL][1])
    assert caught.value.code == "KD_MISSING_PACKAGE"
    assert "on macOS" in caught.value.hint


def test_inner_tensors_are_refused(files):
    with pytest.raises(KdEdgeError) as caught:
        open_interpreter(RUNTIME, files[ISL][1], preserve_tensors=True)
    assert caught.value.code == "KD_USAGE"


def test_a_report_compares_it_with_keras_and_says_what_was_not_run(files):
    """Oracle: Keras's answers, which the bundle keeps."""
    network, path, _ = files[ISL]
    parity, row = proved_as_keras(network, path, CORE_ML.name, RUNTIME, noise(network))
    assert (row.format, row.runtime, row.arena, row.latency) == (CORE_ML.name, RUNTIME, None, None)
    for note in (parity.note, *row.notes):
        assert "Core ML itself runs on macOS alone, and was not asked" in note


def test_its_last_layer_is_found_and_replaced_and_nothing_else(files, tmp_path):
    """Oracle: Keras with the same weights; the bytes outside of the layer."""
    network, path, _ = files[ISL]
    of, content = HEAD_FILES[CORE_ML.kind], path.read_bytes()
    kernel, bias = (np.asarray(w) for w in network.get_layer("logits").weights)
    old = of.find(content)
    np.testing.assert_array_equal(old.weights, kernel.T)
    np.testing.assert_array_equal(old.bias, bias)
    assert of.replace(content, old) == content
    new = replace(old, weights=old.weights[::-1] * np.float32(2), bias=old.bias[::-1].copy())
    changed = tmp_path / CORE_ML.file("changed")
    changed.write_bytes(of.replace(content, new))
    network.get_layer("logits").set_weights([new.weights.T, new.bias])
    try:
        check_scores(network, changed, RUNTIME)
    finally:
        network.get_layer("logits").set_weights([kernel, bias])
    n_changed = sum(a != b for a, b in zip(content, changed.read_bytes(), strict=True))
    # Both are floats of 4 bytes; beside them the zip file's own sums of its files change.
    assert 0 < n_changed <= 4 * (old.weights.size + old.bias.size) + 16


def test_a_package_that_does_not_end_in_a_dense_layer_has_no_layer_to_replace(files):
    package = read_package(files[ISL][1].read_bytes())
    renamed = {n: bytes(f) for n, f in package.files.items() if n != MANIFEST}
    renamed[SPECIFICATION] = renamed[SPECIFICATION].replace(b"\x06linear", b"\x06matmul")
    with pytest.raises(KdEdgeError, match="its output comes from matmul") as caught:
        HEAD_FILES[CORE_ML.kind].find(write_package(renamed))
    assert caught.value.code == "KD_UNSUPPORTED_OP"
