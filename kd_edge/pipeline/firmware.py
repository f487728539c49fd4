"""The bundle's golden vectors and firmware/, for both engines."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from firmware_export.aot.engine import export_engine
from firmware_export.flash import measure_flash
from firmware_export.golden_here import run_golden_here
from firmware_export.library import HOST_COMPILERS
from firmware_export.tflm import FirmwareSettings, Golden, export_tflm
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.files import atomic_path, own_path
from kd_edge.base.formats import SHIPPED
from kd_edge.base.product import Product, as_product
from kd_edge.base.version import __version__
from kd_edge.examples import Examples
from kd_edge.pipeline.bundle import Manifest
from kd_edge.pipeline.proof import Proven
from kd_edge.pipeline.shipped import arena_of, arenas_of, needed_bytes, shipped
from kd_edge.recipe import Recipe
from kd_edge.report.tree import FlashSection
from kd_edge.runtimes.golden import make_golden
from kd_edge.runtimes.parity import compare_forms
from kd_edge.runtimes.registry import ORACLE
from kd_edge.runtimes.results import PLAIN_C, Parity, Side
from kd_edge.tasks import Task, find_task

GOLDEN_FILE = "golden.npz"
# Of golden vectors of images, beside the model in a board's flash of 2 MB.
_MOST_PICTURE_BYTES = 1_000_000
FIRMWARE_FOLDER = "firmware"
PLAIN_C_FOLDER = "aot"  # in firmware/
_PLAIN_C, _ORACLE = Side(SHIPPED, PLAIN_C), Side(SHIPPED, ORACLE)
_HOW = "golden vectors; the portable sources, compiled and run on this host"
_NO_ARENA = (
    "firmware/ holds plain C alone: what memory TFLite Micro needs is unknown, because its "
    "interpreter is not installed here."
)


@dataclass(frozen=True)
class BundleFirmware:
    """What was written for boards, and what its proof found.

    Attributes:
        flash: by section.
        caveats: what was not written or not proved, and why.
        parity: the plain-C engine against TFLite Micro, on the golden vectors.
        failures: answers that are not TFLite Micro's.
    """

    flash: tuple[FlashSection, ...] = ()
    caveats: tuple[str, ...] = ()
    parity: tuple[Parity, ...] = ()
    failures: tuple[KdEdgeError, ...] = ()


def export_firmware(
    out: Path, recipe: Recipe, manifest: Manifest, windows: Examples, proven: Proven
) -> BundleFirmware:
    """Write golden.npz, firmware/ for TFLite Micro and firmware/aot/ as plain C for the product.

    A front end that is not causal cannot run on a board: then no firmware is written, and a caveat
    says so; likewise no plain C of a model that the engine refuses.

    Args:
        out: the bundle's folder. windows: of a test part; golden vectors are some of them.
    """
    product = shipped(out, manifest, built=False)
    windows = windows.only(manifest.product_inputs)
    count, most = recipe.firmware.golden_vectors, _MOST_PICTURE_BYTES if manifest.pixels else None
    golden = make_golden(product, windows, count, recipe.seed, most_bytes=most)
    _write_golden(out, windows.take(golden.window_indices).inputs, golden)
    folder = own_path(out, FIRMWARE_FOLDER)
    # The folder is the build's alone, whole; a link in it is removed, and not what it leads to.
    shutil.rmtree(folder, ignore_errors=True)
    if manifest.front_end is not None and not manifest.front_end.causal:
        return BundleFirmware(
            caveats=(
                "The front end is not causal (causal = false): it cannot run on a board, so no "
                "firmware/ is written.",
            )
        )
    arena = arena_of(manifest.product, proven.rows)  # None where TFLite Micro is not installed
    settings = FirmwareSettings(
        name=manifest.title,
        labels=manifest.class_names,
        arena_bytes=arena and needed_bytes(arena),
        arena_how=f"{arena.how} ABI: {arena.abi}." if arena else "",
        arenas=arenas_of(product, proven.rows) if arena else (),
        front_end=manifest.front_end,
        decision=manifest.decision,
        golden=Golden(
            golden.inputs,
            golden.outputs,
            Golden.labels_of(golden.labels),
            golden.answered,
        ),
        synthetic=manifest.synthetic,
        generator=f"kd-edge {__version__}",
        golden_count=len(golden.labels),
    )
    if arena is not None:
        export_tflm(product, folder, settings)
    plain_c = prove_plain_c(
        product,
        folder / PLAIN_C_FOLDER,
        recipe.firmware.core,
        settings,
        manifest.product,
        find_task(manifest.task),
    )
    if arena is None:
        return replace(plain_c, caveats=(*plain_c.caveats, _NO_ARENA))
    flash = tuple(FlashSection(f.name, f.bytes, f.compiler, f.core) for f in measure_flash(folder))
    return replace(plain_c, flash=flash)


def prove_plain_c(
    source: Path | Product,
    folder: Path,
    core: str,
    settings: FirmwareSettings,
    model: str,
    task: Task,
) -> BundleFirmware:
    """Write the plain-C engine and hold its answers, on this machine, against the golden ones.

    Args:
        source: the model, or several. folder: of the engine's sources. core: a key of `CORES`.
        model: its name, for people. task: what its answers mean.
    """
    product = as_product(source)
    try:
        export_engine(product, folder, core, settings)
    except KdEdgeError as error:
        if error.code != "KD_UNSUPPORTED_OP":
            raise
        where = f" at {error.where}" if error.where else ""
        return BundleFirmware(caveats=(f"No plain C of '{model}': {error.message}{where}.",))
    answers = run_golden_here(product, settings)
    if answers is None:
        return BundleFirmware(
            caveats=(
                "The plain-C engine was not run here: none of "
                f"{', '.join(HOST_COMPILERS)} is installed.",
            )
        )
    return _compared(answers, product, settings, model, task)


def _compared(
    answers: np.ndarray, product: Product, settings: FirmwareSettings, model: str, task: Task
) -> BundleFirmware:
    scale, golden = product.outputs[0].scale, settings.golden
    scores = golden.outputs[: len(answers)]
    expected = scores.reshape(len(scores), -1)
    n_scores = expected.shape[1]
    if golden.answered is not None:
        expected = np.column_stack([expected, golden.answered[: len(answers)]])
    parity = compare_forms(
        scale * answers[:, :n_scores].reshape(scores.shape).astype(np.float64),
        scale * scores.astype(np.float64),
        _PLAIN_C,
        _ORACLE,
        task=task,
        step=scale,
    )
    parity = replace(parity, kind="engines", model=model, note=_HOW)
    wrong = int((answers != expected).any(axis=1).sum())
    if wrong == 0:
        return BundleFirmware(parity=(parity,))
    failure = KdEdgeError(
        "KD_GATE_PARITY",
        f"the plain C of '{model}' answers otherwise than TFLite Micro in {wrong} of "
        f"{len(answers)} golden windows",
        where=f"{FIRMWARE_FOLDER}/{PLAIN_C_FOLDER}",
        hint="this is a defect of the plain-C engine; use the TFLite Micro engine, and report it",
    )
    return BundleFirmware(parity=(parity,), failures=(failure,))


def _write_golden(out: Path, inputs: dict[str, np.ndarray], golden) -> None:
    arrays = {f"windows/{name}": array for name, array in inputs.items()}
    arrays |= {
        f"int8_inputs/{name}": array
        for name, array in zip(golden.input_names, golden.inputs, strict=True)
    }
    if golden.answered is not None:
        arrays["int8_answered"] = golden.answered
    with atomic_path(out / GOLDEN_FILE) as temporary:
        np.savez(temporary, int8_outputs=golden.outputs, labels=golden.labels, **arrays)
