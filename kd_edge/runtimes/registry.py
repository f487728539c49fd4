"""The runtimes by name. Adding one is one entry here and one class with Session's methods."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kd_edge.base.errors import KdEdgeError, nearest
from kd_edge.runtimes.litert import open_litert
from kd_edge.runtimes.session import Session
from kd_edge.runtimes.tflite_runtime import open_tflite_runtime
from kd_edge.runtimes.tflm import open_tflm


@dataclass(frozen=True)
class Runtime:
    """Something that runs a `.tflite`.

    Attributes:
        title: for people.
        module: importable where the runtime is installed.
        distribution: the package that brings it.
        install: how to get it.
        open: (path, *, preserve_tensors, threads) -> Session.
    """

    title: str
    module: str
    distribution: str
    install: str
    open: Callable[..., Session]


RUNTIMES: dict[str, Runtime] = {
    "litert": Runtime(
        title="LiteRT",
        module="ai_edge_litert",
        distribution="ai-edge-litert",
        install="pip install kd-edge",
        open=open_litert,
    ),
    "tflite-runtime": Runtime(
        title="tflite-runtime",
        module="tflite_runtime",
        distribution="tflite-runtime",
        install="with Python 3.11: pip install 'tflite-runtime==2.14.0' 'numpy<2'",
        open=open_tflite_runtime,
    ),
    "tflm": Runtime(
        title="TFLite Micro",
        module="tflite_micro",
        distribution="tflite-micro",
        install="pip install kd-edge (Linux and macOS; the wheel is a daily build)",
        open=open_tflm,
    ),
}


def available(runtime: str) -> bool:
    """Whether the runtime's package is installed. Raises KD_UNKNOWN_NAME."""
    return importlib.util.find_spec(_runtime(runtime).module) is not None


def version(runtime: str) -> str | None:
    """Version of the runtime's package, None where it is not installed. Raises KD_UNKNOWN_NAME."""
    try:
        return importlib.metadata.version(_runtime(runtime).distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def open_session(
    runtime: str, path: Path, *, preserve_tensors: bool = False, threads: int = 1
) -> Session:
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
    entry = _runtime(runtime)
    if not available(runtime):
        raise KdEdgeError(
            "KD_MISSING_PACKAGE",
            f"the runtime '{runtime}' needs the package '{entry.distribution}'",
            hint=entry.install,
        )
    if not Path(path).is_file():
        raise KdEdgeError("KD_NO_FILE", f"no such model: {path}")
    return entry.open(Path(path), preserve_tensors=preserve_tensors, threads=threads)


def _runtime(name: str) -> Runtime:
    if name not in RUNTIMES:
        raise KdEdgeError(
            "KD_UNKNOWN_NAME",
            f"no runtime '{name}'{nearest(name, RUNTIMES)}",
            hint=f"known: {', '.join(RUNTIMES)}",
        )
    return RUNTIMES[name]
