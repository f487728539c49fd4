"""Grad-CAM: which places of a picture speak for the class that a network answers.

R. R. Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
Localization", ICCV 2017, equations 1 and 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras

# Places along the shorter side of the layer that is looked at: of fewer nothing could be seen.
_LEAST = 4
# How much of a place that speaks most for the class is painted over.
_PAINTED = 0.6
_COLOUR = (255, 64, 0)


def grad_cam(network: keras.Model, pictures: np.ndarray, decided: np.ndarray) -> np.ndarray | None:
    """How much each place speaks for the answer, by the deepest layer that has places enough.

    Args:
        network: of one picture, with (n, classes) logits.
        pictures: (n, height, width, channels), as it takes them; n > 0.
        decided: (n,) class of each.

    Returns:
        (n, rows, columns) from 0 to 1, the most of each picture 1, or all 0 where nothing speaks
        for the class; None: no layer has places enough.
    """
    import keras
    import tensorflow as tf

    layer = next((each for each in reversed(network.layers) if _has_places(each)), None)
    if layer is None:
        return None
    both = keras.Model(network.inputs, [layer.output, network.outputs[0]])
    with tf.GradientTape() as tape:
        maps, logits = both([tf.constant(pictures, tf.float32)], training=False)
        chosen = tf.gather(logits, decided, axis=1, batch_dims=1)
    weights = tf.reduce_mean(tape.gradient(chosen, maps), axis=(1, 2), keepdims=True)
    heat = tf.nn.relu(tf.reduce_sum(weights * maps, axis=3)).numpy()
    most = heat.max(axis=(1, 2), keepdims=True)
    return np.divide(heat, most, out=np.zeros_like(heat), where=most > 0)


def heated(picture: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """A picture with the places painted that speak for the answer.

    Args:
        picture: (height, width, 3) uint8. heat: (rows, columns) from 0 to 1.

    Returns:
        (height, width, 3) uint8.
    """
    import PIL.Image

    height, width = picture.shape[:2]
    small = PIL.Image.fromarray(heat.astype(np.float32))
    share = _PAINTED * np.asarray(small.resize((width, height), PIL.Image.Resampling.BILINEAR))
    mixed = (1 - share[..., None]) * picture + share[..., None] * np.array(_COLOUR)
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8)


def _has_places(layer: keras.layers.Layer) -> bool:
    import keras

    if isinstance(layer, keras.layers.InputLayer):
        return False
    shape = getattr(layer.output, "shape", ())
    return len(shape) == 4 and min(shape[1:3]) >= _LEAST
