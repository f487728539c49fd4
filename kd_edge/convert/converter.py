"""TensorFlow's converter with the settings of each format; run in the child process only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.flatbuffer import pack, read_tflite, unpack
from kd_edge.convert import edit, fused
from kd_edge.convert.calibration import private_call, state_reset_for_each_sample
from kd_edge.convert.int16 import int16_from_int8
from kd_edge.convert.operators import check_operators

_QUANTIZE_PARAMETERS = (
    *("self", "result", "input_type", "output_type", "activations_type", "bias_type"),
    *("allow_float", "enable_variable_quantization", "debug_options"),
)


def convert_model(
    model, *, fmt: str, input_order: Sequence[str], calibration: Mapping[str, np.ndarray] | None
) -> bytes:
    """A functional Keras model as TFLite bytes, checked.

    Args:
        model: one output, inputs named as `input_order`.
        fmt: one of `kd_edge.convert.FORMATS`.
        calibration: input name -> (n, ...) float32; needed for int8 and int16x8.

    Raises:
        KdEdgeError KD_CONVERTER_REFUSED, KD_UNSUPPORTED_OP, KD_SHAPE.
    """
    _check_model(model, input_order)
    n_lstm = len(fused.lstm_layers(model))
    from_int8 = fmt == "int16x8" and n_lstm > 0
    converter = _converter(model, input_order)
    _SETTINGS["int8" if from_int8 else fmt](converter, calibration, input_order)
    with state_reset_for_each_sample():
        content = converter.convert()
    schema_model = unpack(_finished(content, input_order))
    if from_int8:
        int16_from_int8(schema_model)
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


def _converter(model, input_order: Sequence[str]):
    """TensorFlow's converter over the model with a batch of 1, free of metadata."""
    import tensorflow as tf

    shapes = {tensor.name: (1, *tensor.shape[1:]) for tensor in model.inputs}
    # Safe names on the way: an input may be called anything.
    keys = _keys(input_order)
    specs = {key: tf.TensorSpec(shapes[name], tf.float32, key) for key, name in keys.items()}

    def infer(**tensors):
        by_name = {keys[key]: tensor for key, tensor in tensors.items()}
        with fused.weights_as_constants(model):
            outputs = fused.run(model, [by_name[tensor.name] for tensor in model.inputs])
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
    edit.name_inputs(model, _keys(input_order))
    edit.order_inputs(model, input_order)
    edit.name_output(model, "logits")
    edit.drop_metadata(model)
    return pack(model)


# --- settings of each format ---


def _float32(converter, calibration, input_order) -> None:
    """The converter's own defaults."""


def _float16(converter, calibration, input_order) -> None:
    import tensorflow as tf

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]


def _dynamic(converter, calibration, input_order) -> None:
    import tensorflow as tf

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    # tflite-runtime 2.14 knows no FULLY_CONNECTED with a scale for each channel.
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True


def _int8(converter, calibration, input_order) -> None:
    import tensorflow as tf

    _calibrated(converter, calibration, input_order)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8


def _int16x8(converter, calibration, input_order) -> None:
    import tensorflow as tf

    _calibrated(converter, calibration, input_order)
    converter.target_spec.supported_ops = [
        tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
    ]
    converter.inference_input_type = converter.inference_output_type = tf.int16


_SETTINGS: dict[str, Callable] = {
    "float32": _float32,
    "float16": _float16,
    "dynamic": _dynamic,
    "int8": _int8,
    "int16x8": _int16x8,
}


def _calibrated(converter, calibration: Mapping[str, np.ndarray], input_order) -> None:
    import tensorflow as tf

    keys = _keys(input_order)
    arrays = {key: np.asarray(calibration[name], np.float32) for key, name in keys.items()}
    n_samples = len(next(iter(arrays.values())))

    def samples():
        for index in range(n_samples):
            yield {key: array[index : index + 1] for key, array in arrays.items()}

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = samples
    quantize = private_call(type(converter), "_quantize", _QUANTIZE_PARAMETERS)

    def quantize_unclipped(result, *args, **kwargs):
        # Ranges must be those of the cells as Keras has them, not clipped at 10.
        model = unpack(bytes(result))
        edit.clear_cell_clip(model)
        return quantize(converter, pack(model), *args, **kwargs)

    converter._quantize = quantize_unclipped
