"""Where an int8 model loses accuracy: its tensors beside those of its float form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.flatbuffer import TfliteModel, read_tflite
from kd_edge.base.quantisation import dequantize, quantize

_EXACT_DB = 200.0  # what is written where there is no noise at all


@dataclass(frozen=True)
class TensorLoss:
    """Quantisation noise of one tensor.

    Attributes:
        name: of the tensor, the same in both files.
        operator: that computes it.
        sqnr_db: power of the float tensor over the power of the difference, in dB.
    """

    name: str
    operator: str
    sqnr_db: float


def attribute_loss(
    float_path: Path, int8_path: Path, inputs: Mapping[str, np.ndarray]
) -> tuple[TensorLoss, ...]:
    """Signal-to-quantisation-noise ratio of every computed tensor, the worst first.

    Both forms run in LiteRT; tensors are matched by name. The noise of a layer holds that of the
    layers before it.

    Args:
        inputs: input name -> (windows, ...) float32.

    Raises:
        KdEdgeError KD_NO_FILE, KD_BAD_TFLITE; KD_SHAPE: inputs that do not fit.
    """
    exact, rough = read_tflite(float_path), read_tflite(int8_path)
    float_values = collect_activations(float_path, inputs)
    int8_values = collect_activations(int8_path, inputs)
    by_name = {exact.tensors[index].name: values for index, values in float_values.items()}
    losses = []
    for op in rough.operators:
        for index in op.outputs:
            tensor = rough.tensors[index]
            wanted = by_name.get(tensor.name)
            if wanted is None or wanted.shape != int8_values[index].shape:
                continue
            found = _real(rough, index, int8_values[index])
            losses.append(TensorLoss(tensor.name, op.name, _sqnr_db(wanted, found)))
    return tuple(sorted(losses, key=lambda loss: loss.sqnr_db))


def collect_activations(path: Path, inputs: Mapping[str, np.ndarray]) -> dict[int, np.ndarray]:
    """Every operator's outputs on some windows, in LiteRT, state reset before each window.

    Args:
        inputs: input name -> (windows, ...) float32.

    Returns:
        tensor index -> (windows, ...) in the tensor's own type.

    Raises:
        KdEdgeError KD_NO_FILE, KD_BAD_TFLITE; KD_SHAPE: inputs that do not fit.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    model = read_tflite(path)
    arrays = _arrays(model, inputs)
    # Delegates fuse operators, and so hide tensors.
    interpreter = Interpreter(
        model_path=str(path),
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    computed = [index for op in model.operators for index in op.outputs]
    rows: dict[int, list[np.ndarray]] = {index: [] for index in computed}
    for window in range(len(next(iter(arrays.values())))):
        interpreter.reset_all_variables()
        for index, array in arrays.items():
            interpreter.set_tensor(index, array[window : window + 1])
        interpreter.invoke()
        for index in computed:
            rows[index].append(interpreter.get_tensor(index))
    return {index: np.concatenate(values) for index, values in rows.items()}


def _arrays(model: TfliteModel, inputs: Mapping[str, np.ndarray]) -> dict[int, np.ndarray]:
    arrays = {}
    for index in model.inputs:
        tensor = model.tensors[index]
        given = inputs.get(tensor.name)
        if given is None or given.shape[1:] != tensor.shape[1:] or len(given) == 0:
            raise KdEdgeError(
                "KD_SHAPE",
                f"the model's input '{tensor.name}' is (windows, *{tensor.shape[1:]})",
                where=", ".join(f"{name}: {array.shape}" for name, array in inputs.items()),
            )
        if tensor.scales:
            scale, zero_point = tensor.scales[0], tensor.zero_points[0]
            arrays[index] = quantize(given, scale, zero_point, np.dtype(tensor.dtype))
        else:
            arrays[index] = np.asarray(given, np.float32)
    return arrays


def _real(model: TfliteModel, index: int, values: np.ndarray) -> np.ndarray:
    tensor = model.tensors[index]
    if not tensor.scales:
        return values
    return dequantize(values, tensor.scales[0], tensor.zero_points[0])


def _sqnr_db(wanted: np.ndarray, found: np.ndarray) -> float:
    signal = float(np.mean(np.square(wanted, dtype=np.float64)))
    noise = float(np.mean(np.square(wanted.astype(np.float64) - found)))
    if noise == 0:
        return _EXACT_DB
    if signal == 0:
        return -_EXACT_DB
    return float(10 * np.log10(signal / noise))
