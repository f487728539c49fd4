"""Core ML packages that somebody else made: each is refused by code, whatever it asks for.

Oracle: the error's code. Packages are written by hand, without Core ML's tools.
"""

from __future__ import annotations

import io
import struct
import zipfile

import numpy as np
import pytest

from kd_edge.base.core_ml import SPECIFICATION, read_package, write_package
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.formats import FileKind
from kd_edge.base.head_files import HEAD_FILES
from kd_edge.runtimes.registry import open_interpreter

FLOAT32, INT32 = 11, 23
SHAPE = (1, 1, 4)


def varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])


def field(number: int, content: int | str | bytes) -> bytes:
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    content = content.encode() if isinstance(content, str) else content
    return varint(number << 3 | 2) + varint(len(content)) + content


def tensor_type(dtype: int, shape) -> bytes:
    dimensions = b"".join(field(3, field(1, field(1, n))) for n in shape)
    return field(1, field(1, dtype) + field(2, len(shape)) + dimensions)


def named(name: str, dtype: int = FLOAT32, shape=SHAPE) -> bytes:
    return field(1, name) + field(2, tensor_type(dtype, shape))


def constant(name: str, dtype: int, shape, values: bytes) -> bytes:
    which = 1 if dtype == FLOAT32 else 2
    value = field(2, tensor_type(dtype, shape))
    value += field(3, field(1, field(which, field(1, values))))
    ends = field(3, named(name, dtype, shape))
    return field(1, "const") + ends + field(5, field(1, "val") + field(2, value))


def operation(kind: str | int, inputs: dict[str, str], outputs=("logits",)) -> bytes:
    bound = b"".join(
        field(2, field(1, argument) + field(2, field(1, field(1, name))))
        for argument, name in inputs.items()
    )
    return field(1, kind) + bound + b"".join(field(3, named(name)) for name in outputs)


def specification(*operations: bytes, outputs=("logits",)) -> bytes:
    block = b"".join(field(3, each) for each in operations)
    block += b"".join(field(2, name) for name in outputs)
    function = field(1, named("x")) + field(3, field(1, "CoreML5") + field(2, block))
    program = field(2, field(1, "main") + field(2, function))
    described = b"".join(field(10, field(1, name)) for name in outputs)
    return field(2, field(1, field(1, "x")) + described) + field(502, program)


def package(*operations: bytes, **more) -> bytes:
    return write_package({SPECIFICATION: specification(*operations, **more)})


WEIGHT = constant("w", FLOAT32, (1, 1, 1), struct.pack("<f", 1))
BIAS = constant("b", FLOAT32, (4,), bytes(16))


def test_a_sound_package_made_so_is_read_and_computed(tmp_path):
    path = tmp_path / "sound.mlpackage.zip"
    path.write_bytes(package(operation("relu", {"x": "x"})))
    x = np.array([[[-1, 0, 1, 2]]], np.float32)
    (found,) = open_interpreter("mil-numpy", path).run([x])
    np.testing.assert_array_equal(found, np.maximum(x, 0))


@pytest.mark.parametrize("number", [3, 1 << 34, 1 << 61])
def test_a_number_where_text_belongs_takes_no_memory(number):
    with pytest.raises(KdEdgeError) as caught:
        read_package(package(operation(number, {"x": "x"})))
    assert caught.value.code == "KD_BAD_FORMAT"
    assert "a number where text belongs" in caught.value.where


@pytest.mark.parametrize("compression", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_members_are_stored_or_deflated(compression):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        archive.writestr(SPECIFICATION, specification(operation("relu", {"x": "x"})))
    with pytest.raises(KdEdgeError) as caught:
        read_package(stream.getvalue())
    assert caught.value.code == "KD_BAD_FORMAT"


def test_a_stride_of_0_is_told(tmp_path):
    path = tmp_path / "still.mlpackage.zip"
    strides = constant("s", INT32, (1,), varint(0))
    moved = operation("conv", {"x": "x", "weight": "w", "strides": "s"})
    path.write_bytes(package(WEIGHT, strides, moved))
    with pytest.raises(KdEdgeError) as caught:
        open_interpreter("mil-numpy", path).run([np.zeros(SHAPE, np.float32)])
    assert caught.value.code == "KD_BAD_FORMAT"


@pytest.mark.parametrize(
    "content",
    [
        package(BIAS, operation("linear", {"x": "x", "bias": "b"})),
        package(BIAS, operation("relu", {"x": "x"}), outputs=("logits", "logits")),
    ],
    ids=["no weights", "two outputs"],
)
def test_a_last_layer_that_cannot_be_found_is_told(content):
    with pytest.raises(KdEdgeError) as caught:
        HEAD_FILES[FileKind.COREML].find(content)
    assert caught.value.code == "KD_UNSUPPORTED_OP"
