"""The tumour systems' models: their sizes, published weights, and conversion to int8."""

from __future__ import annotations

import io
import pickle

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from kd_edge.base.errors import KdEdgeError  # noqa: E402
from kd_edge.models import build_model  # noqa: E402
from kd_edge.models.lite0_weights import (  # noqa: E402
    PACKAGE,
    PUBLISHED_RANGE,
    read_tensors,
    weights_file,
)


def built(name, size=32, n_classes=2, channels=1, **options):
    shapes = {"image": (size, size, channels)}
    return build_model(name, input_shapes=shapes, n_classes=n_classes, seed=1, options=options)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("efficientnet-b0", 4_052_133), ("seed-tumor-student", 295_690)],
)
def test_the_public_projects_models_have_its_parameters(name, parameters):
    """Oracle: the project's README, for two classes."""
    assert built(name).count_params() == parameters


def test_the_seeds_student_takes_its_own_size_too():
    assert built("seed-tumor-student", 224).count_params() == 295_690


def test_our_student_has_at_most_a_third_of_the_seeds_parameters(pytestconfig):
    """Oracle: the recipe's own student, and the third part of 295,690."""
    from kd_edge.recipe import load_recipe

    recipe = load_recipe(pytestconfig.rootpath / "recipes" / "brain-tumor.toml")
    student = recipe.students[0]
    model = built(student.model, recipe.images.height, **(student.options | {"weights": "none"}))
    assert model.count_params() <= 295_690 / 3
    assert any(isinstance(layer, keras.layers.DepthwiseConv2D) for layer in model.layers)


@pytest.mark.parametrize("name", ["efficientnet-b0", "efficientnet-lite0"])
def test_grey_pixels_and_the_same_ones_in_colour_get_one_answer(name):
    """Oracle: the model of colour pictures; 0 to 1 and 0 to 255 are one range, stated otherwise.

    Lite0 needs ImageNet's weights for it: random ones of one channel are no sum of three's.
    """
    options = {}
    if name == "efficientnet-lite0":
        pytest.importorskip(PACKAGE)
        options = {"weights": "package"}
    grey = np.random.default_rng(0).random((2, 32, 32, 1)).astype("f4")
    colour = built(name, n_classes=3, channels=3, pixel_range=(0, 255), **options)
    np.testing.assert_allclose(
        colour([np.repeat(grey * 255, 3, axis=3)]),
        built(name, n_classes=3, **options)([grey]),
        rtol=1e-3,
        atol=1e-4,
    )


def test_a_range_that_is_none_and_unknown_weights_are_refused():
    for wrong in (
        (1, 0),
        (0, 1, 2),
        5,
        ("a", "b"),
        (0, float("inf")),
        (False, True),
        {"a": 1, "b": 2},
    ):
        with pytest.raises(KdEdgeError, match="pixel_range"):
            built("efficientnet-b0", pixel_range=wrong)
    with pytest.raises(KdEdgeError, match="did you mean 'imagenet'"):
        built("efficientnet-b0", weights="image-net")


def test_weights_that_cannot_be_fetched_are_told_with_what_else_there_is(monkeypatch):
    def offline(*_, **__):
        raise OSError("URL fetch failure")

    monkeypatch.setattr("keras.src.applications.efficientnet.file_utils.get_file", offline)
    with pytest.raises(KdEdgeError, match="URL fetch failure") as caught:
        built("efficientnet-b0", weights="imagenet")
    assert caught.value.code == "KD_NO_FILE"
    assert "weights = 'package'" in caught.value.hint


# --- ImageNet's weights out of a package ---


def a_picture(size=64):
    rows, columns = np.mgrid[:size, :size]
    red, green = 255 * rows / (size - 1), 255 * columns / (size - 1)
    return np.stack([red, green, 127 + 0 * red], axis=-1)[None].astype("f4")


def test_lite0_has_the_features_computed_once_from_the_file_by_hand():
    """Oracle: the published network written out with TensorFlow's plain operators and run on the
    file's tensors, without Keras: the mean feature and the first that are above 0."""
    pytest.importorskip(PACKAGE)
    options = {"weights": "package", "pixel_range": PUBLISHED_RANGE}
    model = built("efficientnet-lite0", 64, channels=3, **options)
    picture = (a_picture() - 127) / 128
    features = keras.Model(model.inputs, model.get_layer("features").output)([picture])[0]
    assert features.shape == (1280,)
    assert float(np.mean(features)) == pytest.approx(0.398133, rel=1e-3)
    expected = np.zeros(24)
    expected[[2, 7, 9, 17, 23]] = 5.3575, 5.6958, 0.6705, 2.94, 0.4657
    np.testing.assert_allclose(np.asarray(features)[:24], expected, atol=2e-3)


def test_without_the_package_its_name_is_told(monkeypatch):
    monkeypatch.setattr("kd_edge.models.lite0_weights.PACKAGE", "not_installed_here")
    with pytest.raises(KdEdgeError, match="not-installed-here") as caught:
        weights_file()
    assert caught.value.code == "KD_MISSING_PACKAGE"
    assert "kd-edge[lite0]" in caught.value.hint


class _Shell:
    def __reduce__(self):
        import os

        return os.system, ("exit 3",)


def test_a_pickle_that_runs_code_is_refused_and_runs_nothing(monkeypatch):
    """Oracle: the call that it would make."""
    parts = (1, 2, {}, {"weight": _Shell()}, [])
    content = b"".join(pickle.dumps(each, protocol=2) for each in parts)
    monkeypatch.setattr("os.system", lambda command: pytest.fail(f"it ran {command}"))
    with pytest.raises(KdEdgeError, match="it names") as caught:
        read_tensors(content)
    assert caught.value.code == "KD_BAD_FORMAT"


class _Storage:
    def __init__(self, key, length):
        self.pid = ("storage", np.float32, key, "cpu", length, None)


def _file(offset, shape, strides, length=6):
    """A file with one tensor, as PyTorch writes it."""
    import sys
    import types

    module = types.ModuleType("torch._utils")
    module._rebuild_tensor_v2 = lambda *_: None
    module._rebuild_tensor_v2.__module__ = "torch._utils"
    module._rebuild_tensor_v2.__qualname__ = "_rebuild_tensor_v2"
    torch = types.ModuleType("torch")
    torch.FloatStorage = type("FloatStorage", (), {"__module__": "torch"})

    class Tensor:
        def __reduce__(self):
            return module._rebuild_tensor_v2, (_Storage("7", length), offset, shape, strides, False)

    class Writer(pickle.Pickler):
        def persistent_id(self, obj):
            if not isinstance(obj, _Storage):
                return None
            return (obj.pid[0], torch.FloatStorage, *obj.pid[2:])

    stream = io.BytesIO()
    known = {name: sys.modules.get(name) for name in ("torch", "torch._utils")}
    sys.modules.update({"torch": torch, "torch._utils": module})
    try:
        for each in (1, 1001, {}, {"w": Tensor()}, ["7"]):
            Writer(stream, protocol=2).dump(each)
    finally:
        for name, old in known.items():
            if old is None:
                del sys.modules[name]
            else:
                sys.modules[name] = old
    numbers = np.arange(length, dtype="<f4").tobytes()
    return stream.getvalue() + length.to_bytes(8, "little") + numbers


def test_tensors_are_read_by_their_offset_and_strides():
    """Oracle: by hand."""
    (tensor,) = read_tensors(_file(1, (2, 2), (1, 2))).values()
    assert tensor.tolist() == [[1.0, 3.0], [2.0, 4.0]]


@pytest.mark.parametrize("place", [(3, (2, 2), (1, 2)), (0, (7,), (1,)), (0, (2,), (-1,))])
def test_a_tensor_beyond_its_storage_is_refused(place):
    with pytest.raises(KdEdgeError, match="beyond its storage"):
        read_tensors(_file(*place))


def test_a_cut_file_is_refused():
    whole = _file(1, (2, 2), (1, 2))
    for end in range(0, len(whole), 7):
        with pytest.raises(KdEdgeError, match="cannot be read"):
            read_tensors(whole[:end])
