"""`personalise`: a bundle whose last layer is one wearer's, from a few labelled repetitions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.flatbuffer import model_bytes
from kd_edge.base.formats import FORMATS, SHIPPED, FileKind
from kd_edge.base.head import Head
from kd_edge.base.head_files import HEAD_FILES
from kd_edge.personalise import Few, Judged, Prototypes, as_head, judge, learn, scores_of
from kd_edge.pipeline.bundle import (
    RECIPE_FILE,
    BundledModel,
    Manifest,
    bundled_file,
    load_manifest,
)
from kd_edge.pipeline.personal_bundle import Made, write_personal
from kd_edge.pipeline.prototypes import embed, load_prototypes
from kd_edge.pipeline.shipped import shipped
from kd_edge.pipeline.watch import Watch
from kd_edge.pipeline.wearers_data import Wanted, WearersData, read_wearers_data
from kd_edge.recipe import load_recipe
from kd_edge.report.tree import Personal, Report
from kd_edge.runtimes.registry import ORACLE


def personalise(
    folder: Path, *, wanted: Wanted, out: Path, command: str, watch: Watch | None = None
) -> Report:
    """Write the bundle in `folder` anew to `out`, with the last layer of one wearer.

    Everything before the last layer stays as it is, to the byte of its weights. The new layer is
    taken only if it is better than the old one on repetitions that it has not learned from, beyond
    chance; where no class has two repetitions this cannot be tried, and it is taken unless it gets
    fewer of the given ones right. If it is not taken, `out` has the old layer, and the report says
    why.

    Args:
        wanted: the wearer's labelled recordings. out: an empty or new folder, or a bundle's.

    Returns:
        the report of the new bundle; `personal` says what was done.

    Raises:
        KdEdgeError: as `load_manifest`, `load_prototypes`, `read_wearers_data` and `start_bundle`.
        KD_USAGE: the bundle takes images, or its product is several models.
    """
    watch, folder, out = watch or Watch(), Path(folder), Path(out)
    manifest = load_manifest(folder)
    model = _model(manifest, folder)
    if out.resolve() == folder.resolve():
        raise KdEdgeError(
            "KD_USAGE",
            "the new bundle would be written over the one that it is made of",
            where=str(out),
            hint="name another folder with --out",
        )
    prototypes = load_prototypes(folder, manifest)
    (member,) = shipped(folder, manifest).members
    forms, left_out = _forms(folder, manifest, model)
    old = forms[SHIPPED].head
    _check_fit(prototypes, old, folder)
    recipe = load_recipe(bundled_file(folder, manifest, RECIPE_FILE))
    wearer = read_wearers_data(recipe, manifest, wanted, watch)
    watch.step("the wearer's repetitions", None, None)
    few = _few(member.path, model, wearer)
    found = find_layer(few, old, prototypes)
    contents = {name: form.with_layer(found) for name, form in forms.items()}
    personal = _personal(found, few, wearer, manifest)
    made = Made(contents, left_out, personal, wearer, command)
    return write_personal(folder, out, manifest, made, watch)


def _model(manifest: Manifest, folder: Path) -> BundledModel:
    if manifest.front_end is None or manifest.composition is not None:
        what = "takes images" if manifest.front_end is None else "answers by several models"
        raise KdEdgeError(
            "KD_USAGE",
            f"the bundle {what}; a wearer's last layer is for one model of sensors",
            where=str(folder),
            hint="build a bundle whose product is one student of recordings",
        )
    (model,) = manifest.members
    return model


def _check_fit(prototypes: Prototypes, old: Head, folder: Path) -> None:
    if prototypes.means.shape != old.weights.shape or not old.is_quantised:
        raise KdEdgeError(
            "KD_BUNDLE_ALTERED",
            f"the bundle's prototypes are {prototypes.means.shape}, its last layer is "
            f"{old.weights.dtype} {old.weights.shape}",
            where=str(folder),
            hint="build the bundle again",
        )


def _few(path: Path, model: BundledModel, wearer: WearersData) -> Few:
    given = wearer.windows.take(np.flatnonzero(wearer.given))
    embedding = embed(path, given.only(model.inputs), ORACLE)
    return Few(embedding, given.truth, wearer.order[given.groups.recording])


@dataclass(frozen=True, eq=False)
class Found:
    """The layer that the repetitions give, whether it is taken, and why.

    Attributes:
        as_form: the same layer in the form of another file's last one.
        built_right, personal_right: of the given repetitions' windows.
    """

    head: Head
    as_form: Callable[[Head], Head]
    judged: Judged
    built_right: int
    personal_right: int
    taken: bool
    why: str


def find_layer(few: Few, old: Head, prototypes: Prototypes) -> Found:
    """The layer that a wearer's repetitions give, and whether it is to be taken.

    Args:
        old: the int8 model's own last layer.
    """

    seen = np.concatenate([prototypes.means, few.embedding]).astype(np.float64)

    def layer(given: Few, form: Head = old) -> Head:
        return as_head(learn(prototypes, given), form, seen)

    head = layer(few)
    judged = judge(
        few,
        partial(scores_of, old),
        lambda given: partial(scores_of, layer(given)),
    )
    built, personal = (
        int((scores_of(each, few.embedding).argmax(axis=1) == few.truth).sum())
        for each in (old, head)
    )
    taken, why = _verdict(judged, built, personal)
    return Found(head, lambda form: layer(few, form), judged, built, personal, taken, why)


def _verdict(judged: Judged, built: int, personal: int) -> tuple[bool, str]:
    if judged.better is None:
        if personal < built:
            return False, (
                "No class has two repetitions, so nothing could be held out; of the given ones the "
                "wearer's layer gets fewer right."
            )
        return True, (
            "No class has two repetitions, so nothing could be held out: whether the wearer's "
            "layer is better was not tried."
        )
    figures = (
        f"{judged.personal} of {judged.repetitions} held-out repetitions right, "
        f"{judged.built} before; by chance alone {judged.chance:.2g}"
    )
    if judged.better:
        return True, f"The wearer's layer is better: {figures}."
    return False, f"The wearer's layer is not better beyond chance: {figures}."


@dataclass(frozen=True, eq=False)
class _Form:
    """One file of the product: its bytes, and the last layer that they hold."""

    content: bytes
    kind: FileKind
    head: Head

    def with_layer(self, found: Found) -> bytes:
        """The file with the layer that is taken."""
        if not found.taken:
            return self.content
        return HEAD_FILES[self.kind].replace(self.content, found.as_form(self.head))


def _forms(
    folder: Path, manifest: Manifest, model: BundledModel
) -> tuple[dict[str, _Form], tuple[str, ...]]:
    """The product's formats whose last layer can be replaced, and the names of the others.

    Raises:
        KdEdgeError KD_UNSUPPORTED_OP: the form that ships ends otherwise. KD_MISSING_PACKAGE: what
            a format needs, told before any recording is read.
    """
    forms, left_out = {}, []
    for form in model.formats:
        kind = FORMATS.find(form.format).kind
        content = model_bytes(bundled_file(folder, manifest, form.file))
        try:
            forms[form.format] = _Form(content, kind, HEAD_FILES[kind].find(content))
        except KdEdgeError as error:
            if form.format == SHIPPED or error.code != "KD_UNSUPPORTED_OP":
                raise
            left_out.append(form.format)
    return forms, tuple(left_out)


def _personal(found: Found, few: Few, wearer: WearersData, manifest: Manifest) -> Personal:
    given = dict.fromkeys(manifest.class_names, 0)
    for index in wearer.given_recordings:
        given[wearer.recordings[index].label] += 1
    return Personal(
        subject=wearer.subject,
        taken=found.taken,
        why=found.why,
        repetitions=given,
        windows=len(few.truth),
        built_right=found.built_right,
        personal_right=found.personal_right,
        held_out=found.judged.repetitions,
        held_out_built=found.judged.built,
        held_out_personal=found.judged.personal,
        chance=found.judged.chance,
    )
