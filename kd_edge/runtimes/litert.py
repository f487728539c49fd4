"""LiteRT, the `ai-edge-litert` package: TensorFlow Lite's successor on hosts and phones."""

from __future__ import annotations

import importlib
from pathlib import Path

from kd_edge.runtimes.interpreter import InterpreterSession
from kd_edge.runtimes.session import Session


def open_litert(path: Path, *, preserve_tensors: bool, threads: int) -> Session:
    """A LiteRT session. Raises as `InterpreterSession`."""
    module = importlib.import_module("ai_edge_litert.interpreter")
    return InterpreterSession(
        module, "LiteRT", path, preserve_tensors=preserve_tensors, threads=threads
    )
