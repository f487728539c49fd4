"""What a model says of a window before it decides: the input of its layer 'logits'."""

from __future__ import annotations

import keras

from kd_edge.base.errors import KdEdgeError

LOGITS = "logits"


def embedding_of(network: keras.Model) -> keras.Model:
    """The network up to its last layer, with the same inputs and weights.

    Several inputs of that layer (`FusionDense`) are joined by channel, in its order, so that the
    rows of its kernels, one below the other, are the weights of this vector.

    Args:
        network: a functional model as `build_model` gives it.

    Returns:
        A model whose output is (batch, features), without unit. It shares the network's layers.

    Raises:
        KdEdgeError KD_SHAPE: no layer is called 'logits', or it takes a map and not a vector.
    """
    last = next((layer for layer in network.layers if layer.name == LOGITS), None)
    if last is None:
        raise KdEdgeError(
            "KD_SHAPE",
            f"the model '{network.name}' has no layer '{LOGITS}'",
            hint="a model of kd-edge ends in a layer of that name",
        )
    given = last.input
    parts = list(given) if isinstance(given, list | tuple) else [given]
    if any(len(part.shape) != 2 for part in parts):
        raise KdEdgeError(
            "KD_SHAPE",
            f"the layer '{LOGITS}' of '{network.name}' takes {tuple(parts[0].shape[1:])} values, "
            "not one vector a window",
            hint="models of one class a window have an embedding, models of one a pixel have none",
        )
    vector = parts[0] if len(parts) == 1 else keras.layers.Concatenate(name="embedding")(parts)
    return keras.Model(network.inputs, vector, name=f"{network.name}_embedding")
