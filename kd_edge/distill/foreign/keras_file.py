"""A teacher from a `.keras` file: a functional model with Keras' own layers, and no code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import keras
from keras import ops

from kd_edge.distill.batch import Outputs, Tensor
from kd_edge.distill.foreign.record import Asked, FileTeacher
from kd_edge.distill.foreign.settings import TeacherFile
from kd_edge.distill.foreign.wiring import GivenFile, Wire, arranged, ask, wire
from kd_edge.distill.tapped import Tapped
from kd_edge.models.keras_start import load_keras


class KerasTeacher(FileTeacher):
    """A network of somebody else's; its layers may be looked at by their names."""

    def __init__(self, asked: Asked, model: keras.Model, wires: Sequence[Wire], layers=()):
        super().__init__(asked)
        self._model = model
        self._wires = wires
        self._network = Tapped(model, layers, f"the teacher '{asked.name}'")

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of one example's output of each layer that a loss looks at."""
        return self._network.shapes

    def tapped(self, layers: Sequence[str]) -> KerasTeacher:
        return KerasTeacher(self.asked, self._model, self._wires, layers)

    def scores(self, inputs: Mapping[str, Tensor]) -> Outputs:
        said = self._network(arranged(self._wires, inputs, ops), training=False)
        return Outputs(ops.cast(said.logits, "float32"), said.features)


def open_keras(given: GivenFile) -> KerasTeacher:
    """A teacher from a `.keras` file; errors as `opening.open_teacher`."""
    settings, asked = given.settings, ask(given)
    model = load_keras(given.path)
    if not getattr(model, "inputs", None) or not getattr(model, "outputs", None):
        raise asked.refuse(
            "KD_BAD_FORMAT", "is no functional model: its inputs and outputs are not known",
            "save it as keras.Model(inputs, outputs)",
        )  # fmt: skip
    # Inputs as a list, in whatever form the file has them; and one output.
    network = keras.Model(list(model.inputs), _output(settings, asked, model))
    wanted = {tensor.name: tuple(tensor.shape[1:]) for tensor in network.inputs}
    return KerasTeacher(asked, network, wire(settings, asked, given.shapes, wanted))


def _output(settings: TeacherFile, asked: Asked, model):
    """The tensor of the scores: the only output, or that of the layer that the settings name."""
    if settings.output is None and len(model.outputs) == 1:
        return model.outputs[0]
    layers = [layer.name for layer in model.layers]
    if settings.output not in layers:
        raise asked.refuse(
            "KD_RECIPE_VALUE",
            f"has {len(model.outputs)} outputs, and no layer '{settings.output}'"
            if settings.output
            else f"has {len(model.outputs)} outputs",
            f"say `output` of the teacher, one of its layers: {', '.join(layers)}",
        )
    return model.get_layer(settings.output).output
