"""Model files of other programs: what each kind holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from kd_edge.base.core_ml import read_package
from kd_edge.base.formats import FileKind
from kd_edge.base.onnx import read_onnx


class Contents(Protocol):
    """What a file holds: operators by name in its order, and bytes of all constants."""

    @property
    def operators(self) -> tuple[str, ...]: ...
    @property
    def weight_bytes(self) -> int: ...


# Kind of file, other than `.tflite` -> its reader.
READERS: dict[FileKind, Callable[[bytes], Contents]] = {
    FileKind.ONNX: read_onnx,
    FileKind.COREML: read_package,
}
