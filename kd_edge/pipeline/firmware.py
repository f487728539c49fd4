"""The bundle's golden vectors and firmware/."""

from __future__ import annotations

import shutil

import numpy as np

from firmware_export.flash import measure_flash
from firmware_export.tflm import FirmwareSettings, Golden, export_tflm
from kd_edge import __version__
from kd_edge.files import atomic_path
from kd_edge.pipeline.bundle import Manifest, StoredWindows
from kd_edge.pipeline.context import Context
from kd_edge.pipeline.proof import Proven
from kd_edge.report.tree import FlashSection
from kd_edge.runtimes.golden import make_golden

GOLDEN_FILE = "golden.npz"
FIRMWARE_FOLDER = "firmware"


def export_firmware(
    context: Context, manifest: Manifest, stored: StoredWindows, proven: Proven
) -> tuple[tuple[FlashSection, ...], tuple[str, ...]]:
    """Write golden.npz and firmware/ for the product.

    Returns:
        flash by section, and caveats. A front end that is not causal cannot run on a board: then
        no firmware is written, and a caveat says so.
    """
    model = manifest.model(manifest.product)
    int8 = context.out / model.format("int8").file
    windows = next(iter(context.data.tests.values())).only(model.inputs)
    golden = make_golden(int8, windows, context.recipe.firmware.golden_vectors, context.recipe.seed)
    _write_golden(context, windows.take(golden.window_indices).inputs, golden)
    folder = context.out / FIRMWARE_FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    if not manifest.front_end.causal:
        return (), (
            "The front end is not causal (causal = false): it cannot run on a board, so no "
            "firmware/ is written.",
        )
    arena = next(
        r.arena
        for r in proven.rows
        if r.model == model.name and r.format == "int8" and r.runtime == "tflm"
    )
    export_tflm(
        int8,
        folder,
        FirmwareSettings(
            name=manifest.title,
            labels=manifest.class_names,
            arena_bytes=arena.smallest_bytes or arena.used_bytes,
            arena_how=f"{arena.how} ABI: {arena.abi}.",
            front_end=manifest.front_end,
            golden=Golden(golden.inputs, golden.outputs, tuple(int(v) for v in golden.labels)),
            synthetic=manifest.synthetic,
            generator=f"kd-edge {__version__}",
            golden_count=context.recipe.firmware.golden_vectors,
        ),
    )
    return tuple(FlashSection(f.name, f.bytes, f.how) for f in measure_flash(folder)), ()


def _write_golden(context: Context, inputs: dict[str, np.ndarray], golden) -> None:
    arrays = {f"windows/{name}": array for name, array in inputs.items()}
    arrays |= {
        f"int8_inputs/{name}": array
        for name, array in zip(golden.input_names, golden.inputs, strict=True)
    }
    with atomic_path(context.out / GOLDEN_FILE) as temporary:
        np.savez(temporary, int8_outputs=golden.outputs, labels=golden.labels, **arrays)
