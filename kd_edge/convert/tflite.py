"""From a `.keras` file to one in a format, checked, through a child process that may crash."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.files import write_bytes
from kd_edge.base.flatbuffer import read_tflite
from kd_edge.base.formats import FORMATS, FileKind, Format
from kd_edge.base.model_files import READERS
from kd_edge.convert.process import one_converter
from kd_edge.convert.routes import ROUTES, as_json
from kd_edge.runtimes.registry import who_takes

_TIMEOUT_S = 600.0


@dataclass(frozen=True)
class Conversion:
    """One file that was written.

    Attributes:
        fmt: a key of `FORMATS`.
        operators: names in execution order.
        runtimes: which take it, keys of `RUNTIMES`.
        notes: sentences that belong beside the file.
    """

    path: Path
    fmt: str
    file_bytes: int
    sha256: str
    operators: tuple[str, ...]
    runtimes: tuple[str, ...]
    notes: tuple[str, ...]


def to_tflite(
    keras_path: Path,
    out: Path,
    *,
    fmt: str,
    input_order: tuple[str, ...],
    calibration: Mapping[str, np.ndarray] | None,
    timeout_s: float = _TIMEOUT_S,
) -> Conversion:
    """Convert a functional Keras model; batch 1, inputs in the order given, output 'logits'.

    The file is a `.tflite`, or what the format's `kind` says.

    The same arguments give the same bytes on one machine. Interrupting ends the child too. Several
    conversions inside of one `one_converter()` share a child, which starts slowly.

    Args:
        keras_path: a `.keras` file with logits as its only output.
        out: written at once or not at all.
        fmt: a key of `FORMATS`.
        calibration: input name -> (n, ...) float32, of the training part; for integer formats.
        timeout_s: after which the child is ended.

    Raises:
        KdEdgeError KD_UNKNOWN_NAME: no such format. KD_NO_FILE: no such model. KD_SHAPE: inputs or
            calibration do not fit the model. KD_BAD_SAMPLES: calibration holds NaN or infinity.
            KD_BAD_FORMAT: not a Keras model. KD_CONVERTER_REFUSED, KD_UNSUPPORTED_OP: with layers.
            KD_CONVERTER_CRASH: the child died or took too long. KD_MISSING_PACKAGE: TensorFlow.
            KD_OUTPUT: `out` cannot be written.
    """
    form = FORMATS.find(fmt)
    _check_arguments(keras_path, form, input_order, calibration)
    job = {
        "keras": str(Path(keras_path).resolve()),
        "fmt": form.name,
        "route": as_json(ROUTES.find(form.name)),
        "input_order": list(input_order),
    }
    arrays = None
    if form.integer:
        arrays = {f"input_{i}": calibration[name] for i, name in enumerate(input_order)}
    with one_converter() as converter:
        content = converter.convert(job, arrays, timeout_s)
    operators = _operators(content, form)
    write_bytes(Path(out), content)
    runtimes, notes = who_takes(form, operators)
    sha256 = hashlib.sha256(content).hexdigest()
    return Conversion(Path(out), fmt, len(content), sha256, operators, runtimes, notes)


def _operators(content: bytes, form: Format) -> tuple[str, ...]:
    if form.kind is FileKind.TFLITE:
        return tuple(op.name for op in read_tflite(content).operators)
    return READERS[form.kind](content).operators


def _check_arguments(keras_path: Path, form: Format, input_order, calibration) -> None:
    if not Path(keras_path).is_file():
        raise KdEdgeError("KD_NO_FILE", "there is no such Keras model", where=str(keras_path))
    if not form.integer:
        return
    given = dict(calibration or {})
    if sorted(given) != sorted(input_order) or len({len(array) for array in given.values()}) != 1:
        raise KdEdgeError(
            "KD_SHAPE",
            f"{form.name} needs as many calibration windows for each of the inputs "
            f"{list(input_order)}",
            where=", ".join(f"{name}: {len(array)}" for name, array in given.items()) or "none",
        )
    for name, array in given.items():
        if len(array) == 0 or not np.isfinite(array).all():
            raise KdEdgeError(
                "KD_BAD_SAMPLES",
                f"the calibration windows of '{name}' are none, or hold NaN or infinity",
                hint="`kd-edge data inspect` shows where they come from",
            )
