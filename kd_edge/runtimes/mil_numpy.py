"""A Core ML package's own program in NumPy: proof of structure and weights where macOS is not."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from kd_edge.base.core_ml import CoreMlPackage, read_package
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.formats import FileKind, Format
from kd_edge.models.keras_start import first_lines
from kd_edge.runtimes.interpreter import Interpreter
from kd_edge.runtimes.mil_operations import LISTS, OPERATIONS
from kd_edge.runtimes.record import Runtime

_TITLE = "Core ML's program in NumPy"


class MilInterpreter(Interpreter):
    """The program of a Core ML package, operation by operation, from a fresh state in each run.

    Raises:
        KdEdgeError KD_BAD_FORMAT: as `read_package`, or the program's parts do not fit together.
            KD_UNSUPPORTED_OP: an operation that is not in `OPERATIONS`.
    """

    def __init__(self, path: Path):
        self._path = path
        self._package: CoreMlPackage = read_package(path.read_bytes())
        if unknown := _unknown(self._package.operators):
            raise KdEdgeError(
                "KD_UNSUPPORTED_OP",
                f"{_TITLE} has no {', '.join(unknown)}",
                where=str(path),
                hint="run the package in Core ML, on macOS",
            )
        self.inputs, self.outputs = self._package.inputs, self._package.outputs
        self._values: dict[str, np.ndarray] = {}

    def reset(self) -> None:
        """Nothing: no state outlives a run."""

    def _set_inputs(self, arrays: Sequence[np.ndarray]) -> None:
        given = {s.name: a.copy() for s, a in zip(self.inputs, arrays, strict=True)}
        self._values = {**self._package.constants, **given}

    def invoke(self) -> None:
        values = self._values
        for operation in self._package.operations:
            try:
                given = {
                    argument: [values[name] for name in names]
                    if argument in LISTS
                    else values[names[0]]
                    for argument, names in operation.inputs.items()
                }
                made = OPERATIONS[operation.kind](**given)
                several = made if isinstance(made, list) else [made]
                values.update(zip(operation.outputs, several, strict=True))
            except (ValueError, TypeError, LookupError, ArithmeticError) as error:
                raise KdEdgeError(
                    "KD_BAD_FORMAT",
                    f"{self._path.name} does not fit together: {first_lines(error)}",
                    where=f"{operation.kind} '{operation.outputs[0]}'",
                    hint="build the bundle again",
                ) from error
        for spec in self.outputs:
            if values[spec.name].shape != spec.shape:
                raise KdEdgeError(
                    "KD_BAD_FORMAT",
                    f"{self._path.name} gives {values[spec.name].shape}, and says {spec.shape}",
                    where=f"'{spec.name}'",
                    hint="build the bundle again",
                )

    def answers(self) -> tuple[np.ndarray, ...]:
        return tuple(self._values[spec.name].copy() for spec in self.outputs)


def open_mil_numpy(path: Path, *, preserve_tensors: bool, threads: int) -> Interpreter:
    """A package's program in NumPy; it has the threads of NumPy. Raises as `MilInterpreter`."""
    del threads, preserve_tensors
    return MilInterpreter(Path(path))


def _unknown(operators: Collection[str]) -> list[str]:
    return sorted(set(operators) - set(OPERATIONS))


def _refuses(form: Format, operators: Collection[str]) -> str:
    del form
    unknown = _unknown(operators)
    return f"was not computed here: {_TITLE} has no {', '.join(unknown)}" if unknown else ""


def _beside(form: Format) -> str:
    del form
    said = (
        "its program was computed in NumPy, each operation as Apple defines it: structure and "
        "weights are proved"
    )
    if sys.platform == "darwin":  # Core ML's own rows stand there too
        return said
    return f"{said}; Core ML itself runs on macOS alone, and was not asked"


MIL_NUMPY = Runtime(
    name="mil-numpy",
    title=_TITLE,
    summary="proof of Core ML packages where macOS is not",
    package="numpy",
    distribution="numpy",
    install="pip install kd-edge",
    open=open_mil_numpy,
    kind=FileKind.COREML,
    refuses=_refuses,
    beside=_beside,
    timed=False,
    inner_tensors=False,
)
