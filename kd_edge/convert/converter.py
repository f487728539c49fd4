"""TensorFlow's converter on one route; run in the child process only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.flatbuffer import pack, read_tflite, unpack
from kd_edge.convert import edit, fused
from kd_edge.convert.calibration import each_range_its_own, state_reset_for_each_sample
from kd_edge.convert.operators import check_operators
from kd_edge.convert.routes import Route


def convert_model(
    model,
    *,
    route: Route,
    input_order: Sequence[str],
    calibration: Mapping[str, np.ndarray] | None,
) -> bytes:
    """A functional Keras model as the bytes of a file, checked.

    Args:
        model: one output, inputs named as `input_order`.
        route: to the format.
        calibration: input name -> (n, ...) float32; needed for integer formats.

    Raises:
        KdEdgeError KD_CONVERTER_REFUSED, KD_UNSUPPORTED_OP, KD_SHAPE.
    """
    _check_model(model, input_order)
    if route.make:
        return route.make(model, input_order)
    n_lstm = len(fused.lstm_layers(model))
    if n_lstm and route.with_lstm:
        route = route.with_lstm
    converter = _converter(model, input_order, grids=route.grids)
    keys = _keys(input_order) if calibration else {}
    route.settings(
        converter, {key: np.asarray(calibration[n], np.float32) for key, n in keys.items()}
    )
    with state_reset_for_each_sample(), each_range_its_own():
        content = converter.convert()
    schema_model = unpack(_finished(content, input_order))
    if route.edit:
        route.edit(schema_model)
    finished = pack(schema_model)
    check_operators(read_tflite(finished), n_lstm=n_lstm)
    return finished


def _check_model(model, input_order: Sequence[str]) -> None:
    if not hasattr(model, "_run_through_graph"):
        raise KdEdgeError(
            "KD_CONVERTER_REFUSED",
            "only functional Keras models can be converted",
            hint="build the model with keras.Model(inputs, outputs)",
        )
    names = [tensor.name for tensor in model.inputs]
    if sorted(names) != sorted(input_order):
        raise KdEdgeError(
            "KD_SHAPE", f"the model has the inputs {sorted(names)}, not {sorted(input_order)}"
        )
    if len(model.outputs) != 1:
        raise KdEdgeError(
            "KD_CONVERTER_REFUSED", f"the model has {len(model.outputs)} outputs, not one"
        )


def _converter(model, input_order: Sequence[str], *, grids: bool):
    """TensorFlow's converter over the model with a batch of 1, free of metadata."""
    import tensorflow as tf

    shapes = {tensor.name: (1, *tensor.shape[1:]) for tensor in model.inputs}
    # Safe names on the way: an input may be called anything.
    keys = _keys(input_order)
    specs = {key: tf.TensorSpec(shapes[name], tf.float32, key) for key, name in keys.items()}

    def infer(**tensors):
        by_name = {keys[key]: tensor for key, tensor in tensors.items()}
        with fused.weights_as_constants(model):
            given = [by_name[tensor.name] for tensor in model.inputs]
            outputs = fused.run(model, given, grids=grids)
        return {"logits": outputs}

    # Keyword arguments and constants alone: with positional arguments or variables the converter
    # falls back to a route that leaves the file without a signature to calibrate by name.
    module = tf.Module()
    module.infer = tf.function(infer, autograph=False)
    concrete = module.infer.get_concrete_function(**specs)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], module)
    converter.exclude_conversion_metadata = True
    return converter


def _keys(input_order: Sequence[str]) -> dict[str, str]:
    return {f"input_{index}": name for index, name in enumerate(input_order)}


def _finished(content: bytes, input_order: Sequence[str]) -> bytes:
    """The converter's bytes with the right names, order, cell clip and alignment."""
    model = unpack(content)
    edit.clear_cell_clip(model)
    edit.shorten_names(model)
    edit.name_inputs(model, _keys(input_order))
    edit.order_inputs(model, input_order)
    edit.name_output(model, "logits")
    edit.drop_metadata(model)
    return pack(model)
