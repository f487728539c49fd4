"""The plain-C engine behind the same functions as TFLite Micro's: a folder of its own."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from firmware_export.aot.compiler import Compiled, CompileSettings, compile_model
from firmware_export.aot.cores import HOST
from firmware_export.aot.export import (
    Exported,
    build_composed_files,
    build_files,
    compiled_sources,
    write_export,
)
from firmware_export.composed import answering, composed_run_files, prefixes
from firmware_export.constants import Ports, product_ports, read_labels, settings_files
from firmware_export.front_end import front_end_files
from firmware_export.golden import golden_files
from firmware_export.render import Files, Renderer, renderer
from firmware_export.settings import FirmwareSettings
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.processes import run_program
from kd_edge.base.product import Product, as_product

HOST_COMPILERS = ("gcc", "cc", "clang")


def engine_files(
    source: Path | Product, core: str, settings: FirmwareSettings
) -> tuple[tuple[Compiled, ...], Files]:
    """The compiled models, and `kd_run`, settings, quantiser, front end and golden vectors beside.

    Raises as `compile_model` and `export_tflm`.
    """
    product = as_product(source)
    compiled = _compile(product, core, settings)
    ports = product_ports(product)
    render = renderer(settings, product, engine="aot")
    files = {
        **_run_files(render, product, compiled, ports),
        **settings_files(
            render, settings, ports, read_labels(settings, ports), models=answering(product)
        ),
    }
    if settings.front_end is not None:
        files |= front_end_files(render, settings.front_end, product.inputs)
    if settings.golden is not None:
        files |= golden_files(render, settings.golden, ports, limit=settings.golden_count)
    return compiled, files


def _compile(product: Product, core: str, settings: FirmwareSettings) -> tuple[Compiled, ...]:
    compiled: list[Compiled] = []
    for member, prefix in zip(product.members, prefixes(product), strict=True):
        compiled.append(
            compile_model(
                member.path,
                # `kd_run` resets the state itself, and lets those who ask keep it.
                CompileSettings(
                    core=core,
                    carry_state=True,
                    generator=settings.generator,
                    prefix=prefix,
                    first_layer=sum(len(each.layers) for each in compiled),
                    label=f"{member.name}: " if product.composition else "",
                ),
            )
        )
    return tuple(compiled)


def _run_files(
    render: Renderer, product: Product, compiled: Sequence[Compiled], ports: Ports
) -> Files:
    if product.composition is None:
        source = render("kd_run.c", inputs=ports.inputs)
        return {"kd_run.h": render("kd_run.h", models=()), "kd_run.c": source}
    layers = sum(len(each.layers) for each in compiled)
    return composed_run_files(render, product, "kd_run_composed.c", "kd_run.c", layers=layers)


def export_engine(
    source: Path | Product, out: Path, core: str, settings: FirmwareSettings
) -> tuple[tuple[Compiled, ...], Exported]:
    """Write the engine's folder: everything that `kd_run.h` promises, for one core.

    Raises as `engine_files` and `write_export`.
    """
    product = as_product(source)
    compiled, beside = engine_files(product, core, settings)
    more = {"optimize": "size", "beside": beside, "title": settings.name}
    if product.composition is None:
        files = build_files(compiled[0], **more)
    else:
        files = build_composed_files(product, compiled, **more)
    return compiled, write_export(out, compiled, files, optimize="size")


def run_golden_here(source: Path | Product, settings: FirmwareSettings) -> np.ndarray | None:
    """Outputs of the portable sources for the golden vectors, compiled and run on this machine.

    Returns:
        (n, outputs) int8, of a composition with which model answered behind the scores; None where
        no compiler is installed.

    Raises:
        KdEdgeError KD_COMPILE: the compiler refuses the sources, or the program fails.
    """
    compiler = next((name for name in HOST_COMPILERS if shutil.which(name)), None)
    if compiler is None:
        return None
    compiled, beside = engine_files(source, HOST.name, settings)
    files = {**compiled_sources(compiled), **beside, "main.c": _MAIN}
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            (Path(folder) / name).write_text(text, encoding="utf-8")
        sources = sorted(name for name in files if name.endswith(".c"))
        _run(folder, compiler, "-std=c99", "-O1", "-I.", *sources, "-o", "golden")
        said = _run(folder, str(Path(folder, "golden")))
    count = min(settings.golden_count, len(settings.golden.labels))
    return np.frombuffer(said, np.int8).reshape(count, -1)


def _run(folder: str, *command: str) -> bytes:
    done = run_program(command, folder=Path(folder), as_text=False)
    if done.returncode:
        raise KdEdgeError(
            "KD_COMPILE",
            f"{command[0]} fails on the plain-C sources, with status {done.returncode}",
            where=done.stderr.decode("utf-8", "replace").strip()[:800] or None,
            hint="this is a defect of the sources; report it with the model's operators",
        )
    return done.stdout


_MAIN = """#include <stdio.h>

#include "kd_golden.h"
#include "kd_run.h"

int main(void)
{
    static int8_t output[KD_OUTPUT_SIZE];
    if (kd_init() != KD_RUN_OK) {
        return 1;
    }
    for (uint32_t window = 0; window < KD_GOLDEN_COUNT; window++) {
        const int8_t *inputs[KD_INPUT_COUNT];
        for (uint32_t i = 0; i < KD_INPUT_COUNT; i++) {
            inputs[i] = kd_golden_inputs[i] + window * kd_inputs[i].size;
        }
        if (kd_run(inputs, output) != KD_RUN_OK ||
            fwrite(output, 1, KD_OUTPUT_SIZE, stdout) != KD_OUTPUT_SIZE) {
            return 2;
        }
#ifdef KD_MODEL_COUNT
        const int8_t answered = (int8_t)kd_answered();
        if (fwrite(&answered, 1, 1, stdout) != 1) {
            return 2;
        }
#endif
    }
    return 0;
}
"""
