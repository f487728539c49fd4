"""Reading and writing the TFLite flatbuffer: bytes <-> schema objects <-> a small typed graph."""

from __future__ import annotations

import errno
import functools
import hashlib
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.reach import check_reach
from kd_edge.base.schema_names import bad, operator_name, options, printable, type_name
from kd_edge.base.untrusted import read_regular

IDENTIFIER = b"TFL3"
MAX_FILE_BYTES = 512 * 1024 * 1024  # far above any student or teacher
LSTM = "UNIDIRECTIONAL_SEQUENCE_LSTM"  # what Keras's LSTM becomes, whole
_MOST_KEPT_BYTES = 2 << 20  # larger models are read anew each time, and not kept in memory
BUFFER_ALIGNMENT = 16  # what the schema's force_align asks for and TFLite Micro's kernels rely on

# Types whose constants become arrays, beside int4; another one (string, resource) has none.
_NUMPY_NAMES = (
    *("float16", "float32", "float64", "complex64", "complex128", "bool"),
    *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
)
_NUMPY_TYPES = {name: np.dtype(name) for name in _NUMPY_NAMES}


@dataclass(frozen=True, eq=False)
class Tensor:
    """One tensor of the graph.

    Attributes:
        index: its number in the file.
        name: as in the file; what is not UTF-8 or cannot be printed stands escaped (`\\xb0`).
        shape: elements of each axis; a free axis counts 1, as in the file.
        dtype: 'int8', 'float32', …; lower-case name of the schema's type, 'type 99' for a number
            that the schema does not know. Constants of 'int4' are int8 arrays.
        scales, zero_points: none for a float tensor, one for a whole tensor, or one for each slice
            along `quantized_axis`.
        data: the constant, read-only, in `shape`; None for a computed or unreadable one.
        unreadable: why the file's constant is not in `data`, e.g. 'is stored sparse'; None if it is
            there, or if the file has none.
        is_variable: kept from one invocation to the next (LSTM state).
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    quantized_axis: int | None
    data: np.ndarray | None
    is_variable: bool
    unreadable: str | None = None


@dataclass(frozen=True)
class Operator:
    """One operator, in execution order.

    Attributes:
        index: its place in the order of execution.
        name: the schema's, e.g. 'CONV_2D'; 'CUSTOM:<code>' for a custom one, 'OPERATOR_999' for a
            number that the schema does not know.
        inputs: tensor indices, -1 where an optional one is absent.
        options: schema names in snake_case, e.g. {'stride_w': 1, 'padding': 'SAME'}; activations
            and paddings by name.
        options_kind: the schema's name of their table, e.g. 'Conv2DOptions'; empty without options.
    """

    index: int
    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    intermediates: tuple[int, ...]
    options: dict[str, object]
    options_kind: str = ""


@dataclass(frozen=True, eq=False)
class TfliteModel:
    """The main subgraph of a `.tflite` file, with the digest of the whole file."""

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    n_bytes: int
    sha256: str


def read_tflite(source: Path | bytes) -> TfliteModel:
    """The typed graph of a `.tflite` file or of its bytes.

    Raises:
        KdEdgeError KD_NO_FILE: there is no such file.
        KdEdgeError KD_BAD_TFLITE: the bytes are not a whole and consistent TFLite model.
    """
    content, where = _content(source)
    parse = _kept if len(content) <= _MOST_KEPT_BYTES else _parsed
    return _checked(lambda: parse(content), where)


def unpack(source: Path | bytes):
    """The schema's own object (`ModelT`), to be edited and given to `pack`.

    Raises as `read_tflite`.
    """
    content, where = _content(source)
    return _checked(lambda: _unpacked(content), where)


def pack(model) -> bytes:
    """Bytes of a `ModelT`, every buffer at a multiple of 16 bytes from the start of the file.

    The same object always gives the same bytes. Zero points that are alike stand once: a tensor
    with a scale for each channel has 8 bytes of them a channel, and in int8 weights all are 0. A
    tensor's only one stands by itself: files of one architecture have one length.
    """
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    class _AlignedBuffer(schema.BufferT):
        # The generated Python code ignores the schema's force_align.
        def Pack(self, builder):  # noqa: N802  the generated code calls it so
            data = _aligned_vector(builder, self.data) if self.data is not None else None
            schema.BufferStart(builder)
            if data is not None:
                schema.BufferAddData(builder, data)
            return schema.BufferEnd(builder)

    class _Sharing(flatbuffers.Builder):
        def __init__(self):
            super().__init__(1 << 16)
            self._written: dict[bytes, int] = {}

        def CreateNumpyVector(self, x):  # noqa: N802  the generated code calls it so
            # Zero points have 64 bits, and little else has.
            if x.dtype != np.int64 or len(x) < 2:
                return super().CreateNumpyVector(x)
            place = self._written.get(x.tobytes())
            if place is None:
                place = self._written[x.tobytes()] = super().CreateNumpyVector(x)
            return place

    originals = model.buffers
    model.buffers = [_AlignedBuffer(data=buffer.data) for buffer in originals]
    try:
        builder = _Sharing()
        builder.Finish(model.Pack(builder), file_identifier=IDENTIFIER)
        return bytes(builder.Output())
    finally:
        model.buffers = originals


def buffer_offsets(content: bytes) -> tuple[int, ...]:
    """Where the data of each non-empty buffer begins, in bytes from the start of the file."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(content, 0)
    buffers = [model.Buffers(i) for i in range(model.BuffersLength())]
    fields = [(buffer._tab, buffer._tab.Offset(4)) for buffer in buffers if buffer.DataLength()]
    return tuple(int(table.Vector(field)) for table, field in fields)


def drop_unused_buffers(model) -> None:
    """Leave out of a `ModelT` the buffers that nothing names, and number the others anew."""
    notes = model.metadata or []
    used = {0} | {metadata.buffer for metadata in notes}
    used |= {tensor.buffer for graph in model.subgraphs for tensor in graph.tensors}
    kept = sorted(used)
    number = {old: new for new, old in enumerate(kept)}
    model.buffers = [model.buffers[old] for old in kept]
    for metadata in notes:
        metadata.buffer = number[metadata.buffer]
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            tensor.buffer = number[tensor.buffer]


def _aligned_vector(builder, data) -> int:
    payload = np.asarray(data, dtype=np.uint8).tobytes()
    builder.StartVector(1, len(payload), BUFFER_ALIGNMENT)
    builder.head -= len(payload)
    builder.Bytes[builder.head : builder.head + len(payload)] = payload
    return builder.EndVector()


def _parsed(content: bytes) -> TfliteModel:
    return _typed(_unpacked(content), content)


# Measuring a model reads it dozens of times: each runtime, each look at its layers.
_kept = functools.lru_cache(maxsize=8)(_parsed)


# --- bytes to schema objects ---


def model_bytes(path: Path) -> bytes:
    """The bytes of a model's file.

    Raises:
        KdEdgeError KD_NO_FILE: it is missing, a folder, a pipe or a device, or cannot be read.
        KdEdgeError KD_BAD_TFLITE: it has more than 512 MiB.
    """
    try:
        return read_regular(path, most_bytes=MAX_FILE_BYTES)
    except OSError as error:
        if error.errno == errno.EFBIG:
            raise KdEdgeError(
                "KD_BAD_TFLITE",
                f"the model has more than {MAX_FILE_BYTES >> 20} MiB",
                where=str(path),
                hint="name a .tflite file of a student or teacher",
            ) from error
        hint = "name a .tflite file"
        if path.is_dir():
            hint = "name a .tflite file in it, e.g. student.int8.tflite of a bundle"
        raise KdEdgeError(
            "KD_NO_FILE", f"cannot read the model: {error.strerror}", where=str(path), hint=hint
        ) from error


def _content(source: Path | bytes) -> tuple[bytes, str]:
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source), f"{len(source)} bytes in memory"
    return model_bytes(Path(source)), str(source)


def _checked(parse, where: str):
    try:
        return parse()
    except KdEdgeError as error:
        raise KdEdgeError(error.code, error.message, where=where, hint=error.hint) from error
    except Exception as error:
        # The generated reader trusts its bytes: a hostile file makes it raise nearly anything.
        raise KdEdgeError(
            "KD_BAD_TFLITE",
            f"the TFLite model is broken: {type(error).__name__}: {error}",
            where=where,
            hint="the file is cut or altered: make it again with `kd-edge build`",
        ) from error


def _unpacked(content: bytes):
    from ai_edge_litert import schema_py_generated as schema

    if len(content) < 8 or content[4:8] != IDENTIFIER:
        bad("this is not a TFLite model: its bytes 4 to 7 are not 'TFL3'")
    root = schema.Model.GetRootAs(content, 0)
    check_reach(root, len(content))
    return schema.ModelT.InitFromObj(root)


# --- schema objects to the typed graph ---


def _typed(model, content: bytes) -> TfliteModel:
    if not model.subgraphs:
        bad("the model has no subgraph")
    graph = model.subgraphs[0]
    tensors = tuple(
        _tensor(i, tensor, model.buffers or []) for i, tensor in enumerate(graph.tensors or [])
    )
    codes = model.operatorCodes or []
    operators = tuple(_operator(i, op, codes) for i, op in enumerate(graph.operators or []))
    typed = TfliteModel(
        inputs=_indices(graph.inputs),
        outputs=_indices(graph.outputs),
        tensors=tensors,
        operators=operators,
        n_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )
    _check_references(typed)
    return typed


def _indices(values) -> tuple[int, ...]:
    return () if values is None else tuple(int(value) for value in values)


def _check_references(model: TfliteModel) -> None:
    count = len(model.tensors)
    for name, used in (("inputs", model.inputs), ("outputs", model.outputs)):
        if any(not 0 <= index < count for index in used):
            bad(f"the model's {name} name tensors {used}, but it has {count}")
    for op in model.operators:
        used = op.inputs + op.outputs + op.intermediates
        if any(not -1 <= index < count for index in used):
            bad(f"operator {op.index} ({op.name}) names tensors {used}, but there are {count}")


def _tensor(index: int, raw, buffers) -> Tensor:
    name = printable(raw.name)
    where = f"tensor {index} ('{name}')"
    shape = _indices(raw.shape)
    if any(size < 0 for size in shape):
        bad(f"{where} has the shape {shape}")
    dtype = type_name(raw.type)
    scales, zero_points, axis = _quantisation(raw, shape, where)
    data, unreadable = _constant(raw, shape, dtype, buffers, where)
    return Tensor(
        index=index,
        name=name,
        shape=shape,
        dtype=dtype,
        scales=scales,
        zero_points=zero_points,
        quantized_axis=axis,
        data=data,
        is_variable=bool(raw.isVariable),
        unreadable=unreadable,
    )


def _quantisation(raw, shape: tuple[int, ...], where: str):
    parameters = raw.quantization
    if parameters is None or parameters.scale is None or len(parameters.scale) == 0:
        return (), (), None
    scales = tuple(float(scale) for scale in parameters.scale)
    zero_points = _indices(parameters.zeroPoint) or (0,) * len(scales)
    if not all(math.isfinite(scale) and scale >= 0 for scale in scales):
        bad(f"{where} has a scale that is negative or not a number")
    if len(zero_points) != len(scales):
        bad(f"{where} has {len(scales)} scales but {len(zero_points)} zero points")
    axis = _quantized_axis(parameters, shape) if len(scales) > 1 else None
    if axis is not None and not (0 <= axis < len(shape) and shape[axis] == len(scales)):
        bad(f"{where} has {len(scales)} scales along axis {axis} of the shape {shape}")
    return scales, zero_points, axis


def _quantized_axis(parameters, shape: tuple[int, ...]) -> int:
    """The axis that the scales go along; old converters wrote 3 for biases, which have one axis."""
    return 0 if len(shape) == 1 else int(parameters.quantizedDimension)


def _constant(raw, shape, dtype: str, buffers, where: str) -> tuple[np.ndarray | None, str | None]:
    """The constant's array, or why a constant that the file holds is none."""
    if not 0 <= raw.buffer < max(len(buffers), 1):
        bad(f"{where} names buffer {raw.buffer}, but there are {len(buffers)}")
    if raw.buffer == 0:
        return None, None
    buffer = buffers[raw.buffer]
    if buffer.offset > 1:
        bad(f"{where} keeps its data outside the flatbuffer, which kd-edge does not read")
    if buffer.data is None or len(buffer.data) == 0:
        return None, None
    if raw.sparsity is not None:
        return None, "is stored sparse"
    if dtype not in (*_NUMPY_TYPES, "int4"):
        return None, f"is of type {dtype}"
    # A view, not a copy: a thousand tensors may name one buffer.
    content = np.asarray(buffer.data, dtype=np.uint8)
    count = math.prod(shape)
    expected = (count + 1) // 2 if dtype == "int4" else count * _NUMPY_TYPES[dtype].itemsize
    if content.size != expected:
        bad(f"{where} has {content.size} bytes of data; its shape {shape} takes {expected}")
    if dtype == "int4":
        return _int4_of(buffer, content)[:count].reshape(shape), None
    return content.view(_NUMPY_TYPES[dtype]).reshape(shape), None


def _int4_of(buffer, content: np.ndarray) -> np.ndarray:
    """int8, two of each byte: the lower half first, in two's complement. Once for each buffer."""
    if not hasattr(buffer, "int4_values"):
        halves = np.stack([content & 15, content >> 4], axis=1).reshape(-1).astype(np.int8)
        buffer.int4_values = (halves ^ 8) - 8
        buffer.int4_values.setflags(write=False)
    return buffer.int4_values


def pack_int4(values: np.ndarray) -> np.ndarray:
    """(ceil(n / 2),) uint8: n integers from -8 to 7, two to a byte, the first in the lower half."""
    flat = values.reshape(-1).astype(np.uint8) & 15
    whole = np.append(flat, np.zeros(flat.size % 2, np.uint8))
    return whole[0::2] | whole[1::2] << 4


def _operator(index: int, raw, codes) -> Operator:
    if not 0 <= raw.opcodeIndex < len(codes):
        bad(f"operator {index} names code {raw.opcodeIndex}, but there are {len(codes)}")
    return Operator(
        index=index,
        name=operator_name(codes[raw.opcodeIndex]),
        inputs=_indices(raw.inputs),
        outputs=_indices(raw.outputs),
        intermediates=_indices(raw.intermediates),
        options=options(raw.builtinOptions),
        options_kind=type(raw.builtinOptions).__name__[:-1] if raw.builtinOptions else "",
    )
