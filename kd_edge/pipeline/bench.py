"""`bench`: measure a bundle again, on its own test windows or on other recordings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from kd_edge.base.formats import FORMATS
from kd_edge.examples import Examples, as_worn, spread_evenly, worn_in_other_orders
from kd_edge.models.keras_start import load_keras
from kd_edge.pipeline.bundle import RECIPE_FILE, Manifest, built_report, bundled_file, load_manifest
from kd_edge.pipeline.dataset import Dataset, load_dataset
from kd_edge.pipeline.deciding import decide_again
from kd_edge.pipeline.gallery import gallery
from kd_edge.pipeline.kept_features import FEATURES_FILE, baselines_again
from kd_edge.pipeline.kept_windows import PARITY_PART, WINDOWS_FILE, StoredWindows, load_windows
from kd_edge.pipeline.other_data import (
    as_built,
    check_front_end,
    check_other,
    look_alikes,
    reading_other,
)
from kd_edge.pipeline.parts import describe_part
from kd_edge.pipeline.proof import Proven, Prover
from kd_edge.pipeline.reporting import provenance, sample_windows
from kd_edge.pipeline.selection.together import select_again
from kd_edge.pipeline.store import user_store
from kd_edge.pipeline.teachers import teachers_again
from kd_edge.pipeline.watch import Watch
from kd_edge.recipe import Proof, Recipe, load_recipe
from kd_edge.report.tree import SCHEMA_VERSION, Report, Row
from kd_edge.runtimes.native_stderr import start_tensorflow_quietly
from kd_edge.runtimes.registry import RUNTIMES, available, stood_in
from kd_edge.splits import LOOKS_ALIKE, SplitPart, describe_leak


def bench(
    folder: Path,
    *,
    data: Path | None,
    command: str,
    reader: str | None = None,
    options: Mapping[str, object] | None = None,
    latency_runs: int | None = None,
    cache: bool = True,
    watch: Watch | None = None,
) -> Report:
    """Measure every model of a bundle in every format on every runtime that is installed.

    Args:
        data: other recordings of the same kind; None for the test windows kept in the bundle.
        reader, options: of `data`, as of `reading_other`.
        latency_runs: timed inferences a model; the recipe's where None.
        cache: whether windows of `data` are taken from the user's cache and kept there.

    Raises:
        KdEdgeError: no bundle, an altered one, or recordings that do not fit it.
    """
    watch = watch or Watch()
    check_other(data, reader, options)
    manifest = load_manifest(folder)
    for name in (f.file for model in manifest.models for f in model.formats):
        bundled_file(folder, manifest, name)
    recipe = load_recipe(bundled_file(folder, manifest, RECIPE_FILE))
    proof = recipe.proof
    if latency_runs is not None:
        proof = proof.model_copy(update={"latency_runs": latency_runs})
    if data is None:
        return _own_windows(folder, manifest, proof, command, watch)
    recipe = reading_other(recipe, data, reader, options)
    dataset = load_dataset(
        as_built(recipe, manifest),
        data,
        store=user_store(cache, note=watch.note),
        class_names=manifest.class_names,
        progress=watch.step,
    )
    return _other_recordings(folder, manifest, recipe, proof, data, dataset, command, watch)


def _own_windows(
    folder: Path, manifest: Manifest, proof: Proof, command: str, watch: Watch
) -> Report:
    """The report of the build, with everything that this host can measure measured again."""
    built = built_report(folder, manifest)
    stored = load_windows(bundled_file(folder, manifest, WINDOWS_FILE), manifest)
    proven = Prover(folder, manifest, stored, proof, progress=watch.step).prove()
    # A teacher that came as a file is not in the bundle.
    shown = {(row.model, row.role) for row in proven.rows}
    kept = tuple(row for row in built.rows if (row.model, row.role) not in shown)
    return replace(
        built,
        provenance=provenance(command, manifest.recipe_sha256),
        rows=(*proven.rows, *kept),
        parity=proven.parity,
        caveats=(
            *built.caveats,
            "The figures of Keras, of ensembles, of baselines and of teachers from files, and the "
            "limits, are the build's.",
            *_absent_runtimes(manifest),
        ),
    )


def _other_recordings(
    folder: Path,
    manifest: Manifest,
    recipe: Recipe,
    proof: Proof,
    data: Path,
    dataset: Dataset,
    command: str,
    watch: Watch,
) -> Report:
    unstated = check_front_end(dataset.designs, manifest, data)
    windows = as_worn(dataset.examples, manifest.front_end, dataset.recordings)
    indices = np.arange(len(dataset.recordings))
    leak, honesty = describe_leak(manifest.learned, dataset.recordings, "other data")
    alike = look_alikes(manifest, recipe, dataset.recordings)
    if alike and honesty < LOOKS_ALIKE[1]:
        leak, honesty = LOOKS_ALIKE[0].format(n=alike, kind="image"), LOOKS_ALIKE[1]
    part = SplitPart(f"other data: {data.name}", "test", "other data", indices, leak, honesty)
    chosen = spread_evenly(
        windows.strata, windows.groups.subject, proof.parity_windows, recipe.seed
    )
    others = worn_in_other_orders(
        dataset.examples, manifest.front_end, dataset.recordings, seed=recipe.seed
    )
    tests = {part.name: windows} | {f"{part.name}, {order}": each for order, each in others.items()}
    parts = {**tests, PARITY_PART: windows.take(chosen)}
    logits, unmeasured = _keras_answers(folder, manifest, parts)
    teachers, unasked = teachers_again(manifest, recipe, logits, tests)
    baselines, unfitted = _baselines(folder, manifest, recipe, tests)
    stored = StoredWindows(parts, logits)
    proven: Proven = Prover(folder, manifest, stored, proof, progress=watch.step).prove()
    return Report(
        schema_version=SCHEMA_VERSION,
        title=manifest.title,
        product=manifest.product,
        synthetic=manifest.synthetic or windows.synthetic,
        caveats=(*unstated, *unmeasured, *unasked, *unfitted, *_absent_runtimes(manifest)),
        provenance=provenance(command, manifest.recipe_sha256),
        parts=tuple(
            describe_part(replace(part, name=name), each, dataset.recordings)
            for name, each in tests.items()
        ),
        rows=(*proven.rows, *teachers, *baselines),
        parity=proven.parity,
        curves=(),
        findings=(),
        flash=(),
        samples=sample_windows(windows, manifest.front_end),
        examples=manifest.examples,
        decisions=decide_again(folder, manifest, recipe, tests, dataset.recordings),
        selection=select_again(folder, manifest, parts),
        gallery=gallery(folder, manifest, part.name, windows),
    )


def _baselines(
    folder: Path, manifest: Manifest, recipe: Recipe, tests: Mapping[str, Examples]
) -> tuple[tuple[Row, ...], tuple[str, ...]]:
    """The recipe's baselines on other windows, or a sentence that says why there are none."""
    import importlib.util

    if not recipe.proof.baselines:
        return (), ()
    if FEATURES_FILE not in manifest.files:
        return (), ("The bundle keeps no features to fit baselines on: build it again.",)
    if importlib.util.find_spec("sklearn") is None:
        return (), ("scikit-learn is not installed here: baselines were not measured.",)
    return tuple(baselines_again(folder, manifest, recipe, tests)), ()


def _keras_answers(
    folder: Path, manifest: Manifest, parts: dict[str, Examples]
) -> tuple[dict[str, dict[str, np.ndarray]], tuple[str, ...]]:
    """Keras's logits where Keras is installed, else a sentence that says so."""
    import importlib.util

    if importlib.util.find_spec("tensorflow") is None:
        return {}, ("Keras is not installed here: float models ran as TFLite alone.",)
    start_tensorflow_quietly()
    from kd_edge.pipeline.training import predictor

    logits = {}
    for model in manifest.models:
        if model.keras_file is None:
            continue
        answer = predictor(load_keras(bundled_file(folder, manifest, model.keras_file)))
        logits[model.name] = {n: answer(p.only(model.inputs)) for n, p in parts.items()}
    return logits, ()


def _absent_runtimes(manifest: Manifest) -> tuple[str, ...]:
    kinds = {FORMATS.find(f.format).kind for model in manifest.models for f in model.formats}
    absent = (
        f"{runtime.title} is not installed here: not measured."
        for name, runtime in RUNTIMES.items()
        if runtime.kind in kinds and not runtime.stands_in and not available(name)
    )
    return (*absent, *stood_in())
