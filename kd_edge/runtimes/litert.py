"""LiteRT, the `ai-edge-litert` package: TensorFlow Lite's successor on hosts and phones."""

from __future__ import annotations

import importlib
from pathlib import Path

from kd_edge.runtimes.interpreter import Interpreter
from kd_edge.runtimes.lite import LiteInterpreter, as_on_a_phone, refuses_wide_lstm
from kd_edge.runtimes.record import Runtime


def open_litert(path: Path, *, preserve_tensors: bool, threads: int) -> Interpreter:
    """A LiteRT interpreter. Raises as `LiteInterpreter`."""
    module = importlib.import_module("ai_edge_litert.interpreter")
    return LiteInterpreter(
        module, "LiteRT", path, preserve_tensors=preserve_tensors, threads=threads
    )


LITERT = Runtime(
    name="litert",
    title="LiteRT",
    summary="the LiteRT runtime",
    package="ai_edge_litert",
    distribution="ai-edge-litert",
    install="pip install kd-edge",
    open=open_litert,
    refuses=refuses_wide_lstm,
    beside=as_on_a_phone,
    required=True,
    on_phones=True,
    # Measured: LiteRT 2.3 gives a constant for such an LSTM.
    smallest_lstm_scale=0.0018,
)
