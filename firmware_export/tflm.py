"""From a `.tflite` file to a folder of C and C++ sources for TFLite Micro."""

from __future__ import annotations

import json
from pathlib import Path

from firmware_export.c_array import model_files
from firmware_export.constants import memory_values, read_labels, read_ports, settings_files
from firmware_export.front_end import front_end_files
from firmware_export.golden import golden_files
from firmware_export.op_resolver import operator_names, resolver_files
from firmware_export.render import Files, renderer
from firmware_export.settings import FirmwareSettings, Golden, with_margin
from kd_edge.base.files import sha256_text, write_text
from kd_edge.base.flatbuffer import TfliteModel, read_tflite
from kd_edge.base.tensors import TensorSpec

__all__ = ["FirmwareSettings", "Golden", "export_tflm", "render_files"]

MANIFEST = "manifest.json"
MANIFEST_VERSION = 1

# What each file is, for the README and the manifest.
ROLES = {
    "kd_model.h": "the model's size and SHA-256",
    "kd_model.c": "the model as a 16-byte aligned array",
    "kd_settings.h": "inputs, output, scales, labels, arena",
    "kd_settings.c": "the same as data",
    "kd_quantize.h": "between real values and int8",
    "kd_quantize.c": "the one rounding rule, as in Python",
    "kd_front_end.h": "streams, layouts and units a count",
    "kd_front_end.c": "filters, resampling and normaliser as numbers",
    "kd_signal.h": "the front end's structures, and what runs one channel",
    "kd_signal.c": "filters, resampling, normaliser and quantisation of one channel",
    "kd_front_end_run.h": "from 16-bit sensor samples to the model's inputs",
    "kd_front_end_run.c": "the same as code",
    "kd_golden.h": "inputs with the answers that a board must give",
    "kd_golden.c": "the same as data; leave it out of a product",
    "kd_op_resolver.h": "exactly the operators used (C++)",
    "kd_run.h": "set up and run, callable from C",
    "kd_run.cc": "the interpreter behind it (C++)",
    "README.md": "how to add the files to a project",
}


def export_tflm(model_path: Path, out_dir: Path, settings: FirmwareSettings) -> tuple[Path, ...]:
    """Write the sources, a README and a manifest; the same arguments give the same bytes.

    Args:
        model_path: an int8 `.tflite` with batch 1 and one output.
        out_dir: made where absent; an earlier export in it is replaced.

    Returns:
        What was written, sorted; every file is rendered before the first is written.

    Raises:
        KdEdgeError KD_NO_FILE, KD_BAD_TFLITE: no model there, or one that the firmware cannot run.
        KdEdgeError KD_UNSUPPORTED_OP: TFLite Micro has no such operator.
        KdEdgeError KD_LABELS, KD_SHAPE, KD_NOT_CAUSAL: labels, golden vectors or front end do not
            fit the model or a board.
        KdEdgeError KD_OUTPUT: the folder cannot be written.
    """
    model = read_tflite(Path(model_path))
    content = Path(model_path).read_bytes()
    files = render_files(content, model, settings)
    files[MANIFEST] = _manifest(model, settings, files)
    for name in sorted(files):
        write_text(Path(out_dir) / name, files[name])
    # An earlier export's golden vectors or front end beside this model would be wrong answers.
    for name in ROLES.keys() - files.keys():
        (Path(out_dir) / name).unlink(missing_ok=True)
    return tuple(Path(out_dir) / name for name in sorted(files))


def render_files(content: bytes, model: TfliteModel, settings: FirmwareSettings) -> Files:
    """Every file but the manifest, as text. Raises as `export_tflm`."""
    render = renderer(settings, model)
    ports = read_ports(model)
    labels = read_labels(settings, ports)
    files = model_files(render, content)
    files |= settings_files(render, settings, ports, labels)
    files |= resolver_files(render, model)
    if settings.front_end is not None:
        files |= front_end_files(render, settings.front_end, input_specs(model))
    if settings.golden is not None:
        files |= golden_files(render, settings.golden, ports, limit=settings.golden_count)
    files["README.md"] = render(
        "README.md",
        files=[(name, ROLES[name]) for name in sorted(files)],
        inputs=ports.inputs,
        output=ports.output,
        labels=labels,
        operators=operator_names(model),
        golden_count=min(settings.golden_count, len(settings.golden.labels))
        if settings.golden
        else 0,
        **memory_values(settings),
    )
    return files


def input_specs(model: TfliteModel) -> tuple[TensorSpec, ...]:
    """The inputs as the runtimes describe them, so that windows are matched by the same rule."""
    tensors = [model.tensors[index] for index in model.inputs]
    return tuple(
        TensorSpec(t.name, t.shape, t.dtype, t.scales[0], t.zero_points[0]) for t in tensors
    )


def _manifest(model: TfliteModel, settings: FirmwareSettings, files: Files) -> str:
    """What was written, with digests, as JSON."""
    content = {
        "manifest_version": MANIFEST_VERSION,
        "generator": settings.generator,
        "engine": "tflm",
        "synthetic": settings.synthetic,
        "model": {"name": settings.name, "sha256": model.sha256, "bytes": model.n_bytes},
        "arena": {
            "measured_bytes": settings.arena_bytes,
            "reserved_bytes": with_margin(settings.arena_bytes),
            "how": settings.arena_how,
        },
        "operators": list(operator_names(model)),
        "files": [
            {
                "path": name,
                "role": ROLES[name],
                "bytes": len(text.encode("utf-8")),
                "sha256": sha256_text(text),
            }
            for name, text in sorted(files.items())
        ],
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
