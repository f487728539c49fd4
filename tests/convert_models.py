"""Small models that hold the converter's traps, built the same way every time."""

from __future__ import annotations

import numpy as np

STEPS, CHANNELS = 36, 3
SHAPES = {"acc": (STEPS, CHANNELS), "gyr": (STEPS, CHANNELS)}


def windows(n: int = 24, seed: int = 0) -> dict[str, np.ndarray]:
    """Noise around a long push one way and back: cells of an integrating LSTM pass 10."""
    random = np.random.default_rng(seed)
    push = np.where(np.arange(STEPS) < 2 * STEPS // 3, 1.0, -1.0)
    strength = random.uniform(0.5, 1.5, size=(n, 1, 1))
    signs = random.choice([-1.0, 1.0], size=(n, 1, 1))
    acc = signs * strength * push[None, :, None] + 0.1 * random.normal(size=(n, STEPS, CHANNELS))
    gyr = 0.5 * random.normal(size=(n, STEPS, CHANNELS))
    return {"acc": acc.astype(np.float32), "gyr": gyr.astype(np.float32)}


def two_branches(*, between: str | None = None):
    """An integrating LSTM over 'acc', a faint one over 'gyr', concatenated, then Dense.

    Args:
        between: activation between the concatenation and the Dense layer, or None.
    """
    import keras

    keras.utils.set_random_seed(3)
    acc, gyr = (keras.Input(shape, name=name) for name, shape in SHAPES.items())
    left = keras.layers.LSTM(5, name="acc_lstm", dropout=0.2, recurrent_dropout=0.2)
    right = keras.layers.LSTM(4, name="gyr_lstm")
    fused = keras.layers.Concatenate(name="fusion")([left(acc), right(gyr)])
    if between:
        fused = keras.layers.Activation(between, name="between")(fused)
    fused = keras.layers.Dropout(0.1, name="dropout")(fused)
    model = keras.Model([acc, gyr], keras.layers.Dense(4, name="logits")(fused))
    kernel, recurrent, bias = left.get_weights()
    units = 5
    bias[:] = 0
    bias[: 2 * units] = 6.0  # input and forget gates wide open: the cell adds up
    # Small, not zero: the scale of weights that are all zero says nothing.
    kernel[:, : 2 * units] *= 0.1
    kernel[:, 3 * units :] *= 0.1
    recurrent *= 0.05
    kernel[:, 2 * units : 3 * units] = np.abs(kernel[:, 2 * units : 3 * units]) + 0.5
    left.set_weights([kernel, recurrent, bias])
    faint = right.get_weights()
    right.set_weights([0.3 * faint[0], 0.3 * faint[1], faint[2] - 0.5])
    # The Dense layer hears both branches equally loud.
    weights, offset = model.get_layer("logits").get_weights()
    weights[5:] *= 8
    model.get_layer("logits").set_weights([weights, offset])
    return model


def convolutional():
    """No LSTM: one small convolution, pooling, Dense."""
    import keras

    keras.utils.set_random_seed(4)
    given = keras.Input((1, 16, 3), name="emg")
    x = keras.layers.Conv2D(4, (1, 3), activation="relu", name="conv")(given)
    x = keras.layers.Flatten(name="flatten")(keras.layers.AveragePooling2D((1, 7))(x))
    return keras.Model([given], keras.layers.Dense(3, name="logits")(x))


def recurrent(kind: str, **options):
    """One recurrent layer of `keras.layers`, then Dense."""
    import keras

    given = keras.Input((8, 3), name="x")
    x = getattr(keras.layers, kind)(4, name=f"some_{kind.lower()}", **options)(given)
    return keras.Model([given], keras.layers.Dense(3, name="logits")(x))
