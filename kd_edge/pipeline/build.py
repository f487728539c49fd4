"""`build`: from a recipe and recordings to a proven bundle."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.files import own_path, sha256_file, write_text
from kd_edge.base.formats import FORMATS, FileKind
from kd_edge.base.version import __version__
from kd_edge.distill.reproducible import one_order_of_sums
from kd_edge.measure.host import host
from kd_edge.models.keras_start import set_keras
from kd_edge.pipeline.ahead import clear_workers, workers_ahead
from kd_edge.pipeline.answers import VALIDATION, VALIDATION_FILE, KerasAnswers, answer
from kd_edge.pipeline.bundle import (
    MANIFEST_FILE,
    RECIPE_FILE,
    REPORT_FILE,
    SCHEMA_VERSION,
    BundledModel,
    Learned,
    Manifest,
    start_bundle,
    write_manifest,
)
from kd_edge.pipeline.context import EXAMPLES_FILE, WORK_FOLDER, Context, prepare
from kd_edge.pipeline.converting import convert_models
from kd_edge.pipeline.deciding import decide_over
from kd_edge.pipeline.firmware import FIRMWARE_FOLDER, GOLDEN_FILE, export_firmware
from kd_edge.pipeline.gallery import gallery
from kd_edge.pipeline.gates import Gates, blind_spot, check_gates
from kd_edge.pipeline.kept_features import keep_features
from kd_edge.pipeline.kept_windows import WINDOWS_FILE
from kd_edge.pipeline.lock import locked
from kd_edge.pipeline.names import check_names, check_networks
from kd_edge.pipeline.parts import describe_part
from kd_edge.pipeline.peers import baseline_rows, fold_results
from kd_edge.pipeline.proof import Proven, Prover
from kd_edge.pipeline.prototypes import keep_prototypes
from kd_edge.pipeline.raw_windows import keep_raw_windows
from kd_edge.pipeline.reporting import (
    HTML_FILE,
    first_weights,
    provenance,
    sample_windows,
    versions,
    what_is_reproducible,
    write_report,
)
from kd_edge.pipeline.selection.asking import Asked, ask_for
from kd_edge.pipeline.selection.picking import train_selector
from kd_edge.pipeline.selection.together import select_over
from kd_edge.pipeline.stages import key_of
from kd_edge.pipeline.teachers import joined_teachers, lineage, teacher_files, teacher_rows
from kd_edge.pipeline.training import FoldTrainer, Trained
from kd_edge.pipeline.watch import Watch
from kd_edge.recipe import Recipe, to_toml
from kd_edge.report.tree import SCHEMA_VERSION as REPORT_SCHEMA_VERSION
from kd_edge.report.tree import Part, Report
from kd_edge.runtimes.registry import installed, stood_in, version

# As `FoldTrainer` names them, and one that was being written when a process was killed.
_CHECKPOINT = re.compile(r"[A-Za-z0-9_-]+-[0-9a-f]{16}\.ckpt|\.writing-[a-z0-9_]+\.ckpt")


@dataclass(frozen=True)
class Built:
    """A bundle's report, and the gates that it failed (none: the build succeeded)."""

    report: Report
    failures: tuple[KdEdgeError, ...]


def build(
    recipe: Recipe,
    *,
    data: Path | None,
    out: Path,
    command: str,
    fold: str | None = None,
    cache: bool = True,
    n_workers: int = 1,
    watch: Watch | None = None,
) -> Built:
    """Build the bundle of `recipe` in `out`; what an earlier build did and still holds is kept.

    Args:
        data: recordings; None where the recipe's reader needs none.
        command: for the report's provenance.
        fold: the subject or session that the only fold to train holds out; None trains every fold.
        cache: whether work of builds in other folders is taken from the user's cache, and this
            one's kept there.
        n_workers: processes that train models at a time, this one among them; more than one need
            the cache.

    Raises:
        KdEdgeError: the user's to mend. Failed gates are returned, with the bundle in place.
    """
    set_keras()
    check_names(recipe)
    start_bundle(out)
    with locked(out), one_order_of_sums() as same_on_any_cores:
        context = prepare(
            recipe,
            data,
            out,
            command=command,
            cache=cache,
            watch=watch or Watch(),
            same_on_any_cores=same_on_any_cores,
            held_out=fold,
        )
        return _build(context, n_workers)


def _build(context: Context, n_workers: int) -> Built:
    recipe, out = context.recipe, context.out
    _begin(context)
    with workers_ahead(context, n_workers):
        trainer = FoldTrainer(context, context.data)
        teachers = trainer.teachers()
        students = trainer.students(teachers)
        selector = train_selector(context, {student.name: student for student in students})
        shipping = [*students, *([selector] if selector else [])]
        trained = [*shipping, *(model for model in teachers if isinstance(model, Trained))]
        models, refused = convert_models(context, trained)
        answers = answer(context, [*shipping, *teachers])
        folds = fold_results(context, students, answers)
    asked = ask_for(context, models, answers.validation.parts[VALIDATION])
    manifest = replace(
        _manifest(context, models, asked),
        joined=joined_teachers(context, answers),
        teacher_files=teacher_files(teachers),
    )
    decided = decide_over(context, manifest, answers)
    if decided is not None:
        manifest = replace(manifest, temperature=decided.section.temperature, decision=decided.rule)
    proven = _prove(context, manifest, answers)
    gates = _gates(context, manifest, answers, proven)
    windows = next(iter(context.data.tests.values()))
    firmware = export_firmware(out, recipe, manifest, windows, proven)
    report = Report(
        schema_version=REPORT_SCHEMA_VERSION,
        title=recipe.name,
        product=manifest.product,
        synthetic=manifest.synthetic,
        caveats=(*refused, *firmware.caveats, *_caveats(context)),
        provenance=provenance(context.command, recipe.sha256),
        parts=_parts(context),
        rows=(
            *proven.rows,
            *teacher_rows(context, manifest, answers),
            *baseline_rows(context),
        ),
        parity=(*proven.parity, *firmware.parity),
        curves=tuple(model.curve for model in trained if model.curve is not None),
        findings=gates.findings,
        gates=gates.gates,
        flash=firmware.flash,
        samples=sample_windows(next(iter(context.data.tests.values())), manifest.front_end),
        folds=folds,
        examples=manifest.examples,
        decisions=decided and decided.section,
        learnt=lineage(context, manifest, answers),
        selection=select_over(context, manifest, answers, asked and asked.found),
        gallery=gallery(out, manifest, *next(iter(context.data.tests.items())), built=False),
    )
    keep_raw_windows(context, manifest.front_end)
    keep_prototypes(context, manifest)
    keep_features(context)
    write_report(out, report)
    _clear(context)
    written = (RECIPE_FILE, REPORT_FILE, HTML_FILE, GOLDEN_FILE, FIRMWARE_FOLDER)
    write_manifest(out, manifest, (*context.stages.files, *written))
    return Built(report, (*gates.failures, *firmware.failures))


def _begin(context: Context) -> None:
    """Look whether the models can be built, and begin the bundle."""
    few = blind_spot(context.recipe.proof, len(context.dataset.examples))
    if few:
        context.watch.note(few)
    check_networks(context)
    # From here the folder is no finished bundle, until the manifest is written again.
    (context.out / MANIFEST_FILE).unlink(missing_ok=True)
    recipe = context.recipe.reading(context.source)
    write_text(context.out / RECIPE_FILE, to_toml(recipe))


def _clear(context: Context) -> None:
    """Delete what a finished build needs no more: files of other recipes' stages, checkpoints."""
    context.stages.drop_others()
    for checkpoint in own_path(context.out, WORK_FOLDER).glob("*.ckpt"):
        if _CHECKPOINT.fullmatch(checkpoint.name):
            checkpoint.unlink()
    clear_workers(context.out)
    own_path(context.out, EXAMPLES_FILE).unlink(missing_ok=True)


def _caveats(context: Context) -> Iterator[str]:
    """What a reader must know of a build that all went well."""
    if context.recipe.form == "quick":
        yield "Quick form of the recipe: it shows that the chain works. Its figures mean nothing."
    yield from first_weights(context.recipe)
    yield from what_is_reproducible(context.recipe.seed, context.same_on_any_cores)
    if len(context.folds) > 1:
        yield (
            f"The models, their figures and firmware/ are those of the first fold, "
            f"'{context.folds[0].name}'; other folds' models only give the folds' figures."
        )
    yield from stood_in()
    few = blind_spot(context.recipe.proof, len(context.dataset.examples))
    if few:
        yield few


def _manifest(context: Context, models: tuple[BundledModel, ...], asked: Asked | None) -> Manifest:
    fold, recordings = context.folds[0], context.dataset.recordings
    return Manifest(
        schema_version=SCHEMA_VERSION,
        kd_edge=__version__,
        title=context.recipe.name,
        product=context.recipe.product_name,
        synthetic=context.dataset.examples.synthetic,
        recipe_sha256=context.recipe.sha256,
        class_names=context.dataset.examples.class_names,
        models=models,
        front_end=context.data.front_end,
        learned=tuple(
            Learned(each.subject, each.session, each.content_sha256, each.look)
            for each in (recordings[i] for i in fold.learned)
        ),
        versions=versions(),
        files={},
        task=context.recipe.task,
        pixels=context.data.pixels,
        composition=asked and asked.composition,
    )


def _prove(context: Context, manifest: Manifest, answers: KerasAnswers) -> Proven:
    """Measure once for the same files, windows, settings, runtimes and host."""
    proof = context.recipe.proof
    key = key_of(_evidence(context, manifest), proof.model_dump(mode="json"), host())
    adapter = TypeAdapter(Proven)

    def make():
        prover = Prover(context.out, manifest, answers.stored, proof, progress=context.watch.step)
        return adapter.dump_python(prover.prove(), mode="json")

    return adapter.validate_python(context.stages.run("prove", key, [], make))


def _gates(context: Context, manifest: Manifest, answers: KerasAnswers, proven: Proven) -> Gates:
    """Hold the models against the limits once for the same files, windows, limits and parity."""
    recipe = context.recipe
    key = key_of(
        _evidence(context, manifest),
        sha256_file(context.out / VALIDATION_FILE),
        manifest.product,
        recipe.conversion.model_dump(mode="json"),
        recipe.proof.model_dump(mode="json"),
        [asdict(parity) for parity in proven.parity],
    )

    def make():
        held_out = answers.held_out if context.data.plain.validates else answers.tested
        found = check_gates(recipe, manifest, context.out, held_out=held_out, parity=proven.parity)
        return found.to_json()

    return Gates.from_json(context.stages.run("limits and lints", key, [], make))


def _evidence(context: Context, manifest: Manifest) -> list:
    """What every figure rests on: files, windows with Keras's answers, runtimes, what is asked."""
    kinds = {FORMATS.find(f.format).kind for model in manifest.models for f in model.formats}
    return [
        manifest.task,
        [
            [asdict(model), [sha256_file(context.out / f.file) for f in model.formats]]
            for model in manifest.models
        ],
        sha256_file(context.out / WINDOWS_FILE),
        {name: version(name) for kind in FileKind if kind in kinds for name in installed(kind)},
        manifest.composition and [manifest.product, asdict(manifest.composition)],
    ]


def _parts(context: Context) -> tuple[Part, ...]:
    data, recordings = context.data, context.dataset.recordings
    return tuple(
        describe_part(part, data.of(part), recordings)
        for part in (*data.fold.tests, data.fold.validation, data.fold.train)
    )
