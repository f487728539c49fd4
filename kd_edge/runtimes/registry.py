"""The runtimes by name. Adding one is a record with its `Interpreter`, and one line here."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Collection
from pathlib import Path

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.formats import Format
from kd_edge.base.registry import Registry
from kd_edge.runtimes.interpreter import Interpreter
from kd_edge.runtimes.litert import LITERT
from kd_edge.runtimes.record import Runtime
from kd_edge.runtimes.tflite_runtime import TFLITE_RUNTIME
from kd_edge.runtimes.tflm import TFLM

RUNTIMES: Registry[Runtime] = Registry("runtime", (LITERT, TFLITE_RUNTIME, TFLM), home=__name__)
# What a board's answers are held against, and what float forms are proved on.
ORACLE = next(name for name, runtime in RUNTIMES.items() if runtime.oracle)
ON_PHONES = next(name for name, runtime in RUNTIMES.items() if runtime.on_phones)


def available(runtime: str) -> bool:
    """Whether the runtime's package is installed. Raises KD_UNKNOWN_NAME."""
    package = RUNTIMES.find(runtime).package
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:  # the package around it
        return False


def version(runtime: str) -> str | None:
    """Version of the runtime's package, None where it is not installed. Raises KD_UNKNOWN_NAME."""
    try:
        return importlib.metadata.version(RUNTIMES.find(runtime).distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def who_takes(form: Format, operators: Collection[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the runtimes that take a model of a format, and why the others do not.

    Args:
        operators: of the model, by name.
    """
    reasons = {name: each.refuses(form, operators) for name, each in RUNTIMES.items()}
    takers = tuple(name for name, reason in reasons.items() if not reason)
    return takers, tuple(dict.fromkeys(filter(None, reasons.values())))


def runtimes_by_choice() -> tuple[str, ...]:
    """Every runtime, the oracle for a board first."""
    return tuple(sorted(RUNTIMES, key=lambda name: not RUNTIMES[name].oracle))


def open_interpreter(
    runtime: str, path: Path, *, preserve_tensors: bool = False, threads: int = 1
) -> Interpreter:
    """Load a model in a runtime.

    Args:
        runtime: a key of `RUNTIMES`.
        path: a `.tflite`.
        preserve_tensors: inner tensors can be read after `run`; slower, and never for latency.
        threads: the runtime's own.

    Raises:
        KdEdgeError KD_UNKNOWN_NAME, KD_MISSING_PACKAGE, KD_NO_FILE, KD_BAD_TFLITE,
            KD_UNSUPPORTED_OP, or KD_USAGE for threads that the runtime does not have.
    """
    entry = RUNTIMES.find(runtime)
    if not available(runtime):
        raise KdEdgeError(
            "KD_MISSING_PACKAGE",
            f"the runtime '{runtime}' needs the package '{entry.distribution}'",
            hint=entry.install,
        )
    if not Path(path).is_file():
        raise KdEdgeError("KD_NO_FILE", f"no such model: {path}")
    return entry.open(Path(path), preserve_tensors=preserve_tensors, threads=threads)
