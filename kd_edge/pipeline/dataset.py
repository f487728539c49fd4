"""From a recipe's dataset to examples: read, check, cut or fit, and keep for the next time."""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kd_edge.base.errors import KdEdgeError, nearest
from kd_edge.base.files import sha256_file
from kd_edge.base.sources import code_digest
from kd_edge.examples import cut_windows, used_modalities
from kd_edge.examples.pictures import image_examples
from kd_edge.images import READERS as IMAGE_READERS
from kd_edge.images import Image
from kd_edge.images.near_duplicates import grouped
from kd_edge.pipeline.cache import Dataset, from_entry, to_entry
from kd_edge.pipeline.stages import key_of
from kd_edge.pipeline.store import Store
from kd_edge.signals import READERS, Reader, checks
from kd_edge.signals.folder import named_files
from kd_edge.signals.formats.wfdb import signal_files
from kd_edge.signals.recording import Recording

if TYPE_CHECKING:
    # A recipe's values are in a dataset's key; how recipes are read changes no window.
    from kd_edge.recipe import Recipe

__all__ = [
    "Dataset",
    "check_reader",
    "indices_sha256",
    "load_dataset",
    "read_recordings",
]


def load_dataset(
    recipe: Recipe,
    data: Path | None,
    *,
    store: Store | None = None,
    file: Path | None = None,
    class_names: tuple[str, ...] | None = None,
    progress: Callable[[str, int | None, int | None], None] | None = None,
) -> Dataset:
    """Examples of the recipe's dataset, from the store if nothing that they depend on changed.

    Args:
        data: folder or file; None for readers that need none.
        store: where examples are kept between runs; None: nowhere.
        file: NPY file for images that are larger than `dataset.memory_mb`; None holds them in
            memory all the same.
        class_names: the model's classes, where they are already fixed (a bench on other data).
        progress: called with (what, done, total).

    Raises:
        KdEdgeError: whatever reading, checking or cutting finds.
    """
    tell = progress or (lambda what, done, total: None)
    key = key_of(
        code_digest(__name__),
        _source_digest(recipe, data, tell),
        recipe.dataset.model_dump(mode="json", exclude={"path", "memory_mb"}),
        recipe.model_dump(mode="json", include={"front_end", "windows", "images"}),
        class_names,
    )
    # Recordings and images are named by where they lie, which is no part of what they are.
    place = key_of("windows", key, data and str(data.resolve()), recipe.dataset.memory_mb)
    with (store or Store(None)).at(place, "windows") as slot:
        found = slot.take(from_entry)
        if found is not None:
            what = "windows" if recipe.images is None else "images"
            tell(f"{what} from the cache", len(found.examples), len(found.examples))
            return found
        asked = _Asked(recipe, data, key, class_names, file, tell)
        dataset = _of_recordings(asked) if recipe.images is None else _of_images(asked)
        if not dataset.examples.on_disk:
            slot.keep(*to_entry(dataset))
        return dataset


@dataclass(frozen=True)
class _Asked:
    """What examples are made of, as `load_dataset` has it."""

    recipe: Recipe
    data: Path | None
    key: str
    class_names: tuple[str, ...] | None
    file: Path | None
    tell: Callable[[str, int | None, int | None], None]


def _of_recordings(asked: _Asked) -> Dataset:
    recipe = asked.recipe
    recordings, names = _of_classes(
        _merged(_read(recipe, asked.data, asked.tell), recipe, asked.class_names),
        recipe.dataset.classes,
        asked.class_names,
        recipe.dataset.unknown_classes,
    )
    checks.check(
        recordings,
        allow_duplicates=recipe.dataset.allow_duplicates,
        allow_stuck=recipe.dataset.allow_stuck,
        modalities=used_modalities(recipe.windows),
    )
    windows, designs = cut_windows(
        recordings,
        recipe.front_end,
        recipe.windows,
        names,
        progress=lambda done: asked.tell("front end and windows", done, len(recordings)),
    )
    return Dataset(windows, designs, tuple(r.info() for r in recordings), asked.key)


def _of_images(asked: _Asked) -> Dataset:
    recipe, wanted = asked.recipe, asked.recipe.dataset.classes
    asked.tell("reading images", None, None)
    found = _reader(recipe).read(asked.data, **recipe.dataset.options)
    images = found.images
    if images[0].mask is None:
        unknown = recipe.dataset.unknown_classes
        images = _merged(images, recipe, asked.class_names)
        images, names = _of_classes(images, wanted, asked.class_names, unknown)
    else:
        names = asked.class_names or wanted or found.class_names
        _check_order(found.class_names, names, wanted, asked.data)
    if names is None:
        raise KdEdgeError(
            "KD_LABELS",
            "the masks' classes have no names",
            where="dataset.classes",
            hint="name them there or in classes.txt: the first is value 0 of the masks",
        )
    if recipe.dataset.near_duplicates is not None:
        images = grouped(
            images,
            recipe.dataset.near_duplicates,
            progress=lambda done: asked.tell("looking for near duplicates", done, len(images)),
        )
    too_large = _input_bytes(images, recipe) > 1e6 * recipe.dataset.memory_mb
    examples = image_examples(
        images,
        recipe.images,
        names,
        file=asked.file if too_large else None,
        progress=lambda done: asked.tell("images", done, len(images)),
    )
    infos = tuple(image.info() for image in images)
    return Dataset(examples, (), infos, asked.key, recipe.images)


def _check_order(
    found: Sequence[str] | None,
    names: Sequence[str] | None,
    wanted: Sequence[str] | None,
    data: Path | None,
) -> None:
    """Masks hold numbers: the names of these must not stand in another order than the models'."""
    if found is None or names is None:
        return
    own = found[: len(names)]
    # A recipe may call its own classes otherwise; then only their order can be compared.
    if wanted is not None and set(own) != set(names):
        return
    for value, (theirs, ours) in enumerate(zip(own, names, strict=False)):
        if theirs != ours:
            raise KdEdgeError(
                "KD_LABELS",
                f"value {value} of these masks is '{theirs}', of the models '{ours}'",
                where=str(data),
                hint="write the masks with the models' values: " + ", ".join(names),
            )


def _input_bytes(images: Sequence[Image], recipe: Recipe) -> int:
    """Of the images as the model's input, in float32."""
    return 4 * len(images) * math.prod(recipe.images.shape)


def read_recordings(
    recipe: Recipe,
    data: Path | None,
    *,
    progress: Callable[[str, int | None, int | None], None],
    class_names: tuple[str, ...] | None = None,
) -> list[Recording]:
    """The recordings behind a recipe's windows, in the order of `Groups.recording`.

    Raises:
        KdEdgeError: whatever reading finds.
    """
    dataset = recipe.dataset
    recordings = _merged(_read(recipe, data, progress), recipe, class_names)
    return _of_classes(recordings, dataset.classes, class_names, dataset.unknown_classes)[0]


def check_reader(recipe: Recipe) -> None:
    """Look up the reader and its options without reading anything.

    Raises:
        KdEdgeError KD_UNKNOWN_NAME, KD_RECIPE_KEY: with the nearest names.
    """
    known = options_known(recipe)
    for option in recipe.dataset.options:
        if option not in known:
            raise KdEdgeError(
                "KD_RECIPE_KEY",
                f"unknown option '{option}'{nearest(option, known)}",
                where=f"dataset.options.{option}",
                hint=f"options: {', '.join(known) or 'none'}",
            )


def options_known(recipe: Recipe) -> list[str]:
    """Names of the options that the recipe's reader takes.

    Raises:
        KdEdgeError KD_UNKNOWN_NAME: no such reader.
    """
    if recipe.images is None and recipe.dataset.reader == "synthetic":
        from kd_edge.signals.simulate import SignSettings

        return [field.name for field in fields(SignSettings)]
    return _reader(recipe).options


def _read(
    recipe: Recipe,
    data: Path | None,
    tell: Callable[[str, int | None, int | None], None],
) -> list[Recording]:
    check_reader(recipe)
    dataset = recipe.dataset
    if dataset.reader == "synthetic":
        from kd_edge.signals.simulate import SignSettings, simulate

        settings = SignSettings(**dataset.options)
        return simulate(settings, progress=lambda d, n: tell("simulating signs", d, n))
    tell("reading recordings", None, None)
    return _reader(recipe).read(data, **dataset.options)


def _reader(recipe: Recipe) -> Reader:
    name = recipe.dataset.reader
    mine, others = (IMAGE_READERS, READERS) if recipe.images else (READERS, IMAGE_READERS)
    if name in mine:
        return mine[name]
    known = [*mine] if recipe.images else [*mine, "synthetic"]
    if name in others or name == "synthetic":
        what, tables = ("images", "[images]") if others is IMAGE_READERS else (
            "recordings", "[front_end.*] and [windows]"
        )  # fmt: skip
        raise KdEdgeError(
            "KD_RECIPE_KEY",
            f"the reader '{name}' reads {what}, for which a recipe has {tables}",
            where="dataset.reader",
            hint=f"readers for the tables of this recipe: {', '.join(known)}",
        )
    raise KdEdgeError(
        "KD_UNKNOWN_NAME",
        f"no reader is called '{name}'{nearest(name, known)}",
        where="dataset.reader",
        hint=f"readers: {', '.join(known)}",
    )


def _source_digest(recipe: Recipe, data: Path | None, tell) -> object:
    """What recordings or images depend on: every file's bytes, or the settings of a generator."""
    if recipe.images is None and recipe.dataset.reader == "synthetic":
        if data is not None:
            raise KdEdgeError(
                "KD_USAGE",
                "the recipe simulates its recordings, and --data names others",
                where=str(data),
                hint="say what reads it: dataset.reader of the recipe, or --reader of the "
                "command; or leave --data out",
            )
        return "synthetic"
    if data is None:
        data = _installed_data(_reader(recipe))
    if not data.exists():
        raise KdEdgeError(
            "KD_NO_FILE",
            f"no such file or folder: {data}",
            where="dataset.path or --data",
            hint="name the folder of recordings or images with --data",
        )
    tell("reading files", None, None)
    files = [data] if data.is_file() else sorted(p for p in data.rglob("*") if p.is_file())
    if recipe.dataset.reader == "folder":
        files += [p for p in named_files(data) if p not in files]
    for header in [p for p in files if p.suffix.lower() == ".hea"]:
        with contextlib.suppress(KdEdgeError):  # reading says what is wrong with it
            files += [p for p in signal_files(header) if p not in files and p.is_file()]
    return [[os.path.relpath(p, data), sha256_file(p)] for p in files]


def _installed_data(reader: Reader) -> Path:
    """The file that an installed package brings, for readers that need no path."""
    if reader.needs_path:
        raise KdEdgeError(
            "KD_NO_FILE",
            f"reader '{reader.name}' reads a folder or file, and none is named",
            where="dataset.path",
            hint="name it with --data",
        )
    return reader.data_file()


def _merged(
    recordings: Sequence[Recording] | Sequence[Image],
    recipe: Recipe,
    fixed: tuple[str, ...] | None,
) -> list:
    """The recordings or images under the labels that theirs become; other data may lack some."""
    becomes = {old: new for new, labels in recipe.dataset.merge.items() for old in labels}
    if fixed is None:
        known = sorted({r.label for r in recordings if r.label is not None})
        _check_labels([*becomes], known, "labels:", key="dataset.merge")
    return [replace(r, label=becomes.get(r.label, r.label)) for r in recordings]


def _of_classes(
    recordings: Sequence[Recording] | Sequence[Image],
    wanted: tuple[str, ...] | None,
    fixed: tuple[str, ...] | None,
    unknown: tuple[str, ...] = (),
) -> tuple[list, tuple[str, ...]]:
    """The recordings to use and the classes in the model's output order.

    `wanted` are the recipe's: others, and the `unknown`, are left out. `fixed` are a bundle's: of
    what is left, others are an error.
    """
    unlabelled = [r for r in recordings if r.label is None]
    if unlabelled:
        raise KdEdgeError(
            "KD_LABELS",
            f"{len(unlabelled)} recordings have no label",
            where=unlabelled[0].source,
            hint="put a labels.csv beside the files: file,label,subject,session,trial",
        )
    known = sorted({r.label for r in recordings})
    if recordings and fixed is None:  # other recordings may lack them
        _check_labels(unknown, known, "labels:", key="dataset.unknown_classes")
    kept = [
        r for r in recordings if r.label not in unknown and (wanted is None or r.label in wanted)
    ]
    if fixed is not None:
        _check_labels(sorted({r.label for r in kept}), fixed, "the bundle's classes are")
        if recordings and not kept:
            _check_labels(known, wanted or fixed, "the classes to use are")
        return kept, fixed
    if wanted is not None and recordings:
        _check_labels(wanted, known, "labels:")
    return kept, wanted or tuple(name for name in known if name not in unknown)


def _check_labels(
    names: Sequence[str], known: Sequence[str], what: str, key: str = "dataset.classes"
) -> None:
    for name in names:
        if name not in known:
            raise KdEdgeError(
                "KD_LABELS",
                f"label '{name}' is unknown{nearest(name, known)}",
                where=f"{key} and the recordings' labels",
                hint=f"{what} {', '.join(known[:20])}",
            )


def indices_sha256(indices: np.ndarray) -> str:
    """Digest of (n,) indices, for stage keys."""
    return hashlib.sha256(np.ascontiguousarray(indices, dtype="<i8").tobytes()).hexdigest()
