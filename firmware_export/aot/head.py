"""A wearer's last layer as the bytes that a board takes in place of the built one's."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np

from firmware_export.aot.compiler import head_of, simplify
from firmware_export.aot.cores import HOST, find_core
from firmware_export.aot.lower.dense import lower_dense
from firmware_export.aot.reading import read_graph
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.flatbuffer import model_bytes, read_tflite
from kd_edge.base.head import find_head, with_head
from kd_edge.base.wire import encode

_CRC_BYTES = 4


def head_block(built: Path, own: Path) -> bytes:
    """The HEAD_BLOCK that makes a board with one model answer as another one.

    Args:
        built: the int8 `.tflite` on the board. own: the same with another last layer.

    Raises:
        KdEdgeError KD_NO_FILE, KD_BAD_TFLITE: as `read_tflite`. KD_UNSUPPORTED_OP: a model does
            not end in a dense layer, or in one that plain C does not compute.
        KdEdgeError KD_BOARD_MODEL: more than the last layer differs.
    """
    before, after = model_bytes(built), model_bytes(own)
    model = read_tflite(after)
    if with_head(before, find_head(model)) != after:
        raise KdEdgeError(
            "KD_BOARD_MODEL",
            f"{own.name} is not {built.name} with another last layer",
            where=str(own),
            hint="send what `kd-edge personalise` made of the bundle on the board",
        )
    graph, _ = simplify(read_graph(model), hop=None)
    (call,) = lower_dense(head_of(graph), find_core(HOST.name), replaceable=True)
    weights, bias, scales = (call.params[name] for name in call.replaceable)
    rows, columns = weights.shape
    values = (scales.astype("<i4"), bias.astype("<i4"), weights.astype(np.int8))
    content = encode(
        "HEAD_BLOCK",
        {
            "crc": 0,
            "built_sha256": bytes.fromhex(read_tflite(before).sha256),
            "model_sha256": bytes.fromhex(model.sha256),
            "rows": rows,
            "columns": columns,
            "scales": len(scales),
            "values": b"".join(each.tobytes() for each in values),
        },
    )[_CRC_BYTES:]
    return zlib.crc32(content).to_bytes(_CRC_BYTES, "little") + content
