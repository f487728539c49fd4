"""Writing the bundle of one wearer: models, proofs, firmware and report anew."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from kd_edge.base.decision import DecisionRule
from kd_edge.base.files import write_bytes
from kd_edge.base.flatbuffer import read_tflite
from kd_edge.base.formats import FORMATS, SHIPPED
from kd_edge.base.front_end import FrontEndConstants
from kd_edge.base.untrusted import load_arrays
from kd_edge.examples import Examples, Groups
from kd_edge.examples.raw import Wearer
from kd_edge.link.messages import Worn
from kd_edge.pipeline.bundle import (
    RECIPE_FILE,
    REPORT_FILE,
    BundledModel,
    Learned,
    Manifest,
    altered,
    bundled_file,
    start_bundle,
    write_manifest,
)
from kd_edge.pipeline.dataset import read_recordings
from kd_edge.pipeline.firmware import (
    FIRMWARE_FOLDER,
    GOLDEN_FILE,
    BundleFirmware,
    export_firmware,
)
from kd_edge.pipeline.kept_windows import (
    PARITY_PART,
    WINDOWS_FILE,
    StoredWindows,
    load_windows,
    save_windows,
)
from kd_edge.pipeline.lock import locked
from kd_edge.pipeline.other_data import as_built
from kd_edge.pipeline.parts import describe_part
from kd_edge.pipeline.proof import Proven, Prover
from kd_edge.pipeline.prototypes import PROTOTYPES_FILE
from kd_edge.pipeline.raw_windows import RAW_FILE, shown_windows
from kd_edge.pipeline.reporting import (
    HTML_FILE,
    provenance,
    sample_windows,
    versions,
    write_report,
)
from kd_edge.pipeline.watch import Watch
from kd_edge.pipeline.wearer import keep_state, worn_tree
from kd_edge.pipeline.wearers_data import WearersData, recipe_for
from kd_edge.recipe import Recipe, load_recipe
from kd_edge.report.tree import SCHEMA_VERSION, Personal, Report
from kd_edge.splits import SplitPart, describe_leak

WEARER_FILE = "wearer.json"
AS_BUILT = "as-built"
# What a wearer's bundle takes over as it is.
_KEPT = (RECIPE_FILE, RAW_FILE, PROTOTYPES_FILE)


@dataclass(frozen=True, eq=False)
class Made:
    """What a wearer's bundle is written from.

    Attributes:
        contents: format -> the product's bytes with the layer that is taken.
        left_out: formats whose last layer cannot be replaced.
        personal: what was found. wearer: from whose recordings. command: for the provenance.
    """

    contents: Mapping[str, bytes]
    left_out: tuple[str, ...]
    personal: Personal
    wearer: WearersData
    command: str


def write_personal(folder: Path, out: Path, manifest: Manifest, made: Made, watch: Watch) -> Report:
    """Write the bundle of a wearer; that of `folder` stays as it is.

    Raises:
        KdEdgeError: as `start_bundle`, `export_firmware`; KD_GATE_PARITY: the plain C of it answers
            otherwise than TFLite Micro.
    """
    start_bundle(out)
    with locked(out):
        wearer, models = made.wearer, _models(manifest, made.contents)
        decision, said = decision_of(manifest, taken=made.personal.taken)
        new = replace(_manifest(manifest, models, wearer), decision=decision)
        files = [
            *_copied(folder, out, manifest),
            *_write_models(folder, out, models, made.contents),
        ]
        recipe = load_recipe(out / RECIPE_FILE)
        parts = _parts(wearer)
        parity = load_windows(bundled_file(folder, manifest, WINDOWS_FILE), manifest)
        windows = {p.name: wearer.windows.take(_indices(wearer, p)) for p in parts}
        windows[PARITY_PART] = parity.parts[PARITY_PART]
        stored = StoredWindows(windows, {})
        save_windows(out / WINDOWS_FILE, stored)
        proven = Prover(out, new, stored, recipe.proof, progress=watch.step).prove()
        firmware = export_firmware(out, recipe, new, _golden_windows(folder, manifest), proven)
        if firmware.failures:
            raise firmware.failures[0]
        files += _keep_wearer(out, new, recipe, wearer, watch)
        firmware = replace(firmware, caveats=(*said, *firmware.caveats))
        report = _report(new, made, parts, windows, proven, firmware)
        write_report(out, report)
        written = (WINDOWS_FILE, REPORT_FILE, HTML_FILE, GOLDEN_FILE, FIRMWARE_FOLDER)
        write_manifest(out, new, (*files, *written))
    return report


def decision_of(manifest: Manifest, *, taken: bool) -> tuple[DecisionRule | None, tuple[str, ...]]:
    """The bundle's decision rule as it holds for a wearer's layer, and what was changed."""
    rule = manifest.decision
    if rule is None or not taken or not rule.prototypes:
        return rule, ()
    return replace(rule, prototypes=(), most_distance=0), (
        "The decision rule no longer rejects by the distance to prototypes: those are scores of "
        "the built last layer.",
    )


def _report(
    manifest: Manifest,
    made: Made,
    parts: Sequence[SplitPart],
    windows: Mapping[str, Examples],
    proven: Proven,
    firmware: BundleFirmware,
) -> Report:
    recordings = made.wearer.recordings
    return Report(
        schema_version=SCHEMA_VERSION,
        title=manifest.title,
        product=manifest.product,
        synthetic=manifest.synthetic,
        caveats=(
            *_sentences(made.personal),
            *_without(made.left_out),
            *made.wearer.unstated,
            *firmware.caveats,
            "Limits, teachers and curves are in the report of the bundle that this one was made "
            "of.",
        ),
        provenance=provenance(made.command, manifest.recipe_sha256),
        parts=tuple(describe_part(p, windows[p.name], recordings) for p in parts),
        rows=proven.rows,
        parity=(*proven.parity, *firmware.parity),
        curves=(),
        findings=(),
        flash=firmware.flash,
        samples=sample_windows(windows[parts[0].name], manifest.front_end),
        personal=made.personal,
    )


def _models(manifest: Manifest, contents: Mapping[str, bytes]) -> tuple[BundledModel, ...]:
    """The product with the layer that is taken, and as it was built."""
    (product,) = manifest.members
    formats = tuple(form for form in product.formats if form.format in contents)
    name = f"{product.name}-{AS_BUILT}"
    built = next((model for model in manifest.models if model.name == name), None)
    if built is None:
        form = replace(product.format(SHIPPED), file=FORMATS.find(SHIPPED).file(name))
        built = replace(product, name=name, keras_file=None, formats=(form,))
    return replace(product, keras_file=None, formats=formats), built


def _manifest(
    manifest: Manifest, models: tuple[BundledModel, ...], wearer: WearersData
) -> Manifest:
    given = [wearer.recordings[i] for i in wearer.given_recordings]
    learned = tuple(Learned(each.subject, each.session, each.content_sha256) for each in given)
    return replace(
        manifest,
        models=models,
        learned=(*manifest.learned, *learned),
        versions=versions(),
        synthetic=manifest.synthetic or wearer.windows.synthetic,
        files={},
        joined=(),
        teacher_files=(),
    )


def _copied(folder: Path, out: Path, manifest: Manifest) -> list[str]:
    kept = [name for name in _KEPT if name in manifest.files]
    for name in kept:
        shutil.copyfile(folder / name, out / name)
    return kept


def _write_models(
    folder: Path, out: Path, models: tuple[BundledModel, ...], contents: Mapping[str, bytes]
) -> list[str]:
    product, built = models
    for form in product.formats:
        write_bytes(out / form.file, contents[form.format])
    (before,) = built.formats
    # Of a bundle that was a wearer's already, the one as it was built in the beginning.
    first = folder / before.file
    write_bytes(
        out / before.file,
        (first if first.is_file() else folder / product.format(SHIPPED).file).read_bytes(),
    )
    return [form.file for form in (*product.formats, before)]


def _parts(wearer: WearersData) -> list[SplitPart]:
    """What came after the given repetitions, if anything did, then those themselves."""
    given = np.array(wearer.given_recordings)
    owners = np.unique(wearer.windows.groups.recording)
    later = owners[~np.isin(owners, given)]
    recordings = wearer.recordings
    learned = [recordings[i] for i in given]
    parts = []
    if len(later):
        leak, honesty = describe_leak(learned, [recordings[i] for i in later], "last-repetitions")
        name = "the wearer's later repetitions"
        parts.append(SplitPart(name, "test", "last-repetitions", later, leak, honesty))
    leak, honesty = describe_leak(learned, learned, "other data")
    name = "the wearer's given repetitions"
    parts.append(SplitPart(name, "test", "other data", given, leak, honesty))
    return parts


def _indices(wearer: WearersData, part: SplitPart) -> np.ndarray:
    return np.flatnonzero(np.isin(wearer.windows.groups.recording, part.indices))


def _golden_windows(folder: Path, manifest: Manifest) -> Examples:
    """Those of the bundle, in their order: raw.npz has the same ones as counts."""
    path = bundled_file(folder, manifest, GOLDEN_FILE)
    try:
        arrays = load_arrays(path)
        inputs = {name: arrays[f"windows/{name}"] for name in manifest.product_inputs}
        truth = arrays["labels"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise altered(path, f"{type(error).__name__}: {error}") from error
    names = [f"golden {i}" for i in range(len(truth))]
    return Examples(inputs, truth, Groups.each(names), manifest.class_names, manifest.synthetic)


def _keep_wearer(
    out: Path, manifest: Manifest, recipe: Recipe, wearer: WearersData, watch: Watch
) -> list[str]:
    """Write what a running normaliser knows after the given repetitions, for boards."""
    front_end = manifest.front_end
    if not _runs_on_boards(front_end):
        return []
    (product, _) = manifest.models
    layouts = [each for each in front_end.inputs if each.name in product.inputs]
    layouts.sort(key=lambda each: product.inputs.index(each.name))
    constants = replace(front_end, inputs=tuple(layouts))
    read_as = as_built(recipe_for(recipe, wearer.wanted), manifest)
    recordings = read_recordings(
        read_as, wearer.wanted.data, progress=watch.step, class_names=manifest.class_names
    )
    owners = wearer.windows.groups.recording
    given = np.flatnonzero(wearer.given)
    indices = given[np.argsort(wearer.order[owners[given]], kind="stable")]
    follower, session = Wearer(constants), None
    shown = shown_windows(read_as, recordings, wearer.windows, indices, constants, follower)
    for index in indices:
        if session not in (None, wearer.recordings[owners[index]].session):
            follower.reset()  # the sensors were put on again
        session = wearer.recordings[owners[index]].session
        next(shown)
    sha256 = read_tflite(out / product.format(SHIPPED).file).sha256
    keep_state(out / WEARER_FILE, worn_tree(Worn(follower.state, frozen=False), sha256))
    return [WEARER_FILE]


def _runs_on_boards(front_end: FrontEndConstants) -> bool:
    known = all(stream.lsb is not None for stream in front_end.streams)
    return front_end.learns and front_end.causal and known


def _without(formats: Sequence[str]) -> Iterator[str]:
    if formats:
        yield (
            f"The last layer of {', '.join(formats)} cannot be replaced: the bundle that this one "
            "was made of has these formats, as they were built."
        )


def _sentences(personal: Personal) -> Iterator[str]:
    taken = "has" if personal.taken else "keeps the built last layer, not"
    yield (
        f"The product {taken} a last layer of '{personal.subject}', from "
        f"{sum(personal.repetitions.values())} repetitions ({personal.windows} windows). "
        f"{personal.why}"
    )
    missing = [name for name, n in personal.repetitions.items() if n == 0]
    if missing:
        yield (
            f"{len(missing)} classes have no repetition of the wearer and keep training's "
            f"prototype: {', '.join(missing[:8])}{', …' if len(missing) > 8 else ''}."
        )
