"""A teacher from an ONNX file, asked by onnxruntime on the CPU.

The file's own operators run, and no code: operators of other domains are refused, and so is a file
that keeps its weights in other files. Inside a training step it is asked batch by batch, in the
step's own thread, so that it sees what an augmentation has made of the windows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.onnx import open_session
from kd_edge.base.untrusted import read_regular
from kd_edge.distill.batch import Outputs, Tensor
from kd_edge.distill.foreign.record import Asked, FileTeacher, by_numpy
from kd_edge.distill.foreign.settings import TeacherFile
from kd_edge.distill.foreign.wiring import GivenFile, Wire, arranged, ask, wire
from kd_edge.models.keras_start import first_lines

# Element type of an input or an output, as onnxruntime calls it -> NumPy's.
_TYPES = {"tensor(float)": "f4", "tensor(double)": "f8", "tensor(float16)": "f2"}
_MOST_BYTES = 2**31  # of a protocol buffer


class OnnxTeacher(FileTeacher):
    """A session that is asked about whole batches, or about as many as the file was made for."""

    def __init__(self, asked: Asked, session, output: str, wires: Sequence[Wire], shape):
        super().__init__(asked)
        self._session = session
        self._output = output
        self._wires = wires
        self._shape = (*shape, asked.n_classes)
        inputs = {each.name: each for each in session.get_inputs()}
        self._types = {name: _TYPES[each.type] for name, each in inputs.items()}
        fixed = {n for each in inputs.values() if isinstance(n := each.shape[0], int)}
        self._at_once = min(fixed, default=None)

    def scores(self, inputs: Mapping[str, Tensor]) -> Outputs:
        given = [inputs[w.window] for w in self._wires]
        return Outputs(by_numpy(self._said, given, self._shape), {})

    def _said(self, *arrays: np.ndarray) -> np.ndarray:
        by_window = {w.window: a for w, a in zip(self._wires, arrays, strict=True)}
        given = arranged(self._wires, by_window, np)
        given = {name: array.astype(self._types[name]) for name, array in given.items()}
        n = len(arrays[0])
        step = self._at_once or max(n, 1)
        parts = [self._run(given, at, min(step, n - at)) for at in range(0, n, step)]
        if not parts:
            return np.empty((0, *self._shape), np.float32)
        return np.concatenate(parts)

    def _run(self, given: Mapping[str, np.ndarray], at: int, n: int) -> np.ndarray:
        """(n, ...) of the examples from `at` on; zeros fill up a batch of fixed size."""
        batch = {name: array[at : at + n] for name, array in given.items()}
        if self._at_once and n < self._at_once:
            rest = self._at_once - n
            batch = {
                name: np.concatenate([array, np.zeros((rest, *array.shape[1:]), array.dtype)])
                for name, array in batch.items()
            }
        try:
            (said,) = self._session.run([self._output], batch)
        except Exception as error:
            raise _refused(self.asked, error) from error
        if said.ndim == 0 or len(said) < n:
            raise self.asked.refuse(
                "KD_SHAPE", f"gives {said.shape} for {n} windows", "its batch axis must come first"
            )
        return said[:n].astype(np.float32)


def open_onnx(given: GivenFile) -> OnnxTeacher:
    """A teacher from an ONNX file; errors as `opening.open_teacher`."""
    settings, asked = given.settings, ask(given)
    try:
        # Its bytes alone: whatever its answers depend on, its SHA-256 holds.
        content = read_regular(given.path, most_bytes=_MOST_BYTES)
    except OSError as error:
        raise asked.refuse(
            "KD_BAD_FORMAT", f"cannot be read: {error.strerror or error}", "name a smaller file"
        ) from error
    try:
        session = open_session(content, purpose="a teacher from an ONNX file")
    except KdEdgeError:
        raise
    except Exception as error:
        raise _refused(asked, error) from error
    wanted = {each.name: _behind_batch(asked, each) for each in session.get_inputs()}
    wires = wire(settings, asked, given.shapes, wanted)
    return OnnxTeacher(asked, session, _output(settings, asked, session), wires, given.truth_shape)


def _behind_batch(asked: Asked, given) -> tuple[int | None, ...]:
    """What an input wants behind its batch axis."""
    if given.type not in _TYPES or not given.shape:
        raise asked.refuse(
            "KD_SHAPE",
            f"takes '{given.name}' as {given.type} of shape {given.shape}",
            f"an input must be one of {', '.join(_TYPES)}, with the batch as its first axis",
        )
    return tuple(n if isinstance(n, int) else None for n in given.shape[1:])


def _output(settings: TeacherFile, asked: Asked, session) -> str:
    outputs = {each.name: each.type for each in session.get_outputs()}
    name = settings.output or next(iter(outputs))
    if name not in outputs or (settings.output is None and len(outputs) > 1):
        raise asked.refuse(
            "KD_RECIPE_VALUE",
            f"has {len(outputs)} outputs: {', '.join(outputs)}",
            "say `output` of the teacher: the one with a score a class",
        )
    if outputs[name] not in _TYPES:
        raise asked.refuse(
            "KD_SHAPE", f"gives '{name}' as {outputs[name]}",
            f"its scores must be one of {', '.join(_TYPES)}",
        )  # fmt: skip
    return name


def _refused(asked: Asked, error: Exception) -> KdEdgeError:
    """onnxruntime refuses with exceptions of many kinds."""
    return asked.refuse(
        "KD_BAD_FORMAT",
        f"cannot be run: {first_lines(error)}",
        "an ONNX file with its weights inside and ONNX's own operators; onnx.checker.check_model "
        "looks at it",
    )
