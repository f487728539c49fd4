"""TensorFlow Lite's own Python interpreter, which LiteRT and tflite-runtime share."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.flatbuffer import LSTM
from kd_edge.base.formats import Format
from kd_edge.base.tensors import TensorSpec
from kd_edge.runtimes.interpreter import Interpreter
from kd_edge.runtimes.native_stderr import caught_stderr


class LiteInterpreter(Interpreter):
    """A model in LiteRT or tflite-runtime.

    Args:
        module: `ai_edge_litert.interpreter` or `tflite_runtime.interpreter`.
        title: the runtime's name, for messages.
        preserve_tensors: keep inner tensors readable. The XNNPACK delegate is off then, because it
            hides them; its kernels may round otherwise than the built-in ones.
        threads: the runtime's own.

    Raises:
        KdEdgeError KD_BAD_TFLITE: the file is not a model.
        KdEdgeError KD_UNSUPPORTED_OP: the runtime refuses an operator.
    """

    def __init__(self, module, title: str, path: Path, *, preserve_tensors: bool, threads: int):
        self._title = title
        self._path = Path(path)
        self._preserve = preserve_tensors
        resolvers = module.OpResolverType
        try:
            with caught_stderr() as log:
                self._interpreter = module.Interpreter(
                    model_path=str(path),
                    num_threads=threads,
                    experimental_preserve_all_tensors=preserve_tensors,
                    experimental_op_resolver_type=(
                        resolvers.BUILTIN_WITHOUT_DEFAULT_DELEGATES
                        if preserve_tensors
                        else resolvers.AUTO
                    ),
                )
                self._interpreter.allocate_tensors()
        except ValueError as error:
            # An operator that no kernel is registered for ends in ValueError too.
            if "registration" in str(error):
                raise self._refused(error, log.text) from error
            raise KdEdgeError(
                "KD_BAD_TFLITE", f"{self._path.name} is not a TFLite model", where=str(error)
            ) from error
        except RuntimeError as error:
            raise self._refused(error, log.text) from error
        inputs = self._interpreter.get_input_details()
        outputs = self._interpreter.get_output_details()
        self._input_indices = tuple(d["index"] for d in inputs)
        self._output_indices = tuple(d["index"] for d in outputs)
        self.inputs = tuple(_spec(d) for d in inputs)
        self.outputs = tuple(_spec(d) for d in outputs)

    def reset(self) -> None:
        self._interpreter.reset_all_variables()

    def _set_inputs(self, arrays: Sequence[np.ndarray]) -> None:
        for index, array in zip(self._input_indices, arrays, strict=True):
            self._interpreter.set_tensor(index, array)

    def invoke(self) -> None:
        try:
            self._interpreter.invoke()
        except RuntimeError as error:
            raise self._refused(error, "") from error

    def answers(self) -> tuple[np.ndarray, ...]:
        return tuple(self._interpreter.get_tensor(index) for index in self._output_indices)

    def tensor(self, index: int) -> np.ndarray:
        if not self._preserve:
            raise ValueError("the interpreter was opened without preserve_tensors")
        return self._interpreter.get_tensor(index)

    def _refused(self, error: Exception, log: str) -> KdEdgeError:
        return KdEdgeError(
            "KD_UNSUPPORTED_OP",
            f"{self._title} does not run {self._path.name}",
            where=" ".join(f"{error} {log}".split()),
            hint="choose another format or runtime for this model",
        )


def as_on_a_phone(form: Format) -> str:
    """What stands beside figures of a form that is made for phones' apps; '' of other forms."""
    if form.integer and form.same_as:
        return (
            "a phone's default delegate, XNNPACK, rounds otherwise than TFLite Micro: its scores "
            "need not be these, nor TFLite Micro's"
        )
    return ""


def refuses_wide_lstm(form: Format, operators: Collection[str]) -> str:
    """Integer LSTMs are computed on 8 bits alone: a reason, or ''."""
    if form.integer and form.value_bits > 8 and LSTM in operators:
        return "TFLite Micro's reference kernels only: not LiteRT, not CMSIS-NN"
    return ""


def _spec(details: dict) -> TensorSpec:
    scale, zero_point = details["quantization"]
    quantised = np.issubdtype(details["dtype"], np.integer) and scale != 0
    return TensorSpec(
        name=details["name"],
        shape=tuple(int(n) for n in details["shape"]),
        dtype=np.dtype(details["dtype"]).name,
        scale=float(scale) if quantised else None,
        zero_point=int(zero_point) if quantised else None,
    )
