"""The converter's process, kept for one conversion after the other: TensorFlow starts slowly."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from pathlib import Path

import numpy as np

from kd_edge.base.children import Child, DiedError
from kd_edge.base.errors import KdEdgeError

_ENVIRONMENT = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
_kept: ContextVar[Converter | None] = ContextVar("converter", default=None)


@contextlib.contextmanager
def one_converter() -> Iterator[Converter]:
    """One converter for all that this thread converts while the block runs.

    Inside of another such block it is that one's.
    """
    if (outer := _kept.get()) is not None:
        yield outer
        return
    with contextlib.closing(Converter()) as converter:
        token = _kept.set(converter)
        try:
            yield converter
        finally:
            _kept.reset(token)


class Converter:
    """A child process that may crash; it starts with the first job, and anew after a crash."""

    def __init__(self):
        self._child = Child("kd_edge.convert.child", name="convert", environment=_ENVIRONMENT)

    @property
    def process_id(self) -> int | None:
        """The child's; None before the first job and after a crash."""
        return self._child.process_id

    def convert(
        self, job: Mapping[str, object], arrays: Mapping[str, np.ndarray] | None, timeout_s: float
    ) -> bytes:
        """The model's bytes. Interrupting it ends the child.

        Args:
            job: what `child.py` reads from its file, without the places of files.
            arrays: 'input_0', … -> (n, ...) float32 calibration windows; None for none.
            timeout_s: after which the child is ended.

        Raises:
            KdEdgeError KD_CONVERTER_CRASH: the child died or took too long; and what it refuses.
        """
        with tempfile.TemporaryDirectory(dir=self._child.folder) as name:
            folder = Path(name)
            out = folder / "model.tflite"
            places = {"out": str(out), "calibration": None}
            if arrays is not None:
                places["calibration"] = str(folder / "calibration.npz")
                np.savez(places["calibration"], **arrays)
            try:
                self._child.do(folder, {**job, **places}, timeout_s=timeout_s)
            except DiedError as died:
                raise KdEdgeError(
                    "KD_CONVERTER_CRASH",
                    f"the converter's process {died.what}",
                    where=died.last_words,
                    hint="convert in another format, or with fewer kinds of layers; nothing was "
                    "written",
                ) from died
            return out.read_bytes()

    def close(self) -> None:
        """End the child and remove its files."""
        self._child.close()
