"""Networks that become every operation that kd-edge computes of a Core ML program."""

from __future__ import annotations

import numpy as np
from convert_models import two_branches

from kd_edge.models import build_model

N_WINDOWS = 8
ISL, LSTMS, ALL_KINDS = "like the ISL student", "two LSTMs", "every kind of operation"


def as_network(name, shapes, **options):
    return build_model(name, input_shapes=shapes, n_classes=6, seed=1, options=options)


def every_kind():
    """Operations that the other networks do not become, over an image of 16 by 12."""
    import keras
    from keras import layers

    from kd_edge.models.layers import SegmentStatistic

    keras.utils.set_random_seed(5)
    image = keras.Input((16, 12, 3), name="image")
    x = layers.Conv2D(6, 3, strides=2, padding="same", activation="relu6")(image)
    x = layers.DepthwiseConv2D((3, 2), padding="same")(x)
    wide = layers.Conv2DTranspose(4, 3, strides=2, padding="same", activation="tanh")(x)
    whole = layers.Conv2DTranspose(4, 2, strides=2)(x)
    doubled = layers.UpSampling2D(interpolation="bilinear")(x)
    x = layers.Concatenate()([wide, whole, doubled])
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.MaxPooling2D((3, 2), strides=(2, 1), padding="same")(x)
    x = layers.AveragePooling2D(3, strides=2, padding="same")(x)
    kinds = ("mean", "magnitude", "length", "deviation")
    steps = [layers.Flatten()(SegmentStatistic(kind)(x)) for kind in kinds]
    steps.append(layers.GlobalAveragePooling2D()(x))
    logits = layers.Dense(6, name="logits")(layers.Concatenate()(steps))
    return keras.Model([image], logits)


NETWORKS = {
    "like the demo's": lambda: as_network("tcn", {"emg": (96, 4), "imu": (48, 6)}, width=8),
    ISL: lambda: as_network("tcn", {"emg": (50, 8)}),
    "the seed's": lambda: as_network("seed-single-student", {"x": (10, 40, 21)}),
    LSTMS: two_branches,
    ALL_KINDS: every_kind,
}


def settle(network):
    """Give a network biases and statistics: zeros would leave the package."""
    rng = np.random.default_rng(2)
    for weight in network.weights:
        if weight.name in ("bias", "beta", "moving_mean"):
            weight.assign(rng.normal(scale=0.1, size=weight.shape))
        if weight.name in ("gamma", "moving_variance"):
            weight.assign(rng.uniform(0.5, 2.0, size=weight.shape))
    return network


def noise(network, n=N_WINDOWS):
    rng = np.random.default_rng(1)
    return {
        tensor.name: rng.normal(size=(n, *tensor.shape[1:])).astype(np.float32)
        for tensor in network.inputs
    }
