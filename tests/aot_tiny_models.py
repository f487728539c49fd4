"""Int8 networks with the layers of public benchmarks, with random weights, made from the schema.

The five of MLPerf Tiny (anomaly detection, streaming wake word, keyword spotting, image
classification, visual wake words), and the person detector and the LSTM of TFLite Micro's examples.
Their files are not part of this project; shapes, strides and activations are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from aot_layers import Layers
from tflite_samples import options_of

_PADDING = {"SAME": 0, "VALID": 1}
_ACTIVATION = {"NONE": 0, "RELU": 1, "RELU6": 3}
_LEAST_SCALE, _LARGEST_BIAS = 1e-10, 2**30


@dataclass(frozen=True)
class _At:
    """The value that the next layer reads."""

    index: int
    shape: tuple[int, ...]
    scale: float
    zero_point: int


class _Network(Layers):
    """Layers in a row; each reads what the one before has made."""

    def __init__(self, seed: int, shape: tuple[int, ...], scale: float, zero_point: int):
        super().__init__(seed)
        self.at = self._value(shape, scale, zero_point)
        self._first = self.at.index
        self._live = 1.0  # share of channels that are not constant

    def model(self) -> bytes:
        return self.content((self._first,), (self.at.index,))

    def conv(self, filters, kernel=(1, 1), stride=1, *, padding="SAME", act="RELU", clamped=0):
        """Args: clamped: filters without weights, whose biases the converter has clamped."""
        shape = self._windows(kernel, stride, padding)
        weights = (filters, *kernel, self.at.shape[3])
        options = options_of("Conv2DOptions", **_common(stride, padding, act))
        self._layer("CONV_2D", (*shape, filters), weights, 0, act, options, clamped=clamped)
        self._live = 1 - clamped / filters

    def depthwise(self, kernel=(3, 3), stride=1, *, padding="SAME", act="RELU", multiplier=1):
        shape = self._windows(kernel, stride, padding)
        channels = self.at.shape[3] * multiplier
        options = options_of(
            "DepthwiseConv2DOptions", depthMultiplier=multiplier, **_common(stride, padding, act)
        )
        whole = (*shape, channels)
        self._layer("DEPTHWISE_CONV_2D", whole, (1, *kernel, channels), 3, act, options)

    def full(self, units, *, act="NONE"):
        options = options_of("FullyConnectedOptions", fusedActivationFunction=_ACTIVATION[act])
        shape = (units, self.at.shape[1])
        self._layer("FULLY_CONNECTED", (1, units), shape, 0, act, options, scales=1)

    def mean(self, taps=None):
        """The mean over all pixels, or of each `taps` of them."""
        _, all_rows, all_columns, channels = self.at.shape
        rows, columns = taps or (all_rows, all_columns)
        options = options_of(
            "Pool2DOptions", filterHeight=rows, filterWidth=columns, strideH=rows, strideW=columns,
            padding=_PADDING["VALID"],
        )  # fmt: skip
        shape = (1, all_rows // rows, all_columns // columns, channels)
        made = self._value(shape, self.at.scale, self.at.zero_point)
        self.operator("AVERAGE_POOL_2D", (self.at.index,), (made.index,), options, version=2)
        self.at = made

    def flat(self):
        shape = (1, int(np.prod(self.at.shape)))
        index = self.reshape(self.at.index, shape, zero_point=self.at.zero_point)
        self.at = _At(index, shape, self.at.scale, self.at.zero_point)

    def sum_with(self, other: _At):
        """ADD and RELU."""
        made = self._value(self.at.shape, self.at.scale + other.scale, -128)
        options = options_of("AddOptions", fusedActivationFunction=_ACTIVATION["RELU"])
        self.operator("ADD", (other.index, self.at.index), (made.index,), options, version=2)
        self.at = made

    def softmax(self):
        made = self._value(self.at.shape, 1 / 256, -128)
        options = options_of("SoftmaxOptions", beta=1.0)
        self.operator("SOFTMAX", (self.at.index,), (made.index,), options, version=2)
        self.at = made

    def recurrent(self, units):
        index, shape = self.lstm(self.at.index, self.at.shape, units, zero_point=0)
        self.at = _At(index, shape, 1 / 128, 0)

    def _value(self, shape, scale, zero_point) -> _At:
        return _At(self.value(shape, scale=scale, zero_point=zero_point), shape, scale, zero_point)

    def _windows(self, kernel, stride, padding) -> tuple[int, int, int]:
        sizes = zip(self.at.shape[1:3], kernel, strict=True)
        if padding == "SAME":
            return (1, *(-(-size // stride) for size, _ in sizes))
        return (1, *((size - taps) // stride + 1 for size, taps in sizes))

    def _layer(self, name, shape, kernel, axis, act, options, *, scales=None, clamped=0):
        n_out, rng = kernel[axis], self.rng
        weights = np.clip(np.round(rng.normal(0, 45, kernel)), -127, 127).astype(np.int8)
        steps = self._steps(weights, scales or n_out, axis)
        biases = rng.integers(-500, 500, n_out).astype(np.int32)
        if clamped:
            dead = rng.permutation(n_out)[:clamped]
            weights[dead], steps[dead] = 0, _LEAST_SCALE
            biases[dead] = np.where(rng.random(clamped) < 0.25, _LARGEST_BIAS, -_LARGEST_BIAS)
        made = self._value(shape, self.at.scale, -128 if act != "NONE" else 0)
        constants = (
            self.constant(self._name("weights"), weights, scale=steps, axis=axis),
            self.constant(self._name("bias"), biases, scale=steps * np.float32(self.at.scale)),
        )
        self.operator(name, (self.at.index, *constants), (made.index,), options, version=3)
        self.at = made

    def _steps(self, weights, count, axis) -> np.ndarray:
        """Scales with which results spread as wide as what the layer reads: few lie at the ends."""
        spread = 45 * np.sqrt(weights.size / weights.shape[axis])
        spread *= np.sqrt(0.5) if self.at.zero_point == -128 else 1.0  # RELU halves mean squares
        spread *= np.sqrt(self._live) if axis == 0 else 1.0
        return (self.rng.uniform(0.5, 1.5, count) / spread).astype(np.float32)


def _common(stride: int, padding: str, act: str) -> dict[str, int]:
    return {
        "strideH": stride,
        "strideW": stride,
        "padding": _PADDING[padding],
        "fusedActivationFunction": _ACTIVATION[act],
    }


def ad01() -> bytes:
    """Autoencoder of dense layers: 640 -> 128 ... 8 ... 128 -> 640."""
    net = _Network(21, (1, 640), 0.39, 89)
    for units in (128, 128, 128, 128, 8, 128, 128, 128, 128):
        net.full(units, act="RELU")
    net.full(640)
    return net.model()


def str_ww() -> bytes:
    """Depthwise and pointwise convolutions along time."""
    net = _Network(22, (1, 30, 1, 40), 0.0037, -128)
    for taps, filters in ((3, 128), (5, 128), (10, 128), (15, 32)):
        net.depthwise((taps, 1), padding="VALID", act="NONE")
        net.conv(filters, padding="VALID")
    net.flat()
    net.full(3)
    net.softmax()
    return net.model()


def pooled() -> bytes:
    """A pool that works in place, behind the largest value."""
    net = _Network(3, (1, 32, 32, 1), 0.05, 3)
    net.conv(16, (3, 3))
    net.mean((1, 2))
    net.conv(8, (3, 3), 2)
    net.flat()
    net.full(4)
    return net.model()


def kws01() -> bytes:
    """A convolution 10 x 4, four depthwise-separable layers of 64 channels."""
    net = _Network(23, (1, 49, 10, 1), 0.02, 83)
    net.conv(64, (10, 4), 2)
    for _ in range(4):
        net.depthwise()
        net.conv(64)
    net.mean()
    net.flat()
    net.full(12)
    net.softmax()
    return net.model()


def ic01() -> bytes:
    """Residual network of three blocks on a picture of 32 x 32."""
    net = _Network(24, (1, 32, 32, 3), 1 / 255, -128)
    net.conv(16, (3, 3))
    for filters, stride in ((16, 1), (32, 2), (64, 2)):
        source = net.at
        net.conv(filters, (3, 3), stride)
        net.conv(filters, (3, 3), act="NONE")
        longer, shorter = net.at, source
        if stride > 1:
            net.at = source
            net.conv(filters, (1, 1), stride, act="NONE")
            shorter, net.at = net.at, longer
        net.sum_with(shorter)
    net.mean()
    net.flat()
    net.full(10)
    net.softmax()
    return net.model()


# Channels and stride of MobileNet v1's depthwise-separable layers at a quarter of its width.
_MOBILE = (
    *((16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2)),
    *((128, 1),) * 5,
    *((256, 2), (256, 1)),
)
# Of how many filters of each the public vww01's biases are clamped, with weights of zero.
_CLAMPED = (0, 0, 0, 0, 4, 21, 71, 98, 109, 109, 101, 224, 234)


def vww01(*, clamped: bool = False) -> bytes:
    """MobileNet v1 of a quarter of its width on a picture of 96 x 96.

    Args:
        clamped: as many filters as in the public file have no weights and a bias of 2^30.
    """
    net = _Network(25, (1, 96, 96, 3), 1 / 255, -128)
    net.conv(8, (3, 3), 2)
    for (filters, stride), dead in zip(_MOBILE, _CLAMPED, strict=True):
        net.depthwise(stride=stride)
        net.conv(filters, clamped=dead if clamped else 0)
    net.mean()
    net.flat()
    net.full(2)
    net.softmax()
    return net.model()


def person_detect() -> bytes:
    """The same on a grey picture; its first layer is depthwise, of eight filters on one channel."""
    net = _Network(26, (1, 96, 96, 1), 2 / 255, -1)
    net.depthwise(stride=2, act="RELU6", multiplier=8)
    for filters, stride in _MOBILE:
        net.depthwise(stride=stride, act="RELU6")
        net.conv(filters, act="RELU6")
    net.mean()
    net.conv(2, act="NONE")
    net.flat()
    net.softmax()
    return net.model()


def trained_lstm() -> bytes:
    """An LSTM of 20 units over 28 rows of 28 pixels."""
    net = _Network(27, (1, 28, 28), 1 / 255, -128)
    net.recurrent(20)
    net.flat()
    net.full(10)
    net.softmax()
    return net.model()


def isl() -> bytes:
    """The temporal network of recipes/isl-alphabet.toml: 100 samples of 14 channels, 26 letters."""
    net = _Network(28, (1, 1, 100, 14), 0.05, 3)
    for taps, stride in ((9, 4), (5, 2), (5, 2), (5, 2), (5, 1)):
        net.conv(24, (1, taps), stride)
    net.mean(taps=(1, 1))
    net.flat()
    net.full(26)
    return net.model()


# As their public files are called, less what comes behind the name.
TINY_MODELS: dict[str, Callable[[], bytes]] = {
    "ad01": ad01,
    "str_ww": str_ww,
    "kws01": kws01,
    "ic01": ic01,
    "vww01": vww01,
    "vww01, clamped": lambda: vww01(clamped=True),
    "person_detect": person_detect,
    "trained_lstm": trained_lstm,
}
