"""The model's bytes as a C array."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from firmware_export import c_text
from firmware_export.render import Files, Renderer


def model_files(
    render: Renderer,
    content: bytes,
    *,
    symbol: str = "kd_model",
    arena: Mapping[str, object] | None = None,
) -> Files:
    """`<symbol>.h` and `.c`: the `.tflite` byte for byte, aligned to 16 bytes.

    Args:
        symbol: the array's name. arena: of one of several models, as `memory_values` tells it.
    """
    values = {
        "symbol": symbol,
        "n_bytes": len(content),
        "own_sha256": hashlib.sha256(content).hexdigest(),
        "arena": arena,
    }
    return {
        f"{symbol}.h": render("kd_model.h", **values),
        f"{symbol}.c": render("kd_model.c", **values, byte_lines=c_text.byte_lines(content)),
    }
