"""A network that also gives the outputs of some of its layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import keras
import numpy as np

from kd_edge.base.errors import KdEdgeError, nearest
from kd_edge.distill.batch import Outputs, Tensor
from kd_edge.examples import Examples


class Tapped:
    """A network with named inputs, and the layers that a loss looks at.

    Args:
        model: a functional Keras model of one output, logits.
        layers: names of its layers.
        what: whose it is, for errors.

    Raises:
        KdEdgeError KD_RECIPE_VALUE: it has no layer of that name.
    """

    def __init__(self, model: keras.Model, layers: Sequence[str], what: str):
        self.model = model
        known = [layer.name for layer in model.layers]
        for name in layers:
            if name not in known:
                raise KdEdgeError(
                    "KD_RECIPE_VALUE",
                    f"{what} has no layer '{name}'{nearest(name, known)}",
                    where="distillation",
                    hint=f"its layers are {', '.join(known)}",
                )
        self.names = tuple(layers)
        self.inputs = tuple(tensor.name for tensor in model.inputs)
        outputs = [model.get_layer(name).output for name in layers]
        self._network = keras.Model(model.inputs, [model.outputs[0], *outputs]) if layers else None

    @property
    def weights(self) -> list[np.ndarray]:
        """Its variables, of any shape and without unit: what its answers depend on."""
        return [keras.ops.convert_to_numpy(variable) for variable in self.model.variables]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of one example's output of each tapped layer."""
        return {n: tuple(self.model.get_layer(n).output.shape[1:]) for n in self.names}

    def __call__(self, inputs: Mapping[str, Tensor], *, training: bool) -> Outputs:
        """Its outputs on (batch, ...) inputs by name; more inputs than its own may be given."""
        own = [inputs[name] for name in self.inputs]
        if self._network is None:
            return Outputs(self.model(own, training=training), {})
        logits, *features = self._network(own, training=training)
        return Outputs(logits, dict(zip(self.names, features, strict=True)))


def inputs_of(model: keras.Model, windows: Examples) -> dict[str, np.ndarray]:
    """The windows' arrays that a model takes, in the order of its inputs, found by name.

    Returns:
        input name -> (n, ...); inputs that the model does not take are left out.

    Raises:
        KdEdgeError KD_SHAPE: the windows are not the model's.
    """
    expected = {tensor.name: tuple(tensor.shape[1:]) for tensor in model.inputs}
    given = windows.input_shapes
    if any(given.get(name) != shape for name, shape in expected.items()):
        raise KdEdgeError(
            "KD_SHAPE",
            "the windows are not the model's inputs",
            where=f"model {expected}, windows {given}",
            hint="the recipe's front end or the model's inputs have changed since it was built",
        )
    return {name: windows.inputs[name] for name in expected}
