"""From a bundle and a rule to a bundle whose product is several models."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from kd_edge.base.composition import Composition
from kd_edge.base.errors import KdEdgeError, nearest
from kd_edge.base.flatbuffer import read_tflite
from kd_edge.base.formats import FORMATS, SHIPPED
from kd_edge.base.product import Member
from kd_edge.base.tensors import match_inputs
from kd_edge.pipeline.bundle import (
    RECIPE_FILE,
    REPORT_FILE,
    BundledFormat,
    BundledModel,
    Manifest,
    built_report,
    bundled_file,
    load_manifest,
    start_bundle,
    write_manifest,
)
from kd_edge.pipeline.firmware import (
    FIRMWARE_FOLDER,
    GOLDEN_FILE,
    BundleFirmware,
    export_firmware,
)
from kd_edge.pipeline.kept_windows import WINDOWS_FILE, load_windows
from kd_edge.pipeline.lock import locked
from kd_edge.pipeline.proof import Proven, Prover
from kd_edge.pipeline.reporting import HTML_FILE, provenance, write_report
from kd_edge.pipeline.selection.together import select_again
from kd_edge.pipeline.watch import Watch
from kd_edge.recipe import load_recipe
from kd_edge.report.tree import Report
from kd_edge.runtimes.registry import who_takes

# What `compose` makes anew.
_OWN = (REPORT_FILE, HTML_FILE, GOLDEN_FILE)


def compose(
    folder: str | Path,
    out: str | Path,
    composition: Composition,
    *,
    name: str,
    models: Mapping[str, Path] | None = None,
    watch: Watch | None = None,
) -> Report:
    """Write a bundle whose product is several models; those of `folder` stay as they are.

    Everything about the product is made and measured again: golden vectors, firmware, rows and
    parity. What the build judged of its models stays; no limit is judged of the product.

    Args:
        folder: of a bundle that has the composition's models. out: an empty or new folder.
        composition: the rule, as whole numbers.
        name: of the product; no model may have it.
        models: int8 files of models that the bundle lacks, such as a selector; name -> path.

    Raises:
        KdEdgeError KD_UNKNOWN_NAME: the bundle lacks a model. KD_USAGE: the name is a model's, or
            a file is not of the composition.
        KdEdgeError KD_SHAPE: the models do not fit together, or take other windows.
        KdEdgeError: as `load_manifest`, `start_bundle` and `export_firmware`.
    """
    folder, out, watch = Path(folder), Path(out), watch or Watch()
    manifest = load_manifest(folder)
    added = [_added(manifest, composition, n, Path(p)) for n, p in (models or {}).items()]
    manifest = _composed(manifest, composition, name, added)
    start_bundle(out)
    with locked(out):
        files = _copied(folder, out, manifest, dict(models or {}))
        manifest = replace(manifest, files={})
        recipe = load_recipe(bundled_file(folder, load_manifest(folder), RECIPE_FILE))
        stored = load_windows(out / WINDOWS_FILE, manifest)
        prover = Prover(out, manifest, stored, recipe.proof, progress=watch.step)
        proven = prover.prove()
        first = next(iter(stored.parts.values()))
        firmware = export_firmware(out, recipe, manifest, first, proven)
        if firmware.failures:
            raise firmware.failures[0]
        report = replace(
            _report(folder, manifest, proven, firmware),
            selection=select_again(out, manifest, stored.parts, built=False),
        )
        write_report(out, report)
        write_manifest(out, manifest, (*files, *_OWN, FIRMWARE_FOLDER))
    return report


def _composed(
    manifest: Manifest, composition: Composition, name: str, added: list[BundledModel]
) -> Manifest:
    known = {model.name: model for model in (*manifest.models, *added)}
    for member in composition.members:
        if member not in known:
            raise KdEdgeError(
                "KD_UNKNOWN_NAME",
                f"the bundle has no model '{member}'{nearest(member, known)}",
                hint=f"it has {', '.join(known)}; name the file of another one in `models`",
            )
    if name in known:
        raise KdEdgeError("KD_USAGE", f"a model is called '{name}': name the product otherwise")
    return replace(
        manifest,
        product=name,
        models=tuple(known.values()),
        composition=composition,
        # Both are of the built product's own scores.
        decision=None,
        temperature=None,
    )


def _added(manifest: Manifest, composition: Composition, name: str, path: Path) -> BundledModel:
    """A model that the bundle lacks."""
    if name not in composition.members or name in {model.name for model in manifest.models}:
        raise KdEdgeError(
            "KD_USAGE",
            f"'{name}' is a model of the bundle, or none of the composition",
            where=str(path),
            hint=f"the composition joins {', '.join(composition.members)}",
        )
    model = read_tflite(path)
    inputs = match_inputs(Member(name, path, model).inputs, manifest.input_shapes)
    operators = tuple(dict.fromkeys(operator.name for operator in model.operators))
    runtimes, notes = who_takes(FORMATS.find(SHIPPED), operators)
    file = FORMATS.find(SHIPPED).file(name)
    return BundledModel(
        name=name,
        role="selector" if name == composition.selector else "student",
        architecture="of one's own",
        parameters=None,
        inputs=inputs,
        keras_file=None,
        formats=(BundledFormat(SHIPPED, file, operators, runtimes, notes),),
    )


def _copied(folder: Path, out: Path, manifest: Manifest, models: dict[str, Path]) -> list[str]:
    """Copy what the product does not change; returns the names."""
    kept = [
        name
        for name in manifest.files
        if name not in _OWN and not name.startswith(f"{FIRMWARE_FOLDER}/")
    ]
    for name in kept:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / name, out / name)
    added = {FORMATS.find(SHIPPED).file(name): path for name, path in models.items()}
    for name, path in added.items():
        shutil.copyfile(path, out / name)
    return [*kept, *added]


def _report(folder: Path, manifest: Manifest, proven: Proven, firmware: BundleFirmware) -> Report:
    built = built_report(folder, load_manifest(folder))
    kept = tuple(row for row in built.rows if row.role in ("baseline", "ensemble"))
    return replace(
        built,
        product=manifest.product,
        provenance=provenance("kd_edge.compose", manifest.recipe_sha256),
        caveats=(
            *built.caveats,
            *firmware.caveats,
            "Limits and curves are the build's, of each model; no limit was judged of the "
            "composition.",
        ),
        rows=(*proven.rows, *kept),
        parity=(*proven.parity, *firmware.parity),
        flash=firmware.flash,
        decisions=None,
    )
