"""Gates between 0 and 1 that turn a modality or a channel down, as the window itself says.

J. Hu, L. Shen, G. Sun, "Squeeze-and-Excitation Networks", CVPR 2018: a mean over time ("squeeze"),
two small Dense layers, a sigmoid, a product.
"""

from __future__ import annotations

import keras
from keras import layers

from kd_edge.base.errors import KdEdgeError

_REDUCTION = 4


def gate_modalities(parts: list[keras.KerasTensor]) -> list[keras.KerasTensor]:
    """Each modality times one gate, which depends on what all modalities show.

    A sensor that has come off gives a flat line: its gate can close, and open the others' (the
    joint squeeze is that of H. R. V. Joze et al., "MMTM", CVPR 2020).

    Args:
        parts: of each modality (batch, 1, time, channels).

    Raises:
        KdEdgeError KD_SHAPE: there is one modality alone.
    """
    if len(parts) < 2:
        raise KdEdgeError(
            "KD_SHAPE",
            "gate = 'modality' weighs modalities against each other, and the model has one input",
            hint='windows.inputs = { emg = ["emg"], imu = ["acc", "gyr"] } gives each its own',
        )
    joint = layers.Concatenate(name="squeeze")(
        [_mean(x, f"squeeze_{index}") for index, x in enumerate(parts)]
    )
    joint = layers.Dense(_hidden(joint), activation="relu", name="squeeze_dense")(joint)
    return [_gated(x, joint, 1, f"gate_{index}") for index, x in enumerate(parts)]


def gate_channels(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Each channel of (batch, 1, time, channels) times a gate of its own."""
    squeezed = _mean(x, f"{name}_mean")
    hidden = layers.Dense(_hidden(squeezed), activation="relu", name=f"{name}_squeeze")(squeezed)
    return _gated(x, hidden, x.shape[-1], f"{name}_gate")


def _mean(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return layers.GlobalAveragePooling2D(name=name)(x)


def _hidden(squeezed: keras.KerasTensor) -> int:
    return max(4, squeezed.shape[-1] // _REDUCTION)


def _gated(x, squeezed, gates: int, name: str) -> keras.KerasTensor:
    gate = layers.Dense(gates, activation="sigmoid", name=name)(squeezed)
    gate = layers.Reshape((1, 1, gates), name=f"{name}_shape")(gate)
    return layers.Multiply(name=f"{name}_product")([x, gate])
