"""The `tflite-runtime` package: what many single-board computers run; stops at Python 3.11."""

from __future__ import annotations

import importlib
from pathlib import Path

from kd_edge.runtimes.interpreter import Interpreter
from kd_edge.runtimes.lite import LiteInterpreter, as_on_a_phone, refuses_wide_lstm
from kd_edge.runtimes.record import Runtime


def open_tflite_runtime(path: Path, *, preserve_tensors: bool, threads: int) -> Interpreter:
    """A tflite-runtime interpreter. Raises as `LiteInterpreter`."""
    module = importlib.import_module("tflite_runtime.interpreter")
    return LiteInterpreter(
        module, "tflite-runtime", path, preserve_tensors=preserve_tensors, threads=threads
    )


TFLITE_RUNTIME = Runtime(
    name="tflite-runtime",
    title="tflite-runtime",
    summary="the older TFLite runtime",
    package="tflite_runtime",
    distribution="tflite-runtime",
    install="with Python 3.11: pip install 'tflite-runtime==2.14.0' 'numpy<2'",
    open=open_tflite_runtime,
    refuses=refuses_wide_lstm,
    beside=as_on_a_phone,
)
