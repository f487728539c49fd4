"""How TensorFlow's converter is set up for each format, and what is done to its result.

A conversion runs in a process of its own, which imports these functions by name.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.flatbuffer import pack, unpack
from kd_edge.base.formats import REFERENCE, SHIPPED
from kd_edge.base.registry import Registry
from kd_edge.base.sources import import_folder
from kd_edge.convert import edit
from kd_edge.convert.calibration import private_call
from kd_edge.convert.core_ml import to_core_ml
from kd_edge.convert.int4 import int4_from_int8
from kd_edge.convert.int16 import int16_from_int8
from kd_edge.convert.onnx import to_onnx

Calibration = Mapping[str, np.ndarray]

_QUANTIZE_PARAMETERS = (
    *("self", "result", "input_type", "output_type", "activations_type", "bias_type"),
    *("allow_float", "enable_variable_quantization", "debug_options"),
)


@dataclass(frozen=True)
class Route:
    """How a model comes to a format. Its functions stand at the top of a module.

    Attributes:
        make: (model, input order) -> the file's bytes, by another converter than TensorFlow's; None
            if that one makes it, as the others say.
        settings: (converter, calibration) sets up TensorFlow's converter. The calibration is
            (converter's own input name -> (n, ...) float32); it is empty for a float format.
        edit: changes the finished `ModelT` in place; None where nothing is to be changed.
        with_lstm: another route for models that have an LSTM; None where they have the same.
        grids: values lie on the int8 grids that the model states, if it states any
            (`kd_edge.models.grid`).
    """

    settings: Callable[[object, Calibration], None] | None = None
    edit: Callable[[object], None] | None = None
    with_lstm: Route | None = None
    grids: bool = False
    make: Callable[[object, Sequence[str]], bytes] | None = None


def as_json(route: Route) -> dict:
    """The route by its functions' names.

    Raises:
        KdEdgeError KD_USAGE: another process could not import one of them.
    """
    return {
        "settings": route.settings and _name(route.settings),
        "edit": route.edit and _name(route.edit),
        "with_lstm": route.with_lstm and as_json(route.with_lstm),
        "grids": route.grids,
        "make": route.make and _name(route.make),
    }


def from_json(content: dict) -> Route:
    """What `as_json` gave. Raises KD_USAGE for a function that cannot be imported."""
    return Route(
        content["settings"] and _function(content["settings"]),
        content["edit"] and _function(content["edit"]),
        content["with_lstm"] and from_json(content["with_lstm"]),
        content["grids"],
        content["make"] and _function(content["make"]),
    )


def _name(function: Callable) -> dict:
    module, name = function.__module__, function.__qualname__
    folder = import_folder(module.partition(".")[0])
    if module == "__main__" or folder is None or not name.isidentifier():
        raise KdEdgeError(
            "KD_USAGE",
            f"{module}.{name} cannot be imported by another process, which converts models",
            hint="define it at the top of a module of its own",
        )
    return {"module": module, "name": name, "folder": str(folder)}


def _function(of: dict) -> Callable:
    if of["folder"] not in sys.path:
        # Last: a user's module is found, and hides none of those that are installed.
        sys.path.append(of["folder"])
    try:
        return getattr(importlib.import_module(of["module"]), of["name"])
    except (ImportError, AttributeError) as error:
        raise KdEdgeError(
            "KD_USAGE",
            f"the process that converts cannot import {of['name']}: {error}",
            where=f"{of['module']} in {of['folder']}",
            hint="define it at the top of a module that can be imported by itself",
        ) from error


def float32(converter, calibration: Calibration) -> None:
    """The converter's own defaults."""


def float16(converter, calibration: Calibration) -> None:
    """Weights of 16 bits, which a runtime widens."""
    import tensorflow as tf

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]


def dynamic(converter, calibration: Calibration) -> None:
    """Weights of 8 bits; a runtime finds the scale of each layer's values as it runs."""
    import tensorflow as tf

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    # tflite-runtime 2.14 knows no FULLY_CONNECTED with a scale for each channel.
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True


def int8_float_io(converter, calibration: Calibration) -> None:
    """Integers of 8 bits between two operators that round the inputs and scale the outputs."""
    import tensorflow as tf

    calibrated(converter, calibration)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]


def int8(converter, calibration: Calibration) -> None:
    """Integers of 8 bits throughout."""
    import tensorflow as tf

    int8_float_io(converter, calibration)
    converter.inference_input_type = converter.inference_output_type = tf.int8


def int8_by_layer(converter, calibration: Calibration) -> None:
    """As `int8`, with one scale for all weights of a dense layer."""
    int8(converter, calibration)
    # TFLite Micro refuses int4 weights of FULLY_CONNECTED that have a scale by row.
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True


def int16x8(converter, calibration: Calibration) -> None:
    """Values of 16 bits with weights of 8."""
    import tensorflow as tf

    calibrated(converter, calibration)
    converter.target_spec.supported_ops = [
        tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
    ]
    converter.inference_input_type = converter.inference_output_type = tf.int16


def calibrated(converter, calibration: Calibration) -> None:
    """Let the converter find the range of each value from training windows."""
    import tensorflow as tf

    n_samples = len(next(iter(calibration.values())))

    def samples():
        for index in range(n_samples):
            yield {key: array[index : index + 1] for key, array in calibration.items()}

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = samples
    quantize = private_call(type(converter), "_quantize", _QUANTIZE_PARAMETERS)

    def quantize_unclipped(result, *args, **kwargs):
        # Ranges must be those of the cells as Keras has them, not clipped at 10.
        model = unpack(bytes(result))
        edit.clear_cell_clip(model)
        return quantize(converter, pack(model), *args, **kwargs)

    converter._quantize = quantize_unclipped


# Format -> how a model comes to it.
ROUTES: Registry[Route] = Registry(
    "route to a format",
    {
        REFERENCE: Route(float32),
        "float16": Route(float16),
        "dynamic": Route(dynamic),
        SHIPPED: Route(int8, grids=True),
        "int8-float-io": Route(int8_float_io, grids=True),
        "int8x4": Route(int8_by_layer, edit=int4_from_int8, grids=True),
        # The converter refuses LSTM in this format.
        "int16x8": Route(int16x8, with_lstm=Route(int8, edit=int16_from_int8)),
        "onnx": Route(make=to_onnx),
        "coreml": Route(make=to_core_ml),
    },
    home=__name__,
    plural="routes",
)
