"""A whole bundle that was never trained: made-up weights, windows and figures."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from build_samples import RECIPE
from project_samples import sample_counts, sample_front_end, sample_golden, sample_model
from report_samples import curve, full_report
from tflite_samples import N_CLASSES, conv_windows

from kd_edge.base.files import sha256_file
from kd_edge.pipeline.bundle import (
    MANIFEST_FILE,
    RECIPE_FILE,
    REPORT_FILE,
    BundledFormat,
    BundledModel,
    Learned,
    Manifest,
    write_manifest,
)
from kd_edge.pipeline.kept_windows import PARITY_PART, WINDOWS_FILE, StoredWindows, save_windows
from kd_edge.report.json import to_json
from kd_edge.report.tree import Report

PRODUCT = "tcn-student"
RUNTIMES = ("litert", "tflm")


def sample_bundle(folder: Path, hostile: str = "") -> Path:
    """Write it; returns the folder. `hostile` is put into every name that a stranger may choose."""
    folder.mkdir(parents=True)
    model = sample_model(folder).rename(folder / f"{PRODUCT}.int8.tflite")
    golden = sample_golden(model)
    inputs = ("emg", "acc")
    arrays = dict(zip(_order(model), golden.inputs, strict=True))
    np.savez(
        folder / "golden.npz",
        int8_outputs=golden.outputs,
        labels=np.array(golden.labels),
        **{f"int8_inputs/{name}": arrays[name] for name in inputs},
    )
    counts = sample_counts()
    np.savez(folder / "raw.npz", **{n: np.stack([c[n] for c in counts]) for n in counts[0]})
    windows = conv_windows(8)
    names = tuple(f"{recording}{hostile}" for recording in windows.groups.names)
    classes = tuple(f"{letter}{hostile}" for letter in "abcde")
    windows = replace(windows, class_names=classes, groups=replace(windows.groups, names=names))
    logits = np.zeros((len(windows), N_CLASSES), np.float32)
    parts = {f"unseen person{hostile}": windows, PARITY_PART: windows}
    product = PRODUCT + hostile
    stored = StoredWindows(parts, {product: dict.fromkeys(parts, logits)})
    save_windows(folder / WINDOWS_FILE, stored)
    (folder / REPORT_FILE).write_text(_report(product, hostile))
    (folder / RECIPE_FILE).write_text(RECIPE)
    (folder / "student.keras").write_bytes(b"no model: nothing here loads it")
    write_manifest(
        folder,
        Manifest(
            schema_version=1,
            kd_edge="0.1.0",
            title=f"made up{hostile}",
            product=product,
            synthetic=True,
            recipe_sha256="0" * 64,
            class_names=windows.class_names,
            models=(
                BundledModel(
                    name=product,
                    role="student",
                    architecture="tcn",
                    parameters=1,
                    inputs=inputs,
                    keras_file="student.keras",
                    formats=(BundledFormat("int8", model.name, ("CONV_2D",), RUNTIMES),),
                ),
            ),
            front_end=sample_front_end(),
            learned=(Learned("S1", "day 1", "ab"),),
            versions={"numpy": "2"},
            files={},
        ),
        [path.name for path in folder.iterdir()],
    )
    return folder


def short_report(hostile: str = "") -> Report:
    """`full_report` with fewer numbers in it."""
    report = full_report(n_classes=3, hostile=hostile)
    samples = tuple(replace(s, values=s.values[:3]) for s in report.samples[:2])
    return replace(report, samples=samples, curves=(curve(PRODUCT, 4, 0.8, 2),))


def _report(product: str, hostile: str) -> str:
    report = short_report(hostile)
    rows = [replace(row, model=product) if row.model == PRODUCT else row for row in report.rows]
    return to_json(replace(report, product=product, rows=tuple(rows)))


def write_as_built(folder: Path, name: str, content: bytes) -> None:
    """Other content for a bundle's file, with its digest in bundle.json, as an attacker may."""
    (folder / name).write_bytes(content)
    manifest = json.loads((folder / MANIFEST_FILE).read_text())
    manifest["files"][name] = sha256_file(folder / name)
    (folder / MANIFEST_FILE).write_text(json.dumps(manifest))


def _order(model: Path) -> list[str]:
    from kd_edge.base.flatbuffer import read_tflite

    read = read_tflite(model)
    return [read.tensors[index].name for index in read.inputs]
