"""Core ML, by the `coremltools` package: on macOS alone."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from kd_edge.base.core_ml import EXTRA, read_package
from kd_edge.base.errors import KdEdgeError, require
from kd_edge.base.formats import FileKind
from kd_edge.models.keras_start import first_lines
from kd_edge.runtimes.interpreter import Interpreter
from kd_edge.runtimes.record import Runtime

_TITLE = "Core ML"


class CoreMlInterpreter(Interpreter):
    """A package in Core ML, on the CPU. Every run starts from a fresh state.

    Raises:
        KdEdgeError KD_BAD_FORMAT: as `read_package`, or Core ML does not take it.
            KD_MISSING_PACKAGE: coremltools.
    """

    def __init__(self, path: Path):
        package = read_package(path.read_bytes())
        self._path = path
        self.inputs, self.outputs = package.inputs, package.outputs
        tools = require("coremltools", extra=EXTRA, purpose=_TITLE)
        with tempfile.TemporaryDirectory(prefix="kd-edge-core-ml-") as name:
            folder = Path(name) / "model.mlpackage"
            for inner, content in package.files.items():
                (folder / inner).parent.mkdir(parents=True, exist_ok=True)
                (folder / inner).write_bytes(content)
            try:
                self._model = tools.models.MLModel(
                    str(folder), compute_units=tools.ComputeUnit.CPU_ONLY
                )
            except Exception as error:  # of coremltools and of Core ML
                raise self._refused("is no model that it takes", error) from error
        self._given: dict[str, np.ndarray] = {}
        self._said: dict[str, np.ndarray] = {}

    def reset(self) -> None:
        """Nothing: no state outlives a run."""

    def _set_inputs(self, arrays: Sequence[np.ndarray]) -> None:
        self._given = {s.name: a.copy() for s, a in zip(self.inputs, arrays, strict=True)}

    def invoke(self) -> None:
        try:
            self._said = self._model.predict(self._given)
        except Exception as error:
            raise self._refused("fails as it runs", error) from error

    def answers(self) -> tuple[np.ndarray, ...]:
        return tuple(
            np.asarray(self._said[spec.name], spec.dtype).reshape(spec.shape)
            for spec in self.outputs
        )

    def _refused(self, what: str, error: Exception) -> KdEdgeError:
        return KdEdgeError(
            "KD_BAD_FORMAT",
            f"{self._path.name} {what}: {first_lines(error)}",
            where=f"{_TITLE}, {self._path}",
            hint="Core ML runs on macOS alone",
        )


def open_core_ml(path: Path, *, preserve_tensors: bool, threads: int) -> Interpreter:
    """A package in Core ML, which has its own threads. Raises as `CoreMlInterpreter`."""
    del threads, preserve_tensors
    return CoreMlInterpreter(Path(path))


def _present() -> bool:
    return sys.platform == "darwin" and find_spec("coremltools") is not None


CORE_ML = Runtime(
    name="core-ml",
    title=_TITLE,
    summary="Core ML, for students in Core ML packages",
    package="coremltools",
    distribution="coremltools",
    install=f"on macOS, the only system that has Core ML: pip install 'kd-edge[{EXTRA}]'",
    open=open_core_ml,
    kind=FileKind.COREML,
    present=_present,
    inner_tensors=False,
)
