"""One interface to everything that runs a `.tflite`, and windows through it."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kd_edge.base.composition import ANSWERED
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.quantisation import dequantize, quantize
from kd_edge.base.tensors import TensorSpec, match_inputs
from kd_edge.examples import Examples


@dataclass(frozen=True, eq=False)
class Answers:
    """What an interpreter says to a set of windows.

    Attributes:
        raw: (n_windows, classes) in the model's own type.
        logits: (n_windows, classes) float32, dequantised.
        answered: of a composition: (n_windows,) which of its models answered, or
            `kd_edge.base.composition.ALL`; None of one model.
    """

    raw: np.ndarray
    logits: np.ndarray
    answered: np.ndarray | None = None


class Interpreter(abc.ABC):
    """A model loaded in one runtime. A subclass says how to load inputs, invoke and read.

    Attributes:
        inputs, outputs: in the model's own order.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    def run(
        self, arrays: Sequence[np.ndarray], *, keep_state: bool = False
    ) -> tuple[np.ndarray, ...]:
        """Answers to one window, from a fresh state unless asked otherwise.

        Args:
            arrays: one a model input, of that input's shape (batch of 1 in front) and type.
            keep_state: the model's state runs on from the call before.

        Returns:
            One array a model output, in the output's own type.

        Raises:
            KdEdgeError KD_SHAPE: an array of another shape or type, or another number of arrays.
            KdEdgeError KD_UNSUPPORTED_OP: the runtime refuses an operator when it comes to run it.
        """
        self.load(arrays, keep_state=keep_state)
        self.invoke()
        return self.answers()

    def load(self, arrays: Sequence[np.ndarray], *, keep_state: bool = False) -> None:
        """Reset the model's state (an LSTM keeps it between calls) and set its inputs, as in `run`.

        Args:
            arrays: one a model input, of its shape and type.
        """
        check_arrays(self.inputs, arrays)
        if not keep_state:
            self.reset()
        self._set_inputs(arrays)

    @abc.abstractmethod
    def reset(self) -> None:
        """Bring every variable tensor back to its first value."""

    @abc.abstractmethod
    def _set_inputs(self, arrays: Sequence[np.ndarray]) -> None:
        """Copy checked arrays into the model's inputs."""

    @abc.abstractmethod
    def invoke(self) -> None:
        """Run the model on the inputs and the state that it holds."""

    @abc.abstractmethod
    def answers(self) -> tuple[np.ndarray, ...]:
        """Copies of the outputs, each of its own shape, in raw values of its own type."""

    def tensor(self, index: int) -> np.ndarray:
        """A copy of an inner tensor after `run`, of its own shape, in raw values of its own type.

        Only an interpreter opened with preserve_tensors has it, of a runtime with inner tensors.
        """
        raise ValueError(f"there is no inner tensor {index} to read: the runtime keeps none")


def check_arrays(specs: Sequence[TensorSpec], arrays: Sequence[np.ndarray]) -> None:
    """Raise KD_SHAPE unless there is one array of values a spec, each of its shape and type."""
    if len(arrays) != len(specs):
        raise KdEdgeError(
            "KD_SHAPE", f"the model has {len(specs)} inputs, {len(arrays)} were given"
        )
    for spec, array in zip(specs, arrays, strict=True):
        if array.shape != spec.shape or array.dtype != spec.dtype:
            raise KdEdgeError(
                "KD_SHAPE",
                f"input '{spec.name}' is {spec.dtype} {spec.shape}, "
                f"not {array.dtype} {array.shape}",
            )


def model_inputs(interpreter: Interpreter, windows: Examples) -> tuple[np.ndarray, ...]:
    """Windows as the model takes them: (n_windows, *shape) values an input, in its types and
    order.

    Raises:
        KdEdgeError KD_SHAPE: see `match_inputs`.
    """
    names = match_inputs(interpreter.inputs, windows.input_shapes)
    return tuple(
        _to_model(windows.inputs[name], spec)
        for spec, name in zip(interpreter.inputs, names, strict=True)
    )


def one_window(arrays: Sequence[np.ndarray], index: int) -> tuple[np.ndarray, ...]:
    """Window `index` of `model_inputs`, (1, *shape) values an input."""
    return tuple(array[index : index + 1] for array in arrays)


def _to_model(array: np.ndarray, spec: TensorSpec) -> np.ndarray:
    if not spec.is_quantised:
        return np.ascontiguousarray(array, dtype=spec.dtype)
    return quantize(array, spec.scale, spec.zero_point, dtype=np.dtype(spec.dtype))


def run_windows(interpreter: Interpreter, windows: Examples) -> Answers:
    """The model's first output for every window, each from a fresh state.

    Raises:
        KdEdgeError KD_SHAPE: see `match_inputs`.
        KdEdgeError KD_EMPTY_PART: there is no window.
    """
    if len(windows) == 0:
        raise KdEdgeError("KD_EMPTY_PART", "there is no window to run the model on")
    arrays = model_inputs(interpreter, windows)
    outputs = [interpreter.run(one_window(arrays, i)) for i in range(len(windows))]
    raw = np.concatenate([each[0] for each in outputs])
    spec = interpreter.outputs[0]
    if not spec.is_quantised:
        return Answers(raw, raw.astype(np.float32))
    answered = None
    if [other.name for other in interpreter.outputs[1:]] == [ANSWERED]:
        answered = np.array([int(each[1].item()) for each in outputs])
    return Answers(raw, dequantize(raw, spec.scale, spec.zero_point), answered)
