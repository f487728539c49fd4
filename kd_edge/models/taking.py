"""Layers that a student takes from its teacher."""

from __future__ import annotations

import keras

from kd_edge.base.errors import KdEdgeError


def take_layers(student: keras.Model, teacher: keras.Model) -> tuple[str, ...]:
    """Give the student's layers the weights of the teacher's, where name and sizes are the same.

    V. Sanh et al., "DistilBERT", arXiv 1910.01108, section 3: a student begins with layers of its
    teacher. A normalisation comes with the layer before it or not at all: its mean and variance
    are of what that one gives.

    Returns:
        Names of the layers that took some.

    Raises:
        KdEdgeError KD_RECIPE_VALUE: there is none.
    """
    sizes = {layer.name: _sizes(layer) for layer in teacher.layers}
    fitting = {layer.name for layer in student.layers if sizes.get(layer.name) == _sizes(layer)}
    taken = [
        layer
        for layer in student.layers
        if layer.weights and layer.name in fitting and _normalised(layer) in {None, *fitting}
    ]
    if not taken:
        raise KdEdgeError(
            "KD_RECIPE_VALUE",
            f"no layer of '{student.name}' has the name and the sizes of one of '{teacher.name}'",
            where="layers_from",
            hint="let both be of one family, as lite0-cnn and efficientnet-lite0, or leave it out",
        )
    for layer in taken:
        layer.set_weights(teacher.get_layer(layer.name).get_weights())
    return tuple(layer.name for layer in taken)


def _normalised(layer: keras.Layer) -> str | None:
    """The layer whose output a normalisation takes; None: it is none, or takes a layer's without
    weights."""
    if not isinstance(layer, keras.layers.BatchNormalization):
        return None
    before = layer.input._keras_history.operation
    return before.name if before.weights else None


def _sizes(layer: keras.Layer) -> list[tuple[int, ...]]:
    return [tuple(weight.shape) for weight in layer.weights]
