"""The runtimes by name. Adding one is a record with its `Interpreter`, and one line here."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Collection
from pathlib import Path

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.formats import FileKind, Format
from kd_edge.base.registry import Registry
from kd_edge.runtimes.core_ml import CORE_ML
from kd_edge.runtimes.interpreter import Interpreter
from kd_edge.runtimes.litert import LITERT
from kd_edge.runtimes.mil_numpy import MIL_NUMPY
from kd_edge.runtimes.onnx_runtime import ONNX_RUNTIME
from kd_edge.runtimes.plain_c import PLAIN_C
from kd_edge.runtimes.record import Runtime
from kd_edge.runtimes.tflite_runtime import TFLITE_RUNTIME
from kd_edge.runtimes.tflm import TFLM

RUNTIMES: Registry[Runtime] = Registry(
    "runtime",
    (LITERT, TFLITE_RUNTIME, TFLM, PLAIN_C, ONNX_RUNTIME, CORE_ML, MIL_NUMPY),
    home=__name__,
)
ON_PHONES = next(name for name, runtime in RUNTIMES.items() if runtime.on_phones)


def available(runtime: str) -> bool:
    """Whether the runtime is installed. Raises KD_UNKNOWN_NAME."""
    entry = RUNTIMES.find(runtime)
    if entry.present is not None:
        return entry.present()
    try:
        return importlib.util.find_spec(entry.package) is not None
    except ModuleNotFoundError:  # the package around it
        return False


def _oracle() -> str:
    """The oracle whose package is installed; else the one that stands in for it."""
    names = [name for name, runtime in RUNTIMES.items() if runtime.oracle]
    return next((n for n in names if not RUNTIMES[n].stands_in and available(n)), names[-1])


# What a board's answers are held against.
ORACLE = _oracle()


def installed(kind: FileKind = FileKind.TFLITE) -> tuple[str, ...]:
    """Names of the runtimes that are measured here: what stands in, only where it is the oracle.

    Args:
        kind: of files that they open.
    """
    return tuple(
        name
        for name, runtime in RUNTIMES.items()
        if runtime.kind is kind and (name == ORACLE or not runtime.stands_in) and available(name)
    )


def measured_here(
    form: Format, takers: Collection[str], operators: Collection[str]
) -> tuple[str, ...]:
    """Of the runtimes that are measured here those that take a file of a bundle.

    Args:
        form: the file's format. takers: runtimes that the bundle names, by `who_takes`.
        operators: of the model, by name.
    """
    return tuple(name for name in installed(form.kind) if _takes(name, form, takers, operators))


def stood_in() -> tuple[str, ...]:
    """What a report must say where another oracle stood in; () elsewhere."""
    if not RUNTIMES[ORACLE].stands_in:
        return ()
    usual = next(each for each in RUNTIMES.values() if each.oracle and not each.stands_in)
    return (
        f"{usual.title} is not installed here: {RUNTIMES[ORACLE].title}, which gives its answers "
        "bit for bit, was the oracle in its place.",
    )


def _takes(runtime: str, form: Format, takers: Collection[str], operators: Collection[str]) -> bool:
    entry = RUNTIMES[runtime]
    if not entry.stands_in:
        return runtime in takers
    others = {n for n, each in RUNTIMES.items() if each.oracle and not each.stands_in}
    return bool(others & set(takers)) and not entry.refuses(form, operators)


def version(runtime: str) -> str | None:
    """Version of the runtime, None where it is not installed. Raises KD_UNKNOWN_NAME."""
    entry = RUNTIMES.find(runtime)
    if entry.version is not None:
        return entry.version()
    if not available(runtime):
        return None
    try:
        return importlib.metadata.version(entry.distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def who_takes(form: Format, operators: Collection[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the runtimes that take a model of a format, and why the others do not.

    Args:
        operators: of the model, by name.
    """
    reasons = {
        name: each.refuses(form, operators)
        for name, each in RUNTIMES.items()
        if not each.stands_in and each.kind is form.kind
    }
    takers = tuple(name for name, reason in reasons.items() if not reason)
    return takers, tuple(dict.fromkeys(filter(None, reasons.values())))


def runtimes_by_choice() -> tuple[str, ...]:
    """Every runtime, the oracle for a board first, what stands in last."""
    return tuple(sorted(RUNTIMES, key=lambda n: (RUNTIMES[n].stands_in, not RUNTIMES[n].oracle)))


def open_interpreter(
    runtime: str, path: Path, *, preserve_tensors: bool = False, threads: int = 1
) -> Interpreter:
    """Load a model in a runtime.

    Args:
        runtime: a key of `RUNTIMES`.
        path: a `.tflite`, or a file of the runtime's own kind.
        preserve_tensors: inner tensors can be read after `run`; slower, and never for latency.
        threads: the runtime's own.

    Raises:
        KdEdgeError KD_UNKNOWN_NAME, KD_MISSING_PACKAGE, KD_NO_FILE, KD_BAD_TFLITE, KD_BAD_FORMAT of
            another kind of file, KD_UNSUPPORTED_OP, KD_MISSING_TOOL without a compiler that it
            needs, or KD_USAGE for threads or inner tensors that the runtime does not have.
    """
    entry = RUNTIMES.find(runtime)
    if entry.package is not None and not available(runtime):
        raise KdEdgeError(
            "KD_MISSING_PACKAGE",
            f"the runtime '{runtime}' needs the package '{entry.distribution}'",
            hint=entry.install,
        )
    if not Path(path).is_file():
        raise KdEdgeError("KD_NO_FILE", f"no such model: {path}")
    if preserve_tensors and not entry.inner_tensors:
        raise KdEdgeError("KD_USAGE", f"{entry.title} keeps no inner tensors to look at")
    return entry.open(Path(path), preserve_tensors=preserve_tensors, threads=threads)
