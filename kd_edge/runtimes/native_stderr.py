"""What native libraries write to the process's standard error, caught as text."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass
class CaughtText:
    """`text` is set when the block ends."""

    text: str = ""


@contextlib.contextmanager
def caught_stderr() -> Iterator[CaughtText]:
    """Catch file descriptor 2: TensorFlow Lite writes there past `sys.stderr`.

    The whole process's descriptor is replaced while the block runs, so keep the block short.
    """
    caught = CaughtText()
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as sink:
        os.dup2(sink.fileno(), 2)
        try:
            yield caught
        finally:
            sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)
            sink.seek(0)
            caught.text = sink.read().decode("utf-8", "replace").strip()


def start_tensorflow_quietly() -> None:
    """Import TensorFlow and use it once, with its notes on its own start kept off the terminal.

    Keras is set first as builds need it, see `set_keras`. Its threads are fixed before, since they
    cannot be after: see `kd_edge.distill.reproducible`.
    Where it is not installed nothing happens: whoever needs it says how to get it.
    """
    import importlib.util
    import logging

    from kd_edge.models.keras_start import set_keras

    if importlib.util.find_spec("tensorflow") is None:
        return
    set_keras()
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    with caught_stderr():
        import keras

        from kd_edge.distill.reproducible import fix_tensorflow

        fix_tensorflow()
        keras.ops.zeros(1)
