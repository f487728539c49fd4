"""Students as ONNX files, proved in ONNX Runtime. Oracle: Keras, unless a test says another."""

from __future__ import annotations

import numpy as np
import pytest
from convert_models import two_branches
from keras_proof import proved_as_keras

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.formats import FORMATS, default_formats
from kd_edge.base.onnx import read_onnx
from kd_edge.convert import converter
from kd_edge.convert.onnx import OPSET
from kd_edge.convert.routes import ROUTES
from kd_edge.live.host import Host
from kd_edge.measure.size import measure_size
from kd_edge.models import build_model
from kd_edge.runtimes.parity import FLOAT_TOLERANCE
from kd_edge.runtimes.registry import installed, open_interpreter, version, who_takes

onnx = pytest.importorskip("onnx")
pytest.importorskip("tf2onnx")
pytest.importorskip("onnxruntime")

ONNX, RUNTIME = FORMATS["onnx"], "onnx-runtime"
N_WINDOWS = 8


def convert(model):
    order = tuple(sorted(tensor.name for tensor in model.inputs))
    return converter.convert_model(
        model, route=ROUTES.find(ONNX.name), input_order=order, calibration=None
    )


def noise(shapes, n=N_WINDOWS):
    rng = np.random.default_rng(1)
    return {name: rng.normal(size=(n, *shape)).astype(np.float32) for name, shape in shapes.items()}


def as_network(name, shapes, **options):
    return build_model(name, input_shapes=shapes, n_classes=6, seed=1, options=options)


NETWORKS = {
    "like the demo's": lambda: as_network("tcn", {"emg": (96, 4), "imu": (48, 6)}, width=8),
    "like the ISL student": lambda: as_network("tcn", {"emg": (50, 8)}),
    "the seed's": lambda: as_network("seed-single-student", {"x": (10, 40, 21)}),
    "two LSTMs": two_branches,
}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Name -> network and its file, each converted once."""
    folder = tmp_path_factory.mktemp("onnx")
    made = {}
    for index, (name, build) in enumerate(NETWORKS.items()):
        network, path = build(), folder / ONNX.file(f"m{index}")
        path.write_bytes(convert(network))
        made[name] = network, path
    return made


@pytest.mark.parametrize("name", NETWORKS)
def test_its_scores_are_those_of_keras(files, name):
    """Float kernels add in different orders: within 1e-4 of the largest score. An LSTM starts each
    window afresh, since the file keeps no state."""
    network, path = files[name]
    session = open_interpreter(RUNTIME, path)
    data = noise({tensor.name: tensor.shape[1:] for tensor in network.inputs})
    wanted = np.asarray(network([data[tensor.name] for tensor in network.inputs], training=False))
    assert [spec.name for spec in session.inputs] == sorted(data)
    found = [
        session.run([data[spec.name][i : i + 1] for spec in session.inputs])[0][0]
        for i in range(N_WINDOWS)
    ]
    np.testing.assert_allclose(found, wanted, atol=FLOAT_TOLERANCE * np.abs(wanted).max(), rtol=0)


def test_the_file_is_onnx_of_the_stated_opset(files):
    """Oracle: ONNX's own checker, with shapes inferred, and the weights of the network."""
    network, path = files["the seed's"]
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert [(each.domain, each.version) for each in model.opset_import] == [("", OPSET)]
    assert [end.name for end in model.graph.output] == ["logits"]
    size = measure_size(path, ONNX.kind)
    weights = sum(4 * np.prod(w.shape) for w in network.weights)
    assert size.file_bytes == path.stat().st_size
    assert 0.95 * weights <= size.weight_bytes < size.file_bytes  # convolutions have taken norms in
    assert size.macs is None


def test_the_same_model_gives_the_same_bytes(files):
    """Though tf2onnx's own names count on from one conversion to the next."""
    for name in ("like the demo's", "two LSTMs"):
        network, path = files[name]
        assert convert(network) == path.read_bytes()


def test_it_is_made_on_request_alone_and_only_onnx_runtime_takes_it(files):
    assert ONNX.name not in (*default_formats("student"), *default_formats("teacher"))
    operators = read_onnx(files["two LSTMs"][1].read_bytes()).operators
    assert operators.count("Loop") == 2
    assert who_takes(ONNX, operators) == ((RUNTIME,), ())


def test_an_input_called_as_the_output_is_refused_by_name():
    import keras

    given = keras.Input((4, 2), name="logits")
    network = keras.Model([given], keras.layers.Dense(3)(keras.layers.Flatten()(given)))
    with pytest.raises(KdEdgeError, match="an input is called 'logits'") as caught:
        convert(network)
    assert caught.value.code == "KD_CONVERTER_REFUSED"


def test_a_layer_that_has_no_onnx_form_is_refused_by_name():
    import keras

    given = keras.Input((8,), name="x")
    angles = keras.layers.Lambda(lambda values: keras.ops.real(keras.ops.fft((values, values))[0]))
    network = keras.Model([given], keras.layers.Dense(3)(angles(given)))
    with pytest.raises(
        KdEdgeError, match="tf2onnx refuses the model: No Op registered for Complex"
    ) as caught:
        convert(network)
    assert caught.value.code == "KD_CONVERTER_REFUSED"


@pytest.mark.parametrize("content", [b"", b"TFL3 is no ONNX", b"\x08\x08\x3a\x00"])
def test_another_file_is_refused(content, tmp_path):
    path = tmp_path / "other.onnx"
    path.write_bytes(content)
    for read in (lambda: read_onnx(content), lambda: open_interpreter(RUNTIME, path)):
        with pytest.raises(KdEdgeError) as caught:
            read()
        assert caught.value.code == "KD_BAD_FORMAT"


def test_weights_outside_the_file_are_refused(files):
    """Wherever the process stands, a file of that name beside it is not read."""
    model = onnx.load(files["two LSTMs"][1])
    weights = model.graph.initializer[0]
    weights.data_location = onnx.TensorProto.EXTERNAL
    weights.external_data.add(key="location", value="weights.bin")
    with pytest.raises(KdEdgeError) as caught:
        read_onnx(model.SerializeToString())
    assert caught.value.code == "KD_BAD_FORMAT"


def test_it_answers_no_stream(files):
    """A stream is answered by the int8 form, which is no ONNX file."""
    with pytest.raises(KdEdgeError, match="runs no int8") as caught:
        Host(files["two LSTMs"][1], None, runtime=RUNTIME)
    assert caught.value.code == "KD_USAGE"


def test_without_the_package_that_reads_files_it_is_not_measured(monkeypatch):
    """Oracle: the row of a student would lack its size."""
    assert RUNTIME in installed(ONNX.kind)
    monkeypatch.setattr(
        "kd_edge.base.onnx.find_spec", lambda name: None if name == "onnx" else name
    )
    assert installed(ONNX.kind) == ()
    assert version(RUNTIME) is None


def test_inner_tensors_are_refused(files):
    with pytest.raises(KdEdgeError) as caught:
        open_interpreter(RUNTIME, files["two LSTMs"][1], preserve_tensors=True)
    assert caught.value.code == "KD_USAGE"


def test_a_report_compares_it_with_keras(files):
    """Oracle: Keras's answers, which the bundle keeps."""
    network, path = files["like the ISL student"]
    data = noise({tensor.name: tensor.shape[1:] for tensor in network.inputs})
    _, row = proved_as_keras(network, path, ONNX.name, RUNTIME, data)
    assert (row.format, row.runtime, row.arena) == (ONNX.name, RUNTIME, None)
