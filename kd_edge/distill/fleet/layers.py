"""Convolutions along time as products of matrices: XLA runs those of many models well.

A model axis turns XLA's own convolutions into grouped ones. On a CPU those, and all convolutions
inside of a loop, are several times slower than the products.
"""

from __future__ import annotations

import keras
from keras import ops


class TimeConv2D(keras.layers.Conv2D):
    """`keras.layers.Conv2D` whose (1, k) kernels become one product; same weights and answers."""

    def convolution_op(self, inputs, kernel):
        if not _along_time(self, inputs) or self.groups > 1:
            return super().convolution_op(inputs, kernel)
        taps = _taps(inputs, self)
        seen = taps[0] if len(taps) == 1 else ops.concatenate(taps, axis=-1)
        product = ops.matmul(seen, ops.reshape(kernel, (seen.shape[-1], self.filters)))
        return ops.expand_dims(product, 1)


class TimeDepthwiseConv2D(keras.layers.DepthwiseConv2D):
    """`keras.layers.DepthwiseConv2D` whose (1, k) kernels become a sum of products."""

    def call(self, inputs):
        if not _along_time(self, inputs) or self.depth_multiplier > 1:
            return super().call(inputs)
        taps = _taps(inputs, self)
        total = sum(tap * self.kernel[0, at, :, 0] for at, tap in enumerate(taps))
        total = ops.expand_dims(total, 1)
        if self.use_bias:
            total = total + self.bias
        return total if self.activation is None else self.activation(total)


_OURS = {keras.layers.Conv2D: TimeConv2D, keras.layers.DepthwiseConv2D: TimeDepthwiseConv2D}


def for_fleets(model: keras.Model) -> keras.Model:
    """The same network with these layers, untrained; its variables stand in the same order."""

    def ours(layer):
        kind = _OURS.get(type(layer), type(layer))
        return kind.from_config(layer.get_config())

    return keras.models.clone_model(model, clone_function=ours)


def _along_time(layer, inputs) -> bool:
    """Whether a layer looks along the second axis alone, of (batch, 1, time, channels)."""
    return (
        layer.kernel_size[0] == 1
        and inputs.shape[1] == 1
        and tuple(layer.dilation_rate) == (1, 1)
        and layer.data_format == "channels_last"
        and layer.padding in ("same", "valid")
    )


def _taps(inputs, layer) -> list:
    """(batch, time out, channels) under each place of the kernel."""
    width, stride, time = layer.kernel_size[1], layer.strides[1], inputs.shape[2]
    line = inputs[:, 0]
    if layer.padding == "same":
        length = -(-time // stride)
        more = max((length - 1) * stride + width - time, 0)
        line = ops.pad(line, ((0, 0), (more // 2, more - more // 2), (0, 0)))
    else:
        length = (time - width) // stride + 1
    last = (length - 1) * stride + 1
    return [line[:, at : at + last : stride] for at in range(width)]
