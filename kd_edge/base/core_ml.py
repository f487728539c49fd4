"""Core ML packages of float32: what they hold, read without Core ML and without its tools.

A package is a folder: a manifest, a specification (protocol buffers) and a file of weights. A
bundle has it as one zip file. Apple states the formats in coremltools: `mlmodel/format/Model.proto`
and `MIL.proto`; `mlmodel/src/MILBlob/Blob/StorageFormat.hpp` has the weights.
"""

from __future__ import annotations

import io
import json
import math
import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.protobuf import read_message, read_varints, signed
from kd_edge.base.tensors import TensorSpec

EXTRA = "coreml"  # of pip install: brings the tools that write packages
OUTPUT = "logits"
MANIFEST = "Manifest.json"
SPECIFICATION = "Data/com.apple.CoreML/model.mlmodel"
WEIGHTS = "Data/com.apple.CoreML/weights/weight.bin"
_WEIGHTS_IN_PROGRAM = "@model_path/weights/weight.bin"
_MOST_BYTES = 1_000_000_000
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

# Field numbers of Model.proto and MIL.proto, and the types that they number.
_DESCRIPTION, _PROGRAM = 2, 502
_BOOL, _STRING, _FLOAT32, _INT32 = 1, 2, 11, 23
_DTYPES = {_BOOL: np.dtype(bool), _FLOAT32: np.dtype("<f4"), _INT32: np.dtype("<i4")}
_SENTINEL, _BLOB_FLOAT32 = 0xDEADBEEF, 2

Operand = str | np.ndarray


@dataclass(frozen=True, eq=False)
class MilOperation:
    """One operation of a program.

    Attributes:
        kind: Core ML's name of what it does, such as 'conv'.
        inputs: argument -> values that are computed or constant, by name. outputs: names.
    """

    kind: str
    inputs: Mapping[str, tuple[str, ...]]
    outputs: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class CoreMlPackage:
    """What a package holds.

    Attributes:
        inputs, outputs: ends of the program, float32.
        operations: in their order, without constants.
        constants: name -> numbers or text, of whatever shape. Floats are views of `files`.
        files: name below the package -> bytes.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    operations: tuple[MilOperation, ...]
    constants: Mapping[str, np.ndarray]
    files: Mapping[str, bytearray]

    @property
    def operators(self) -> tuple[str, ...]:
        """Names in execution order."""
        return tuple(operation.kind for operation in self.operations)

    @property
    def weight_bytes(self) -> int:
        """Bytes of every constant of float32."""
        return sum(a.nbytes for a in self.constants.values() if a.dtype == _DTYPES[_FLOAT32])


def write_package(files: Mapping[str, bytes]) -> bytes:
    """A specification and weights, by name, as a zip file with a manifest of its own.

    The same files give the same bytes: no dates, no random identifiers, nothing compressed.
    """
    entries = {}
    for name, path in (("model.mlmodel", SPECIFICATION), ("weights", WEIGHTS.rpartition("/")[0])):
        if any(each.startswith(path) for each in files):
            entries[f"kd-edge-{name}"] = {
                "author": "com.apple.CoreML",
                "description": f"CoreML Model {name}",
                "name": name,
                "path": path.removeprefix("Data/"),
            }
    manifest = {
        "fileFormatVersion": "1.0.0",
        "itemInfoEntries": entries,
        "rootModelIdentifier": "kd-edge-model.mlmodel",
    }
    given = {MANIFEST: json.dumps(manifest, indent=4).encode(), **files}
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(given):
            archive.writestr(zipfile.ZipInfo(name), bytes(given[name]))
    return stream.getvalue()


def read_package(content: bytes) -> CoreMlPackage:
    """Read a zip file that holds a Core ML package with one program of float32.

    Raises:
        KdEdgeError KD_BAD_FORMAT: it is damaged, or holds something else.
    """
    try:
        files = _unpacked(content)
        return _read(files)
    except (ValueError, KeyError, IndexError, TypeError, OverflowError) as error:
        said = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise KdEdgeError(
            "KD_BAD_FORMAT",
            "this is no zip file of a Core ML package with a program of float32",
            where=" ".join(said.split())[:200],
            hint="name a file that `kd-edge build` wrote",
        ) from error


def _unpacked(content: bytes) -> dict[str, bytearray]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            if not {SPECIFICATION} <= {m.filename for m in members} <= _NAMES:
                raise ValueError(f"it holds {', '.join(m.filename for m in members[:8])}")
            if any(m.compress_type not in _COMPRESSIONS for m in members):
                raise ValueError("a member is compressed in a way that packages are not")
            if sum(member.file_size for member in members) > _MOST_BYTES:
                raise ValueError(f"it unpacks to more than {_MOST_BYTES:,} bytes")
            return {m.filename: bytearray(archive.read(m)) for m in members}
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError) as error:
        raise ValueError(str(error)) from error


_NAMES = {MANIFEST, SPECIFICATION, WEIGHTS}


def _read(files: dict[str, bytearray]) -> CoreMlPackage:
    model = read_message(memoryview(files[SPECIFICATION]))
    program = read_message(model[_PROGRAM][0])
    ((name, function),) = _map(program[2])
    if name != "main":
        raise ValueError(f"its function is '{name}'")
    function = read_message(function)
    ((_, block),) = _map(function[3])
    block = read_message(block)
    stored = memoryview(files.get(WEIGHTS, bytearray()))
    constants, operations, types = {}, [], {}
    for each in block.get(3, ()):
        fields = read_message(each)
        if fields.get(4):
            raise ValueError("an operation that runs others, such as a loop")
        outputs = [_named(output) for output in fields[3]]
        types.update(outputs)
        if _text(fields[1][0]) == "const":
            ((made, _),) = outputs
            constants[made] = _value(dict(_map(fields[5]))["val"], stored)
            continue
        inputs = {
            argument: tuple(_binding(binding) for binding in read_message(bound).get(1, ()))
            for argument, bound in _map(fields.get(2, ()))
        }
        names = tuple(made for made, _ in outputs)
        operations.append(MilOperation(_text(fields[1][0]), inputs, names))
    inputs = tuple(_spec(*_named(each)) for each in function.get(1, ()))
    outputs = tuple(_spec(made, types[made]) for made in map(_text, block[2]))
    _check_description(model[_DESCRIPTION][0], inputs, outputs)
    return CoreMlPackage(inputs, outputs, tuple(operations), constants, files)


def _check_description(content: memoryview, inputs, outputs) -> None:
    """What apps see of the model must be what the program takes and gives."""
    description = read_message(content)
    for number, ends in ((1, inputs), (10, outputs)):
        said = [_text(read_message(each)[1][0]) for each in description.get(number, ())]
        if said != [end.name for end in ends]:
            raise ValueError(f"it describes {said}, and computes {[end.name for end in ends]}")


def _map(entries: Iterable[memoryview]) -> list[tuple[str, memoryview]]:
    pairs = [read_message(entry) for entry in entries]
    return [(_text(pair[1][0]), pair[2][0]) for pair in pairs]


def _text(content: int | memoryview) -> str:
    if isinstance(content, int):  # bytes(n) would be n of them
        raise ValueError("a number where text belongs")
    return bytes(content).decode()


def _named(content: memoryview) -> tuple[str, memoryview]:
    fields = read_message(content)
    return _text(fields[1][0]), fields[2][0]


def _binding(content: memoryview) -> str:
    fields = read_message(content)
    if 1 not in fields:
        raise ValueError("an argument that is no name")
    return _text(fields[1][0])


def _spec(name: str, kind: memoryview) -> TensorSpec:
    number, shape = _tensor_type(kind)
    if number != _FLOAT32:
        raise ValueError(f"'{name}' is not float32")
    return TensorSpec(name, shape, np.dtype(np.float32).name, None, None)


def _tensor_type(content: memoryview) -> tuple[int, tuple[int, ...]]:
    """The number of a tensor's type, and its shape."""
    tensor = read_message(read_message(content)[1][0])
    shape = []
    for dimension in tensor.get(3, ()):
        constant = read_message(read_message(dimension)[1][0])
        shape.append(constant.get(1, [0])[0])
    return tensor[1][0], tuple(shape)


def _value(content: memoryview, stored: memoryview) -> np.ndarray:
    fields = read_message(content)
    number, shape = _tensor_type(fields[2][0])
    if 5 in fields:
        return _stored(read_message(fields[5][0]), stored, shape, number)
    (tensor,) = read_message(read_message(fields[3][0])[1][0]).items()
    values = read_message(tensor[1][0]).get(1, [memoryview(b"")])
    if number == _STRING:
        return np.array([_text(value) for value in values]).reshape(shape)
    if number not in _DTYPES:
        raise ValueError(f"a constant of type {number}, which is not known")
    (packed,) = values
    if number == _FLOAT32:
        return np.frombuffer(packed, _DTYPES[number]).reshape(shape)
    return np.array([signed(v) for v in read_varints(packed)], _DTYPES[number]).reshape(shape)


def _stored(blob, stored: memoryview, shape: tuple[int, ...], number: int) -> np.ndarray:
    """Numbers of the file of weights: a head of 64 bytes says where they are."""
    if number != _FLOAT32 or _text(blob[1][0]) != _WEIGHTS_IN_PROGRAM:
        raise ValueError("weights that are not float32, or lie elsewhere")
    at = blob[2][0]
    if at + 24 > len(stored):
        raise ValueError("weights beyond their file")
    sentinel, kind, n_bytes, start = struct.unpack_from("<IIQQ", stored, at)
    if sentinel != _SENTINEL or kind != _BLOB_FLOAT32 or n_bytes != 4 * math.prod(shape):
        raise ValueError("weights that are not as the program says")
    if start + n_bytes > len(stored):
        raise ValueError("weights beyond their file")
    return np.frombuffer(stored[start : start + n_bytes], _DTYPES[number]).reshape(shape)
