"""From a `.tflite` file to a folder of C and C++ sources for TFLite Micro."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path

from firmware_export import c_text
from firmware_export.composed import answering, composed_run_files, prefixes
from firmware_export.constants import memory_values, product_ports, read_labels, settings_files
from firmware_export.decision import decision_files
from firmware_export.engines import TFLITE_MICRO
from firmware_export.front_end import front_end_files
from firmware_export.golden import golden_files
from firmware_export.op_resolver import operator_names, resolver_files
from firmware_export.render import Files, Renderer, renderer
from firmware_export.settings import FirmwareSettings, Golden, with_margin
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.files import sha256_text, write_text
from kd_edge.base.product import Product, as_product

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
    "kd_signal.h": "the front end's structures, and what runs a channel from sample to sample",
    "kd_signal.c": "filters, resampling, normaliser and quantisation of one channel",
    "kd_value.h": "what the front end computes in: float32 or integers",
    "kd_signal_arithmetic.h": "its operations, for kd_signal.c",
    "kd_signal_arithmetic.c": "the same as code",
    "kd_signal_lanes.h": "how many channels go through filters together",
    "kd_signal_window.h": "channels of a window, from rest",
    "kd_signal_window.c": "the same as code",
    "kd_log.h": "a logarithm without libm",
    "kd_log.c": "the same as code",
    "kd_running.h": "the running normaliser of a channel",
    "kd_running.c": "the same as code",
    "kd_running_values.c": "the same as code, of a window's values",
    "kd_wearer.h": "what is known of whoever wears the sensors",
    "kd_wearer.c": "the same as code",
    "kd_roll.h": "the roll of a band, by gravity",
    "kd_roll.c": "the same as code",
    "kd_front_end_run.h": "from 16-bit sensor samples to the model's inputs",
    "kd_front_end_run.c": "the same as code",
    "kd_front_end_stream.h": "the same for a stream in which filters run on",
    "kd_front_end_stream.c": "the same as code",
    "kd_golden.h": "inputs with the answers that a board must give",
    "kd_golden.c": "the same as data; leave it out of a product",
    "kd_rule.h": "how several models answer as one",
    "kd_rule.c": "the same as code",
    "kd_decision.h": "from scores to what is said, window after window",
    "kd_decision.c": "the same as code",
    "kd_decision_rule.h": "the rule of this model",
    "kd_decision_rule.c": "the same as data, and what it remembers",
    "kd_op_resolver.h": "exactly the operators used (C++)",
    "kd_run.h": "set up and run, callable from C",
    "kd_run.cc": "the interpreter behind it (C++)",
    "README.md": "how to add the files to a project",
}


def export_tflm(
    source: Path | Product, out_dir: Path, settings: FirmwareSettings
) -> tuple[Path, ...]:
    """Write the sources, a README and a manifest; the same arguments give the same bytes.

    Args:
        source: an int8 `.tflite` with batch 1 and one output, or a product of one or several.
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
    product = as_product(Path(source) if not isinstance(source, Product) else source)
    files = render_files(product, settings)
    files[MANIFEST] = _manifest(product, settings, files)
    for name in sorted(files):
        write_text(Path(out_dir) / name, files[name])
    # An earlier export's golden vectors or front end beside this model would be wrong answers.
    for path in Path(out_dir).glob("kd_*"):
        if path.name not in files and role_of(path.name) is not None:
            path.unlink()
    return tuple(Path(out_dir) / name for name in sorted(files))


def render_files(product: Product, settings: FirmwareSettings) -> Files:
    """Every file but the manifest, as text. Raises as `export_tflm`."""
    if settings.arena_bytes is None:
        raise KdEdgeError(
            "KD_USAGE",
            "what memory TFLite Micro needs for the model was not measured",
            hint="take plain C, or build the bundle where TFLite Micro's interpreter is installed",
        )
    render = renderer(settings, product)
    ports = product_ports(product)
    labels = read_labels(settings, ports)
    models = [member.model for member in product.members]
    names = answering(product)
    files = _model_files(render, product, settings)
    files |= settings_files(render, settings, ports, labels, models=names)
    files |= resolver_files(render, *models)
    files |= _run_files(render, product)
    if settings.front_end is not None:
        files |= front_end_files(render, settings.front_end, product.inputs)
    if settings.decision is not None:
        files |= decision_files(render, settings.decision, ports)
    if settings.golden is not None:
        files |= golden_files(render, settings.golden, ports, limit=settings.golden_count)
    files["README.md"] = render(
        "README.md",
        files=[(name, role_of(name)) for name in sorted(files)],
        inputs=ports.inputs,
        output=ports.output,
        labels=labels,
        operators=_operators(product),
        golden_count=min(settings.golden_count, len(settings.golden.labels))
        if settings.golden
        else 0,
        rule=product.composition.rule if product.composition else "",
        decides=settings.decision is not None,
        **memory_values(settings),
    )
    return files


def role_of(name: str) -> str | None:
    """What a file of the export is; None for a file of somebody else."""
    model = re.fullmatch(r"kd_model_[a-z0-9_]+(\.[ch])", name)
    return ROLES[f"kd_model{model[1]}"] if model else ROLES.get(name)


def _model_files(render: Renderer, product: Product, settings: FirmwareSettings) -> Files:
    arenas = [memory_values(settings, n_bytes) for n_bytes in settings.arenas]
    files: Files = {}
    for position, (member, prefix) in enumerate(
        zip(product.members, prefixes(product), strict=True)
    ):
        arena = arenas[position] if product.composition else None
        files |= _array_files(render, member.path.read_bytes(), symbol=prefix, arena=arena)
    return files


def _run_files(render: Renderer, product: Product) -> Files:
    if product.composition is None:
        return {
            "kd_run.h": render("kd_run.h", models=(), hop=None),
            "kd_run.cc": render("kd_run.cc"),
        }
    return composed_run_files(render, product, "kd_run_composed.cc", "kd_run.cc")


def _operators(product: Product) -> tuple[str, ...]:
    """Of all models, each once, sorted."""
    return tuple(sorted({n for member in product.members for n in operator_names(member.model)}))


def _manifest(product: Product, settings: FirmwareSettings, files: Files) -> str:
    """What was written, with digests, as JSON."""
    content = {
        "manifest_version": MANIFEST_VERSION,
        "generator": settings.generator,
        "engine": TFLITE_MICRO.name,
        "synthetic": settings.synthetic,
        "model": {"name": settings.name, "sha256": product.sha256, "bytes": product.n_bytes},
        **_models(product),
        "arena": {
            "measured_bytes": settings.arena_bytes,
            "reserved_bytes": with_margin(settings.arena_bytes),
            "how": settings.arena_how,
        },
        "operators": list(_operators(product)),
        "files": [
            {
                "path": name,
                "role": role_of(name),
                "bytes": len(text.encode("utf-8")),
                "sha256": sha256_text(text),
            }
            for name, text in sorted(files.items())
        ],
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _models(product: Product) -> dict[str, object]:
    if product.composition is None:
        return {}
    models = [
        {"name": member.name, "sha256": member.model.sha256, "bytes": member.model.n_bytes}
        for member in product.members
    ]
    return {"rule": product.composition.rule, "models": models}


def _array_files(
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
