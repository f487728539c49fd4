"""Layers that a student takes from its teacher."""

from __future__ import annotations

import keras

from kd_edge.base.errors import KdEdgeError


def take_layers(student: keras.Model, teacher: keras.Model) -> tuple[str, ...]:
    """Give the student's layers the weights of the teacher's, where name and sizes are the same.

    V. Sanh et al., "DistilBERT", arXiv 1910.01108, section 3: a student begins with layers of its
    teacher. A normalisation comes with the layers whose outputs it takes or not at all: its mean
    and variance are of what those give.

    Returns:
        Names of the layers that took some.

    Raises:
        KdEdgeError KD_RECIPE_VALUE: there is none, or the last one alone, which is of no use on
            other features.
    """
    sizes = {layer.name: _sizes(layer) for layer in teacher.layers}
    fitting = {layer.name for layer in student.layers if sizes.get(layer.name) == _sizes(layer)}
    taken = [
        layer
        for layer in student.layers
        if layer.weights and layer.name in fitting and _normalised(layer) <= fitting
    ]
    if all(layer is student.layers[-1] for layer in taken):
        raise KdEdgeError(
            "KD_RECIPE_VALUE",
            f"no layer of '{student.name}' has the name and the sizes of one of '{teacher.name}', "
            "beside the last one at most",
            where="layers_from",
            hint="let both be of one family, as lite0-cnn and efficientnet-lite0, or leave it out",
        )
    for layer in taken:
        layer.set_weights(teacher.get_layer(layer.name).get_weights())
    return tuple(layer.name for layer in taken)


def _normalised(layer: keras.Layer) -> set[str]:
    """The layers with weights whose outputs a normalisation takes; none of another layer."""
    return _sources(layer) if isinstance(layer, keras.layers.BatchNormalization) else set()


def _sources(layer: keras.Layer) -> set[str]:
    """The nearest layers with weights before one."""
    found: set[str] = set()
    for tensor in keras.tree.flatten(layer.input):
        before = tensor._keras_history.operation
        if before.weights:
            found.add(before.name)
        elif not isinstance(before, keras.layers.InputLayer):
            found |= _sources(before)
    return found


def _sizes(layer: keras.Layer) -> list[tuple[int, ...]]:
    return [tuple(weight.shape) for weight in layer.weights]
