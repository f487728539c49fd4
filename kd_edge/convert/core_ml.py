"""Keras to Core ML by coremltools; run in the converter's child process only."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

from kd_edge.base.core_ml import (
    EXTRA,
    OUTPUT,
    SPECIFICATION,
    WEIGHTS,
    read_package,
    write_package,
)
from kd_edge.base.errors import KdEdgeError, require
from kd_edge.convert.inference import inference
from kd_edge.models.keras_start import first_lines

# The day of the conversion would give other bytes on another day.
_DATED = "com.github.apple.coremltools.conversion_date"
# Settings of an LSTM that `FastLSTM` computes in a loop.
_IN_LOOPS = ("go_backwards", "stateful", "return_state")


def to_core_ml(model, input_order: Sequence[str]) -> bytes:
    """A functional Keras model as a zip file of a Core ML package, for iOS 15 and macOS 12 on.

    Weights and values are float32; a batch of 1, inputs by name, output 'logits'. An LSTM is
    written out step by step, from a fresh state in each run. The same model gives the same bytes.

    Raises:
        KdEdgeError KD_CONVERTER_REFUSED: a layer that coremltools does not know, or an input's
            name that Core ML does not take. KD_MISSING_PACKAGE: coremltools.
    """
    _check_names(input_order)
    function, specs = inference(_without_loops(model), input_order, OUTPUT)
    tools = require("coremltools", extra=EXTRA, purpose="conversion to Core ML")
    concrete = function.get_concrete_function(*specs)
    try:
        package = tools.convert(
            [concrete],
            source="tensorflow",
            convert_to="mlprogram",
            compute_precision=tools.precision.FLOAT32,
            minimum_deployment_target=tools.target.iOS15,
            skip_model_load=True,
        )
    except Exception as error:  # coremltools refuses with exceptions of many kinds
        raise _refused(f"coremltools refuses the model: {first_lines(error)}") from error
    content = _packed(package, input_order)
    try:
        read_package(content)
    except KdEdgeError as error:
        raise _refused(f"coremltools wrote a package that is not taken: {error.where}") from error
    return content


def _refused(what: str, *, where: str | None = None) -> KdEdgeError:
    return KdEdgeError(
        "KD_CONVERTER_REFUSED",
        what,
        where=where,
        hint="build the model of LSTM, convolutions, Dense and pooling layers, or leave the "
        "format out of conversion.formats",
    )


def _check_names(names: Sequence[str]) -> None:
    for name in names:
        if name == OUTPUT or not (name.isascii() and name.isidentifier()):
            raise KdEdgeError(
                "KD_CONVERTER_REFUSED",
                f"an input is called '{name}'; Core ML takes letters, digits and '_', no digit "
                f"first, and '{OUTPUT}' is the output",
                hint="give the input another name, or leave the format out of conversion.formats",
            )


def _without_loops(model):
    """The model with every LSTM written out step by step.

    coremltools 9 takes no two loops of TensorFlow in one model: it loses what the second is fed.
    """
    import keras

    from kd_edge.models.layers import FastLSTM

    def copied(layer):
        config = layer.get_config()
        if not isinstance(layer, keras.layers.RNN | keras.layers.Bidirectional):
            return type(layer).from_config(config)
        loops = [name for name in _IN_LOOPS if config.get(name)]
        if loops or not isinstance(layer, keras.layers.LSTM):
            what = f"{type(layer).__name__} with {loops[0]}" if loops else type(layer).__name__
            raise _refused(
                f"the layer '{layer.name}' is a loop that coremltools does not take: {what}",
                where=f"layer '{layer.name}'",
            )
        return FastLSTM.from_config(config)

    copy = keras.models.clone_model(model, clone_function=copied, recursive=True)
    copy.set_weights(model.get_weights())
    return copy


def _packed(package, input_order: Sequence[str]) -> bytes:
    """The package as a zip file, with names that follow from the program alone."""
    spec = package.get_spec()
    spec.description.metadata.userDefined.pop(_DATED, None)
    (function,) = spec.mlProgram.functions.values()
    (block,) = function.block_specializations.values()
    ends = {f"input_{index}": name for index, name in enumerate(input_order)}
    (end,) = block.outputs
    names = {**ends, end: OUTPUT}
    fresh = (name for i in itertools.count() if (name := f"t{i}") not in input_order)
    for operation in block.operations:
        for made in operation.outputs:
            made.name = names.setdefault(made.name, made.name if operation.blocks else next(fresh))
        operation.attributes["name"].immediateValue.tensor.strings.values[:] = [
            operation.outputs[0].name
        ]
        for argument in operation.inputs.values():
            for binding in argument.arguments:
                binding.name = names[binding.name]
    for given in (*function.inputs, *spec.description.input):
        given.name = names[given.name]
    block.outputs[:] = [OUTPUT]
    spec.description.output[0].name = OUTPUT
    for field in (function.inputs, spec.description.input):
        field.sort(key=lambda given: list(input_order).index(given.name))
    files = {SPECIFICATION: spec.SerializeToString(deterministic=True)}
    weights = Path(package.weights_dir) / Path(WEIGHTS).name
    if weights.is_file():
        files[WEIGHTS] = weights.read_bytes()
    return write_package(files)
