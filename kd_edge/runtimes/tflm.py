"""The TFLite Micro interpreter from the `tflite-micro` wheel: the oracle for a board."""

from __future__ import annotations

import importlib
import math
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.flatbuffer import TfliteModel, read_tflite
from kd_edge.base.formats import Format
from kd_edge.base.tensors import TensorSpec
from kd_edge.runtimes.interpreter import Interpreter
from kd_edge.runtimes.native_stderr import caught_stderr
from kd_edge.runtimes.record import Runtime

# The wheel's interpreter ends the process when its arena cannot hold even its own objects, and
# refuses politely somewhat above that: so the first try is far above any need, the next for
# kernels with large scratch buffers.
_ARENA_FLOOR_BYTES = 256 * 1024
_ARENA_GROWTH = (1, 8, 64)
_MOST_ACTIVATION_BYTES = 1 << 30
_MOST_ITEM_BYTES = 16
_NO_ROOM = "Failed to allocate", "Failed to resize buffer"


class TflmInterpreter(Interpreter):
    """A model in TFLite Micro's interpreter, reference kernels, with an arena that surely suffices.

    Args:
        preserve_tensors: give every tensor its own memory, so that inner ones can be read.

    Attributes:
        arena_bytes: what it was given; see `kd_edge.measure.arena` for what the model needs.

    Raises:
        KdEdgeError KD_BAD_TFLITE: the file is not a model.
        KdEdgeError KD_UNSUPPORTED_OP: TFLite Micro refuses an operator or its types.
    """

    def __init__(self, path: Path, *, preserve_tensors: bool):
        # The interpreter does not check the file and its GetTensor does not check the index: a bad
        # one of either ends the process.
        model = read_tflite(path)
        self._path = Path(path)
        self._check_ranks(model)
        self._preserve = preserve_tensors
        self._n_tensors = len(model.tensors)
        self._interpreter, self.arena_bytes = self._open(_activation_bytes(model))
        self.inputs = tuple(
            _spec(model.tensors[t].name, self._interpreter.get_input_details(i))
            for i, t in enumerate(model.inputs)
        )
        self.outputs = tuple(
            _spec(model.tensors[t].name, self._interpreter.get_output_details(i))
            for i, t in enumerate(model.outputs)
        )

    def _open(self, activation_bytes: int):
        runtime = importlib.import_module("tflite_micro.python.tflite_micro.runtime")
        configs = runtime.InterpreterConfig
        config = configs.kPreserveAllTensors if self._preserve else configs.kAllocationRecording
        content = self._path.read_bytes()
        # A multiple of 16, or alignment at the arena's end shows up in the recorder's account.
        floor = (_ARENA_FLOOR_BYTES + len(content) + 2 * activation_bytes) // 16 * 16
        reason = ""
        for growth in _ARENA_GROWTH:
            try:
                with caught_stderr() as log:
                    interpreter = runtime.Interpreter.from_bytes(
                        content,
                        arena_size=floor * growth,
                        intrepreter_config=config,  # the wheel's own spelling
                    )
            except RuntimeError as error:
                reason = " ".join(f"{error}: {log.text}".split())
                if not any(text in log.text for text in _NO_ROOM):
                    break
            else:
                return interpreter, floor * growth
        raise self._refused(reason)

    def _check_ranks(self, model: TfliteModel) -> None:
        """The interpreter divides by an SVDF's rank: one of 0 ends the process."""
        for op in model.operators:
            if op.name == "SVDF" and not int(op.options.get("rank", 0)) > 0:
                raise self._refused(f"operator {op.index}, SVDF, has no rank over 0")

    def reset(self) -> None:
        self._interpreter.reset()

    def _set_inputs(self, arrays: Sequence[np.ndarray]) -> None:
        for index, array in enumerate(arrays):
            self._interpreter.set_input(array, index)

    def invoke(self) -> None:
        try:
            self._interpreter.invoke()
        except RuntimeError as error:
            raise self._refused(str(error)) from error

    def answers(self) -> tuple[np.ndarray, ...]:
        return tuple(self._interpreter.get_output(i) for i in range(len(self.outputs)))

    def tensor(self, index: int) -> np.ndarray:
        if not self._preserve:
            raise ValueError("the interpreter was opened without preserve_tensors")
        if not 0 <= index < self._n_tensors:
            raise IndexError(f"tensor {index} of {self._n_tensors}")
        return self._interpreter.GetTensor(index, 0)["tensor_data"]

    def _refused(self, reason: str) -> KdEdgeError:
        return KdEdgeError(
            "KD_UNSUPPORTED_OP",
            f"TFLite Micro does not run {self._path.name}",
            where=reason,
            hint="TFLite Micro takes float32 and int8 models of its own operators; "
            "float16 and dynamic-range models run in LiteRT only",
        )


def _activation_bytes(model: TfliteModel) -> int:
    """Bytes of all tensors that are not constants: more than any plan of them needs.

    Raises:
        KdEdgeError KD_BAD_TFLITE: more than this machine should be asked for.
    """
    n_bytes = sum(
        math.prod(t.shape) * _item_bytes(t.dtype) for t in model.tensors if t.data is None
    )
    if n_bytes > _MOST_ACTIVATION_BYTES:
        raise KdEdgeError(
            "KD_BAD_TFLITE",
            f"the model's tensors take {n_bytes:,} bytes",
            hint=f"TFLite Micro is asked for {_MOST_ACTIVATION_BYTES >> 20} MiB at most",
        )
    return n_bytes


def _item_bytes(dtype: str) -> int:
    """Bytes of a value; the most that any takes for a type without numbers (string, variant)."""
    try:
        return np.dtype(dtype).itemsize
    except TypeError:
        return _MOST_ITEM_BYTES


def _spec(name: str, details: dict) -> TensorSpec:
    scales = details["quantization_parameters"]["scales"]
    zero_points = details["quantization_parameters"]["zero_points"]
    quantised = np.issubdtype(details["dtype"], np.integer) and len(scales) == 1
    return TensorSpec(
        name=name,
        shape=tuple(int(n) for n in details["shape"]),
        dtype=np.dtype(details["dtype"]).name,
        scale=float(scales[0]) if quantised else None,
        zero_point=int(zero_points[0]) if quantised else None,
    )


def open_tflm(path: Path, *, preserve_tensors: bool, threads: int) -> Interpreter:
    """A TFLite Micro interpreter. Raises as `TflmInterpreter`, and KD_USAGE for several threads."""
    if threads != 1:
        raise KdEdgeError("KD_USAGE", f"TFLite Micro runs on one thread, not {threads}")
    return TflmInterpreter(path, preserve_tensors=preserve_tensors)


def refuses_small_weights(form: Format, operators: Collection[str]) -> str:
    """Weights that are stored smaller than the float values that they meet: a reason, or ''."""
    del operators
    small = not form.integer and form.weight_bits < form.value_bits
    return "TFLite Micro does not take this format" if small else ""


TFLM = Runtime(
    name="tflm",
    title="TFLite Micro",
    summary="the TFLite Micro interpreter",
    package="tflite_micro",
    distribution="tflite-micro",
    install="pip install kd-edge on x86-64 Linux; elsewhere there is no wheel",
    open=open_tflm,
    refuses=refuses_small_weights,
    required=True,
    oracle=True,
    has_arena=True,
)
