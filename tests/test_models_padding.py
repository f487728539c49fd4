"""What stands before and behind a window where filters reach beyond it: 'same', 'causal', 'valid'.

Oracles: layer lengths and receptive fields in closed form; TFLite Micro on every whole window.
"""

from fractions import Fraction

import numpy as np
import pytest
from aot_hops import check_hops

from firmware_export.aot.compiler import CompileSettings, compile_model
from kd_edge.base.errors import KdEdgeError
from kd_edge.convert.tflite import to_tflite
from kd_edge.models import build_model
from kd_edge.models.blocks import PADDINGS

keras = pytest.importorskip("keras")

SHAPES = {"emg": (96, 3)}
# Of each model a form that has all its layers over time.
FORMS = {
    "tcn": {"width": 12, "blocks": 2},
    "ds-cnn": {"width": 12, "stem_width": 12, "blocks": 2, "kernel": 5},
    "tcn-residual": {"width": 12, "blocks": 2, "kernel": 5, "halve": 1},
}


def build(model: str, shapes=SHAPES, **options):
    return build_model(model, input_shapes=shapes, n_classes=4, seed=1, options=options)


def layer(network, name: str, *windows) -> np.ndarray:
    """A layer's result, (batch, time, channels)."""
    return np.asarray(keras.Model(network.inputs, network.get_layer(name).output)(list(windows)))[
        :, 0
    ]


def window(shapes=SHAPES, n=1, seed=0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(n, *shape)).astype("float32") for shape in shapes.values()]


@pytest.mark.parametrize(
    ("padding", "lengths"), [("same", (24, 12, 6)), ("causal", (24, 12, 6)), ("valid", (22, 9, 3))]
)
def test_layers_are_as_long_as_their_padding_leaves_them(padding, lengths):
    """(96 - 9) // 4 + 1 = 22, (22 - 5) // 2 + 1 = 9, (9 - 5) // 2 + 1 = 3."""
    network = build("tcn", blocks=2, padding=padding)
    names = ("emg_stem_relu", "block_0_relu", "block_1_relu")
    assert tuple(network.get_layer(name).output.shape[2] for name in names) == lengths


@pytest.mark.parametrize("model", FORMS)
def test_the_usual_padding_is_same(model):
    ours, usual = build(model, padding="same", **FORMS[model]), build(model, **FORMS[model])
    np.testing.assert_array_equal(ours(window()), usual(window()))


@pytest.mark.parametrize("length", [96, 97, 98, 99])
def test_a_causal_filter_ends_with_the_window_and_reads_nothing_behind_its_stride(length):
    """Column j of a stem reads the 9 samples that end 4 (last - j) before the last."""
    network = build("tcn", {"emg": (length, 3)}, blocks=0, padding="causal", segments=1)
    (x,) = window({"emg": (length, 3)})
    before = layer(network, "emg_stem_conv", x)
    ends = length - 1 - 4 * np.arange(before.shape[1])[::-1]
    for sample in (length - 1, length - 4, length - 5, length // 2, 0):
        changed = x.copy()
        changed[:, sample] += 1
        moved = np.any(before != layer(network, "emg_stem_conv", changed), axis=(0, 2))
        np.testing.assert_array_equal(moved, (ends >= sample) & (ends - 8 <= sample))


def test_without_padding_inputs_of_several_rates_get_one_length():
    shapes = {"emg": (720, 2), "imu": (96, 3)}
    for model, form in FORMS.items():
        network = build(model, shapes, **form, padding="valid")
        stems = [network.get_layer(f"{name}_stem_conv") for name in shapes]
        assert len({stem.output.shape[2] for stem in stems}) == 1
        assert np.asarray(network(window(shapes))).shape == (1, 4)


def test_without_padding_a_shortcut_has_the_moments_in_the_middle_of_the_filters():
    """An inner convolution that is zero leaves ReLU of the shortcut: columns 2 to 17 of 22."""
    form = {"width": 12, "blocks": 1, "halve": 0, "kernel": 5, "stem_stride": 4}
    network = build("tcn-residual", **form, padding="valid")
    last = network.get_layer("block_0_last")
    last.set_weights([0 * last.get_weights()[0]])
    (x,) = window()
    stem = layer(network, "emg_stem_relu", x)
    np.testing.assert_allclose(layer(network, "block_0_out", x), stem[:, 2:20], atol=1e-6)


@pytest.mark.parametrize("model", FORMS)
def test_a_window_shorter_than_the_filters_without_padding_is_told(model):
    with pytest.raises(KdEdgeError, match="without padding") as caught:
        build(model, {"emg": (20, 3)}, padding="valid")
    assert caught.value.code == "KD_SHAPE"


@pytest.mark.parametrize("model", FORMS)
def test_an_unknown_padding_is_told_with_the_known_ones(model):
    with pytest.raises(KdEdgeError, match="'padding' cannot be 'casual'") as caught:
        build(model, padding="casual")
    assert "same, causal, valid" in caught.value.hint


# --- converted ---


@pytest.fixture(scope="module")
def converted(tmp_path_factory, converter):
    """(model, padding) -> the int8 file's bytes."""
    folder, made = tmp_path_factory.mktemp("padding"), {}
    for model, padding in (*(("tcn-residual", each) for each in PADDINGS), ("ds-cnn", "valid")):
        path = folder / f"{model}-{padding}.keras"
        build(model, **FORMS[model], padding=padding).save(path)
        made[model, padding] = to_tflite(
            path,
            path.with_suffix(".tflite"),
            fmt="int8",
            input_order=tuple(SHAPES),
            calibration={"emg": window(n=16)[0]},
        ).path.read_bytes()
    return made


def test_each_hop_of_a_converted_student_answers_as_the_whole_window_does(converted):
    """A third is 32 samples, which all strides divide."""
    check_hops([(content, Fraction(1, 3)) for content in converted.values()], n_hops=4)


def test_a_hop_costs_least_without_padding(converted):
    """Oracle: multiply-accumulates of the whole window, of which a third is new."""
    shares = {}
    for padding in PADDINGS:
        content = converted["tcn-residual", padding]
        whole, hop = (
            sum(layer.macs for layer in compile_model(content, CompileSettings(hop=share)).layers)
            for share in (None, Fraction(1, 3))
        )
        shares[padding] = hop / whole
    assert shares["valid"] < shares["causal"] < 1
    assert shares["valid"] < shares["same"] < 1
