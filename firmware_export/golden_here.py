"""The golden vectors through the portable C sources, on this machine."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from firmware_export.aot.cores import HOST
from firmware_export.aot.engine import engine_files
from firmware_export.aot.export import compiled_sources
from firmware_export.boards.compiling import run_compiler
from firmware_export.library import host_compiler
from firmware_export.settings import FirmwareSettings
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.processes import run_program
from kd_edge.base.product import Product

_DEFECT = "this is a defect of the sources; report it with the model's operators"


def run_golden_here(source: Path | Product, settings: FirmwareSettings) -> np.ndarray | None:
    """Outputs of the portable sources for the golden vectors, compiled and run on this machine.

    Returns:
        (n, outputs) int8, of a composition with which model answered behind the scores; None where
        no compiler is installed.

    Raises:
        KdEdgeError KD_COMPILE: the compiler refuses the sources, or the program fails.
    """
    compiler = host_compiler()
    if compiler is None:
        return None
    compiled, beside = engine_files(source, HOST.name, settings)
    files = {**compiled_sources(compiled), **beside, "main.c": _MAIN}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, text in files.items():
            (folder / file).write_text(text, encoding="utf-8")
        sources = sorted(file for file in files if file.endswith(".c"))
        command = [*compiler, "-std=c99", "-O1", "-I.", *sources, "-o", "golden"]
        run_compiler(command, folder, what="the plain-C sources", hint=_DEFECT)
        said = _output(folder / "golden")
    count = min(settings.golden_count, len(settings.golden.labels))
    return np.frombuffer(said, np.int8).reshape(count, -1)


def _output(program: Path) -> bytes:
    done = run_program([str(program)], folder=program.parent, as_text=False)
    if done.returncode:
        raise KdEdgeError(
            "KD_COMPILE",
            f"the plain-C sources end with status {done.returncode} on this machine",
            where=done.stderr.decode("utf-8", "replace").strip()[:800] or None,
            hint=_DEFECT,
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
