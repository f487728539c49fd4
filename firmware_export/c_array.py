"""The model's bytes as a C array."""

from __future__ import annotations

from firmware_export import c_text
from firmware_export.render import Files, Renderer


def model_files(render: Renderer, content: bytes) -> Files:
    """kd_model.h and kd_model.c: the `.tflite` byte for byte, aligned to 16 bytes."""
    return {
        "kd_model.h": render("kd_model.h"),
        "kd_model.c": render("kd_model.c", byte_lines=c_text.byte_lines(content)),
    }
