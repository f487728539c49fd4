"""The residual temporal network: shapes, options, heads by closed forms, and int8 everywhere.

Oracles: NumPy for what heads and gates compute; the TFLite Micro interpreter for plain C; Keras for
the converted forms.
"""

from __future__ import annotations

import numpy as np
import pytest
from aot_harness import check_exact

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.flatbuffer import read_tflite
from kd_edge.base.formats import FileKind
from kd_edge.convert.tflite import to_tflite
from kd_edge.examples import Examples, Groups
from kd_edge.models import build_model
from kd_edge.models.embedding import embedding_of
from kd_edge.runtimes.interpreter import run_windows
from kd_edge.runtimes.parity import ROUNDING_STEPS, compare_runtimes
from kd_edge.runtimes.registry import ORACLE, RUNTIMES, available, open_interpreter
from kd_edge.tasks import find_task

keras = pytest.importorskip("keras")

# 2 s of 8 sEMG and 6 IMU channels at 50 Hz, as the Polish signs have them.
SHAPES = {"emg": (100, 8), "imu": (100, 6)}
N_CLASSES = 18
# Between them they have every option that changes an operator.
FORMS = {
    "usual": ({}, SHAPES),
    "gated": ({"gate": "modality", "pool": "attention", "blocks": 2}, SHAPES),
    "wide": ({"gate": "channel", "expansion": 2, "blocks": 1, "halve": 0}, SHAPES),
    "plain": (
        {"convolution": "plain", "pool": "means", "width": 16, "blocks": 2},
        {"all": (52, 8)},
    ),
}


def build(shapes=SHAPES, seed=1, **options):
    return build_model(
        "tcn-residual", input_shapes=shapes, n_classes=N_CLASSES, seed=seed, options=options
    )


def windows(shapes=SHAPES, n=24):
    rng = np.random.default_rng(2)
    strength = np.linspace(0.3, 2, n)[:, None, None]
    return {k: (strength * rng.normal(size=(n, *s))).astype("float32") for k, s in shapes.items()}


@pytest.fixture(scope="module")
def converted(tmp_path_factory, converter):
    """Name of a form -> its network and its int8 file."""
    folder = tmp_path_factory.mktemp("residual")
    made = {}
    for name, (options, shapes) in FORMS.items():
        network = build(shapes, **options)
        network.save(folder / f"{name}.keras")
        conversion = to_tflite(
            folder / f"{name}.keras",
            folder / f"{name}.tflite",
            fmt="int8",
            input_order=tuple(shapes),
            calibration=windows(shapes),
        )
        made[name] = (network, conversion.path)
    return made


def examples(shapes) -> Examples:
    inputs = windows(shapes)
    n = len(next(iter(inputs.values())))
    return Examples(
        inputs=inputs,
        truth=np.arange(n) % N_CLASSES,
        groups=Groups.each([f"r{i}" for i in range(n)], subject="S1"),
        class_names=tuple(f"word {i}" for i in range(N_CLASSES)),
    )


def test_int8_forms_answer_bit_for_bit_in_plain_c(converted):
    check_exact([path.read_bytes() for _, path in converted.values()], n_windows=6)


@pytest.mark.qemu
def test_int8_forms_answer_bit_for_bit_on_a_cortex_m4(converted):
    check_exact([path.read_bytes() for _, path in converted.values()], core="m4", n_windows=4)


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize(
    "runtime", [r for r in RUNTIMES if r != ORACLE and RUNTIMES[r].kind is FileKind.TFLITE]
)
def test_other_runtimes_differ_by_rounding_alone(converted, name, runtime):
    if not available(runtime):
        pytest.skip(f"{runtime} is not installed")
    _, path = converted[name]
    task = find_task("classification")
    data = examples(FORMS[name][1])
    parity = compare_runtimes(path, data, runtime, ORACLE, fmt="int8", task=task)
    assert parity.max_steps <= ROUNDING_STEPS


@pytest.mark.parametrize("name", FORMS)
def test_int8_answers_as_keras_does(converted, name):
    """A power of noise below 1 % of the answers' own: 20 dB."""
    network, path = converted[name]
    data = examples(FORMS[name][1])
    exact = np.asarray(network(list(data.inputs.values())))
    found = run_windows(open_interpreter(ORACLE, path), data).logits
    assert np.mean(np.square(exact - found)) < 0.01 * np.mean(np.square(exact))


@pytest.mark.parametrize(
    ("name", "operator", "layer"),
    [
        ("usual", "CONV_2D", "block_2_last_norm"),
        ("usual", "CONV_2D", "block_3_last_norm"),
        ("wide", "MUL", "block_0_gate_product"),
    ],
)
def test_a_branch_has_the_scale_of_its_own_values_and_not_of_the_sum(
    converted, name, operator, layer
):
    """Oracle: Keras' values on the calibration windows, in 255 steps."""
    network, path = converted[name]
    values = between(network, layer, list(windows(FORMS[name][1]).values()))
    model = read_tflite(path)
    block = layer.rpartition("_")[0]
    (result,) = (
        model.tensors[op.outputs[0]]
        for op in model.operators
        if op.name == operator and model.tensors[op.outputs[0]].name.startswith(block)
    )
    assert 255 * result.scales[0] == pytest.approx(np.ptp(values), rel=0.02)


def test_the_usual_form_takes_at_most_40_kilobytes(converted):
    _, path = converted["usual"]
    assert path.stat().st_size <= 40_000


@pytest.mark.parametrize("shapes", [SHAPES, {"one": (333, 5)}, {"a": (3, 1), "b": (7, 2)}])
@pytest.mark.parametrize("convolution", ["separable", "plain"])
def test_any_inputs_give_a_logit_for_each_class(shapes, convolution):
    network = build(shapes, convolution=convolution, width=12, blocks=3)
    assert [given.name for given in network.inputs] == list(shapes)
    assert network.layers[-1].name == "logits"
    assert np.asarray(network(list(windows(shapes, 3).values()))).shape == (3, N_CLASSES)


def test_a_teacher_is_the_same_network_with_more_channels():
    teacher = build(width=96, convolution="plain", kernel=5)
    assert teacher.count_params() > 10 * build().count_params()


def between(network, layer: str, x) -> np.ndarray:
    """A layer's output."""
    output = network.get_layer(layer).output
    return np.asarray(keras.Model(network.inputs, output)(x))


def test_statistics_are_means_and_half_the_mean_absolute_deviation():
    network = build({"x": (30, 2)}, blocks=1, halve=0, stem_stride=1, segments=3, width=4)
    x = list(windows({"x": (30, 2)}, 5).values())
    timeline = between(network, "block_0_out", x)[:, 0]
    means = timeline.reshape(5, 3, 10, 4).mean(axis=2).reshape(5, -1)
    deviation = np.abs(timeline - timeline.mean(axis=1, keepdims=True)).mean(axis=1) / 2
    expected = np.concatenate([means, deviation], axis=1)
    np.testing.assert_allclose(embedding_of(network)(x), expected, atol=1e-5)


def test_attention_is_a_mean_weighed_by_a_sigmoid():
    network = build({"x": (20, 2)}, blocks=1, halve=0, stem_stride=1, width=4, pool="attention")
    x = list(windows({"x": (20, 2)}, 5).values())
    timeline = between(network, "block_0_out", x)[:, 0]
    kernel, bias = network.get_layer("moments").get_weights()
    weights = 1 / (1 + np.exp(-(timeline @ kernel[0, 0] + bias)))
    vector = np.asarray(embedding_of(network)(x))
    np.testing.assert_allclose(vector[:, -4:], (weights * timeline).mean(axis=1), atol=1e-5)


def test_a_closed_gate_turns_a_modality_off():
    """With a bias of -50 a sigmoid is 0: what that input says changes nothing any more."""
    network = build(gate="modality", blocks=0, pool="means", dropout=0.0)
    given = windows()
    other = {"emg": given["emg"], "imu": given["imu"] + 3}
    before = np.asarray(network(list(given.values())))
    assert not np.allclose(before, network(list(other.values())))
    # The squeeze still hears it, so its weights go too; the gate of the sEMG stays at its bias.
    for name, bias in (("gate_0", 0.0), ("gate_1", -50.0)):
        kernel, _ = network.get_layer(name).get_weights()
        network.get_layer(name).set_weights([0 * kernel, np.array([bias])])
    first, second = (np.asarray(network(list(x.values()))) for x in (given, other))
    np.testing.assert_allclose(first, second, atol=1e-6)


def test_one_modality_has_nothing_to_be_weighed_against():
    with pytest.raises(KdEdgeError, match="has one input") as caught:
        build({"all": (100, 14)}, gate="modality")
    assert caught.value.code == "KD_SHAPE"


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("width", 0, "a whole number, at least 1"),
        ("width", 24.5, "a whole number"),
        ("blocks", True, "a whole number"),
        ("blocks", -1, "at least 0"),
        ("kernel", "9", "a whole number"),
        ("expansion", 0, "at least 1"),
        ("halve", -1, "at least 0"),
        ("spatial_dropout", 0.95, "from 0.0 to 0.9"),
        ("gate", "modalities", "did you mean 'modality'"),
        ("pool", "mean", "did you mean 'means'"),
        ("pool", ["means"], "cannot be"),
        ("convolution", "depthwise", "cannot be"),
    ],
)
def test_options_out_of_range_are_refused(option, value, told):
    with pytest.raises(KdEdgeError, match=told) as caught:
        build(**{option: value})
    assert caught.value.code == "KD_RECIPE_VALUE"
    assert option in caught.value.message
