"""ONNX files written byte by byte, so that tests need no other package than what reads them.

A file is a protocol buffer; the numbers of its fields are those of onnx.proto in
github.com/onnx/onnx.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

_ELEMENTS = {"f4": 1, "i8": 7, "f2": 10, "f8": 11}


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def field(number: int, value: int | str | bytes) -> bytes:
    """One field: a whole number, a text, or bytes such as a message."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    content = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def tensor(name: str, values: np.ndarray, *, outside: str | None = None) -> bytes:
    """An initialiser; its values in the file `outside` where one is named."""
    dims = b"".join(field(1, n) for n in values.shape)
    head = dims + field(2, _ELEMENTS[values.dtype.str[1:]]) + field(8, name)
    if outside is None:
        return head + field(9, values.astype(values.dtype.newbyteorder("<")).tobytes())
    return head + field(13, field(1, "location") + field(2, outside)) + field(14, 1)


def value(name: str, shape: Sequence[int | str], element: str = "f4") -> bytes:
    """An input or an output; a text is a length that is not fixed."""
    dims = b"".join(field(1, field(1 if isinstance(n, int) else 2, n)) for n in shape)
    kind = field(1, _ELEMENTS[element]) + field(2, dims)
    return field(1, name) + field(2, field(1, kind))


def node(kind: str, inputs: Sequence[str], output: str, *, domain: str = "", **numbers) -> bytes:
    """An operator with whole numbers as attributes."""
    made = b"".join(field(1, name) for name in inputs) + field(2, output) + field(4, kind)
    for name, number in numbers.items():
        made += field(5, field(1, name) + field(3, number) + field(20, 2))
    return made + field(7, domain)


def model(
    nodes: Sequence[bytes],
    *,
    inputs: Mapping[str, Sequence[int | str]],
    outputs: Mapping[str, Sequence[int | str]],
    tensors: Sequence[bytes] = (),
    element: str = "f4",
) -> bytes:
    """A whole file."""
    graph = b"".join(field(1, one) for one in nodes) + field(2, "g")
    graph += b"".join(field(5, one) for one in tensors)
    graph += b"".join(field(11, value(n, shape, element)) for n, shape in inputs.items())
    graph += b"".join(field(12, value(n, shape, element)) for n, shape in outputs.items())
    return field(1, 8) + field(7, graph) + field(8, field(1, "") + field(2, 13))


def linear(
    weights: np.ndarray,
    bias: np.ndarray,
    shape: Sequence[int | str],
    *,
    batch: int | str = "batch",
    softmax: bool = False,
    name: str = "x",
) -> bytes:
    """Scores flatten(x) @ weights + bias, or their softmax.

    Args:
        weights: (numbers of an example, classes). shape: of an example.
    """
    last = "logits" if softmax else "scores"
    nodes = [node("Flatten", [name], "flat", axis=1), node("Gemm", ["flat", "w", "b"], last)]
    if softmax:
        nodes.append(node("Softmax", [last], "scores", axis=1))
    return model(
        nodes,
        inputs={name: (batch, *shape)},
        outputs={"scores": (batch, weights.shape[1])},
        tensors=[
            tensor("w", weights.astype("f4")),
            tensor("b", bias.astype("f4")),
        ],
    )
