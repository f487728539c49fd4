"""ONNX Runtime, the `onnxruntime` package: where a student's ONNX file is proved."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.formats import FileKind
from kd_edge.base.onnx import EXTRA, open_session, packages_here
from kd_edge.base.tensors import TensorSpec
from kd_edge.models.keras_start import first_lines
from kd_edge.runtimes.interpreter import Interpreter
from kd_edge.runtimes.record import Runtime

_TITLE = "ONNX Runtime"
_FLOAT = "tensor(float)"


class OnnxInterpreter(Interpreter):
    """A model of float32 in ONNX Runtime, on the CPU. Every run starts from a fresh state.

    Raises:
        KdEdgeError KD_BAD_FORMAT: the file is no ONNX model, or its ends are not float32 of fixed
            shape. KD_MISSING_PACKAGE: onnxruntime.
    """

    def __init__(self, path: Path, *, threads: int):
        self._path = path
        try:
            self._session = open_session(path.read_bytes(), purpose=_TITLE, threads=threads)
        except KdEdgeError:
            raise
        except Exception as error:
            raise self._refused(f"is no model that it runs: {first_lines(error)}") from error
        self.inputs = tuple(self._spec(end) for end in self._session.get_inputs())
        self.outputs = tuple(self._spec(end) for end in self._session.get_outputs())
        self._given: dict[str, np.ndarray] = {}
        self._said: list[np.ndarray] = []

    def _spec(self, end) -> TensorSpec:
        if end.type != _FLOAT or not all(isinstance(n, int) for n in end.shape):
            raise self._refused(f"has '{end.name}' as {end.type} of shape {end.shape}")
        return TensorSpec(end.name, tuple(end.shape), np.dtype(np.float32).name, None, None)

    def reset(self) -> None:
        """Nothing: no state outlives a run."""

    def _set_inputs(self, arrays: Sequence[np.ndarray]) -> None:
        self._given = {s.name: a.copy() for s, a in zip(self.inputs, arrays, strict=True)}

    def invoke(self) -> None:
        try:
            self._said = self._session.run(None, self._given)
        except Exception as error:
            raise self._refused(f"fails as it runs: {first_lines(error)}") from error

    def answers(self) -> tuple[np.ndarray, ...]:
        return tuple(array.copy() for array in self._said)

    def _refused(self, what: str) -> KdEdgeError:
        return KdEdgeError(
            "KD_BAD_FORMAT",
            f"{self._path.name} {what}",
            where=f"{_TITLE}, {self._path}",
            hint="name the ONNX file of a bundle: inputs and outputs of float32, a batch of 1",
        )


def open_onnx_runtime(path: Path, *, preserve_tensors: bool, threads: int) -> Interpreter:
    """A model in ONNX Runtime. Raises as `OnnxInterpreter`."""
    del preserve_tensors
    return OnnxInterpreter(Path(path), threads=threads)


ONNX_RUNTIME = Runtime(
    name="onnx-runtime",
    title=_TITLE,
    summary="ONNX Runtime, for students and teachers in ONNX files",
    package="onnxruntime",
    distribution="onnxruntime",
    install=f"pip install 'kd-edge[{EXTRA}]'",
    open=open_onnx_runtime,
    kind=FileKind.ONNX,
    present=packages_here,
    inner_tensors=False,
)
